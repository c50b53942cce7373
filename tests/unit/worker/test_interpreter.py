"""What is spared the garbage collection is what is needed, no garbage; and several workers share one interpreter."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import TYPE_CHECKING

import pytest

from scenesync.worker.interpreter import SWITCH_INTERVAL_S, Shared, sparing, tuned_for_waiting_threads

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ring:
    """Refers to itself, so that only the collection can free it."""

    def __init__(self) -> None:
        self.next = self


@pytest.fixture
def nothing_spared() -> Iterator[None]:
    """The tests themselves are spared the collection (``tests/conftest.py``)."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


@pytest.mark.usefixtures("nothing_spared")
def test_what_was_garbage_before_the_block_is_gone_in_it() -> None:
    gc.disable()
    try:
        garbage = weakref.ref(Ring())
        assert garbage() is not None
        with Shared(sparing):
            assert garbage() is None
    finally:
        gc.enable()


@pytest.mark.usefixtures("nothing_spared")
def test_what_was_there_is_spared_until_the_last_has_left() -> None:
    spared = Shared(sparing)
    with spared:
        with spared:
            assert gc.get_freeze_count() > 0
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_turns_are_quick_in_the_block_and_as_they_were_behind_it() -> None:
    usual_s = sys.getswitchinterval()
    with tuned_for_waiting_threads():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    assert sys.getswitchinterval() == usual_s
