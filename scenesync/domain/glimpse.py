"""What a listing shows of an item, kept small, and whether that is enough to be sure that the item is right. Pure.

A listing cuts lists short and leaves some out (facts/plex.md 2.4), so it proves less than a read in full: a field is
either surely right or in doubt, never surely wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from scenesync.domain.diff import is_right, needs_baseline
from scenesync.domain.fields import IMAGE_FIELDS, LIST_FIELDS, SHARED_LISTS, Field, FieldValue, empty_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scenesync.domain.diff import Baseline
    from scenesync.domain.shown_item import ShownItem

_LONG: Final = 48
"""Longer texts are kept as a digest: they only have to be told apart."""

_SURELY_SHOWN: Final = 2
_END: Final = b"\n"  # JSON writes a line break in a text as two characters

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # ``dumps`` makes one for each call
_decoded: Final = json.JSONDecoder().raw_decode  # ``loads`` looks first at what it is and whether anything follows


class Glimpses:
    """What the listings of a server showed of its items: each a line of one long text.

    As an object each they would leave memory full of holes, which stays with the process when they are gone.
    """

    def __init__(self) -> None:
        self._lines = bytearray()
        self._places: dict[str, int] = {}
        self._longest: Counter[Field] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, rating_key: str) -> bool:
        return rating_key in self._places

    def add(self, shown: ShownItem) -> None:
        """Keep what is shown of an item."""
        for field, names in shown.beginnings.items():
            self._longest[field] = max(self._longest[field], len(names))
        values = {field: _shortened(value) for field, value in shown.values.items()}
        values.update(shown.beginnings)
        self._places[shown.listed.rating_key] = len(self._lines)
        self._lines += _encode([shown.listed.library_key, values]).encode()
        self._lines += _END

    def of(self, rating_key: str) -> Glimpse | None:
        """Return what was shown of an item, None if it was in no listing."""
        place = self._places.get(rating_key)
        if place is None:
            return None
        (library_key, values), _ = _decoded(self._lines[place : self._lines.index(_END, place)].decode())
        return Glimpse(library_key, values, self._longest)


class Glimpse:
    """One item as a listing showed it. ``longest`` are the longest lists of each kind that the server showed."""

    def __init__(self, library_key: str, values: Mapping[str, str | list[str]], longest: Mapping[Field, int]) -> None:
        self.library_key = library_key
        self._values = values
        self._longest = longest

    def picture(self, field: Field) -> str:
        """Return what tells the picture that is shown from others (``same_picture``), "" for none."""
        return str(self._values.get(field, ""))

    def doubts(
        self, wanted: Mapping[Field, FieldValue], baselines: Mapping[Field, Baseline] | None = None
    ) -> Iterator[Field]:
        """Yield the fields that are not surely as wanted; where baselines are not known, more of them may be."""
        for field, value in wanted.items():
            if field in IMAGE_FIELDS:
                continue
            if baselines is None and needs_baseline(field, value):
                yield field
            elif value == self._values.get(field) and isinstance(value, str):  # nearly all that is told in full
                continue
            elif not self._surely_shows(field, value, None if baselines is None else baselines.get(field)):
                yield field

    def _surely_shows(self, field: Field, wanted: FieldValue, baseline: Baseline | None) -> bool:
        shown = self._shown(field)
        if field in SHARED_LISTS:
            return _has_all_and_nothing_of_ours(shown, wanted, baseline)
        if field in LIST_FIELDS and not self._is_whole(field, shown, wanted):
            return False
        if shown == _shortened(wanted):
            return True
        if baseline is not None and baseline.shown is not None and shown == _shortened(baseline.shown):
            shown = baseline.shown  # in full
        return is_right(field, shown, wanted, baseline)

    def _shown(self, field: Field) -> FieldValue:
        value = self._values.get(field)
        if value is None:
            if field is not Field.SORT_TITLE:
                return empty_value(field)
            value = self._values.get(Field.TITLE, "")
        return value if isinstance(value, str) else tuple(value)

    def _is_whole(self, field: Field, shown: FieldValue, wanted: FieldValue) -> bool:
        """Say whether a list cannot go on beyond what is shown.

        Nobody knows where a server cuts (none is known to show fewer than two names, facts/plex.md 2.4); but no list
        that it showed is longer than that, and those that are as long as the longest may be cut. Where it never showed
        any, nothing speaks for there being one, and nothing against it.
        """
        longest = self._longest.get(field, 0)
        if longest == 0:
            return not wanted
        return len(shown) < max(longest, _SURELY_SHOWN)


def same_picture(glimpsed: str, shown: str) -> bool:
    """Say whether a picture's address is the one that a listing, or a read in full, showed."""
    return glimpsed in (shown, _shortened(shown))


def _has_all_and_nothing_of_ours(shown: FieldValue, wanted: FieldValue, baseline: Baseline | None) -> bool:
    """Say whether a list that people fill too surely needs nothing: what else is in it is theirs."""
    ours = _folded(baseline.written) if baseline is not None else frozenset()
    return _folded(wanted) <= _folded(shown) and ours <= _folded(wanted)


def _folded(names: FieldValue) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _shortened(value: FieldValue) -> FieldValue:
    if isinstance(value, str):
        return value if len(value) <= _LONG else hashlib.blake2b(value.encode(), digest_size=12).hexdigest()
    return tuple(value)
