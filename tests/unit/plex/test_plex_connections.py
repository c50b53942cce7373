"""Connections to Plex: kept, lent to one request at a time, made anew where the server closed them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from plex_stub import PlexStub, Reply
from urllib3.exceptions import ClosedPoolError, EmptyPoolError, ProtocolError

from scenesync.plex.connections import Connections, begin_request, finish

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def connections(stub: PlexStub) -> Iterator[Connections]:
    one = Connections(stub.url, size=1, tls={})
    yield one
    one.close()


def ask(connections: Connections, target: str = "/x") -> int:
    with connections.lent(wait_s=1.0) as connection:
        answer = begin_request(
            connection, "GET", target, headers={}, body=None, connect_timeout_s=1.0, read_timeout_s=1.0
        )
        finish(connection, answer)
    return answer.status


def test_a_connection_is_used_again(stub: PlexStub, connections: Connections) -> None:
    assert [ask(connections), ask(connections), ask(connections)] == [200, 200, 200]

    assert stub.accepted == 1


def test_a_target_goes_out_as_it_is(stub: PlexStub, connections: Connections) -> None:
    ask(connections, "/x?a%5b0%5D=%c3%A9&b=c%252Cd")

    assert stub.seen[0].target == "/x?a%5b0%5D=%c3%A9&b=c%252Cd"


def test_after_a_failure_the_next_request_has_a_connection_of_its_own(stub: PlexStub, connections: Connections) -> None:
    stub.replies.append(Reply(fault="close"))

    with pytest.raises(ProtocolError):
        ask(connections)

    assert ask(connections) == 200
    assert stub.accepted == 2


def test_a_connection_that_the_server_closed_is_made_anew(stub: PlexStub, connections: Connections) -> None:
    stub.replies.append(Reply(headers={"Connection": "close"}))

    assert [ask(connections), ask(connections)] == [200, 200]

    assert stub.accepted == 2


def test_no_more_are_open_than_wanted_but_where_that_is_allowed(stub: PlexStub) -> None:
    bounded = Connections(stub.url, size=1, tls={})
    unbounded = Connections(stub.url, size=1, may_exceed=True, tls={})

    with bounded.lent(wait_s=0.01), pytest.raises(EmptyPoolError), bounded.lent(wait_s=0.01):
        pass
    with unbounded.lent(wait_s=0.01) as first, unbounded.lent(wait_s=0.01) as second:
        assert first is not second


def test_once_closed_nothing_is_lent_and_what_comes_back_is_closed(connections: Connections) -> None:
    with connections.lent(wait_s=1.0) as connection:
        connection.connect()
        connections.close()

    assert connection.is_closed
    with pytest.raises(ClosedPoolError), connections.lent(wait_s=1.0):
        pass


@pytest.mark.parametrize("is_given_back", [False, True])
def test_everybody_who_waits_is_told_at_once_that_all_is_closed(
    connections: Connections, *, is_given_back: bool
) -> None:
    def borrow() -> str:
        with pytest.raises(ClosedPoolError), connections.lent(wait_s=30.0):
            pytest.fail("it was lent")
        return "told"

    with ThreadPoolExecutor(3) as threads:
        with connections.lent(wait_s=1.0):
            waiting = [threads.submit(borrow) for _ in range(3)]
            while len(connections._free.not_empty._waiters) < 3:  # type: ignore[attr-defined]  # who waits, of Condition
                time.sleep(0.001)
            begun_at = time.monotonic()
            connections.close()
            told = [] if is_given_back else [each.result(10.0) for each in waiting]
        told = told or [each.result(10.0) for each in waiting]
    assert told == ["told"] * 3
    assert time.monotonic() - begun_at < 5.0
