"""Keep little of what work no longer needs: the C library keeps what is freed, for work that rarely comes."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from scenesync.store.database import Database

_KEEP_NOTHING: Final = 0
_ARENA_MAX: Final = -8
"""M_ARENA_MAX of malloc.h."""
_HEAPS: Final = 2


def share_heaps() -> None:
    """Let all threads that begin from now on take memory from two heaps.

    With heaps of their own, up to eight for each processor, each keeps what its threads freed, where no other uses it.
    Nothing waits for that: what threads take and free they do mostly one at a time, under the interpreter's lock.
    """
    option = _of_glibc("mallopt")
    if option is not None:
        option(_ARENA_MAX, _HEAPS)


def give_memory_back(database: Database) -> None:
    """Give the system what nobody uses any more: the pages that SQLite keeps, garbage, and what was freed.

    It takes some milliseconds and, as a write does, waits for its turn. Raises StoreError.
    """
    database.forget_pages()
    gc.collect()
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(ctypes.c_size_t(_KEEP_NOTHING))


@cache
def _of_glibc(name: str) -> Callable[..., Any] | None:
    """Return a function of glibc; ``malloc_trim`` is the one way to what was freed in the middle of a heap.

    None where the C library has none: musl, macOS and Windows have one heap, and give back by themselves.
    """
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
