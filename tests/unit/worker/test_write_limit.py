"""The number of writers follows what the server can do."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from scenesync.domain.errors import LeaseLost
from scenesync.plex.exceptions import PlexBusy, PlexPermanentError
from scenesync.worker.write_limit import WriteLimit


def ours() -> bool:
    return True


def write_many(limit: WriteLimit, count: int, *, serialised: bool, took_s: float = 0.02) -> int:
    """Make writes with eight threads against a server; return how many were ever under way at once."""
    turn = threading.Lock()
    guard = threading.Lock()
    under_way = most = 0

    def write() -> None:
        nonlocal under_way, most
        with limit.slot(ours):
            with guard:
                under_way += 1
                most = max(most, under_way)
            if serialised:
                with turn:
                    time.sleep(took_s)
            else:
                time.sleep(took_s)
            with guard:
                under_way -= 1

    with ThreadPoolExecutor(8) as pool:
        for job in [pool.submit(write) for _ in range(count)]:
            job.result()
    return most


def test_it_starts_with_one_writer() -> None:
    assert WriteLimit(4).limit == 1
    assert write_many(WriteLimit(4), 2, serialised=False) == 1


def test_it_grows_to_its_ceiling_while_writes_do_not_slow_each_other_down() -> None:
    limit = WriteLimit(4)
    assert write_many(limit, 60, serialised=False) == 4
    assert limit.limit == 4


def test_it_goes_back_to_one_when_the_server_writes_one_at_a_time() -> None:
    limit = WriteLimit(8)
    write_many(limit, 30, serialised=True)
    assert write_many(limit, 20, serialised=True) <= 2


def test_a_busy_server_halves_it() -> None:
    limit = WriteLimit(4)
    write_many(limit, 60, serialised=False)
    with pytest.raises(PlexBusy), limit.slot(ours):
        raise PlexBusy("500 after ten seconds")
    assert limit.limit == 2


def test_a_failure_of_another_kind_gives_its_slot_back_and_teaches_nothing() -> None:
    limit = WriteLimit(1)
    for _ in range(5):
        with pytest.raises(PlexPermanentError), limit.slot(ours):
            raise PlexPermanentError("refused")
    with limit.slot(ours):
        assert limit.limit == 1


def test_the_ceiling_is_never_below_one() -> None:
    with WriteLimit(0).slot(ours):
        pass


def test_who_lost_its_job_while_waiting_for_a_slot_writes_nothing_and_gives_the_slot_back() -> None:
    limit = WriteLimit(1)
    wrote = False
    with pytest.raises(LeaseLost), limit.slot(lambda: False):
        wrote = True
    assert not wrote
    with limit.slot(ours):
        wrote = True
    assert wrote
