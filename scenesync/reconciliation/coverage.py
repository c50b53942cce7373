"""Compare what both libraries hold, file by file, and give every scene and every item its class. Writes nothing.

Scenes come from Stash page by page, items from the path index; in memory stays one number per matched item. A scene's
class can depend on scenes that come later (two may claim one item), so matched ones are told at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, Protocol

from scenesync.domain.matching import Ambiguous, Match, MatchResult, NoMatch, Rule, grade
from scenesync.domain.participation import Participation, Reason
from scenesync.domain.paths import same_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scenesync.domain.matching import IndexedFile
    from scenesync.domain.scene import Scene

PAGE_ITEMS: Final = 1_000


class Kind(StrEnum):
    """What can be said of a scene or an item."""

    MATCHED = "matched"
    SHARED_ITEM = "two_scenes_one_item"
    AMBIGUOUS = "ambiguous"
    NOT_IN_PLEX = "not_in_plex"
    PIN_LOST = "pin_lost"
    LEFT_OUT = "left_out"
    NOT_IN_STASH = "not_in_stash"
    ITEM_LEFT_OUT = "item_of_left_out_scene"
    FILE_IN_TWO_ITEMS = "file_in_two_items"


@dataclass(frozen=True, slots=True)
class Finding:
    """One scene, or one item, and its class; ``detail`` is the rule of a match, or the reason of one left out."""

    kind: Kind
    detail: str = ""
    scene_ids: tuple[int, ...] = ()
    rating_keys: tuple[str, ...] = ()
    path: str = ""
    text: str = ""


class ItemIndex(Protocol):
    """The items that Plex has."""

    def items_after(self, last_key: str, limit: int) -> Mapping[str, tuple[IndexedFile, ...]]:
        """Return the next items after a rating key, each with its files."""
        ...

    def shared_paths(self) -> Sequence[str]:
        """Return the keys of paths that stand in the index more than once."""
        ...

    def files_at(self, key: str) -> Sequence[IndexedFile]:
        """Return the files at such a key."""
        ...


def compare(
    scenes: Iterable[Scene], index: ItemIndex, match: Callable[[Scene], MatchResult], participation: Participation
) -> Iterator[Finding]:
    """Yield a finding for every scene and for every item that no scene is written to."""
    claims = _Claims()
    for scene in scenes:
        finding = _judge(scene, match(scene), participation, claims)
        if finding is not None:
            yield finding
    yield from _by_item(index, claims)
    for key, claim in claims.rest():
        if isinstance(claim.by, Rule):
            gone = f"Plex had {key} a moment ago and has it no longer."
            yield Finding(Kind.NOT_IN_PLEX, scene_ids=(claim.scene_id,), rating_keys=(key,), text=gone)
    yield from _files_in_two_items(index)


def _judge(scene: Scene, result: MatchResult, participation: Participation, claims: _Claims) -> Finding | None:
    """Return the scene's class if it is known at once; None for a match, which goes to ``claims``."""
    path = scene.files[0].path if scene.files else ""
    left_out = participation.left_out(scene)
    keys = result.rating_keys if isinstance(result, Match) else ()
    if left_out is not None:
        claims.add(scene.id, () if isinstance(result, NoMatch) else result.rating_keys, Kind.LEFT_OUT)
        return Finding(Kind.LEFT_OUT, left_out.reason.value, (scene.id,), keys, path, left_out.text)
    match result:
        case Match(rule):
            claims.add(scene.id, keys, rule)
            return None
        case Ambiguous(rule):
            claims.add(scene.id, result.rating_keys, Kind.AMBIGUOUS)
            text = f"{len(result.rating_keys)} items fit by {rule.value}."
            return Finding(Kind.AMBIGUOUS, rule.value, (scene.id,), result.rating_keys, path, text)
        case NoMatch(lost_pins=[pin, *_]):
            text = f"It is pinned to {pin.rating_key} ({'; '.join(pin.paths)}), which is gone."
            return Finding(Kind.PIN_LOST, "", (scene.id,), (pin.rating_key,), path, text)
        case NoMatch(refused):
            text = "; ".join(str(each) for each in refused[:3])
            return Finding(Kind.NOT_IN_PLEX, "", (scene.id,), (), path, f"Refused: {text}." if text else "")


