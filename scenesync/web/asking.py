"""What handlers share: how they get at the services, and how long lists are paged."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

from fastapi import Depends, Query, Request

from scenesync.web.ports import Services
from scenesync.web.problems import Unavailable, Unusable

MOST_A_PAGE: Final = 500
ASKING_SERVERS: Final = 4
"""So many requests may wait for Plex or Stash at once: the others must find a thread."""
_asking = threading.BoundedSemaphore(ASKING_SERVERS)


async def _services(request: Request) -> Services:
    # Not a plain function: that would be called in a thread of its own, each time.
    services: Services = request.app.state.services
    return services


ServicesGiven = Annotated[Services, Depends(_services)]
Limit = Annotated[int, Query(ge=1, le=MOST_A_PAGE, description="At most so many.")]
Cursor = Annotated[
    str | None, Query(max_length=64, pattern=r"^[0-9.:]+$", description="``next_cursor`` of the page before.")
]


def number_in(cursor: str | None) -> int:
    """Return the number that a cursor stands for, 0 for the beginning. Raises Unusable."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or int(cursor) >= 2**63:
        raise Unusable("This cursor is none of ours.", code="invalid-cursor")
    return int(cursor)


def time_and_number_in(cursor: str | None) -> tuple[float, int] | None:
    """Return the time and the number that a cursor stands for, None for the beginning. Raises Unusable."""
    if cursor is None:
        return None
    time_text, _, number_text = cursor.partition(":")
    try:
        return float(time_text), number_in(number_text)
    except ValueError:
        raise Unusable("This cursor is none of ours.", code="invalid-cursor") from None


@contextmanager
def asking_servers() -> Iterator[None]:
    """Run the block, which waits for Plex or Stash. Raises Unavailable while too many others do."""
    if not _asking.acquire(timeout=1.0):
        raise Unavailable("Too many requests wait for Plex and Stash.", code="busy")
    try:
        yield
    finally:
        _asking.release()
