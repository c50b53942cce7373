"""The notification websocket as a client meets it: open, refused, cut, silent, over TLS (facts/plex.md 6.2)."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from scenesync.network.tls import tls_context
from scenesync.network.websocket import KeepAlive
from scenesync.plex.announcements import ItemAnnounced
from scenesync.plex.exceptions import PlexServerDown, PlexTemporaryError, PlexUnauthorized
from scenesync.plex.http import identity_headers
from scenesync.plex.notifications import PlexNotifications
from scenesync.simulators.http_server import Answer, Hang, HttpServer, Request, Response
from scenesync.simulators.plex.server import PlexSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scenesync.plex.notifications import NotificationStream

TOKEN = "fake-plex-token"
QUICK = KeepAlive(every_s=0.1, answer_within_s=0.2)


@pytest.fixture(scope="module")
def plex() -> Iterator[PlexSimulator]:
    with PlexSimulator(token=TOKEN) as plex:
        plex.add_library("Films", ["/data/films"])
        yield plex


def notifications(
    url: str, *, token: str = TOKEN, keep_alive: KeepAlive | None = None, tls: ssl.SSLContext | None = None
) -> PlexNotifications:
    headers = identity_headers(token, "fake-client", "0")
    return PlexNotifications(url, headers=headers, tls=tls, connect_timeout_s=2.0, keep_alive=keep_alive)


def next_item(stream: NotificationStream) -> object:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for announcement in stream.next(0.1):
            return announcement
    raise AssertionError("nothing was announced")


def test_a_new_item_is_heard_of_and_silence_is_nothing(plex: PlexSimulator) -> None:
    with notifications(plex.url).open() as stream:
        assert stream.next(0.01) == ()
        item = plex.add_item(plex.library("Films"), file="/data/films/a.mp4")
        assert next_item(stream) == ItemAnnounced(item.rating_key, "1")


def test_the_token_is_in_no_address_and_in_no_log(plex: PlexSimulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets").setLevel(logging.DEBUG)
    plex.clear_records()
    with notifications(plex.url).open():
        pass
    assert [dict(record.query) for record in plex.requests] == [{"filters": "timeline,activity"}]
    assert TOKEN not in caplog.text


def test_a_refused_token_says_so(plex: PlexSimulator) -> None:
    with pytest.raises(PlexUnauthorized, match="check plex_token"), notifications(plex.url, token="fake-wrong").open():
        pass


@pytest.mark.parametrize(
    ("status", "meaning"), [(404, PlexTemporaryError), (400, PlexTemporaryError), (503, PlexServerDown)]
)
def test_an_answer_that_is_no_websocket_is_classified_by_its_status(
    plex: PlexSimulator, status: int, meaning: type[Exception]
) -> None:
    plex.notifications.refused_with = status
    try:
        with pytest.raises(meaning, match=str(status)), notifications(plex.url).open():
            pass
    finally:
        plex.notifications.refused_with = None


def test_a_cut_connection_ends_the_stream(plex: PlexSimulator) -> None:
    with notifications(plex.url).open() as stream:
        plex.notifications.cut()
        with pytest.raises(PlexServerDown, match="ended"):
            next_item(stream)


def test_a_connection_that_died_without_a_word_is_noticed(plex: PlexSimulator) -> None:
    with notifications(plex.url, keep_alive=QUICK).open() as stream:
        plex.notifications.fall_silent()
        with pytest.raises(PlexServerDown):
            next_item(stream)


def test_a_server_that_is_down_is_down(plex: PlexSimulator) -> None:
    plex.down()
    try:
        with pytest.raises(PlexServerDown, match="cannot be reached"), notifications(plex.url).open():
            pass
    finally:
        plex.up()


def test_a_redirect_to_another_server_is_not_followed(plex: PlexSimulator) -> None:
    async def redirect(_request: Request) -> Answer:
        return Response(302, headers=(("Location", f"{plex.url}/elsewhere"),))

    plex.clear_records()
    with (
        HttpServer(redirect) as server,
        pytest.raises(PlexTemporaryError, match="redirect"),
        notifications(server.url).open(),
    ):
        pass
    assert plex.requests == []


def test_a_page_of_a_proxy_is_no_websocket() -> None:
    async def page(_request: Request) -> Answer:
        return Response(200, b"<html>Log in</html>")

    with (
        HttpServer(page) as server,
        pytest.raises(PlexTemporaryError, match="proxy"),
        notifications(server.url).open(),
    ):
        pass


class Secure:
    """A Plex behind https, whose certificate is for one name and signed by a private authority."""

    def __init__(self, folder: Path, name: str) -> None:
        authority = trustme.CA()
        self.ca_file = folder / f"authority-of-{name}.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self.tls)


@contextmanager
def opened(secure: Secure, *, ca_file: Path | None, verify: bool = True) -> Iterator[NotificationStream]:
    with PlexSimulator(token=TOKEN, tls=secure.tls) as plex:
        assert plex.url.startswith("https:")
        with notifications(plex.url, tls=tls_context(ca_file, verify=verify, name="plex_ca_file")).open() as stream:
            yield stream


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Secure:
    return Secure(tmp_path_factory.mktemp("tls"), "127.0.0.1")


def test_a_private_authority_is_believed_when_it_is_named(named: Secure) -> None:
    with opened(named, ca_file=named.ca_file) as stream:
        assert stream.next(0.01) == ()


def test_a_plex_behind_tls_that_never_answers_is_given_up_in_time(named: Secure) -> None:
    async def silent(_request: Request) -> Answer:
        return Hang(60.0)

    failures: list[PlexServerDown] = []

    def try_to_open(url: str) -> None:
        tls = tls_context(named.ca_file, verify=True, name="plex_ca_file")
        with pytest.raises(PlexServerDown) as failure, notifications(url, tls=tls).open():
            pass
        failures.append(failure.value)

    with HttpServer(silent, tls=named.tls) as server:
        thread = threading.Thread(target=try_to_open, args=(server.url,), daemon=True)
        thread.start()
        thread.join(15)
        assert not thread.is_alive()
    assert [str(failure) for failure in failures] == ["Plex's notifications: no answer in time"]


def test_an_unknown_authority_is_not_and_the_cure_is_told(named: Secure) -> None:
    with pytest.raises(PlexServerDown, match="set plex_ca_file"), opened(named, ca_file=None):
        pass


def test_a_certificate_for_another_name_is_not_and_the_cure_is_told(tmp_path: Path) -> None:
    other = Secure(tmp_path, "plex.example.org")
    with pytest.raises(PlexServerDown, match="another name: set plex_url"), opened(other, ca_file=other.ca_file):
        pass


def test_whoever_switches_the_check_off_gets_through(tmp_path: Path) -> None:
    with opened(Secure(tmp_path, "plex.example.org"), ca_file=None, verify=False) as stream:
        assert stream.next(0.01) == ()
