"""Find a scene's items in Plex and read them, believing only what the read itself confirms."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scenesync.domain.batches import batched
from scenesync.domain.errors import AmbiguousMatch, SceneSkipped
from scenesync.domain.matching import Ambiguous, Match, MatchResult, NoMatch, match_files, plays
from scenesync.plex.exceptions import PlexNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.item import Item
    from scenesync.domain.paths import PathRule
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.scene import Scene
    from scenesync.worker.library_index import LibraryIndex


ITEMS_PER_READ: Final = 50


class Locator:
    """Answers with the match and the items as they are now."""

    def __init__(
        self, server: MediaServer, index: LibraryIndex, path_map: Sequence[PathRule] = (), *, strict: bool = True
    ) -> None:
        self._server = server
        self._index = index
        self._path_map = tuple(path_map)
        self._strict = strict

    def match(self, scene: Scene) -> MatchResult:
        """Ask the index alone; no request is made."""
        return match_files(scene.files, self._index, self._path_map, strict=self._strict)

    def read_ahead(self, scenes: Iterable[Scene]) -> Mapping[str, Item]:
        """Read the items of many scenes in as few requests as possible, for ``locate`` to use at once."""
        matches = (self.match(scene) for scene in scenes)
        keys = dict.fromkeys(key for found in matches if isinstance(found, Match) for key in found.rating_keys)
        items: dict[str, Item] = {}
        for batch in batched(keys, ITEMS_PER_READ):
            items.update(self._server.read_items(batch))
        return items

    def locate(self, scene: Scene, items: Mapping[str, Item] = MappingProxyType({})) -> tuple[Match, Sequence[Item]]:
        """Return the match and its items, in full: from ``items``, which were read a moment ago, else read now.

        Raises SceneSkipped, AmbiguousMatch, PlexNotFound, and what the requests raise.
        """
        if not scene.files:
            raise SceneSkipped(f"Scene {scene.id} has no file, so there is nothing in Plex to show it on.")
        found = self._read(scene, items)
        if found is None and self._index.refresh_after_miss():
            found = self._read(scene, {})
        if found is None:
            raise PlexNotFound(
                f"No Plex item plays {scene.files[0].path}. Plex may not have scanned it yet; if it has, "
                "check path_map with `scenesync doctor`."
            )
        return found

    def _read(self, scene: Scene, known: Mapping[str, Item]) -> tuple[Match, Sequence[Item]] | None:
        """Match and read; None if nothing matches, or if what matched turned out to be something else by now."""
        match self.match(scene):
            case Ambiguous(rule, candidates):
                keys = tuple(dict.fromkeys(file.rating_key for file in candidates))
                raise AmbiguousMatch(
                    f"{len(keys)} Plex items fit scene {scene.id} by {rule.value}: "
                    + "; ".join(f"{file.rating_key} ({file.path})" for file in candidates),
                    candidates=keys,
                )
            case NoMatch():
                return None
            case Match() as matched:
                return self._verified(matched, known)

    def _verified(self, matched: Match, known: Mapping[str, Item]) -> tuple[Match, Sequence[Item]] | None:
        in_hand = all(key in known for key in matched.rating_keys)
        items = known if in_hand else self._server.read_items(matched.rating_keys)
        # The path is checked in the read that the edit is based on: after a rebuild of Plex's database the same key
        # may be a different film.
        good = {key for key in matched.rating_keys if key in items and plays(items[key], matched)}
        for key in matched.rating_keys:
            if key not in good:
                self._index.forget_item(key)
        if not good:
            return None
        return matched, [items[key] for key in matched.rating_keys if key in good]
