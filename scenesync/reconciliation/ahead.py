"""Fetch the next page while the last one is looked at: a server and who asks it are then busy at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

_END: Final = object()


def ahead(things: Iterable[T]) -> Iterator[T]:
    """Yield the things in order, each while the one after it is being fetched in another thread.

    Raises what fetching raises, in its place. Who stops early leaves at most one fetch behind, which ends by itself.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        iterator = iter(things)
        coming = pool.submit(next, iterator, _END)
        while (thing := coming.result()) is not _END:
            coming = pool.submit(next, iterator, _END)
            yield thing  # type: ignore[misc]  # what is not the end is a T
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
