"""Signing in at a plex.tv over real HTTP: confirmed, too late, refused, slow, asked too often, and gone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from scenesync.plex.exceptions import PlexPermanentError, PlexServerDown, PlexTemporaryError, PlexUnauthorized
from scenesync.plex.request import RawAnswer, Request
from scenesync.plex.sign_in import (
    LONGEST_WAIT_S,
    LOOK_EVERY_S,
    Connection,
    OfferedServer,
    Pin,
    PinExpired,
    PlexTv,
    error_of,
    wait_s,
)
from scenesync.simulators.plex_tv import AccountServer, BadDay, PlexTvSimulator, connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def simulator() -> Iterator[PlexTvSimulator]:
    with PlexTvSimulator() as running:
        yield running
        assert running.failures == ()


@pytest.fixture
def plex_tv(simulator: PlexTvSimulator) -> PlexTv:
    return PlexTv.at(simulator.url, client_identifier="fake-client", version="0.1.0")


class Patience:
    """Sleeps never, notes how long it was asked to, and lets things happen meanwhile."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        self.asked_s: list[float] = []
        self._happenings = list(happenings)

    def __call__(self, seconds: float) -> bool:
        self.asked_s.append(seconds)
        if self._happenings:
            self._happenings.pop(0)()
        return False


def test_a_confirmed_pin_gives_the_account_s_token(simulator: PlexTvSimulator, plex_tv: PlexTv) -> None:
    pin = plex_tv.begin()
    patience = Patience(lambda: None, lambda: simulator.sign_in(pin.code))

    assert plex_tv.wait(pin, patience) == simulator.account_token
    assert patience.asked_s == [LOOK_EVERY_S, LOOK_EVERY_S]
    asked = simulator.requests[0]
    assert (asked.method, asked.path, asked.body) == ("POST", "/api/v2/pins", b"strong=true")
    assert asked.headers["x-plex-product"] == "SceneSync"
    assert all("x-plex-token" not in each.headers for each in simulator.requests)


def test_the_link_opens_plex_s_own_app_with_the_code_behind_the_mark(plex_tv: PlexTv) -> None:
    pin = plex_tv.begin()
    link = urlsplit(plex_tv.link(pin))
    assert (link.scheme, link.netloc, link.path, link.query) == ("https", "app.plex.tv", "/auth", "")
    said = parse_qs(link.fragment.removeprefix("?"))
    assert said == {"clientID": ["fake-client"], "code": [pin.code], "context[device][product]": ["SceneSync"]}
    assert pin.code not in repr(pin)


def test_a_pin_that_nobody_confirms_is_over(simulator: PlexTvSimulator, plex_tv: PlexTv) -> None:
    pin = plex_tv.begin()
    with pytest.raises(PinExpired, match="Begin again"):  # plex.tv has forgotten it
        plex_tv.wait(pin, Patience(simulator.pins.clear))
    with pytest.raises(PinExpired, match="in time"):  # and we do not ask for ever
        plex_tv.wait(Pin(pin.id, pin.code, 0.0), Patience())


def test_a_stop_ends_the_waiting(plex_tv: PlexTv) -> None:
    assert plex_tv.wait(plex_tv.begin(), lambda _seconds: True) is None


def test_asked_too_often_it_waits_as_long_as_it_is_told(simulator: PlexTvSimulator, plex_tv: PlexTv) -> None:
    pin = plex_tv.begin()
    simulator.bad_day = BadDay(status=429, times=1, retry_after_s=17)
    patience = Patience(lambda: simulator.sign_in(pin.code))
    assert plex_tv.wait(pin, patience) == simulator.account_token
    assert patience.asked_s == [17.0]


def test_gone_and_back_the_pin_is_still_good(simulator: PlexTvSimulator, plex_tv: PlexTv) -> None:
    pin = plex_tv.begin()
    simulator.sign_in(pin.code)
    simulator.refuse()
    patience = Patience(lambda: None, simulator.accept)
    assert plex_tv.wait(pin, patience) == simulator.account_token
    assert patience.asked_s == [2 * LOOK_EVERY_S, 4 * LOOK_EVERY_S]