def _by_item(index: ItemIndex, claims: _Claims) -> Iterator[Finding]:
    last = ""
    told: set[int] = set()
    while page := index.items_after(last, PAGE_ITEMS):
        for key, files in page.items():
            for finding in _judge_item(key, files, claims.take(key)):
                # A scene that has several items is one scene.
                if finding.kind is Kind.MATCHED and claims.has_several(finding.scene_ids[0]):
                    if finding.scene_ids[0] in told:
                        continue
                    told.add(finding.scene_ids[0])
                yield finding
        last = max(page)


def _judge_item(key: str, files: Sequence[IndexedFile], claims: Sequence[_Claim]) -> Iterator[Finding]:
    path = files[0].path if files else ""
    writing = [(claim.scene_id, claim.by) for claim in claims if isinstance(claim.by, Rule)]
    if not claims:
        yield Finding(Kind.NOT_IN_STASH, "", (), (key,), path, "" if files else "Plex shows no file for it yet.")
        return
    if not writing:
        scene_ids = tuple(claim.scene_id for claim in claims if claim.by is Kind.LEFT_OUT)
        if scene_ids:  # candidates of an ambiguous match are told with their scene
            yield Finding(Kind.ITEM_LEFT_OUT, "", scene_ids, (key,), path)
        return
    best = max(grade(rule) for _, rule in writing)
    first, *others = [(scene_id, rule) for scene_id, rule in writing if grade(rule) == best]
    if others:
        scene_ids = tuple(sorted(scene_id for scene_id, _ in (first, *others)))
        paths = "; ".join(file.path for file in files)
        yield Finding(Kind.SHARED_ITEM, "", scene_ids, (key,), path, f"The item has {paths}.")
    else:
        yield Finding(Kind.MATCHED, first[1].value, (first[0],), (key,), path)
    for scene_id, rule in writing:
        if grade(rule) < best:
            yield _beaten(scene_id, key, path, first)


def _beaten(scene_id: int, key: str, path: str, winner: tuple[int, Rule]) -> Finding:
    if winner[1] is Rule.PIN:
        text = f"Scene {winner[0]} is pinned to its item."
        return Finding(Kind.LEFT_OUT, Reason.OTHER_SCENE.value, (scene_id,), (key,), path, text)
    text = f"Item {key}, which is like its file, plays that of scene {winner[0]}."
    return Finding(Kind.NOT_IN_PLEX, "", (scene_id,), (key,), path, text)


def _files_in_two_items(index: ItemIndex) -> Iterator[Finding]:
    for key in index.shared_paths():
        files = list(index.files_at(key))
        while files:
            first = files[0]
            same = [file for file in files if same_path(file.path, first.path)]
            files = [file for file in files if file not in same]
            keys = tuple(dict.fromkeys(file.rating_key for file in same))
            if len(keys) > 1:
                yield Finding(Kind.FILE_IN_TWO_ITEMS, "", (), keys, first.path)


_Grounds = Rule | Literal[Kind.LEFT_OUT, Kind.AMBIGUOUS]
_GROUNDS: Final[tuple[_Grounds, ...]] = (*Rule, Kind.LEFT_OUT, Kind.AMBIGUOUS)


@dataclass(frozen=True, slots=True)
class _Claim:
    """That a scene has an item: by a rule, or without being written to it."""

    scene_id: int
    by: _Grounds


class _Claims:
    """Which scenes have an item. One number for each, since there may be very many."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._further: dict[str, list[int]] = {}
        self._several: set[int] = set()

    def add(self, scene_id: int, rating_keys: Sequence[str], by: _Grounds) -> None:
        code = scene_id * len(_GROUNDS) + _GROUNDS.index(by)
        for key in rating_keys:
            if self._first.setdefault(key, code) != code:
                self._further.setdefault(key, []).append(code)
        if len(rating_keys) > 1:
            self._several.add(scene_id)

    def take(self, rating_key: str) -> Sequence[_Claim]:
        """Return the claims of an item and forget them."""
        code = self._first.pop(rating_key, None)
        return [] if code is None else [_decoded(each) for each in (code, *self._further.pop(rating_key, ()))]

    def has_several(self, scene_id: int) -> bool:
        """Say whether the scene has more than one item."""
        return scene_id in self._several

    def rest(self) -> Iterator[tuple[str, _Claim]]:
        """Yield the claims that nobody took."""
        for key in tuple(self._first):
            for claim in self.take(key):
                yield key, claim


def _decoded(code: int) -> _Claim:
    scene_id, grounds = divmod(code, len(_GROUNDS))
    return _Claim(scene_id, _GROUNDS[grounds])
