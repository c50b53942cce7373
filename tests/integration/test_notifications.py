"""People are told what goes wrong: over real HTTP, out of real stores, once, also over a restart."""

from __future__ import annotations

import base64
import json
import logging
import socket
import ssl
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from command_line import run_command
from freezegun import freeze_time
from pydantic import SecretStr
from sync_world import SyncWorld, eventually
from web_world import WebWorld

from scenesync.app.configuration.values import HeartbeatMethod
from scenesync.app.context import secrets_of
from scenesync.app.data_directory import worker_lock
from scenesync.app.installation import open_installation
from scenesync.app.logs import Redaction
from scenesync.app.opening import open_state
from scenesync.app.running.heartbeat import Heartbeat
from scenesync.app.settings import Settings, masked
from scenesync.app.telling import teller as teller_module
from scenesync.app.telling.memo import FACT, Memo
from scenesync.app.telling.pulse import Pulse, pulse_routines
from scenesync.app.telling.seeing import latest_moment, see
from scenesync.app.telling.teller import Teller, telling
from scenesync.app.telling.ways import try_ways, wanted_of, ways_of
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.errors import LibraryNotFound
from scenesync.domain.job import scene_job
from scenesync.domain.news import (
    CHOSEN_BY_SETTINGS,
    NOWHERE,
    Kind,
    NewLetters,
    Seen,
    Stopped,
    Told,
    Trouble,
    Wanted,
    trial_message,
)
from scenesync.domain.outbox import GIVE_UP_AFTER_S
from scenesync.notify import request as request_module
from scenesync.notify.apprise_way import MISSING
from scenesync.notify.ways import NotTold
from scenesync.notify.webhook import Webhook
from scenesync.store.memory import Memory
from scenesync.store.pauses import Pause, PauseStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scenesync.store.database import Database

pytestmark = [
    pytest.mark.integration,
    # Apprise imports it where it is still there; Python's own default is to say nothing.
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]

NEVER = threading.Event()
WANTED = Wanted(frozenset(CHOSEN_BY_SETTINGS), outage_after_s=60.0)
SECRET_PATH = "fake-secret-path"
NOON = 1_790_000_000.0


class Post:
    """What somebody sent to the receiver."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method = handler.command
        self.path = handler.path
        self.headers = dict(handler.headers)
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class Receiver:
    """A server on loopback that takes messages, or answers otherwise if told so."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.posts: list[Post] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                receiver.posts.append(Post(self))
                status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_HEAD = _take  # noqa: N815 - http.server's own names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is http.server's
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/{SECRET_PATH}?key=fake-query-key"

    @property
    def apprise_url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_address[1]}/{SECRET_PATH}/apprise"

    @property
    def heard(self) -> list[tuple[str, str]]:
        return [(post.document["kind"], post.document["state"]) for post in self.posts]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def running() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def receiver(running: Receiver) -> Receiver:
    running.posts.clear()
    running.answers.clear()
    return running


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_state(Settings(data_dir=tmp_path / "data")) as database:
        yield database


class Watched:
    """How things stand, as a test says, and who tells of it; ``restart`` is another process on the same store."""

    def __init__(self, database: Database, receiver: Receiver) -> None:
        self.memory = Memory(database)
        self.receiver = receiver
        self.seen = Seen(0.0)
        self.teller = self.restart()

    def restart(self) -> Teller:
        ways = [Webhook(self.receiver.url, version="1")]
        self.teller = Teller(self.memory, lambda _told: replace(self.seen, at=time.time()), ways, WANTED)
        return self.teller

    def turn(self, **seen: Any) -> None:
        if seen:
            self.seen = Seen(0.0, **seen)
        self.teller.look()
        self.teller.send(NEVER)

    @property
    def memo(self) -> Memo:
        return Memo.from_text(self.memory.recall(FACT))


@pytest.fixture
def watched(database: Database, receiver: Receiver) -> Watched:
    return Watched(database, receiver)