def test_slow_and_refused_are_told_apart(
    simulator: PlexTvSimulator, plex_tv: PlexTv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenesync.plex.sign_in.READ_TIMEOUT_S", 0.2)
    simulator.bad_day = BadDay(delay_s=1.0)
    with pytest.raises(PlexServerDown, match=r"plex\.tv did not answer in time"):
        plex_tv.begin()
    simulator.refuse()
    with pytest.raises(PlexServerDown, match=r"plex\.tv cannot be reached"):
        plex_tv.begin()


def test_servers_come_with_their_tokens_and_players_do_not(simulator: PlexTvSimulator, plex_tv: PlexTv) -> None:
    ours = connection("http://192.0.2.7:32400")
    simulator.add_server(AccountServer("Borrowed", "b", "fake-b", (ours,), owned=False))
    simulator.add_server(AccountServer("Cellar", "c", "fake-c", (ours,)))
    simulator.add_server(AccountServer("Television", "t", "fake-t", (), provides="client,player"))

    servers = plex_tv.servers(simulator.account_token)

    assert [(each.name, each.is_owned) for each in servers] == [("Cellar", True), ("Borrowed", False)]
    assert servers[0].access_token == "fake-c"
    assert "fake-c" not in repr(servers[0])
    with pytest.raises(PlexUnauthorized, match="Sign in again"):
        plex_tv.servers("fake-other-token")


def server(*connections: Connection, needs_https: bool = False) -> OfferedServer:
    return OfferedServer("Cellar", "c", "fake-token", True, needs_https, connections)  # noqa: FBT003 - it is owned


HOME = Connection("https://192-0-2-7.hash.plex.direct:32400", "192.0.2.7", 32400, is_local=True, is_relay=False)
OUTSIDE = Connection("https://198-51-100-1.hash.plex.direct:31000", "198.51.100.1", 31000, False, False)  # noqa: FBT003
RELAY = Connection("https://203-0-113-9.hash.plex.direct:8443", "203.0.113.9", 8443, False, True)  # noqa: FBT003
V6 = Connection("https://v6.hash.plex.direct:32400", "2001:db8::7", 32400, is_local=True, is_relay=False)


def test_addresses_at_home_come_first_and_outside_the_token_never_goes_in_the_clear() -> None:
    assert server(RELAY, OUTSIDE, HOME, V6).addresses() == (
        "http://192.0.2.7:32400",
        "http://[2001:db8::7]:32400",
        HOME.uri,
        V6.uri,
        OUTSIDE.uri,
        RELAY.uri,
    )
    assert server(HOME, OUTSIDE, needs_https=True).addresses() == (HOME.uri, OUTSIDE.uri)
    plain = Connection("http://198.51.100.1:31000", "198.51.100.1", 31000, is_local=False, is_relay=False)
    assert server(plain).addresses() == ()


@pytest.mark.parametrize(
    ("status", "path", "kind"),
    [
        (404, "/api/v2/pins/7", PinExpired),
        (404, "/api/v2/resources", PlexPermanentError),
        (401, "/api/v2/resources", PlexUnauthorized),
        (403, "/api/v2/resources", PlexUnauthorized),
        (498, "/api/v2/resources", PlexUnauthorized),
        (429, "/api/v2/pins", PlexTemporaryError),
        (500, "/api/v2/pins", PlexTemporaryError),
        (302, "/api/v2/pins", PlexTemporaryError),
        (503, "/api/v2/pins", PlexServerDown),
        (400, "/api/v2/pins", PlexPermanentError),
    ],
)
def test_every_status_has_its_meaning(status: int, path: str, kind: type[Exception]) -> None:
    assert type(error_of(Request("GET", path), RawAnswer(status), now=0.0)) is kind


@pytest.mark.parametrize("body", ["[]", "{}", "<html>", '{"id": "x", "code": "y"}'])
def test_an_answer_of_another_shape_is_no_crash(body: str) -> None:
    def send(_request: Request, *, read_timeout_s: float, probe: bool = False) -> RawAnswer:  # noqa: ARG001 - the port's
        return RawAnswer(200, {}, body.encode())

    plex_tv = PlexTv(lambda _token: send, "fake-client")
    with pytest.raises(PlexTemporaryError):
        plex_tv.begin()
    with pytest.raises(PlexTemporaryError):
        plex_tv.look(Pin(7, "code", 900.0))


def test_waiting_grows_with_failures_and_has_an_end() -> None:
    assert [wait_s(failures, None) for failures in range(3)] == [2.0, 4.0, 8.0]
    assert wait_s(1_000, None) == LONGEST_WAIT_S
    assert wait_s(0, 0.1) == LOOK_EVERY_S
