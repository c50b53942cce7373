"""Shares of a whole as one bar, for an SVG."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH: Final = 600.0
THINNEST: Final = 3.0
"""What is there must be seen, however small its share."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the whole: ``tone`` is how it looks, ``link`` where there is more about it ("": nowhere)."""

    name: str
    count: int
    tone: str
    detail: str = ""
    link: str = ""
    x: float = 0.0
    width: float = 0.0


def bar(shares: Iterable[Share]) -> Sequence[Share]:
    """Return the shares that are not empty, each with its place in a bar of WIDTH."""
    there = [share for share in shares if share.count > 0]
    total = sum(share.count for share in there)
    widths = [max(THINNEST, share.count / total * WIDTH) for share in there]
    scale = WIDTH / sum(widths) if widths else 1.0
    placed: list[Share] = []
    x = 0.0
    for share, width in zip(there, widths, strict=True):
        placed.append(replace(share, x=round(x, 2), width=round(width * scale, 2)))
        x += width * scale
    return placed