def test_a_webhook_gets_one_document_for_what_went_wrong_and_one_when_it_is_over(watched: Watched) -> None:
    with freeze_time("2026-11-30T12:00:00Z", tick=False) as clock:
        down = {"plex": Trouble(time.time(), "it refuses connections.")}
        watched.turn(outages=down)
        assert watched.receiver.heard == []
        clock.tick(61)
        for _ in range(5):
            watched.turn(outages=down, waiting=3)
        watched.turn(outages={}, waiting=3)
        watched.turn()
    assert watched.receiver.heard == [("outage", "problem"), ("outage", "recovered")]
    post = watched.receiver.posts[0]
    assert post.method == "POST"
    assert post.headers["Content-Type"] == "application/json; charset=utf-8"
    assert post.headers["User-Agent"].startswith("SceneSync/")
    document = post.document
    assert document.keys() == {"form", "source", "id", "kind", "state", "subject", "title", "text", "at", "facts"}
    assert (document["form"], document["source"], document["subject"]) == (1, "scenesync", "plex")
    assert document["at"].startswith("2026-11-30T12:01:01")
    assert document["facts"]["waiting"] == 3
    assert watched.memo.waiting == ()


def test_a_restart_repeats_nothing_and_forgets_nothing(watched: Watched) -> None:
    with freeze_time("2026-11-30T12:00:00Z", tick=False) as clock:
        down = {"plex": Trouble(time.time() - 100, "gone.")}
        watched.turn(outages=down)
        watched.restart()
        clock.tick(3600)
        watched.turn(outages=down)
        assert watched.receiver.heard == [("outage", "problem")]
        watched.receiver.answers = [(503, {})]
        watched.turn(outages={})
        assert len(watched.memo.waiting) == 1, "what could not be sent waits"
        watched.restart()
        clock.tick(30)
        watched.turn()
    assert watched.receiver.heard == [("outage", "problem"), *[("outage", "recovered")] * 2]
    assert watched.receiver.posts[1].document["id"] == watched.receiver.posts[2].document["id"], "so it can be told"
    assert watched.memo.waiting == ()


def test_what_fails_is_tried_again_with_growing_pauses_for_a_bounded_time(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.receiver.answers = [(500, {})] * 1000
    with freeze_time("2026-11-30T12:00:00Z", tick=False) as clock:
        watched.seen = Seen(0.0, refusals={"plex": Trouble(time.time(), "no token.")})
        for _ in range(int(GIVE_UP_AFTER_S / 60) + 60):
            watched.turn()
            clock.tick(60)
    assert 10 < len(watched.receiver.posts) < 30
    assert watched.memo.waiting == ()
    assert caplog.text.count("given up telling") == 1
    assert "it answered 500" in caplog.text


def test_messages_arrive_in_the_order_in_which_it_happened(watched: Watched) -> None:
    watched.receiver.answers = [(503, {})] * 2
    with freeze_time("2026-11-30T12:00:00Z", tick=False) as clock:
        watched.turn(refusals={"plex": Trouble(time.time(), "no token.")})
        clock.tick(11)
        watched.turn(refusals={}, stopped=(Stopped(1, "renamed", "many"), Stopped(2, "renamed", "many")))
        assert len(watched.receiver.posts) == 2, "the first one once more; the others wait behind it"
        clock.tick(31)
        watched.turn()
    assert watched.receiver.heard[2:] == [
        ("refused", "problem"),
        ("refused", "recovered"),
        *[("stopped_run", "problem")] * 2,
    ]
    assert watched.memo.waiting == ()


def test_somebody_looks_between_messages_that_are_taken_slowly(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller_module, "LONGEST_PASS_S", 0.0)
    watched.turn(stopped=tuple(Stopped(number, "renamed", "many") for number in (1, 2, 3)))
    assert len(watched.receiver.posts) == 1
    watched.turn()
    watched.turn()
    assert len(watched.receiver.posts) == 3


def test_what_waited_for_too_long_while_nobody_worked_is_not_sent(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.receiver.answers = [(503, {})]
    with freeze_time("2026-11-30T12:00:00Z", tick=False) as clock:
        watched.turn(refusals={"plex": Trouble(time.time(), "no token.")})
        clock.tick(GIVE_UP_AFTER_S + 60)
        watched.restart()
        watched.turn()
    assert len(watched.receiver.posts) == 1
    assert watched.memo.waiting == ()
    assert "given up telling" in caplog.text


def test_a_busy_receiver_is_left_alone_for_as_long_as_it_asks(watched: Watched) -> None:
    watched.receiver.answers = [(429, {"Retry-After": "200"})]
    with freeze_time("2026-11-30T12:00:00Z", tick=False) as clock:
        watched.turn(refusals={"plex": Trouble(time.time(), "no token.")})
        clock.tick(199)
        watched.turn()
        assert len(watched.receiver.posts) == 1
        clock.tick(2)
        watched.turn()
    assert len(watched.receiver.posts) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 301])
