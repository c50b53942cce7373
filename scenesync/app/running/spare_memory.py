"""Give memory back that a great piece of work needed: the C library keeps what is freed, for work that rarely comes."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.store.database import Database

_KEEP_NOTHING: Final = 0


def give_memory_back(database: Database) -> None:
    """Give the system what nobody uses any more: the pages that SQLite keeps, garbage, and what was freed.

    It takes some milliseconds and, as a write does, waits for its turn. Raises StoreError.
    """
    database.forget_pages()
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(_KEEP_NOTHING)


@cache
def _trim() -> Callable[[int], int] | None:
    """Return glibc's ``malloc_trim``, the one way to what was freed in the middle of a heap and in those of threads.

    None where the C library has none: musl, macOS and Windows give back by themselves.
    """
    if sys.platform != "linux":
        return None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim.argtypes = (ctypes.c_size_t,)
    return trim
