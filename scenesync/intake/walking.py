"""Find what leaves no trace in Stash's times: scenes that are gone or merged, and files that moved without their scene.

A walk over the ids, a page at each look, goes on after a restart where it was; its findings are compared with what the
worker has read (``scene_trace``). When a scene is missing, or Stash has fewer than before, all ids are read at once, so
that what vanished together is judged together.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from scenesync.domain.scene import SceneFile
    from scenesync.stash.parse import SceneHint

FACT: Final = "stash walk"
PAGE_SIZE: Final = 500
IDS_AT_ONCE: Final = 1000
_END: Final = 2**63 - 1


class WalkedStash(Protocol):
    """Stash, as far as it tells which scenes there are."""

    def scene_count(self) -> int:
        """Return how many scenes there are."""
        ...

    def scene_ids_after(self, last_id: int, limit: int) -> Sequence[int]:
        """Return the next ids; fewer than ``limit`` are the last."""
        ...

    def scene_files_after(self, last_id: int, limit: int) -> Sequence[SceneHint]:
        """Return the next scenes with their files; fewer than ``limit`` are the last."""
        ...


class KnownScenes(Protocol):
    """What the worker has read of scenes."""

    def files_between(self, after: int, through: int) -> Mapping[int, tuple[SceneFile, ...]]:
        """Return the scenes of a range of ids with their files."""
        ...

    def ids_between(self, after: int, through: int) -> Sequence[int]:
        """Return the scenes of a range of ids."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk stands: after which id, and what it needs to know of the walk before.

    ``highest`` is the last id of a whole walk (0 before the first one has ended), ``count`` how many scenes there were.
    ``told`` are scenes that are gone and were said to be; what became of that is no longer the walk's business.
    ``clock`` is Stash's own at the last look (ISO 8601), "" if it did not say.
    """

    after: int = 0
    highest: int = 0
    count: int = 0
    told: tuple[int, ...] = ()
    clock: str = ""

    @classmethod
    def from_text(cls, text: str | None) -> Place:
        """Return the place that ``to_text`` wrote, the beginning for None. Raises ValueError, KeyError, TypeError."""
        if text is None:
            return cls()
        document = json.loads(text)
        return cls(
            document["after"],
            document["highest"],
            document["count"],
            tuple(document["told"]),
            document.get("clock", ""),
        )

    def to_text(self) -> str:
        """Return the place as text."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Found:
    """What a step found: scenes to be looked at (moved files, unannounced new scenes), and scenes that are gone.

    ``place`` is to be kept once all that is durable elsewhere.
    """

    changed: tuple[SceneHint, ...]
    gone: tuple[int, ...]
    place: Place


def step(place: Place, stash: WalkedStash, known: KnownScenes) -> Found:
    """Go one page further. Raises what Stash's client and the store raise."""
    count = stash.scene_count()
    page = stash.scene_files_after(place.after, PAGE_SIZE)
    is_last = len(page) < PAGE_SIZE
    through = _END if is_last else page[-1].id
    known_files = known.files_between(place.after, through)
    missing = known_files.keys() - {hint.id for hint in page}
    is_whole = count < place.count or not missing.issubset(place.told)
    if is_whole:
        missing = set(all_missing(stash, known))
    changed = tuple(hint for hint in page if _is_changed(hint, known_files, place))
    told = _still_gone(place, missing, through, is_whole=is_whole)
    gone = tuple(sorted(missing.difference(place.told)))
    after, highest = (0, page[-1].id if page else place.after) if is_last else (through, place.highest)
    return Found(changed, gone, replace(place, after=after, highest=highest, count=count, told=tuple(sorted(told))))


def with_told(place: Place, gone: Collection[int]) -> Place:
    """Return the place that knows that these scenes were said to be gone."""
    return replace(place, told=tuple(sorted({*place.told, *gone})))


def all_missing(stash: WalkedStash, known: KnownScenes) -> Iterator[int]:
    """Yield all scenes that are known and that Stash does not have."""
    after, is_last = 0, False
    while not is_last:
        ids = stash.scene_ids_after(after, IDS_AT_ONCE)
        is_last = len(ids) < IDS_AT_ONCE
        through = _END if is_last else ids[-1]
        yield from sorted(set(known.ids_between(after, through)).difference(ids))
        after = through


def _is_changed(hint: SceneHint, known: Mapping[int, tuple[SceneFile, ...]], place: Place) -> bool:
    if hint.id in known:
        return known[hint.id] != hint.files
    # Imported scenes keep the times that they had elsewhere (facts/stash.md 2.3): only their ids are new.
    return 0 < place.highest < hint.id


def _still_gone(place: Place, missing: Collection[int], through: int, *, is_whole: bool) -> set[int]:
    """Return those of the scenes told of that are still known and still missing, as far as this step can say."""
    return {
        scene_id
        for scene_id in place.told
        if scene_id in missing or not (is_whole or place.after < scene_id <= through)
    }
