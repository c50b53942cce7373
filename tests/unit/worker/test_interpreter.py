"""What is spared the garbage collection is what is needed, no garbage."""

from __future__ import annotations

import gc
import weakref

from scenesync.worker.interpreter import tuned_for_waiting_threads


class Ring:
    """Refers to itself, so that only the collection can free it."""

    def __init__(self) -> None:
        self.next = self


def test_what_was_garbage_before_the_block_is_gone_in_it() -> None:
    gc.disable()
    try:
        garbage = weakref.ref(Ring())
        assert garbage() is not None
        with tuned_for_waiting_threads():
            assert garbage() is None
    finally:
        gc.enable()
