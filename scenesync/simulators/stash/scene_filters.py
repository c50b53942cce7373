"""``scene_filter`` as a predicate. Comparisons are SQLite's: times and dates as text, EQUALS on text as LIKE."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from scenesync.simulators.stash.errors import ResolverError

if TYPE_CHECKING:
    from scenesync.simulators.stash.library import Library
    from scenesync.simulators.stash.records import Scene, SceneFile

Criterion = Mapping[str, Any]
Predicate = Callable[["Scene"], bool]
_DAY_S: Final = 86_400
_WORDS: Final = re.compile(r'"([^"]*)"|(\S+)')


def scene_predicate(criteria: Mapping[str, Any], library: Library) -> Predicate:
    """Return whether a scene passes; one of ``AND``, ``OR``, ``NOT`` per level. Raises :class:`ResolverError`."""
    combiners = [name for name in ("AND", "OR", "NOT") if criteria.get(name) is not None]
    own = _all_of({name: value for name, value in criteria.items() if name not in combiners}, library)
    if not combiners:
        return own
    if len(combiners) > 1:
        raise ResolverError(f"cannot have both {combiners[0]} and {combiners[1]} in the same filter")
    other = scene_predicate(criteria[combiners[0]], library)
    match combiners[0]:
        case "AND":
            return lambda scene: own(scene) and other(scene)
        case "OR":
            return lambda scene: own(scene) or other(scene)
    return lambda scene: own(scene) and not other(scene)


def _all_of(criteria: Mapping[str, Any], library: Library) -> Predicate:
    tests = [_criterion(name, value, library) for name, value in criteria.items() if value is not None]
    return lambda scene: all(test(scene) for test in tests)


def _criterion(name: str, value: Any, library: Library) -> Predicate:  # noqa: ANN401, C901, PLR0911 - one line per kind
    match name:
        case "id" | "rating100":
            return _on(name, compare_number(value))
        case "file_count":
            test = compare_number(value)
            return lambda scene: test(len(scene.files))
        case "organized":
            return lambda scene: scene.organized is value
        case "title" | "code" | "details" | "director":
            return _on(name, compare_text(value))
        case "url":
            text = compare_text(value)
            return lambda scene: any(map(text, scene.urls))
        case "path":
            return _any_file("path", compare_text(value, splits=True))
        case "date" | "created_at" | "updated_at":
            return _on(name, compare_time(value, library))
        case "performers" | "studios" | "tags" | "groups" | "movies":
            return _relation("groups" if name == "movies" else name, value, library)
        case "performers_filter" | "studios_filter" | "tags_filter" | "groups_filter":
            return _related_rows(name.removesuffix("_filter"), value, library)
        case "files_filter":
            return _files(value, library)
    raise ResolverError(f"the simulated Stash cannot filter scenes by {name}")


def compare_number(criterion: Criterion) -> Callable[[Any], bool]:
    """Return the test of an IntCriterionInput; NULL passes none but IS_NULL."""
    value, second = criterion["value"], criterion.get("value2") or 0
    tests: dict[str, Callable[[Any], bool]] = {
        "EQUALS": lambda each: each is not None and each == value,
        "NOT_EQUALS": lambda each: each is not None and each != value,
        "GREATER_THAN": lambda each: each is not None and each > value,
        "LESS_THAN": lambda each: each is not None and each < value,
        "BETWEEN": lambda each: each is not None and value <= each <= second,
        "NOT_BETWEEN": lambda each: each is not None and not value <= each <= second,
        "IS_NULL": lambda each: each is None,
        "NOT_NULL": lambda each: each is not None,
    }
    return _chosen(tests, criterion)


def compare_time(criterion: Criterion, library: Library) -> Callable[[Any], bool]:
    """Return the test of a timestamp or date: text against text, whatever the text is (facts/stash.md 0.6)."""
    value = criterion["value"]
    second = criterion.get("value2") or library.timestamp(_DAY_S)
    tests: dict[str, Callable[[Any], bool]] = {
        "GREATER_THAN": lambda each: each is not None and each > value,
        "LESS_THAN": lambda each: each is not None and each < value,
        "BETWEEN": lambda each: each is not None and value <= each <= second,
        "NOT_BETWEEN": lambda each: each is not None and not value <= each <= second,
        "EQUALS": lambda each: each == value,
        "NOT_EQUALS": lambda each: each != value,
        "IS_NULL": lambda each: each is None,
        "NOT_NULL": lambda each: each is not None,
    }
    return _chosen(tests, criterion)


def compare_text(criterion: Criterion, *, splits: bool = False) -> Callable[[str], bool]:
    """Return the test of a StringCriterionInput; ``splits``: INCLUDES ORs the words, unless double-quoted."""
    value = str(criterion["value"])
    words = [quoted or bare for quoted, bare in _WORDS.findall(value)] if splits else [value]
    tests: dict[str, Callable[[str], bool]] = {
        "EQUALS": lambda each: _like(value).fullmatch(each) is not None,
        "NOT_EQUALS": lambda each: _like(value).fullmatch(each) is None,
        "INCLUDES": lambda each: any(_like(f"%{word}%").fullmatch(each) for word in words),
        "EXCLUDES": lambda each: not any(_like(f"%{word}%").fullmatch(each) for word in words),
        "MATCHES_REGEX": lambda each: re.search(value, each) is not None,
        "NOT_MATCHES_REGEX": lambda each: re.search(value, each) is None,
        "IS_NULL": lambda each: not each,
        "NOT_NULL": bool,
    }
    return _chosen(tests, criterion)


def _chosen(tests: Mapping[str, Callable[[Any], bool]], criterion: Criterion) -> Callable[[Any], bool]:
    test = tests.get(criterion["modifier"])
    if test is None:
        raise ResolverError(f"unsupported modifier: {criterion['modifier']}")
    return test


@functools.lru_cache(maxsize=256)
def _like(pattern: str) -> re.Pattern[str]:
    """SQLite's LIKE: ``%`` and ``_`` are wildcards, ASCII letters match without case."""
    pieces = {"%": ".*", "_": "."}
    return re.compile(
        "".join(
            pieces.get(char)
            or (f"[{char.lower()}{char.upper()}]" if char.isascii() and char.isalpha() else re.escape(char))
            for char in pattern
        ),
        re.DOTALL,
    )


