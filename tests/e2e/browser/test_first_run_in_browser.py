"""The first-run page as a person uses it, on a desk and on a phone: by the code in the log to the first edit."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from chromium import PHONE, WIDE
from live_world import NOT_SET_UP, LiveWorld, eventually
from selenium.webdriver.common.keys import Keys

from scenesync.simulators.plex_tv import AccountServer, PlexTvSimulator, connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chromium import Chromium
    from live_world import Daemon

    from scenesync.simulators.stash.records import Scene

pytestmark = pytest.mark.e2e


def fill(page: Chromium, field: str, text: str) -> None:
    """Put a text into a field, in place of what stands there."""
    page.script("document.querySelector(arguments[0]).select()", field)
    page.script("document.querySelector(arguments[0]).focus()", field)
    page.type(text or Keys.DELETE)


def require_sound(page: Chromium) -> None:
    """Look at the page by day and night, on a desk and a phone."""
    for size, scheme in ((WIDE, "dark"), (PHONE, "dark"), (PHONE, "light"), (WIDE, "light")):
        page.looks_like(size, scheme)
        assert page.sticks_out() == []
    assert page.barriers() == [], page.text()


@dataclass(frozen=True, slots=True)
class NewHome:
    """Servers that nobody has told SceneSync of, and a daemon that asks for them."""

    world: LiveWorld
    plex_tv: PlexTvSimulator
    scene: Scene
    daemon: Daemon
    port: int

    @property
    def code(self) -> str:
        found = re.search(r"one-time code (\S+),", self.daemon.log)
        assert found is not None
        return found[1]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[NewHome]:
    with LiveWorld(tmp_path) as world, PlexTvSimulator() as plex_tv:
        scene = world.add_scene("Harbour at dawn")
        world.add_scene("Never scanned", in_plex=False)
        found_at = connection(world.plex.url)
        plex_tv.add_server(AccountServer("Cellar", world.plex.machine_identifier, world.plex.token, (found_at,)))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        served = {"http_enabled": "true", "http_port": str(port), "plex_tv_url": plex_tv.url}
        daemon = world.daemon(wait=False, **served, **NOT_SET_UP)
        daemon.wait_for_log("one-time code ")
        yield NewHome(world, plex_tv, scene, daemon, port)
        assert daemon.stop() == 0


def test_a_person_sets_it_up_in_the_browser(chromium: Chromium, home: NewHome) -> None:
    page = chromium
    page.base = f"http://127.0.0.1:{home.port}"
    page.open("/")
    assert page.focused() == "key"
    page.type(home.code + Keys.ENTER)

    page.shows("Where is Stash?")
    assert page.focused() == "url"
    fill(page, "#stash-url", "http://127.0.0.1:9")
    page.press("Try it")
    page.shows("takes no connections")
    require_sound(page)
    fill(page, "#stash-url", home.world.stash.url)
    fill(page, "#stash-key", home.world.login.api_key)
    page.press("Try it")

    page.shows("Sign in to Plex")
    require_sound(page)
    page.press("Begin to sign in")
    page.shows("this page goes on by itself")
    [pin] = home.plex_tv.pins.values()
    home.plex_tv.sign_in(pin.code)

    page.shows("Which libraries show Stash's files?")
    require_sound(page)
    page.press("Go on: compare both sides")
    page.shows("Plex sees the files elsewhere")
    require_sound(page)
    page.press("Take them")
    page.shows("What would happen")
    page.press("Field by field")
    page.shows("Harbour at dawn")
    require_sound(page)
    assert {request.method for request in home.world.plex.requests} == {"GET"}

    page.press("Start: change 1 scene")
    page.shows("SceneSync begins")
    page.shows("Servers")  # the dashboard, without logging in once more
    item = home.world.item_of(home.scene)
    eventually(lambda: item.poster is not None, "the first edit")
    assert page.complaints() == []
    assert page.hosts() == {f"127.0.0.1:{home.port}"}
