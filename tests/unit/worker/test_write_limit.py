"""The number of writers follows what the server can do."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.errors import LeaseLost
from scenesync.plex.exceptions import PlexBusy, PlexPermanentError
from scenesync.worker import write_limit
from scenesync.worker.write_limit import WriteLimit

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def ours() -> bool:
    return True


class Server:
    """A server on a clock of its own, which as many writers keep busy as the limit allows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(write_limit, "time", SimpleNamespace(monotonic=lambda: self.now))

    def write(self, limit: WriteLimit, count: int, *, serialised: bool, took_s: float = 0.02) -> int:
        """Make writes, each as long as ``took_s`` alone; return how many were ever under way at once."""
        under_way: deque[AbstractContextManager[float]] = deque()
        begun = most = 0
        while begun < count or under_way:
            while begun < count and len(under_way) < limit.limit:
                slot = limit.slot(ours)
                slot.__enter__()
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


def test_it_goes_back_to_one_when_the_server_writes_one_at_a_time(server: Server) -> None:
    limit = WriteLimit(8)
    assert server.write(limit, 200, serialised=True) == 2
    assert limit.limit == 1


def test_a_first_measure_that_was_too_high_does_not_let_it_grow_to_the_ceiling(server: Server) -> None:
    limit = WriteLimit(8)
    server.write(limit, 3, serialised=True, took_s=0.2)
    assert server.write(limit, 300, serialised=True, took_s=0.02) <= 4


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