def test_what_would_fail_again_is_not_tried_again(
    watched: Watched, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    watched.receiver.answers = [(status, {"Location": "http://127.0.0.1:1/elsewhere"})]
    with freeze_time("2026-11-30T12:00:00Z", tick=False) as clock:
        watched.turn(refusals={"plex": Trouble(time.time(), "no token.")})
        clock.tick(3600)
        watched.turn()
    assert len(watched.receiver.posts) == 1
    assert f"it answered {status}" in caplog.text


def test_no_address_is_in_the_log_the_store_or_an_error(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    watched.receiver.answers = [(500, {}), (404, {})]
    with freeze_time("2026-11-30T12:00:00Z", tick=False) as clock:
        watched.turn(refusals={"plex": Trouble(time.time(), "no token.")})
        clock.tick(60)
        watched.turn()
    unreachable = "http://user:fake-pass@127.0.0.1:1/fake-secret-path"
    for url in (unreachable, "http://fake-secret-host.invalid/", "http://[fake-secret/"):
        with pytest.raises(NotTold) as raised:
            Webhook(url, version="1").tell(trial_message(NOON), "id")
        told = f"{raised.value} {raised.value.__cause__}"
        assert "fake" not in told
        assert raised.value.__suppress_context__
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("scenesync"))
    assert SECRET_PATH not in logged
    assert SECRET_PATH not in (watched.memory.recall(FACT) or "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("me:fake-pass", "me:fake-pass"),
        ("me%40example.org:fake%3Apass%2F%25", "me@example.org:fake:pass/%"),
        ("zo\u00eb:fake:pass", "zo\u00eb:fake:pass"),
        ("me", "me:"),
    ],
)
def test_user_and_password_of_an_address_travel_in_a_header(receiver: Receiver, written: str, meant: str) -> None:
    url = receiver.url.replace("http://", f"http://{written}@")
    Webhook(url, version="1").tell(trial_message(NOON), "id")
    said = receiver.posts[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(said).decode() == meant
    assert receiver.posts[0].path == f"/{SECRET_PATH}?key=fake-query-key"


@pytest.mark.parametrize("drips", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"H"])
def test_an_answer_that_drips_has_one_deadline(drips: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "DEADLINE_S", 0.5)
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(drips)
            while not over.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        began = time.monotonic()
        with pytest.raises(NotTold, match="did not answer in time") as raised:
            Webhook(f"http://127.0.0.1:{listening.getsockname()[1]}/", version="1").tell(trial_message(NOON), "id")
        assert time.monotonic() - began < 5
        assert not raised.value.for_good
        over.set()
        thread.join()


