"""Work cut to sizes that keep requests, statements and transactions within their limits."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def batched(things: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield the things in order, ``size`` at a time, the last batch with what is left."""
    iterator = iter(things)
    while batch := tuple(islice(iterator, size)):
        yield batch
