"""What is spared the garbage collection is what is needed, no garbage."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from scenesync.worker.interpreter import tuned_for_waiting_threads

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def nothing_spared() -> Iterator[None]:
    """The tests themselves are spared the collection (``tests/conftest.py``)."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


class Ring:
    """Refers to itself, so that only the collection can free it."""

    def __init__(self) -> None:
        self.next = self


@pytest.mark.usefixtures("nothing_spared")
def test_what_was_garbage_before_the_block_is_gone_in_it() -> None:
    gc.disable()
    try:
        garbage = weakref.ref(Ring())
        assert garbage() is not None
        with tuned_for_waiting_threads():
            assert garbage() is None
    finally:
        gc.enable()


@pytest.mark.usefixtures("nothing_spared")
def test_what_was_there_is_spared_in_the_block_alone() -> None:
    with tuned_for_waiting_threads():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_what_others_have_spared_stays_so() -> None:
    gc.freeze()
    spared = gc.get_freeze_count()
    with tuned_for_waiting_threads():
        assert gc.get_freeze_count() == spared
    assert gc.get_freeze_count() == spared
