"""The simulated plex.tv as python-plexapi sees it: an independent client of the real one must get along with it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
import requests
from plexapi.myplex import MyPlexPinLogin, MyPlexResource

from scenesync.plex.sign_in import PlexTv
from scenesync.simulators.plex_tv import AccountServer, PlexTvSimulator, connection

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def simulator() -> Iterator[PlexTvSimulator]:
    with PlexTvSimulator() as running:
        yield running
        assert running.failures == ()


def test_it_signs_in_as_we_do_and_opens_the_same_page(
    simulator: PlexTvSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MyPlexPinLogin, "PINS", f"{simulator.url}/api/v2/pins")
    with requests.Session() as session:
        login = MyPlexPinLogin(session=session, oauth=True)
        theirs = urlsplit(login.oauthUrl())
        assert login.checkLogin() is False
        [pin] = simulator.pins.values()
        simulator.sign_in(pin.code)
        assert login.checkLogin() is True
        assert login.token == simulator.account_token

    ours_tv = PlexTv.at(simulator.url, client_identifier=pin.client, version="0.1.0")
    ours = urlsplit(ours_tv.link(ours_tv.begin()))
    assert (ours.scheme, ours.netloc, ours.path.rstrip("/")) == (theirs.scheme, theirs.netloc, theirs.path.rstrip("/"))
    said, expected = (parse_qs(link.fragment.lstrip("!?")) for link in (ours, theirs))
    assert said.keys() <= expected.keys()
    assert said["clientID"] == expected["clientID"]


def test_it_reads_the_same_servers_as_we_do(simulator: PlexTvSimulator) -> None:
    home = connection("http://192.0.2.7:32400", uri="https://192-0-2-7.hash.plex.direct:32400")
    relay = connection("https://203.0.113.9:8443", local=False, relay=True)
    simulator.add_server(AccountServer("Cellar", "c", "fake-c", (home, relay), https_required=True))
    headers = {
        "X-Plex-Token": simulator.account_token,
        "X-Plex-Client-Identifier": "fake-client",
        "X-Plex-Product": "plexapi",
    }
    answer = requests.get(f"{simulator.url}/api/v2/resources", headers=headers, timeout=10)

    theirs = MyPlexResource(None, ET.fromstring(answer.content)[0])  # noqa: S314 - our own simulator wrote it
    plex_tv = PlexTv.at(simulator.url, client_identifier="fake-client", version="0.1.0")
    [ours] = plex_tv.servers(simulator.account_token)

    assert (ours.name, ours.machine_identifier, ours.access_token) == (
        theirs.name,
        theirs.clientIdentifier,
        theirs.accessToken,
    )
    assert (ours.is_owned, ours.needs_https) == (theirs.owned, theirs.httpsRequired)
    assert [(each.uri, each.address, each.port, each.is_local, each.is_relay) for each in ours.connections] == [
        (each.uri, each.address, each.port, each.local, each.relay) for each in theirs.connections
    ]
    # Over TLS alone both go the same ways in the same order.
    assert list(ours.addresses()) == theirs.preferred_connections(ssl=True)
