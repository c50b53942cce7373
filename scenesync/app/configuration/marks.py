"""The file by which the folder of a route says whose state lies in it, so that no two libraries are ever mixed."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.routing import ROUTES_FOLDER, Mark
from scenesync.disk.drafts import drafted
from scenesync.disk.durability import sync_file
from scenesync.disk.ownership import hand_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scenesync.app.configuration.model import Settings

log = logging.getLogger(__name__)

FILE: Final = "route.json"


def read_marks(data_dir: Path) -> Sequence[Mark]:
    """Return what the folders of an installation say about themselves, that of the first route before the others."""
    return list(_marks(data_dir))


def _marks(data_dir: Path) -> Iterator[Mark]:
    try:
        others = sorted(path for path in (data_dir / ROUTES_FOLDER).iterdir() if path.is_dir())
    except OSError:
        others = []
    for folder in (data_dir, *others):
        mark = _read(folder)
        if mark is not None:
            yield mark


def _read(folder: Path) -> Mark | None:
    """Return the mark of a folder, None if it has none that can be read."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        texts = [found[key] for key in ("route", "stash_url", "plex_url", "server")]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not all(isinstance(text, str) for text in texts):
        return None
    name, stash_url, plex_url, server = texts
    return Mark(folder=folder, name=name, stash_url=stash_url, plex_url=plex_url, server=server)


def known_stash_url(settings: Settings) -> str:
    """Return where the Stash is, "" if nobody said: under Stash's plugin the default would be a guess."""
    return settings.stash_url if "stash_url" in settings.model_fields_set else ""


def leave_mark(settings: Settings) -> None:
    """Write into the data directory whose state lies there, if it does not say so yet. Raises OSError.

    Without tables that is said only for later, so what cannot be written then is no failure.
    """
    place, folder = settings.place, settings.data_dir
    mark = Mark(
        folder=folder,
        name="" if place is None else place.name,
        stash_url=settings.stash_url,
        plex_url=settings.plex_url or "",
        server="" if place is None else place.server,
    )
    if place is not None:
        _leave(mark)
    elif known_stash_url(settings) and not settings.is_of_all:
        try:
            _leave(mark)
        except OSError as error:
            log.debug("%s cannot be written now: %s", folder / FILE, error)


def _leave(mark: Mark) -> None:
    folder = mark.folder
    if _read(folder) == mark:
        return
    content = {"route": mark.name, "stash_url": mark.stash_url, "plex_url": mark.plex_url, "server": mark.server}
    with drafted(folder / FILE) as draft:
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        sync_file(draft)
        with contextlib.suppress(OSError):  # who may not give files away keeps them
            hand_over(str(draft))