def test_the_body_of_an_answer_is_not_waited_for() -> None:
    def answer(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while connection.recv(65536):  # until the other side hangs up
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        Webhook(f"http://127.0.0.1:{listening.getsockname()[1]}/", version="1").tell(trial_message(NOON), "id")
        thread.join(5)
        assert not thread.is_alive()


def test_an_authority_of_ones_own_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    receiver = Receiver(tls)
    webhook = Webhook(receiver.url.replace("http://", "https://"), version="1")
    try:
        with pytest.raises(NotTold, match="certificate is not accepted"):
            webhook.tell(trial_message(NOON), "id")
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        webhook.tell(trial_message(NOON), "id")
    finally:
        receiver.close()
    assert receiver.heard == [("test", "note")]


def settings_with(tmp_path: Path, **values: Any) -> Settings:
    return Settings(data_dir=tmp_path / "data", **values)


def test_apprise_takes_each_address_by_itself(tmp_path: Path, receiver: Receiver) -> None:
    addresses = f"{receiver.apprise_url}  {receiver.apprise_url}/two\n nonsense://x {receiver.apprise_url}"
    ways = ways_of(settings_with(tmp_path, notify_urls=SecretStr(addresses)))
    assert len(ways) == 3, "the same address once"
    tried = try_ways(ways)
    assert [each.arrived for each in tried] == [True, True, False]
    assert tried[2].reason == "Apprise does not understand this address"
    assert [post.document["title"] for post in receiver.posts] == ["SceneSync: a test"] * 2
    assert receiver.posts[0].document["type"] == "info"
    assert SECRET_PATH not in "".join(each.way for each in tried)
    receiver.answers = [(500, {})]
    assert try_ways(ways[:1])[0].reason == "the service did not take it"


def test_without_the_package_it_is_said_what_to_install(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    ways = ways_of(settings_with(tmp_path, notify_urls=SecretStr(receiver.apprise_url)))
    with pytest.raises(NotTold, match=r"scenesync\[notify\]") as raised:
        ways[0].tell(trial_message(NOON), "id")
    assert raised.value.for_good
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SCENESYNC_NOTIFY_URLS", receiver.apprise_url)
    ran = run_command(capsys, "notify", "--test")
    assert ran.exit_code == 1
    assert MISSING in ran.stdout


def test_the_command_tests_every_way_and_shows_no_address(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path / "data"))
    assert run_command(capsys, "notify", "--test").exit_code == 2, "nobody to tell"
    monkeypatch.setenv("SCENESYNC_NOTIFY_WEBHOOK_URL", receiver.url)
    file = tmp_path / "addresses"
    file.write_text(receiver.apprise_url + "\n" + receiver.apprise_url + "/two\n", encoding="utf-8")
    monkeypatch.setenv("SCENESYNC_NOTIFY_URLS_FILE", str(file))
    ran = run_command(capsys, "notify", "--test")
    assert (ran.exit_code, ran.stdout.count(": sent")) == (0, 3)
    assert len(receiver.posts) == 3
    receiver.answers = [(500, {})]
    failed = run_command(capsys, "notify", "--test", "--json")
    assert failed.exit_code == 1
    assert [each["arrived"] for each in json.loads(failed.stdout)["ways"]] == [False, True, True]
    shown = run_command(capsys, "notify")
    assert "About: dead_letters, outage, refused, stopped_run" in shown.stdout
    assert SECRET_PATH not in ran.stdout + failed.stdout + shown.stdout
    assert json.loads(run_command(capsys, "notify", "--json").stdout)["waiting"] == 0


def test_addresses_are_secrets(tmp_path: Path, receiver: Receiver) -> None:
    two = f"{receiver.apprise_url} {receiver.apprise_url}/two"
    settings = settings_with(
        tmp_path,
        notify_urls=SecretStr(two),
        notify_webhook_url=SecretStr(receiver.url),
        heartbeat_url=SecretStr(receiver.url + "/beat"),
    )
    shown = masked(settings)
    assert {shown[key] for key in ("notify_urls", "notify_webhook_url", "heartbeat_url")} == {"***"}
    assert SECRET_PATH not in repr(settings)
    assert SECRET_PATH not in Redaction(secrets_of(settings)).clean(
        f"said {receiver.url} and {receiver.apprise_url}/two"
    )


def test_what_is_seen_is_what_the_stores_hold(tmp_path: Path) -> None:
    with SyncWorld(tmp_path / "data") as world, open_installation(world.settings()) as installation:
        told = Told(letters_until=NOWHERE)
        assert see(installation, told).new_letters == NewLetters()
        now = time.time()
        installation.outages.begin("plex", "it refuses connections", at=now - 30, jobs_waiting=1)
        installation.outages.begin("stash", "gone", at=now - 90, jobs_waiting=1)
        installation.outages.end("stash", at=now - 60)
        installation.queue.put_job(scene_job(1, now=now))
        for number, error in enumerate(("PlexBusy", "PlexBusy", "AmbiguousMatch"), start=1):
            job = scene_job(10 + number, now=now)
            installation.dead_letters.add(DeadLetter(job=job, error_type=error, message="no", failed_at=now + number))
        seen = see(installation, told)
        assert seen.outages == {"plex": Trouble(now - 30)}
        existing = ["Private films"]
        PauseStore(installation.database).begin(
            Pause("plex", now, "LibraryNotFound", str(LibraryNotFound("Private", existing=existing)))
        )
        refused = see(installation, told).refusals["plex"]
        assert refused == Trouble(now, "Plex has no library of a name that plex_libraries gives.")
        assert (seen.waiting, seen.letters, seen.newest_letter) == (1, 3, (now + 3, 3))
        assert seen.new_letters == NewLetters({"PlexBusy": 2, "AmbiguousMatch": 1}, (now + 1, 1), (now + 3, 3))
        assert see(installation, Told(letters_until=(now + 2, 2))).new_letters.by_error == {"AmbiguousMatch": 1}
        assert see(installation, Told(letters_until=(now + 3, 3))).new_letters == NewLetters()
        assert see(installation, Told()).new_letters == NewLetters(), "what is old at the first look is no news"
        assert see(installation, Told(letters_until=NOWHERE, letters_at=now)).new_letters == NewLetters(), (
            "not yet again"
        )


def test_a_digest_has_its_time_of_day_by_the_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        after_change = 1_792_915_200.0  # 2026-10-25 09:00 in Berlin; clocks went back that night
        today = latest_moment("08:00", after_change)
        assert today == after_change - 3600
        assert latest_moment("10:00", after_change) == after_change - 24 * 3600, "a day of 25 hours"
        assert latest_moment("", after_change) is None
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_daemons_round_tells_of_a_real_outage_and_of_its_end(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller_module, "LOOK_EVERY_S", 0.05)
    changes = {"notify_webhook_url": SecretStr(receiver.url), "notify_outage_after": 0.0}
    with WebWorld(tmp_path / "data", **changes) as world:
        scene, _ = world.pair("pier", title="Pier at noon")
        with telling(world.installation, threading.Event()):
            world.plex.stop()
            world.post("/sync", {"scene_ids": [scene]}, 202)
            eventually(lambda: ("outage", "problem") in receiver.heard)
            world.plex.start()
            eventually(lambda: ("outage", "recovered") in receiver.heard)
        assert receiver.heard == [("outage", "problem"), ("outage", "recovered")]
        assert "Pier" not in "".join(post.body.decode() for post in receiver.posts), "no titles leave the house"
        assert "127.0.0.1" not in receiver.posts[0].body.decode(), "nor hosts"
        receiver.posts.clear()
        task = world.finished(world.post("/tasks", {"kind": "notify_test"}, 202))
        assert task["result"] == {"ways": [{"way": "webhook", "arrived": True, "reason": ""}]}
        assert receiver.heard == [("test", "note")]
        world.http.clear()


def test_without_a_way_nothing_looks(tmp_path: Path) -> None:
    with SyncWorld(tmp_path / "data") as world, open_installation(world.settings()) as installation:
        before = threading.active_count()
        with telling(installation, threading.Event()):
            assert threading.active_count() == before
        assert Memory(installation.database).recall(FACT) is None
        assert wanted_of(world.settings(notify_digest_at="08:00")).kinds == {*CHOSEN_BY_SETTINGS, Kind.DIGEST}


def test_a_slow_receiver_holds_up_nobody_but_who_tells(
    watched: Watched, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    take = receiver.server.RequestHandlerClass.do_POST  # type: ignore[attr-defined]

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        released.wait(10)
        take(handler)

    monkeypatch.setattr(receiver.server.RequestHandlerClass, "do_POST", slowly)
    monkeypatch.setattr(teller_module, "LOOK_EVERY_S", 0.01)
    watched.seen = Seen(0.0, refusals={"plex": Trouble(time.time(), "no token.")})
    end = threading.Event()
    thread = threading.Thread(target=watched.teller.run, args=(end,))
    thread.start()
    eventually(lambda: len(watched.memo.waiting) == 1)
    began = time.monotonic()
    watched.memory.note("anything", "else")  # the store is not held meanwhile
    assert time.monotonic() - began < 1
    released.set()
    eventually(lambda: watched.memo.waiting == ())
    end.set()
    thread.join(5)
    assert not thread.is_alive()


def heartbeat_settings(tmp_path: Path, receiver: Receiver, **values: Any) -> Settings:
    return settings_with(tmp_path, heartbeat_url=SecretStr(receiver.url), **values)


def pulse_of(settings: Settings) -> Pulse:
    assert settings.heartbeat_url is not None
    return Pulse(settings, settings.heartbeat_url.get_secret_value())


@contextmanager
def at_work(settings: Settings) -> Iterator[None]:
    lock = worker_lock(settings.data_dir)
    assert lock.acquire()
    try:
        Heartbeat(settings.data_dir)()
        yield
    finally:
        lock.release()


def test_it_is_said_once_that_the_heartbeat_does_not_arrive_and_once_that_it_does(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings = heartbeat_settings(tmp_path, receiver)
    open_state(settings).close()
    receiver.answers = [(404, {})] * 3
    pulse = pulse_of(settings)
    with at_work(settings):
        arrived = [pulse.give() for _ in range(5)]
    assert arrived == [False, False, False, True, True]
    assert caplog.text.count("does not arrive (heartbeat_url): it answered 404") == 1
    assert caplog.text.count("arrives again") == 1
    assert SECRET_PATH not in caplog.text


@pytest.mark.parametrize("method", HeartbeatMethod)
def test_a_heartbeat_is_given_only_while_the_daemon_is_at_work(
    tmp_path: Path, receiver: Receiver, method: HeartbeatMethod
) -> None:
    settings = heartbeat_settings(tmp_path, receiver, heartbeat_method=method)
    open_state(settings).close()
    pulse = pulse_of(settings)
    assert not pulse.give(), "no daemon"
    lock = worker_lock(settings.data_dir)
    assert lock.acquire()
    try:
        assert not pulse.give(), "its loop has not turned yet"
        Heartbeat(settings.data_dir)()
        assert pulse.give()
        receiver.answers = [(500, {})]
        assert not pulse.give(), "what fails means nothing"
    finally:
        lock.release()
    assert [post.method for post in receiver.posts] == [method.value.upper()] * 2


def test_the_heartbeat_is_among_what_the_daemon_does_only_with_an_address(tmp_path: Path, receiver: Receiver) -> None:
    assert pulse_routines(settings_with(tmp_path)) == ()
    (routine,) = pulse_routines(heartbeat_settings(tmp_path, receiver, heartbeat_interval=60.0))
    assert (routine.name, routine.interval_s) == ("heartbeat", 60.0)


def test_what_was_told_survives_being_written_and_read(watched: Watched) -> None:
    watched.receiver.answers = [(500, {})]
    watched.turn(refusals={"plex": Trouble(time.time(), "no.")}, letters=2)
    memo = watched.memo
    assert memo.waiting[0].message.kind is Kind.REFUSED
    assert Memo.from_text(memo.to_text()) == memo
    assert Memo.from_text("nonsense") == Memo()


def test_what_became_of_a_message_is_noted_in_what_is_noted_by_then(watched: Watched) -> None:
    watched.seen = Seen(0.0, refusals={"plex": Trouble(time.time(), "no token.")})
    watched.teller.look()
    (parcel,) = watched.memo.waiting
    second_begun, second_done = threading.Event(), threading.Event()
    memory, note = watched.memory, watched.memory.note

    def note_meanwhile() -> None:
        second_begun.set()
        Memory(memory._database).note(
            FACT, replace(watched.memo, waiting=(parcel, replace(parcel, id="a second"))).to_text()
        )
        second_done.set()

    writer = threading.Thread(target=note_meanwhile)

    def slow_note(*args: str, **kwargs: str) -> None:
        writer.start()
        assert second_begun.wait(5)
        second_done.wait(0.3)  # it would be lost if it got in between
        note(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "note", slow_note)
        watched.teller._settle(parcel, None)
    writer.join(10)
    assert [each.id for each in watched.memo.waiting] == [parcel.id, "a second"]
