"""Find a scene's items in Plex and read them, believing only what the read itself confirms."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.batches import batched
from scenesync.domain.errors import AmbiguousMatch, SceneSkipped
from scenesync.domain.matching import (
    Ambiguous,
    Match,
    MatchResult,
    NoMatch,
    Rule,
    as_document,
    keys_asked,
    match_files,
    plays,
)
from scenesync.domain.participation import Reason
from scenesync.domain.pins import Pin, PinnedFile, scene_keys
from scenesync.plex.exceptions import PlexNotFound
from scenesync.worker.write_limit import ReadLimit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.item import Item
    from scenesync.domain.paths import PathRule
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.scene import Scene
    from scenesync.worker.finding.library_index import LibraryIndex

NAMED_IN_MESSAGES = 10


class Pins(Protocol):
    """Where persons' words about scenes' files are kept."""

    def foresee(self, scene_keys: Iterable[str]) -> None:
        """Look up all at once what is asked of these files in the block."""
        ...

    def of_files(self, scene_keys: Iterable[str]) -> tuple[Pin, ...]:
        """Return the pins of a scene's files."""
        ...

    def follow(self, pins: Sequence[Pin], *, known: Sequence[Pin]) -> None:
        """Keep pins in place of those that were ``known`` of these files, unless a person said something else since."""
        ...


ITEMS_PER_READ: Final = 100
MOST_READS: Final = 4


@dataclass(frozen=True, slots=True)
class Looked:
    """What the index said of a scene, and when (monotonic): what it learned later may say otherwise.

    ``pins`` are those of the scene's files at that time.
    """

    result: MatchResult
    at: float
    pins: tuple[Pin, ...] = ()


class Locator:
    """Answers with the match and the items as they are now."""

    def __init__(
        self,
        server: MediaServer,
        index: LibraryIndex,
        path_map: Sequence[PathRule] = (),
        *,
        strict: bool = True,
        pins: Pins | None = None,
        reading: ReadLimit | None = None,
    ) -> None:
        self._server = server
        self._reading = reading or ReadLimit(MOST_READS)
        self._index = index
        self._path_map = tuple(path_map)
        self._strict = strict
        self._pins = pins

    def match(self, scene: Scene) -> MatchResult:
        """Ask the index alone; no request is made."""
        return self.look(scene).result

    def read_ahead(self, scenes: Iterable[Scene]) -> Mapping[str, Item]:
        """Read the items of many scenes in as few requests as possible, for ``locate`` to use at once."""
        return self.read_found([self.match(scene) for scene in scenes])

    def look(self, scene: Scene) -> Looked:
        """Ask the index alone, for ``locate`` to use at once."""
        at, pins = time.monotonic(), self._pins_of(scene)
        return Looked(match_files(scene.files, self._index, self._path_map, strict=self._strict, pins=pins), at, pins)

    def foresee(self, scenes: Iterable[Scene]) -> None:
        """Look up in the store, all at once, what ``look`` asks of each scene."""
        files = [file for scene in scenes for file in scene.files]
        self._index.foresee(keys_asked(files, self._path_map))
        if self._pins is not None:
            self._pins.foresee(scene_keys(files))

    def read_found(self, matches: Iterable[MatchResult]) -> Mapping[str, Item]:
        """Read the items that ``match`` found, in as few requests as possible."""
        keys = dict.fromkeys(key for found in matches if isinstance(found, Match) for key in found.rating_keys)
        items: dict[str, Item] = {}
        for batch in batched(keys, ITEMS_PER_READ):
            items.update(self._read_now(batch))
        return items

    def locate(
        self, scene: Scene, items: Mapping[str, Item] = MappingProxyType({}), looked: Looked | None = None
    ) -> tuple[Match, Sequence[Item]]:
        """Return the match and its items, in full: from ``items``, which were read a moment ago, else read now.

        ``looked`` is what the index said just before that read (None: it is asked now). Raises SceneSkipped,
        AmbiguousMatch, PlexNotFound, and what the requests raise.
        """
        if not scene.files:
            raise SceneSkipped(
                f"Scene {scene.id} has no file, so there is nothing in Plex to show it on.", reason=Reason.NO_FILE
            )
        looked = looked or self.look(scene)
        found = self._read(looked.result, items)
        # An item that is gone may have moved to another library while its twin stayed, so one missing is enough.
        if (found is None or len(found[1]) < len(found[0].rating_keys)) and self._index.refresh_after_miss(looked.at):
            looked = self.look(scene)
            found = self._read(looked.result, {})
        if isinstance(looked.result, Ambiguous):
            raise _ambiguous(scene, looked.result)
        if found is None:
            raise _not_found(scene, looked.result)
        self._follow_pins(scene, looked.pins, *found)
        return found

    def _read(self, result: MatchResult, known: Mapping[str, Item]) -> tuple[Match, Sequence[Item]] | None:
        """Read what matched; None if that is nothing, or turned out to be something else by now."""
        if not isinstance(result, Match):
            return None
        in_hand = all(key in known for key in result.rating_keys)
        items = known if in_hand else self._read_now(result.rating_keys)
        # The path is checked in the read that the edit is based on: after a rebuild of Plex's database the same key
        # may be a different film.
        good = {key for key in result.rating_keys if key in items and plays(items[key], result)}
        for key in result.rating_keys:
            if key not in good:
                self._index.forget_item(key, [file.path for file in result.files if file.rating_key == key])
        if not good:
            return None
        return result, [items[key] for key in result.rating_keys if key in good]

    def _read_now(self, rating_keys: Sequence[str]) -> Mapping[str, Item]:
        with self._reading.slot():
            return self._server.read_items(rating_keys)

    def _pins_of(self, scene: Scene) -> tuple[Pin, ...]:
        return self._pins.of_files(scene_keys(scene.files)) if self._pins is not None else ()

    def _follow_pins(self, scene: Scene, known: Sequence[Pin], match: Match, items: Sequence[Item]) -> None:
        """Note what a pinned item is called now, so that it is known again after its next change."""
        if self._pins is None or match.rule is not Rule.PIN or len(items) != 1:
            return
        changed = [pin for pin in pins_to(items[0], scene) if pin not in known]
        if changed:
            self._pins.follow(changed, known=known)


