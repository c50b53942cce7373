"""The number of writers follows what the server can do."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.errors import LeaseLost
from scenesync.plex.exceptions import PlexBusy, PlexPermanentError, PlexTemporaryError
from scenesync.worker import write_limit
from scenesync.worker.write_limit import ReadLimit, WriteLimit

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def ours() -> bool:
    return True


class Server:
    """A server on a clock of its own, which as many writers keep busy as the limit allows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.waited = 0
        """How many writes began beside another one."""
        monkeypatch.setattr(write_limit, "time", SimpleNamespace(monotonic=lambda: self.now))

    def write(self, limit: WriteLimit, count: int, *, serialised: bool, took_s: float = 0.02) -> int:
        """Make writes, each as long as ``took_s`` alone; return how many were ever under way at once."""
        under_way: deque[AbstractContextManager[float]] = deque()
        begun = most = 0
        while begun < count or under_way:
            while begun < count and len(under_way) < limit.limit:
                slot = limit.slot(ours)
                slot.__enter__()
                self.waited += bool(under_way)
                under_way.append(slot)
                begun += 1
            most = max(most, len(under_way))
            self.now += took_s
            for _ in range(1 if serialised else len(under_way)):
                under_way.popleft().__exit__(None, None, None)
        return most


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def test_it_starts_with_one_writer(server: Server) -> None:
    assert WriteLimit(4).limit == 1
    assert server.write(WriteLimit(4), 2, serialised=False) == 1


def test_it_grows_to_its_ceiling_while_writes_do_not_slow_each_other_down(server: Server) -> None:
    limit = WriteLimit(4)
    assert server.write(limit, 60, serialised=False) == 4
    assert limit.limit == 4


def test_of_several_workers_each_takes_its_share_of_the_ceiling_and_at_least_one(server: Server) -> None:
    sharers = 2
    limit = WriteLimit(8, sharers=lambda: sharers)
    assert server.write(limit, 60, serialised=False) == 4
    sharers = 1  # the other one has ended
    assert server.write(limit, 60, serialised=False) == 8
    sharers = 20
    assert limit.limit == 1
    assert server.write(limit, 5, serialised=False) == 1


def test_it_goes_back_to_one_when_the_server_writes_one_at_a_time(server: Server) -> None:
    limit = WriteLimit(8)
    assert server.write(limit, 150, serialised=True) == 2
    assert limit.limit == 1


def test_a_first_measure_that_was_too_high_does_not_let_it_grow_to_the_ceiling(server: Server) -> None:
    limit = WriteLimit(8)
    server.write(limit, 3, serialised=True, took_s=0.2)
    assert server.write(limit, 300, serialised=True, took_s=0.02) <= 4


def test_the_ramp_to_the_ceiling_takes_at_most_fifty_writes(server: Server) -> None:
    for ceiling, writes in ((4, 11), (16, 47)):
        limit = WriteLimit(ceiling)
        server.write(limit, writes, serialised=False)
        assert limit.limit == ceiling


def test_growth_of_five_milliseconds_is_noise(server: Server) -> None:
    limit = WriteLimit(4)
    server.write(limit, 3, serialised=False, took_s=0.004)
    server.write(limit, 60, serialised=False, took_s=0.0085)
    assert limit.limit == 4


def test_a_few_that_are_late_say_nothing(server: Server) -> None:
    limit = WriteLimit(4)
    server.write(limit, 60, serialised=False)
    for took_s in (0.02, 0.02, 0.02, 0.9, 0.9) * 12:
        with limit.slot(ours):
            server.now += took_s
    assert limit.limit == 4


def test_few_writes_wait_for_others_where_one_is_done_at_a_time(server: Server) -> None:
    limit = WriteLimit(8)
    server.write(limit, 2000, serialised=True)
    assert limit.limit <= 2
    assert server.waited <= 2000 * 0.05


def test_a_hiccup_of_a_server_that_does_several_at_a_time_is_soon_over(server: Server) -> None:
    limit = WriteLimit(4)
    server.write(limit, 60, serialised=False)
    while limit.limit == 4:
        server.write(limit, 4, serialised=False, took_s=0.2)
    server.write(limit, 100, serialised=False)
    assert limit.limit == 4


def test_a_first_measure_is_right_although_something_else_was_going_on_as_it_began(server: Server) -> None:
    limit = WriteLimit(4)
    server.write(limit, 2, serialised=True, took_s=0.05)
    server.write(limit, 148, serialised=True, took_s=0.02)
    assert server.waited <= 150 * 0.1


def test_a_first_measure_that_was_too_high_is_made_again(server: Server) -> None:
    limit = WriteLimit(8)
    server.write(limit, 3, serialised=True, took_s=0.2)
    server.write(limit, 600, serialised=True, took_s=0.02)
    assert limit.limit <= 2


def test_a_write_that_is_no_ordinary_one_teaches_nothing_by_its_time(server: Server) -> None:
    limit = WriteLimit(4)
    for _ in range(20):
        with limit.slot(ours, learns=False):
            server.now += 5
    assert limit.limit == 1
    server.write(limit, 30, serialised=False)
    assert limit.limit == 4


@pytest.mark.parametrize("error", [PlexBusy, PlexTemporaryError])
def test_reads_begin_at_the_ceiling_and_are_halved_by_a_failure(server: Server, error: type[Exception]) -> None:
    limit = ReadLimit(4)
    assert limit.limit == 4
    with pytest.raises(error), limit.slot():
        raise error("500")
    assert limit.limit == 2
    for _ in range(500):
        with limit.slot():
            server.now += 0.01
    assert limit.limit == 4


def test_a_busy_server_halves_it(server: Server) -> None:
    limit = WriteLimit(4)
    server.write(limit, 60, serialised=False)
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
