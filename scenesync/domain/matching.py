"""Find the Plex item that plays a scene's file. Pure: the index is asked, nothing is fetched, nothing is guessed.

The rules are tried in order for all files of the scene, the first that answers wins, and its name is kept with the
match. A rule that must be unique and finds several items ends the search: that is a question for a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.paths import PathRule, file_name, is_windows_path, map_path, name_key, path_key, segments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scenesync.domain.item import Item
    from scenesync.domain.scene import SceneFile

DURATION_TOLERANCE_S: Final = 1.0
_SUFFIX_SEGMENTS: Final = 2


class Rule(StrEnum):
    """How an item was found, from sure to doubtful."""

    PATH = "path"
    SUFFIX = "suffix"
    NAME_SIZE = "name_size"
    NAME_DURATION = "name_duration"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """One file that Plex knows, and the item it belongs to."""

    rating_key: str
    library_key: str
    path: str
    size_bytes: int | None = None
    duration_ms: int | None = None


class PathIndex(Protocol):
    """The local map from Plex's file paths to items."""

    def files_at(self, key: str) -> Sequence[IndexedFile]:
        """Return the files whose path has this case-folded ``path_key``."""
        ...

    def files_named(self, key: str) -> Sequence[IndexedFile]:
        """Return the files with this ``name_key``."""
        ...


@dataclass(frozen=True, slots=True)
class Match:
    """The item or items that play the scene, and the rule that found them."""

    rule: Rule
    files: tuple[IndexedFile, ...]

    @property
    def rating_keys(self) -> tuple[str, ...]:
        """The items' keys, each once."""
        return tuple(dict.fromkeys(file.rating_key for file in self.files))


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several items fit under ``rule``; which one is meant cannot be known."""

    rule: Rule
    candidates: tuple[IndexedFile, ...]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No item fits; ``near`` holds files of the same name that were refused, for the explanation."""

    near: tuple[IndexedFile, ...] = ()


MatchResult = Match | Ambiguous | NoMatch


def match_files(
    files: Sequence[SceneFile], index: PathIndex, path_map: Sequence[PathRule] = (), *, strict: bool = True
) -> MatchResult:
    """Match the files of a scene against the index.

    With ``strict`` the rule *name* (same name, nothing else) is not used. An exact path may answer with several items
    (the same file in two libraries): all of them are the scene's. Any other rule must answer with exactly one.
    """
    exact = _unique_files(found for file in files for found in _at_path(file, index, path_map))
    if exact:
        return Match(Rule.PATH, exact)
    named = [(file, tuple(index.files_named(name_key(file.path)))) for file in files]
    for rule, fits in _GUARDED_RULES:
        if rule is Rule.NAME and strict:
            continue
        found = _unique_files(
            candidate for file, candidates in named for candidate in candidates if fits(file, candidate)
        )
        if len({file.rating_key for file in found}) == 1:
            return Match(rule, found)
        if found:
            return Ambiguous(rule, found)
    return NoMatch(_unique_files(candidate for _, candidates in named for candidate in candidates))


def same_path(left: str, right: str) -> bool:
    """Say whether two Plex paths name the same file; case counts only where the path is not a Windows one."""
    if is_windows_path(left) and is_windows_path(right):
        return path_key(left).casefold() == path_key(right).casefold()
    return path_key(left) == path_key(right)


def plays(item: Item, match: Match) -> bool:
    """Say whether the item, as it was read just now, plays the file for which it was matched."""
    files = [file.path for file in match.files if file.rating_key == item.rating_key]
    return any(same_path(part.file, path) for part in item.parts for path in files)


def _at_path(file: SceneFile, index: PathIndex, path_map: Sequence[PathRule]) -> list[IndexedFile]:
    wanted = map_path(file.path, path_map)
    return [found for found in index.files_at(path_key(wanted).casefold()) if same_path(found.path, wanted)]


def _same_suffix(file: SceneFile, candidate: IndexedFile) -> bool:
    ours, theirs = segments(file.path)[-_SUFFIX_SEGMENTS:], segments(candidate.path)[-_SUFFIX_SEGMENTS:]
    if _ignores_case(file, candidate):
        ours, theirs = tuple(map(str.casefold, ours)), tuple(map(str.casefold, theirs))
    return len(ours) == _SUFFIX_SEGMENTS and ours == theirs and _same_size(file, candidate)


def _same_size(file: SceneFile, candidate: IndexedFile) -> bool:
    return file.size_bytes is not None and file.size_bytes == candidate.size_bytes


def _same_name_and_size(file: SceneFile, candidate: IndexedFile) -> bool:
    return _same_name(file, candidate) and _same_size(file, candidate)


def _same_name_and_duration(file: SceneFile, candidate: IndexedFile) -> bool:
    if not file.duration_s or not candidate.duration_ms or not _same_name(file, candidate):
        return False
    return abs(file.duration_s - candidate.duration_ms / 1000) <= DURATION_TOLERANCE_S


def _same_name(file: SceneFile, candidate: IndexedFile) -> bool:
    if _ignores_case(file, candidate):
        return name_key(file.path) == name_key(candidate.path)
    return file_name(file.path) == file_name(candidate.path)


def _ignores_case(file: SceneFile, candidate: IndexedFile) -> bool:
    return is_windows_path(file.path) or is_windows_path(candidate.path)


_GUARDED_RULES: Final[tuple[tuple[Rule, Callable[[SceneFile, IndexedFile], bool]], ...]] = (
    (Rule.SUFFIX, _same_suffix),
    (Rule.NAME_SIZE, _same_name_and_size),
    (Rule.NAME_DURATION, _same_name_and_duration),
    (Rule.NAME, _same_name),
)


def _unique_files(found: Iterable[IndexedFile]) -> tuple[IndexedFile, ...]:
    return tuple(dict.fromkeys(found))
