"""The parts of the web layer that need no server: keys, names, limits of tries, figures, events, the one sentence."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.app.dashboard.desk import Desk
from scenesync.app.dashboard.health import STUCK_AFTER_S, DaemonHealth
from scenesync.app.settings import LoadedSettings, Settings
from scenesync.domain.sentence import sentence
from scenesync.web.asking import number_in, time_and_number_in
from scenesync.web.events import EventRing
from scenesync.web.guard.attempts import WrongKeys
from scenesync.web.guard.hosts import Hosts, is_loopback
from scenesync.web.guard.keys import SESSION_S, Keys, presented_key, same_token
from scenesync.web.guard.limits import BodyLimit
from scenesync.web.models.state import Outage
from scenesync.web.pages.login import own_path
from scenesync.web.pages.timeline import WIDTH, timeline
from scenesync.web.problems import Unusable
from scenesync.web.prometheus import Counter, Histogram, gauges
from scenesync.web.server import Address, OpenDoor, require_shut

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

KEY = "fake-key-0123456789"


def test_a_session_ends_by_time_by_its_owner_and_by_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(KEY)
    cookie = keys.begin_session()
    session = keys.session(cookie)
    assert session is not None
    assert Keys(KEY).session(cookie) == session  # a restart ends no session
    assert Keys(KEY + "x").session(cookie) is None
    assert keys.session(cookie[:-1] + ("A" if cookie[-1] != "A" else "B")) is None
    assert same_token(session.csrf_token, session)
    assert not same_token("", session)

    keys.end_session(session)
    assert keys.session(cookie) is None
    later = time.time() + SESSION_S + 1
    fresh = keys.begin_session()
    monkeypatch.setattr(time, "time", lambda: later)
    assert keys.session(fresh) is None


def test_a_session_cannot_be_prolonged() -> None:
    keys = Keys(KEY)
    ends_at, rest = keys.begin_session().split(".", 1)
    assert keys.session(f"{int(ends_at) + 1}.{rest}") is None


def test_there_are_no_keys_without_a_key() -> None:
    with pytest.raises(ValueError, match="without a key"):
        Keys("")


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([(b"x-api-key", b"one")], "one"),
        ([(b"authorization", b"bearer  two ")], "two"),
        ([(b"authorization", b"Basic b25lOnR3bw==")], None),
        ([(b"cookie", b"x-api-key=three")], None),
    ],
)
def test_where_a_key_is_looked_for(headers: list[tuple[bytes, bytes]], key: str | None) -> None:
    assert presented_key(headers) == key


@pytest.mark.parametrize(
    ("host", "key", "is_shut"),
    [
        ("127.0.0.1", "x", True),
        ("::1", "x", True),
        ("localhost", "x", True),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "short", False),  # noqa: S104
        ("0.0.0.0", KEY, True),  # noqa: S104
        ("nas.example", "short", False),
        ("192.0.2.7", "", False),
    ],
)
def test_an_address_that_others_reach_needs_a_good_key(host: str, key: str, *, is_shut: bool) -> None:
    address = Address(host, 9988, key)
    assert key not in repr(address) or not key
    if is_shut:
        require_shut(address)
    else:
        with pytest.raises(OpenDoor):
            require_shut(address)


def test_which_names_are_ours() -> None:
    hosts = Hosts(["Media.example"], "0.0.0.0")  # noqa: S104
    for name in ("media.example", "MEDIA.EXAMPLE.:443", "localhost:9988", "127.0.0.1", "[::1]:9988", "192.0.2.1:80"):
        assert hosts.knows(name), name
    for name in ("", "other.example", "media.example.evil.example", "a@media.example", "media.example/x", "127.1.evil"):
        assert not hosts.knows(name), name
    assert hosts.is_ours("127.0.0.1:9988", "127.0.0.1:9988")
    assert hosts.is_ours("media.example", "127.0.0.1:9988")  # behind a proxy that names itself
    assert not hosts.is_ours("192.0.2.1", "127.0.0.1:9988")
    assert not hosts.is_ours("", "")


def test_only_the_loop_is_a_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.5.5.5", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "media.example", "")))  # noqa: S104


def test_wrong_keys_are_counted_by_address_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    wrong = WrongKeys(most=2, within_s=10)
    for _ in range(2):
        assert wrong.wait_s("192.0.2.1") == 0
        wrong.failed("192.0.2.1")
    now += 4
    assert wrong.wait_s("192.0.2.1") == 6
    assert wrong.wait_s("192.0.2.2") == 0
    now += 6
    assert wrong.wait_s("192.0.2.1") == 0
    wrong.failed("192.0.2.1")
    wrong.forget("192.0.2.1")
    assert wrong.wait_s("192.0.2.1") == 0


@pytest.mark.parametrize("path", ["//x", "/\\x", "\\/x", "x", "", "https://x", "/a\r\nb", "/a\\b"])
def test_a_path_that_could_lead_elsewhere_is_none_of_ours(path: str) -> None:
    assert own_path(path) == "/"


def test_a_path_of_ours_is_kept() -> None:
    assert own_path("/scenes?state=waiting") == "/scenes?state=waiting"


def test_counters_and_histograms_are_written_as_prometheus_reads_them() -> None:
    counter = Counter("done_total", "What was done.", ["kind"])
    counter.add('a "b"\\\n')
    counter.add('a "b"\\\n', by=2)
    assert list(counter.lines()) == [
        "# HELP done_total What was done.",
        "# TYPE done_total counter",
        'done_total{kind="a \\"b\\"\\\\\\n"} 3',
    ]
    histogram = Histogram("took_seconds", "How long.", ["kind"], buckets_s=(0.1, 1.0))
    for seconds in (0.1, 0.5, 7):
        histogram.observe(seconds, "read")
    assert list(histogram.lines())[2:] == [
        'took_seconds_bucket{kind="read",le="0.1"} 1',
        'took_seconds_bucket{kind="read",le="1"} 2',
        'took_seconds_bucket{kind="read",le="+Inf"} 3',
        'took_seconds_sum{kind="read"} 7.6',
        'took_seconds_count{kind="read"} 3',
    ]
    assert list(gauges("size", "How large.", "what", {"items": 2}))[2:] == ['size{what="items"} 2']


def test_a_slow_listener_is_told_how_much_it_missed() -> None:
    ring = EventRing(kept=3)
    everything = frozenset({"task", "log"})
    assert ring.since(0, everything) == ((), 0, 0)
    for number in range(5):
        ring.publish("task", partial(dict, number=number))
    events, latest, missed = ring.since(1, everything)
    assert ([event.describe()["number"] for event in events], latest, missed) == ([2, 3, 4], 5, 1)
    assert ring.since(5, everything) == ((), 5, 0)
    events, _, missed = ring.since(4, frozenset({"log"}))
    assert (list(events), missed) == ([], 0)


def test_an_event_is_written_once_for_all_who_listen() -> None:
    ring = EventRing()
    ring.publish("task", lambda: {"text": "ünïcode"})
    [event], _, _ = ring.since(0, frozenset({"task"}))
    assert event.text is event.text
    assert "ünïcode" in event.text


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 30, "\u0661"])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(Unusable):
        number_in(cursor)


def test_cursors_of_times_are_read() -> None:
    assert time_and_number_in(None) is None
    assert time_and_number_in("12.5:7") == (12.5, 7)
    for cursor in ("", ":7", "x:7", "12.5", "12.5:"):
        with pytest.raises(Unusable):
            time_and_number_in(cursor)


def outage(began_at: float, ended_at: float | None, service: str = "plex") -> Outage:
    return Outage(
        service=service,
        cause="refused",
        began_at=began_at,
        ended_at=ended_at,
        jobs_waiting=0,
        jobs_waiting_at_end=None,
        duration_s=None,
    )


def test_outages_are_bars_within_the_picture() -> None:
    now, day = time.time(), 86_400.0
    known = [
        outage(now - 10, None),
        outage(now - day, now - day + 1),
        outage(now - 40 * day, now - 29 * day),
        outage(now - 50 * day, now - 45 * day),
        outage(now - day, now, "stash"),
    ]
    bars = timeline(known, "plex")
    assert len(bars) == 3
    assert all(bar.x >= 0 and bar.width > 0 and bar.x + bar.width <= WIDTH + 1 for bar in bars)
    assert bars[0].x == 0  # what began earlier begins at the edge
    assert bars[-1].text == "still going on: refused"


def said(**changes: object) -> str:
    facts: dict[str, object] = {
        "pending": 0,
        "due": 0,
        "in_progress": 0,
        "dead_letters": 0,
        "stopped_runs": 0,
        "down": (),
        "paused": "",
        "waiting_by_error": {},
        **changes,
    }
    return sentence(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Nothing waits: Plex shows every change that came from Stash."),
        ({"pending": 3, "due": 1, "in_progress": 1}, "2 scenes to go until Plex shows what Stash knows."),
        ({"pending": 1, "waiting_by_error": {"PlexNotFound": 1}}, "1 scene waits for Plex to scan its file."),
        ({"pending": 2, "waiting_by_error": {"PlexBusy": 2}}, "2 scenes wait to be tried again."),
        ({"dead_letters": 2}, "Nothing waits; 2 scenes could not be synced and need a look."),
        ({"down": ["plex"], "pending": 2}, "Plex cannot be reached: 2 changes wait, and none is lost."),
        ({"down": ["plex", "stash"]}, "Plex and Stash cannot be reached; nothing waits."),
        ({"stopped_runs": 1, "dead_letters": 9}, "1 run stopped before changing too much: decide what becomes of it."),
        ({"paused": "The token is refused.", "down": ["plex"]}, "Work waits for you. The token is refused."),
    ],
)
def test_the_most_important_thing_is_said_first(changes: dict[str, object], words: str) -> None:
    assert said(**changes) == words


def test_what_nobody_reads_is_never_described() -> None:
    ring = EventRing(kept=10)

    def describe() -> dict[str, object]:
        raise AssertionError("nobody asked")

    for _ in range(100):
        ring.publish("attempt", describe)
    assert ring.latest == 100


async def _slow_body() -> dict[str, object]:
    await asyncio.sleep(30)
    return {"type": "http.request", "body": b"", "more_body": False}


def test_a_body_that_does_not_arrive_in_time_is_not_waited_for() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def app(*_: object) -> None:
        raise AssertionError("nobody may work on half a request")

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"content-length", b"5")], "method": "POST", "path": "/"}
    began = time.monotonic()
    asyncio.run(BodyLimit(app, within_s=0.05)(scope, _slow_body, send))
    assert time.monotonic() - began < 10
    assert sent[0]["status"] == 408


def test_a_loop_that_does_not_go_round_is_not_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(LoadedSettings(Settings(data_dir=tmp_path), {}, (), ()))
    health = DaemonHealth(desk)
    assert health.alive().alive  # no round is under way: nothing is stuck
    assert health.readiness().stores["state"] == "not open"
    desk.turn()
    assert health.alive().alive
    later = time.monotonic() + STUCK_AFTER_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not health.alive().alive
