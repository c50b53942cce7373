"""Take out of scenes' URLs in Stash what other tools left there: where an item stood in Plex, once.

Agents and plugins of this kind add ``plex/library/metadata/12345`` to a scene, to find the item again. SceneSync needs
none of it, such a number dies with its item, and people see it on the scene's page.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.errors import StashRefused, StashUnauthorized

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

log = logging.getLogger(__name__)

MARK: Final = "plex/library/metadata/"
PAGE_SIZE: Final = 100
_LINK: Final = re.compile(r"(?:https?://[^/?#]+)?/?plex/library/metadata/\d+/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class SceneUrls:
    """A scene with its URLs, in Stash's order."""

    scene_id: int
    urls: tuple[str, ...]


class SceneUrlKeeper(Protocol):
    """Stash, as far as scenes' URLs are read and set."""

    def scene_urls_after(self, text: str, last_id: int, limit: int) -> Sequence[tuple[int, tuple[str, ...]]]:
        """Return the next scenes above ``last_id`` with a URL that contains ``text``, in rising order."""
        ...

    def set_scene_urls(self, scene_id: int, urls: Sequence[str]) -> None:
        """Give a scene exactly these URLs."""
        ...


@dataclass(frozen=True, slots=True)
class Cleaned:
    """How many scenes had such links, and what Stash refused to change."""

    scenes: int
    refused: tuple[int, ...] = ()


def is_foreign(url: str) -> bool:
    """Say whether a URL is such a link, as a whole: what only contains one is somebody's own."""
    return _LINK.fullmatch(url.strip()) is not None


def scenes_with_links(stash: SceneUrlKeeper) -> Iterator[SceneUrls]:
    """Walk the scenes that have such links, page by page. Raises what Stash's client raises."""
    last_id = 0
    while page := stash.scene_urls_after(MARK, last_id, PAGE_SIZE):
        last_id = page[-1][0]
        yield from (SceneUrls(scene_id, urls) for scene_id, urls in page if any(map(is_foreign, urls)))


def remove_links(stash: SceneUrlKeeper) -> Cleaned:
    """Take the links off every scene, one change a scene, each noted in the log; a scene that Stash refuses stays.

    Raises StashUnavailable, StashUnauthorized.
    """
    scenes, refused = 0, []
    for scene in scenes_with_links(stash):
        links = [url for url in scene.urls if is_foreign(url)]
        try:
            stash.set_scene_urls(scene.scene_id, [url for url in scene.urls if url not in links])
        except StashUnauthorized:
            raise
        except StashRefused as error:
            log.warning("links of another tool stay scene=%d message=%s", scene.scene_id, error)
            refused.append(scene.scene_id)
        else:
            log.info("links of another tool taken off scene=%d links=%s", scene.scene_id, " ".join(links))
            scenes += 1
    return Cleaned(scenes, tuple(refused))
