"""The folder of backups: what they are called, which there are, and which are too many."""

from __future__ import annotations

import calendar
import logging
import re
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scenesync.app.settings import Settings

log = logging.getLogger(__name__)

FOLDER: Final = "backups"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(
    r"scenesync-(?P<stamp>\d{8}T\d{6}Z)-v(?P<version>\d+)(?P<kind>-before-migration)?(?:-(?P<number>\d+))?\.zip"
)


class Kind(StrEnum):
    """Why a backup was made; of each kind some are kept."""

    ORDINARY = "ordinary"
    BEFORE_MIGRATION = "before-migration"


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup in the folder; ``made_at`` in epoch seconds, as its name says."""

    path: Path
    made_at: float
    kind: Kind
    number: int


def backup_folder(settings: Settings) -> Path:
    """Return where backups are kept."""
    return settings.data_dir / FOLDER if settings.backup_dir is None else folder_of_route(settings, settings.backup_dir)


def folder_of_route(settings: Settings, folder: Path) -> Path:
    """Return where in a folder that is one for all routes the backups of this one are kept: the first's at its top."""
    place = settings.place
    return folder if place is None or settings.data_dir == place.installation_dir else folder / place.name


def name_for(folder: Path, made_at: float, store_version: int, kind: Kind) -> Path:
    """Return a path in ``folder`` that is free, named after the time (UTC) and the version of the state store."""
    suffix = "" if kind is Kind.ORDINARY else f"-{kind.value}"
    stem = f"scenesync-{time.strftime(_STAMP, time.gmtime(made_at))}-v{store_version}{suffix}"
    candidate, number = folder / f"{stem}.zip", 1
    while candidate.exists():
        number += 1
        candidate = folder / f"{stem}-{number}.zip"
    return candidate


def kept_in(folder: Path) -> Sequence[Kept]:
    """Return the backups in ``folder``, newest first; what has another name is none of ours. Raises OSError."""
    if not folder.is_dir():
        return ()
    found = [_as_kept(path) for path in folder.iterdir()]
    return sorted((each for each in found if each), key=lambda each: (each.made_at, each.number), reverse=True)


def _as_kept(path: Path) -> Kept | None:
    parts = _NAME.fullmatch(path.name)
    if parts is None:
        return None
    try:
        made_at = calendar.timegm(time.strptime(parts["stamp"], _STAMP))
    except ValueError:
        return None
    kind = Kind.BEFORE_MIGRATION if parts["kind"] else Kind.ORDINARY
    return Kept(path, float(made_at), kind, int(parts["number"] or 1))


def too_many(kept: Sequence[Kept], keep: int) -> Sequence[Kept]:
    """Return those that go when ``keep`` of each kind stay; ``kept`` is newest first."""
    return [each for kind in Kind for each in [one for one in kept if one.kind is kind][keep:]]


def drop_too_many(folder: Path, keep: int, newest: Path) -> Sequence[Path]:
    """Delete the oldest backups beyond ``keep`` of each kind; return which. What cannot be deleted is logged.

    ``newest`` is the one just made: it stays, also if a clock that was set back since makes others seem newer.
    """
    dropped: list[Path] = []
    try:
        kept = sorted(kept_in(folder), key=lambda each: each.path != newest)
        for each in too_many(kept, keep):
            each.path.unlink(missing_ok=True)
            dropped.append(each.path)
    except OSError as error:
        log.warning("older backups in %s cannot be deleted: %s", folder, error.strerror)
    return dropped
