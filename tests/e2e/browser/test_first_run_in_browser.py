"""The first-run page as a person uses it, on a desk and on a phone: by the code in the log to the first edit."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from chromium import PHONE, WIDE
from live_world import LiveWorld, eventually
from selenium.webdriver.common.keys import Keys

from scenesync.simulators.plex_tv import AccountServer, PlexTvSimulator, connection

if TYPE_CHECKING:
    from chromium import Chromium

pytestmark = pytest.mark.e2e

NOTHING_SET: dict[str, str | None] = {
    "stash_url": None,
    "stash_api_key": None,
    "plex_url": None,
    "plex_token": None,
    "path_map": None,
}


def fill(page: Chromium, field: str, text: str) -> None:
    """Put a text into a field, in place of what stands there."""
    page.script("document.querySelector(arguments[0]).select()", field)
    page.script("document.querySelector(arguments[0]).focus()", field)
    page.type(text or Keys.DELETE)


def is_sound(page: Chromium) -> bool:
    """Look at the page by day and night, on a desk and a phone."""
    for size, scheme in ((WIDE, "dark"), (PHONE, "dark"), (PHONE, "light"), (WIDE, "light")):
        page.looks_like(size, scheme)
        assert page.sticks_out() == []
        if size == WIDE:
            assert page.barriers() == [], page.path
    return True


def test_a_person_sets_it_up_in_the_browser(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> None:
    with LiveWorld(tmp_path_factory.mktemp("new-home")) as world, PlexTvSimulator() as plex_tv:
        scene = world.add_scene("Harbour at dawn")
        world.add_scene("Never scanned", in_plex=False)
        home = connection(world.plex.url)
        plex_tv.add_server(AccountServer("Cellar", world.plex.machine_identifier, world.plex.token, (home,)))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        daemon = world.daemon(
            wait=False, http_enabled="true", http_port=str(port), plex_tv_url=plex_tv.url, **NOTHING_SET
        )
        daemon.wait_for_log("one-time code ")
        code = re.search(r"one-time code (\S+),", daemon.log)
        assert code is not None
        page = chromium
        page.base = f"http://127.0.0.1:{port}"

        page.open("/")
        assert page.focused() == "key"
        assert is_sound(page)
        page.type(code[1] + Keys.ENTER)
        page.shows("Where is Stash?")
        assert page.focused() == "url"
        assert is_sound(page)
        fill(page, "#stash-url", "http://127.0.0.1:9")
        page.press("Try it")
        page.shows("takes no connections")
        assert is_sound(page)
        fill(page, "#stash-url", world.stash.url)
        fill(page, "#stash-key", world.login.api_key)
        page.press("Try it")
        page.shows("Sign in to Plex")
        assert is_sound(page)

        page.press("Begin to sign in")
        page.shows("this page goes on by itself")
        assert is_sound(page)
        [pin] = plex_tv.pins.values()
        plex_tv.sign_in(pin.code)
        page.shows("Which libraries show Stash's files?")
        assert is_sound(page)
        page.press("Go on: compare both sides")
        page.shows("Plex sees the files elsewhere")
        assert is_sound(page)
        page.press("Take them")
        page.shows("What would happen")
        page.press("Field by field")
        page.shows("Harbour at dawn")
        assert is_sound(page)
        assert {request.method for request in world.plex.requests} == {"GET"}

        page.press("Start: change 1 scene")
        page.shows("SceneSync begins")
        page.shows("Servers")  # the dashboard, without logging in once more
        eventually(lambda: world.item_of(scene).title == "Harbour at dawn", "the first edit")
        assert page.complaints() == []
        assert {host for host in page.hosts() if host.endswith(str(port))} == {f"127.0.0.1:{port}"}
        assert daemon.stop() == 0
