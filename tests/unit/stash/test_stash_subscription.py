from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.errors import StashRefused, StashUnauthorized, StashUnavailable
from scenesync.network.websocket import KeepAlive
from scenesync.simulators.stash.records import NewFile
from scenesync.simulators.stash.server import StashSimulator
from scenesync.stash.client import StashClient
from scenesync.stash.schema import ASSUMED, JOB_NEWS, SCAN_NEWS, Schema
from scenesync.stash.subscription import News, NewsStream, open_news

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "fake-api-key"


@pytest.fixture(scope="module")
def stash() -> Iterator[StashSimulator]:
    with StashSimulator(api_key=KEY, username="harbourmaster", password="fake-password") as simulator:
        yield simulator


@pytest.fixture
def client(stash: StashSimulator) -> Iterator[StashClient]:
    stash.subscriptions.refused_with = None
    with StashClient(stash.url, api_key=KEY, connect_timeout_s=2) as connected:
        yield connected


def refusal(kind: type[Exception], client: StashClient, schema: Schema = ASSUMED) -> Exception:
    """Return how listening is refused."""
    with pytest.raises(kind) as caught, open_news(client.door(), schema):
        pass
    return caught.value


def hear(stream: NewsStream, until: str) -> list[News]:
    """Return all that is said, up to the end of a scan or of a job."""
    said: list[News] = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        news = stream.next(0.1)
        if news is not None:
            said.append(news)
            if (until == "scan" and news.scan_is_over) or (until == "job" and news.job and news.job.is_over):
                return said
    raise AssertionError(f"nothing of this kind was said: {until}; only {said}")


def subscribed(stash: StashSimulator, count: int = 2) -> None:
    deadline = time.monotonic() + 5
    while stash.subscriptions.active < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_scan_is_heard_of_from_its_beginning_to_its_end(stash: StashSimulator, client: StashClient) -> None:
    with open_news(client.door(), ASSUMED) as stream:
        subscribed(stash)
        job_id = stash.scan_job([NewFile("/data/new.mp4")])
        said = hear(stream, "job")
    assert {news.job.id for news in said if news.job} == {job_id}
    assert any(news.scan_is_over for news in said)
    assert said[0].job is not None
    assert said[0].job.description == "Scanning..."
    assert said[-1].job is not None
    assert said[-1].job.is_over


def test_nobody_listens_without_a_key(stash: StashSimulator) -> None:
    with StashClient(stash.url, api_key="wrong") as stranger:
        assert "stash_api_key" in str(refusal(StashUnauthorized, stranger))


def test_the_key_is_in_no_address_and_no_error(stash: StashSimulator) -> None:
    with StashClient(stash.url, api_key="wrong-key-1234") as stranger:
        assert "wrong-key-1234" not in repr(stranger.door())
        assert "wrong-key-1234" not in str(refusal(StashUnauthorized, stranger))
    assert {record.path for record in stash.requests} <= {"/graphql"}


def test_a_proxy_that_passes_no_websockets_on_is_named(stash: StashSimulator, client: StashClient) -> None:
    stash.subscriptions.refused_with = 404
    assert "does a proxy pass it on" in str(refusal(StashRefused, client))
    stash.subscriptions.refused_with = 502
    assert "HTTP 502" in str(refusal(StashUnavailable, client))


def test_a_stash_that_is_away_is_unavailable() -> None:
    with StashClient("http://127.0.0.1:9", connect_timeout_s=1) as nobody:
        assert "opens no websocket" in str(refusal(StashUnavailable, nobody))


def test_a_connection_that_breaks_says_so(stash: StashSimulator, client: StashClient) -> None:
    with open_news(client.door(), ASSUMED) as stream:
        subscribed(stash)
        stash.subscriptions.cut()
        with pytest.raises(StashUnavailable, match="ended"):
            hear(stream, "scan")


def test_a_connection_that_falls_silent_is_noticed(stash: StashSimulator, client: StashClient) -> None:
    with open_news(client.door(), ASSUMED, KeepAlive(every_s=0.1, answer_within_s=0.2)) as stream:
        subscribed(stash)
        for _ in range(10):
            assert stream.next(0.05) is None, "Stash answers pings"
        stash.subscriptions.fall_silent()
        with pytest.raises(StashUnavailable, match="says nothing more"):
            hear(stream, "scan")


def test_a_stash_without_subscriptions_is_not_asked_for_them(client: StashClient) -> None:
    nothing = Schema(frozenset({JOB_NEWS, SCAN_NEWS}))
    assert "no subscriptions" in str(refusal(StashRefused, client, nothing))


def test_the_end_of_a_scan_is_told_where_jobs_are_not(stash: StashSimulator, client: StashClient) -> None:
    with open_news(client.door(), Schema(frozenset({JOB_NEWS}))) as stream:
        subscribed(stash, 1)
        done = threading.Thread(target=stash.scan_job, args=([NewFile("/data/another.mp4")],))
        done.start()
        assert hear(stream, "scan") == [News(scan_is_over=True)]
        done.join()


def test_a_subscription_that_stash_ends_ends_the_connection_so_that_another_is_opened(
    stash: StashSimulator, client: StashClient
) -> None:
    with open_news(client.door(), ASSUMED) as stream:
        subscribed(stash)
        stash.subscriptions.end_one()
        with pytest.raises(StashUnavailable, match="ended what it was to tell"):
            hear(stream, "scan")
