"""How many scenes are decided together follows how fast they are written."""

from __future__ import annotations

from scenesync.plex.read_request import IDS_PER_READ
from scenesync.worker.preparing import FEWEST_AT_ONCE, MOST_AT_ONCE, QUICK_S, SLOW_S, BatchSize


def test_it_starts_with_as_many_as_one_request_reads() -> None:
    assert BatchSize().scenes == MOST_AT_ONCE == IDS_PER_READ


def test_a_server_that_writes_slowly_gets_as_many_as_it_writes_in_time() -> None:
    size = BatchSize()
    size.learn(2 * SLOW_S, 100, is_last=False)
    assert size.scenes == 50
    size.learn(4 * SLOW_S, 100, is_last=True)
    assert size.scenes == 25
    size.learn(1.1 * SLOW_S, 100, is_last=False)
    assert size.scenes == 25, "a scene from the front of the same batch does not make it larger"


def test_it_never_goes_below_the_fewest() -> None:
    size = BatchSize()
    size.learn(100 * SLOW_S, 4, is_last=True)
    assert size.scenes == FEWEST_AT_ONCE


def test_it_doubles_when_the_last_of_a_whole_batch_was_quick() -> None:
    size = BatchSize()
    size.learn(4 * SLOW_S, 40, is_last=True)
    assert size.scenes == 10
    size.learn(QUICK_S / 2, 10, is_last=False)
    size.learn(QUICK_S / 2, 7, is_last=True)
    assert size.scenes == 10, "neither the first of a batch nor a smaller one tells how long a whole one takes"
    for of in (10, 20, 40, 80, 100):
        size.learn(QUICK_S / 2, of, is_last=True)
    assert size.scenes == MOST_AT_ONCE


def test_a_batch_that_takes_as_long_as_it_should_changes_nothing() -> None:
    size = BatchSize()
    size.learn(4 * SLOW_S, 40, is_last=True)
    size.learn((QUICK_S + SLOW_S) / 2, 10, is_last=True)
    assert size.scenes == 10
