"""Find the Plex item that plays a scene's file. Pure: the index is asked, nothing is fetched, nothing is guessed.

The rules are tried in order for all files of the scene, the first that answers wins, and its name is kept with the
match. A rule that must be unique and finds several items ends the search: that is a question for a person. Every
answer also says which files of the same name were refused, and why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.evidence import (
    Why,
    differ_in_size,
    difference,
    same_name,
    same_name_and_duration,
    same_name_and_size,
    same_suffix,
)
from scenesync.domain.members import plain_members
from scenesync.domain.paths import PathRule, map_path, name_key, path_key, same_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scenesync.domain.item import Item
    from scenesync.domain.pins import Pin
    from scenesync.domain.scene import SceneFile


@plain_members
class Rule(StrEnum):
    """How an item was found, from sure to doubtful."""

    PIN = "pin"
    PATH = "path"
    SUFFIX = "suffix"
    NAME_SIZE = "name_size"
    NAME_DURATION = "name_duration"
    NAME = "name"


_GRADES: Final = {Rule.PIN: 2, Rule.PATH: 1}


def grade(rule: Rule) -> int:
    """Return how much a rule's word counts where two scenes claim one item: a person's most, then an exact path."""
    return _GRADES.get(rule, 0)


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

    def files_of(self, rating_key: str) -> Sequence[IndexedFile]:
        """Return the files of an item."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """A Plex file of the same name that is not taken for the scene's; ``text`` says why, in words about the file."""

    file: IndexedFile
    why: Why
    text: str

    def __str__(self) -> str:
        return f"{self.file.rating_key} ({self.file.path}): {self.text}"


@dataclass(frozen=True, slots=True)
class Match:
    """The item or items that play the scene, and the rule that found them."""

    rule: Rule
    files: tuple[IndexedFile, ...]
    refused: tuple[Refused, ...] = field(default=(), compare=False)

    @property
    def rating_keys(self) -> tuple[str, ...]:
        """The items' keys, each once."""
        return _keys(self.files)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several items fit under ``rule``; which one is meant cannot be known."""

    rule: Rule
    candidates: tuple[IndexedFile, ...]
    refused: tuple[Refused, ...] = field(default=(), compare=False)

    @property
    def rating_keys(self) -> tuple[str, ...]:
        """The items' keys, each once."""
        return _keys(self.candidates)


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No item fits; ``lost_pins`` are a person's words about items that Plex no longer has."""

    refused: tuple[Refused, ...] = ()
    lost_pins: tuple[Pin, ...] = ()


MatchResult = Match | Ambiguous | NoMatch


def match_files(
    files: Sequence[SceneFile],
    index: PathIndex,
    path_map: Sequence[PathRule] = (),
    *,
    strict: bool = True,
    pins: Sequence[Pin] = (),
) -> MatchResult:
    """Match the files of a scene against the index.

    With ``strict`` the rule *name* (same name, nothing else) is not used. An exact path may answer with several items
    (the same file in two libraries): all of them are the scene's. Any weaker rule must answer with exactly one.
    ``pins`` are those of the scene's files: then nothing else counts, also if what they name is gone.
    """
    if pins:
        return _pinned(pins, index)
    exact = _unique_files([found for file in files for found in _at_path(file, index, path_map)])
    if exact:
        return Match(Rule.PATH, exact)
    named = [(file, tuple(index.files_named(name_key(file.path)))) for file in files]
    for rule, fits in _GUARDED_RULES:
        if rule is Rule.NAME and strict:
            continue
        found = _unique_files(
            [candidate for file, candidates in named for candidate in candidates if fits(file, candidate)]
        )
        if len({file.rating_key for file in found}) == 1:
            return Match(rule, found, _refused(named, found, rule))
        if found:
            return Ambiguous(rule, found, _refused(named, found, rule))
    return NoMatch(_refused(named, (), None))


def keys_asked(files: Iterable[SceneFile], path_map: Sequence[PathRule] = ()) -> list[str]:
    """Return the keys under which ``match_files`` asks first where these files are."""
    return [_place(file.path, tuple(path_map))[1] for file in files]


def beside(match: Match, files: Sequence[SceneFile], index: PathIndex) -> tuple[Refused, ...]:
    """Return the files of the same name that a match leaves out, also for the rules that need not look at them."""
    if grade(match.rule) == 0:
        return match.refused
    named = [(file, tuple(index.files_named(name_key(file.path)))) for file in files]
    return _refused(named, match.files, match.rule)


def as_document(result: MatchResult) -> dict[str, object]:
    """Return an answer as JSON-able facts, for dead letters, ``explain`` and ``plan``."""
    match result:
        case Match(rule, files, refused):
            return {"rule": rule.value, "items": _file_documents(files), "refused": _refused_documents(refused)}
        case Ambiguous(rule, candidates, refused):
            return {
                "rule": rule.value,
                "candidates": list(result.rating_keys),
                "items": _file_documents(candidates),
                "refused": _refused_documents(refused),
            }
        case NoMatch(refused, lost_pins):
            return {
                "rule": None,
                "items": [],
                "refused": _refused_documents(refused),
                "lost_pins": [{"rating_key": pin.rating_key, "paths": list(pin.paths)} for pin in lost_pins],
            }


