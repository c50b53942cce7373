"""Which items a listing holds, and in which order: filters, sorting, paging."""

import posixpath
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Final

from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.model import COLLECTION_TYPE, MOVIE_TYPE, PlexItem, PlexLibrary, Scalar
from scenesync.simulators.plex.tags import TAG_ELEMENTS

Test = Callable[[PlexItem], bool]

_MAX_CACHED_SELECTIONS: Final = 8
_TEXTS: Final = frozenset({"title", "titleSort", "originalTitle", "summary", "tagline", "studio", "contentRating"})
_NUMBERS: Final = frozenset({"id", "year", "duration", "userRating", "rating", "audienceRating"})
_TIMES: Final = frozenset({"addedAt", "updatedAt", "lastRatedAt", "originallyAvailableAt"})
_FILTER: Final = re.compile(r"(?:movie\.|collection\.)?(\w+?)([!<>=]*)")
_RELATIVE_TIME: Final = re.compile(r"-(\d+)(mon|[smhdwy])")
_UNIT_S: Final = {
    "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mon": 2_592_000, "y": 31_536_000,
}  # fmt: skip
# Parameters of a listing that choose how it is shown, not what is in it.
_PRESENTATION: Final = re.compile(
    r"X-Plex-.*|type|sort|limit|include[A-Z]\w*|exclude[A-Z]\w*|skipRefresh|check[A-Z]\w*|async[A-Z]\w*"
)
# What every item has, so that it can be compared as it is: a real server has an index of these.
_QUICK_KEYS: Final[dict[str, Callable[[PlexItem], Any]]] = {
    "addedAt": attrgetter("added_at"),
    "id": lambda item: int(item.rating_key),
    "titleSort": lambda item: item.title_sort.casefold(),
    "updatedAt": attrgetter("updated_at"),
}
# What names the edit in a PUT on a listing, so that the rest are its filters.
_EDITING: Final = re.compile(r"\w+\.(value|locked)|\w+\[\d*\]\..*")


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a selection."""

    items: Sequence[PlexItem]
    offset: int
    total: int


def select(library: PlexLibrary, query: Sequence[tuple[str, str]], behaviour: PlexBehaviour) -> list[PlexItem]:
    """Return the items that a listing's query asks for, in its order. The list must not be changed.

    A filter that Plex does not know selects nothing, without an error.
    """
    key = (tuple((name, value) for name, value in query if not name.startswith("X-Plex-")), behaviour)
    cached = library.selections.get(key)
    if cached is not None and cached[0] == library.revision:
        return cached[1]
    found = _filtered(library, query, behaviour)
    asked = (value for name, value in query if name == "sort" and behaviour.sort_honoured)
    _sort(found, next(asked, "titleSort"))
    limit = next((int(value) for name, value in query if name == "limit" and value.isdecimal()), None)
    found = found[:limit]
    if len(library.selections) >= _MAX_CACHED_SELECTIONS:
        library.selections.clear()
    library.selections[key] = (library.revision, found)
    return found


def select_for_edit(library: PlexLibrary, query: Sequence[tuple[str, str]], behaviour: PlexBehaviour) -> list[PlexItem]:
    """Return the items that an edit on a listing reaches: without ``id`` all of them."""
    found = _filtered(library, [pair for pair in query if not _EDITING.fullmatch(pair[0])], behaviour)
    names_several = any(name == "id" and "," in value for name, value in query)
    return [] if names_several and behaviour.edit_of_several == "ignored" else found


def page(found: Sequence[PlexItem], start: int, size: int | None, cap: int | None) -> Page:
    """Cut one page out of a selection. ``size`` None asks for everything, ``cap`` bounds what is given."""
    bounds = [bound for bound in (size, cap) if bound is not None]
    end = start + min(bounds) if bounds else None
    return Page(found[start:end], start, len(found))


def _filtered(library: PlexLibrary, query: Sequence[tuple[str, str]], behaviour: PlexBehaviour) -> list[PlexItem]:
    type_ = next((value for name, value in query if name == "type"), MOVIE_TYPE)
    if type_ not in {MOVIE_TYPE, COLLECTION_TYPE}:
        return []
    entries = library.items if type_ == MOVIE_TYPE else library.collections
    everything: Iterable[PlexItem] = entries.values()
    found = everything
    for name, value in query:
        if _PRESENTATION.fullmatch(name) or (name, value) == ("id", ""):
            continue
        if name == "id":
            keys = dict.fromkeys(value.split(","))
            named = [entries[key] for key in keys if key in entries]
            found = named if found is everything else [item for item in found if item.rating_key in keys]
            continue
        test = _test(name, value, behaviour)
        found = [item for item in found if test(item)]
    return list(found)


def _test(name: str, value: str, behaviour: PlexBehaviour) -> Test:
    parts = _FILTER.fullmatch(name)
    if parts is None:
        return _nothing
    stem, operator = parts.groups()
    if value.startswith("="):  # "title==x" arrives as name "title", value "=x"
        operator, value = operator + "=", value[1:]
    if stem == "file":
        return _file_test(value, behaviour)
    return _field_test(stem, operator, value.split(","))


def _field_test(stem: str, operator: str, values: Sequence[str]) -> Test:
    if stem == "guid":
        return lambda item: item.rating_key in {value.rpartition("/")[2] for value in values}
    if stem in TAG_ELEMENTS:
        return _tag_test(stem, operator, {value.casefold() for value in values})
    if stem in _TEXTS:
        return _text_test(stem, operator, [value.casefold() for value in values])
    if stem in _NUMBERS | _TIMES:
        return _number_test(stem, operator, values)
    return _nothing


def _nothing(_item: PlexItem) -> bool:
    return False


def _file_test(value: str, behaviour: PlexBehaviour) -> Test:
    match behaviour.file_filter:
        case "unsupported":
            return _nothing
        case "ignored":
            return lambda _item: True
        case "basename":
            name = posixpath.basename(value)
            return lambda item: any(posixpath.basename(file) == name for file in item.files)
        case "superset":
            folder = posixpath.dirname(value)
            if folder:
                return lambda item: any(posixpath.dirname(file) == folder for file in item.files)
            stem = posixpath.splitext(value)[0].casefold()
            return lambda item: any(stem in posixpath.basename(file).casefold() for file in item.files)


def _tag_test(kind: str, operator: str, wanted: set[str]) -> Test:
    def has(item: PlexItem) -> bool:
        return any(str(use.tag.id) in wanted or use.tag.name.casefold() in wanted for use in item.tags.get(kind, ()))

    return has if operator == "" else (lambda item: operator == "!" and not has(item))


def _text_test(stem: str, operator: str, values: Sequence[str]) -> Test:
    comparisons: dict[str, Callable[[str, str], bool]] = {
        "": lambda text, value: value in text,
        "!": lambda text, value: value not in text,
        "=": lambda text, value: text == value,
        "!=": lambda text, value: text != value,
        "<": lambda text, value: text.startswith(value),
        ">": lambda text, value: text.endswith(value),
    }
    compare = comparisons.get(operator)
    if compare is None:
        return _nothing
    return lambda item: any(compare(item.text(stem).casefold(), value) for value in values)


def _number_test(stem: str, operator: str, values: Sequence[str]) -> Test:
    comparisons: dict[str, Callable[[float, float], bool]] = {
        "": lambda number, value: number == value,
        "!": lambda number, value: number != value,
        ">>": lambda number, value: number > value,
        "<<": lambda number, value: number < value,
        ">": lambda number, value: number >= value,
        "<": lambda number, value: number <= value,
    }
    compare = comparisons.get(operator)
    numbers = [number for number in (_number(stem, value) for value in values) if number is not None]
    if compare is None:
        return _nothing

    def holds(item: PlexItem) -> bool:
        number = _number(stem, str(_value(item, stem)))
        return number is not None and any(compare(number, value) for value in numbers)

    return holds


def _number(stem: str, text: str) -> float | None:
    relative = _RELATIVE_TIME.fullmatch(text)
    if relative is not None:
        return time.time() - int(relative[1]) * _UNIT_S[relative[2]]
    if stem == "originallyAvailableAt" and text.count("-") == 2:  # noqa: PLR2004 - YYYY-MM-DD has two
        return time.mktime(time.strptime(text, "%Y-%m-%d"))
    try:
        return float(text)
    except ValueError:
        return None


def _value(item: PlexItem, stem: str) -> Scalar | None:
    match stem:
        case "id":
            return int(item.rating_key)
        case "addedAt":
            return item.added_at
        case "updatedAt":
            return item.updated_at
        case "duration":
            return item.versions[0].duration_ms if item.versions else None
        case _:
            return item.scalars.get(stem)


def _sort(found: list[PlexItem], order: str) -> None:
    for part in reversed(order.split(",")):
        name, *directions = part.split(":")
        stem = name.rpartition(".")[2]
        key = _QUICK_KEYS.get(stem) or partial(_sort_key, stem=stem)
        found.sort(key=key, reverse="desc" in directions)


def _sort_key(item: PlexItem, stem: str) -> tuple[int, float, str]:
    value = _value(item, stem)
    if value is None:
        return (0, 0.0, "")
    return (2, 0.0, value.casefold()) if isinstance(value, str) else (1, float(value), "")
