"""The title as a pattern of parts, some of which a scene may lack: a missing part takes its separator along. Pure.

``{studio} - {title} ({year})`` gives "North Pier - Harbour (2024)", and "Harbour" for a scene that has neither studio
nor date. A bracket goes when all in it is missing; elsewhere a missing part goes with the text before it, the first one
with the text after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLACEHOLDERS: Final = (
    *("title", "studio", "parent_studio", "date", "year", "performers", "director", "code", "group"),
)
_TOKEN: Final = re.compile(r"\{([^{}]*)\}|(.)", re.DOTALL)
_BRACKETS: Final = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A part that is a fact about the scene."""

    name: str

    def render(self, facts: Mapping[str, str]) -> str:
        """Return the fact, "" if the scene does not have it."""
        return facts.get(self.name, "")


@dataclass(frozen=True, slots=True)
class Bracket:
    """A part in brackets, with parts in it."""

    opening: str
    row: Row
    closing: str

    def render(self, facts: Mapping[str, str]) -> str:
        """Return the bracket, "" if nothing would stand in it."""
        inner = self.row.render(facts)
        return f"{self.opening}{inner}{self.closing}" if inner else ""


@dataclass(frozen=True, slots=True)
class Row:
    """Parts one after the other with the text around them: one more ``gaps`` than ``parts``."""

    parts: tuple[Placeholder | Bracket, ...]
    gaps: tuple[str, ...]

    def render(self, facts: Mapping[str, str]) -> str:
        """Return the parts that are there, each but the first with the text before it."""
        there = [(place, text) for place, part in enumerate(self.parts) if (text := part.render(facts))]
        if not there:
            return ""
        (first, begin), *others = there
        pieces = [self.gaps[0] if first == 0 else "", begin]
        pieces += [f"{self.gaps[place]}{text}" for place, text in others]
        last = there[-1][0]
        return "".join([*pieces, self.gaps[-1] if last == len(self.parts) - 1 else ""])

    def names(self) -> Iterator[str]:
        """Yield the placeholders' names."""
        for part in self.parts:
            if isinstance(part, Placeholder):
                yield part.name
            else:
                yield from part.row.names()


@dataclass(frozen=True, slots=True)
class TitleTemplate:
    """A checked template."""

    text: str
    row: Row

    def render(self, facts: Mapping[str, str]) -> str:
        """Return the title for a scene with these facts by placeholder; "" if it has none of those that are named."""
        return self.row.render(facts)

    def names(self) -> frozenset[str]:
        """Return the placeholders that it has."""
        return frozenset(self.row.names())


def title_template(text: str) -> TitleTemplate:
    """Return the template. Raises ValueError with a reason in words."""
    row = _parsed(text)
    names = tuple(row.names())
    unknown = next((name for name in names if name not in PLACEHOLDERS), None)
    if unknown is not None:
        raise ValueError(f"there is no placeholder {{{unknown}}}")
    if not names:
        raise ValueError("it has no placeholder such as {title}, so all scenes would be called alike")
    return TitleTemplate(text, row)


@dataclass(slots=True)
class _Open:
    """A row under construction, in the bracket that was opened for it ("" for the whole template)."""

    opening: str = ""
    parts: list[Placeholder | Bracket] = field(default_factory=list)
    gaps: list[str] = field(default_factory=lambda: [""])

    def add(self, part: Placeholder | Bracket) -> None:
        self.parts.append(part)
        self.gaps.append("")

    def write(self, text: str) -> None:
        self.gaps[-1] += text

    def spill(self, inner: _Open, closing: str) -> None:
        """Take in a bracket that turned out to be plain text, or to be never closed."""
        self.write(inner.opening + inner.gaps[0])
        for part, gap in zip(inner.parts, inner.gaps[1:], strict=True):
            self.add(part)
            self.write(gap)
        self.write(closing)

    def row(self) -> Row:
        return Row(tuple(self.parts), tuple(self.gaps))


def _parsed(text: str) -> Row:
    rows = [_Open()]
    for token in _TOKEN.finditer(text):
        name, character = token[1], token[2]
        if name is not None:
            rows[-1].add(Placeholder(name.strip()))
        elif character in "{}":
            raise ValueError(f"a {character} in it has no partner")
        elif character in _BRACKETS:
            rows.append(_Open(character))
        elif len(rows) > 1 and character == _BRACKETS[rows[-1].opening]:
            inner = rows.pop()
            if inner.parts:
                rows[-1].add(Bracket(inner.opening, inner.row(), character))
            else:
                rows[-1].spill(inner, character)
        else:
            rows[-1].write(character)
    while len(rows) > 1:
        unclosed = rows.pop()
        rows[-1].spill(unclosed, "")
    return rows[0].row()