def _pinned(pins: Sequence[Pin], index: PathIndex) -> Match | NoMatch:
    found = {pin: _files_of_pin(pin, index) for pin in dict.fromkeys(pins)}
    files = _unique_files([file for those in found.values() for file in those])
    if files:
        return Match(Rule.PIN, files)
    return NoMatch(lost_pins=tuple(found))


def _files_of_pin(pin: Pin, index: PathIndex) -> tuple[IndexedFile, ...]:
    """Return the pinned item's files as they are now.

    By its own path first: a rescan gives the same file another key, a rebuilt database gives its key to another film.
    By key only if a file of the pinned size is still there: then Plex followed a rename.
    """
    at_path = _unique_files(
        [file for path in pin.paths for file in index.files_at(_place_key(path)) if same_path(file.path, path)]
    )
    if at_path:
        kept = tuple(file for file in at_path if file.rating_key == pin.rating_key)
        return kept or at_path
    sizes = {file.size_bytes for file in pin.files if file.size_bytes}
    return tuple(file for file in index.files_of(pin.rating_key) if file.size_bytes in sizes)


def plays(item: Item, match: Match) -> bool:
    """Say whether the item, as it was read just now, plays the file for which it was matched."""
    files = [file.path for file in match.files if file.rating_key == item.rating_key]
    return any(part.file in files for part in item.parts) or any(
        same_path(part.file, path) for part in item.parts for path in files
    )


def _at_path(file: SceneFile, index: PathIndex, path_map: Sequence[PathRule]) -> list[IndexedFile]:
    wanted, key = _place(file.path, tuple(path_map))
    found = [each for each in index.files_at(key) if same_path(each.path, wanted)]
    spelt_alike = [each for each in found if each.path == wanted or path_key(each.path) == path_key(wanted)]
    if len(spelt_alike) == len(found):
        return spelt_alike
    # Another spelling may be another file after all: never beside the right one, never with another size, never two.
    spelt_otherwise: dict[str, list[IndexedFile]] = {each.library_key: [] for each in found if each not in spelt_alike}
    for each in found:
        if each not in spelt_alike and not differ_in_size(file, each):
            spelt_otherwise[each.library_key].append(each)
    right = {each.library_key for each in spelt_alike}
    only_ones = (
        each
        for library_key, files in spelt_otherwise.items()
        for each in files
        if library_key not in right and len(_keys(files)) == 1
    )
    return [*spelt_alike, *only_ones]


@lru_cache(maxsize=1024)  # it is asked for many scenes together, and then again for each of them
def _place(path: str, path_map: tuple[PathRule, ...]) -> tuple[str, str]:
    """Return what Plex would call a file of Stash's, and the key under which the index has it then."""
    wanted = map_path(path, path_map)
    return wanted, _place_key(wanted)


def _place_key(path: str) -> str:
    return path_key(path).casefold()


_GUARDED_RULES: Final[tuple[tuple[Rule, Callable[[SceneFile, IndexedFile], bool]], ...]] = (
    (Rule.SUFFIX, same_suffix),
    (Rule.NAME_SIZE, same_name_and_size),
    (Rule.NAME_DURATION, same_name_and_duration),
    (Rule.NAME, same_name),
)


def _refused(
    named: Sequence[tuple[SceneFile, Sequence[IndexedFile]]], taken: Sequence[IndexedFile], rule: Rule | None
) -> tuple[Refused, ...]:
    refused: dict[IndexedFile, Refused] = {}
    for file, candidates in named:
        for candidate in candidates:
            if candidate not in taken and candidate not in refused:
                refused[candidate] = Refused(candidate, *_objection(file, candidate, rule))
    return tuple(refused.values())


def _objection(file: SceneFile, candidate: IndexedFile, rule: Rule | None) -> tuple[Why, str]:
    why, text = difference(file, candidate)
    if rule is Rule.PIN:
        return Why.OTHER_PIN, "the scene is pinned to another item"
    if rule is not None and why is Why.NAME_ONLY:
        return Why.WEAKER, f"another one fits better, by {rule.value}"
    return why, text


def _file_documents(files: Iterable[IndexedFile]) -> list[dict[str, object]]:
    return [{"rating_key": file.rating_key, "library_key": file.library_key, "path": file.path} for file in files]


def _refused_documents(refused: Iterable[Refused]) -> list[dict[str, object]]:
    return [
        {"rating_key": each.file.rating_key, "path": each.file.path, "why": each.why.value, "text": each.text}
        for each in refused
    ]


def _keys(files: Sequence[IndexedFile]) -> tuple[str, ...]:
    if len(files) == 1:  # nearly always
        return (files[0].rating_key,)
    return tuple(dict.fromkeys(file.rating_key for file in files))


def _unique_files(found: Sequence[IndexedFile]) -> tuple[IndexedFile, ...]:
    return tuple(dict.fromkeys(found) if len(found) > 1 else found)
