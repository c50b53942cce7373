"""Who works on one queue together: how many live, who is elected, and how that moves when somebody is gone."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from queue_engines import both_engines, on_postgres

from scenesync.queue.alone import Alone
from scenesync.queue.distributed import election
from scenesync.queue.distributed.queue import DistributedQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scenesync.queue.port import Queue

PATIENCE_S: Final = 15.0
_CUT: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"""


class Candidate:
    """A node that stands for election."""

    def __init__(self, queue: Queue, *, is_fit: bool = True) -> None:
        self.fleet = queue.fleet
        self.end = threading.Event()
        self.is_fit = is_fit
        args = (self.end, lambda: self.is_fit)
        self._thread = threading.Thread(target=self.fleet.stand_for_election, args=args, daemon=True)
        self._thread.start()

    def withdraw(self) -> None:
        self.end.set()
        self._thread.join(PATIENCE_S)


@pytest.fixture
def candidate(open_queue: Callable[..., Queue]) -> Iterator[Callable[[], Candidate]]:
    with contextlib.ExitStack() as stack:

        def stand() -> Candidate:
            one = Candidate(open_queue())
            stack.callback(one.withdraw)
            return one

        yield stand


def wait_for(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it does not come about"
        time.sleep(0.02)


@both_engines
def test_who_stands_alone_is_elected_until_it_withdraws(candidate: Callable[[], Candidate]) -> None:
    one = candidate()

    wait_for(lambda: one.fleet.is_elected)

    assert not one.fleet.somebody_else_leads()
    assert one.fleet.size() == 1
    one.withdraw()
    assert not one.fleet.is_elected


@on_postgres
def test_one_of_several_is_elected_and_the_others_know(candidate: Callable[[], Candidate]) -> None:
    first = candidate()
    wait_for(lambda: first.fleet.is_elected)
    second = candidate()
    time.sleep(1.5 * election.LOOK_EVERY_S)

    assert first.fleet.is_elected
    assert not second.fleet.is_elected
    assert second.fleet.somebody_else_leads()
    assert not first.fleet.somebody_else_leads()

    first.withdraw()
    wait_for(lambda: second.fleet.is_elected, within_s=3.0)


@on_postgres
def test_who_loses_its_connection_knows_at_its_next_look_and_only_one_is_elected_again(
    candidate: Callable[[], Candidate], empty_database: str
) -> None:
    first, second = candidate(), candidate()
    wait_for(lambda: first.fleet.is_elected or second.fleet.is_elected)
    leader = first if first.fleet.is_elected else second
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(_CUT, (leader.fleet.leader(),))

    wait_for(lambda: not leader.fleet.is_elected, within_s=2.5)
    wait_for(lambda: first.fleet.is_elected or second.fleet.is_elected)
    time.sleep(1.2 * election.LOOK_EVERY_S)
    assert first.fleet.is_elected != second.fleet.is_elected


@on_postgres
def test_who_is_no_longer_fit_lets_one_lead_who_is(candidate: Callable[[], Candidate]) -> None:
    first = candidate()
    wait_for(lambda: first.fleet.is_elected)
    second = candidate()

    first.is_fit = False

    wait_for(lambda: second.fleet.is_elected, within_s=10.0)
    assert not first.fleet.is_elected


@on_postgres
def test_where_nobody_is_fit_one_leads_all_the_same(open_queue: Callable[..., Queue]) -> None:
    one = Candidate(open_queue(), is_fit=False)
    try:
        wait_for(lambda: one.fleet.is_elected)
        time.sleep(1.5 * election.LOOK_EVERY_S)
        assert one.fleet.is_elected
    finally:
        one.withdraw()


@on_postgres
def test_a_look_that_hangs_is_no_yes(candidate: Callable[[], Candidate], monkeypatch: pytest.MonkeyPatch) -> None:
    one = candidate()
    wait_for(lambda: one.fleet.is_elected)
    monkeypatch.setattr(election, "_STILL", "SELECT pg_sleep(6)")

    wait_for(lambda: not one.fleet.is_elected, within_s=5.0)


@on_postgres
def test_who_works_without_standing_for_election_sees_whether_anybody_leads(
    candidate: Callable[[], Candidate], open_queue: Callable[..., Queue]
) -> None:
    visitor = open_queue().fleet
    assert not visitor.somebody_else_leads()
    one = candidate()
    wait_for(lambda: one.fleet.is_elected)
    wait_for(visitor.somebody_else_leads)


@on_postgres
def test_all_see_how_many_live_and_who_does_not(open_queue: Callable[..., Queue]) -> None:
    first, second = (open_queue(heartbeat_s=0.1, stall_s=2.0) for _ in range(2))
    names = {first.fleet.me(), second.fleet.me()}
    assert len(names) == 2
    wait_for(lambda: first.fleet.size() == second.fleet.size() == 2)
    assert all(first.fleet.lives(name) for name in names)

    gone = second.fleet.me()
    second.close()

    wait_for(lambda: first.fleet.size() == 1)
    assert not first.fleet.lives(gone)
    assert not first.fleet.lives("a probe of an embedded queue")


@on_postgres
def test_while_the_database_is_away_nobody_is_said_to_be_dead(open_queue: Callable[..., Queue]) -> None:
    queue = open_queue()
    assert isinstance(queue, DistributedQueue)
    me = queue.fleet.me()
    queue.close()

    assert queue.fleet.lives(me)
    assert not queue.fleet.somebody_else_leads()


def test_alone_everybody_else_is_gone() -> None:
    one, other = Alone(), Alone()

    assert one.lives(one.me())
    assert not one.lives(other.me())
    assert not one.lives("")