def _on(attribute: str, test: Callable[[Any], bool]) -> Predicate:
    return lambda scene: test(getattr(scene, attribute))


def _any_file(attribute: str, test: Callable[[Any], bool]) -> Predicate:
    return lambda scene: any(test(getattr(file, attribute)) for file in scene.files)


def _files(criteria: Mapping[str, Any], library: Library) -> Predicate:
    tests: list[tuple[str, Callable[[Any], bool]]] = [
        (name, compare_text(value) if name in {"path", "basename"} else compare_time(value, library))
        for name, value in criteria.items()
        if value is not None
    ]

    def passes(file: SceneFile) -> bool:
        return all(test(getattr(file, name)) for name, test in tests)

    return lambda scene: any(passes(file) for file in scene.files)


def related_ids(name: str, scene: Scene) -> Iterable[int]:
    """Return the ids of a scene's ``performers``, ``studios``, ``tags`` or ``groups``."""
    match name:
        case "performers":
            return scene.performer_ids
        case "tags":
            return scene.tag_ids
        case "groups":
            return (group for group, _index in scene.groups)
    return () if scene.studio_id is None else (scene.studio_id,)


def _relation(name: str, criterion: Criterion, library: Library) -> Predicate:
    wanted = [_as_id(each) for each in criterion.get("value") or ()]
    kind = name.removesuffix("s")
    depth = criterion.get("depth") if kind in {"studio", "tag"} else None
    families = [library.family_of(kind, {each}, depth) for each in wanted]
    everything = frozenset().union(*families)
    tests: dict[str, Predicate] = {
        "INCLUDES": lambda scene: not everything.isdisjoint(related_ids(name, scene)),
        "INCLUDES_ALL": lambda scene: all(not family.isdisjoint(related_ids(name, scene)) for family in families),
        "EXCLUDES": lambda scene: everything.isdisjoint(related_ids(name, scene)),
        "IS_NULL": lambda scene: not tuple(related_ids(name, scene)),
        "NOT_NULL": lambda scene: bool(tuple(related_ids(name, scene))),
    }
    return _chosen(tests, criterion)


def _related_rows(name: str, criteria: Mapping[str, Any], library: Library) -> Predicate:
    """Scenes with a performer, studio, tag or group that passes ``criteria``."""
    passing = {row.id for row in getattr(library, name).values() if entity_predicate(criteria, library)(row)}
    return lambda scene: not passing.isdisjoint(related_ids(name, scene))


def entity_predicate(criteria: Mapping[str, Any], library: Library) -> Callable[[Any], bool]:
    """Return the test of a performer_filter, studio_filter, tag_filter or group_filter."""
    tests = [
        (field, compare_text(value) if field == "name" else compare_time(value, library))
        for field, value in criteria.items()
        if value is not None
    ]
    return lambda row: all(test(getattr(row, field)) for field, test in tests)


def _as_id(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ResolverError(f'strconv.Atoi: parsing "{value}": invalid syntax') from None
