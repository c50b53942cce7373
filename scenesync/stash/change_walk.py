"""Walk what Stash has in the order of its last change, page by page, although it changes meanwhile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scenesync.stash.parse import to_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime


class Changed(Protocol):
    """Something with an id and the time of its last change, in Stash's own text."""

    @property
    def id(self) -> int:
        """The id."""

    @property
    def updated_at(self) -> str:
        """When it changed."""


ChangedT = TypeVar("ChangedT", bound=Changed)


def walk_by_change(
    ask: Callable[[Mapping[str, Any]], tuple[int, Sequence[dict[str, Any]]]],
    read: Callable[[dict[str, Any]], ChangedT | None],
    begin: datetime,
    end: datetime,
    page_size: int,
) -> Iterator[ChangedT]:
    """Yield what changed at or after ``begin``, each once, until a row is older than ``end``.

    ``ask`` answers how many rows there are and one page of them, the last changed first, as texts are ordered.
    """
    seen: set[int] = set()
    page, count_before = 1, 0
    while True:
        count, documents = ask({"page": page, "limit": page_size})
        deleted = count_before - count
        count_before = count
        if deleted > 0:
            # Rows deleted meanwhile moved others up, maybe onto a page that is already read: look there again.
            page = max(1, page - math.ceil(deleted / page_size))
            continue
        for row in map(read, documents):
            if row is None or row.id in seen:
                continue
            changed = to_time(row.updated_at)
            if changed is not None and changed < end:
                return
            if changed is None or changed >= begin:
                seen.add(row.id)
                yield row
        if len(documents) < page_size:
            return
        page += 1