def pins_to(item: Item, scene: Scene) -> Sequence[Pin]:
    """Return the pins that tie every file of a scene to an item."""
    files = tuple(PinnedFile(part.file, part.size_bytes) for part in item.parts)
    return [Pin(key, item.rating_key, files, scene.id) for key in scene_keys(scene.files)]


def _ambiguous(scene: Scene, result: Ambiguous) -> AmbiguousMatch:
    named = [f"{file.rating_key} ({file.path})" for file in result.candidates[:NAMED_IN_MESSAGES]]
    if len(result.candidates) > NAMED_IN_MESSAGES:
        named.append(f"and {len(result.candidates) - NAMED_IN_MESSAGES} more")
    return AmbiguousMatch(
        f"{len(result.rating_keys)} Plex items fit scene {scene.id} by {result.rule.value}: {'; '.join(named)}.",
        candidates=result.rating_keys,
        facts=as_document(result),
    )


def _not_found(scene: Scene, result: MatchResult) -> PlexNotFound:
    path = scene.files[0].path
    if isinstance(result, NoMatch) and result.lost_pins:
        pin = result.lost_pins[0]
        return PlexNotFound(
            f"Scene {scene.id} is pinned to the Plex item {pin.rating_key} ({'; '.join(pin.paths)}), which Plex no "
            f"longer has. Pin it to another, or take the pin off with `scenesync unpin {scene.id}`.",
            facts=as_document(result),
        )
    refused = result.refused if isinstance(result, NoMatch) else ()
    near = " Refused: " + "; ".join(str(each) for each in refused[:NAMED_IN_MESSAGES]) + "." if refused else ""
    return PlexNotFound(
        f"No Plex item plays {path}. Plex may not have scanned it yet; if it has, check path_map with "
        f"`scenesync doctor`.{near}",
        facts=as_document(result) if isinstance(result, NoMatch) else None,
    )
