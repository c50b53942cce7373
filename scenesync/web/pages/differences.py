"""Two values beside each other, cut into what is the same, what goes and what comes. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Value = str | list[str]
Kind = Literal["same", "gone", "new"]

MOST_WORDS: Final = 400
MOST_PAIRS_A_WORD: Final = 4
"""Comparing takes time by how often the same word stands in both; what takes longer is shown as replaced."""
FEWEST_WORDS: Final = 8
ALIKE: Final = 0.5
"""What has less in common is another text, and a patchwork of both could not be read."""
_WORDS: Final = re.compile(r"^\s+|\S+\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, or a name of a list."""

    kind: Kind
    text: str


def pieces(before: Value, after: Value) -> Sequence[Piece]:
    """Return both values as one row of pieces: without those that are new it is ``before``, else ``after``."""
    if isinstance(before, str) and isinstance(after, str):
        return list(_of_texts(before, after))
    return list(_of_lists(_names(before), _names(after)))


def _of_lists(before: Sequence[str], after: Sequence[str]) -> Iterator[Piece]:
    had, has = ({name.casefold() for name in names} for names in (before, after))
    for name in before:
        if name.casefold() not in has:
            yield Piece("gone", name)
    for name in after:
        yield Piece("same" if name.casefold() in had else "new", name)


def _of_texts(before: str, after: str) -> Iterator[Piece]:
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if before == after:
        yield from _piece("same", [before])
        return
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if not _is_comparable(old, new) or matcher.ratio() < ALIKE:
        yield from _piece("gone", [before])
        yield from _piece("new", [after])
        return
    for what, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if what == "equal":
            yield from _piece("same", old[old_from:old_to])
        else:
            yield from _piece("gone", old[old_from:old_to])
            yield from _piece("new", new[new_from:new_to])


def _is_comparable(old: Sequence[str], new: Sequence[str]) -> bool:
    shorter, longer = sorted((len(old), len(new)))
    if shorter < FEWEST_WORDS or longer > MOST_WORDS:
        return False
    in_new = Counter(new)
    return sum(in_new[word] for word in old) <= MOST_PAIRS_A_WORD * longer


def _piece(kind: Kind, words: Sequence[str]) -> Iterator[Piece]:
    if text := "".join(words):
        yield Piece(kind, text)


def _names(value: Value) -> Sequence[str]:
    if isinstance(value, str):
        return [value] if value else []
    return value
