"""`scenesync run` on a machine where nothing is set up: its page, the plan, and only then the first edit."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import urllib3
from live_world import NOT_SET_UP, PLEX_TOKEN, eventually

if TYPE_CHECKING:
    from live_world import LiveWorld

pytestmark = pytest.mark.e2e


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


def test_from_nothing_by_the_page_to_the_first_edit(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    world.plex.edit_by_hand(world.item_of(scene), title="harbour.mp4")
    daemon = world.daemon(wait=False, http_enabled="true", http_port=free_port(), **NOT_SET_UP)
    daemon.wait_for_log("with the one-time code ")
    found = re.search(r"Set it up at (\S+)/setup with the one-time code (\S+),", daemon.log)
    assert found is not None
    url, code = found.groups()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    entered = urllib3.request(
        "POST", f"{url}/login", body=urlencode({"key": code}), headers=form, redirect=False, retries=False
    )
    cookie = {"Cookie": entered.headers["Set-Cookie"].partition(";")[0], "Accept": "text/html"}

    def page(path: str = "/setup") -> str:
        answer = urllib3.request("GET", url + path, headers=cookie, redirect=False, retries=False, timeout=10)
        return answer.data.decode()

    def send(path: str, **fields: str) -> int:
        token = page().partition('"X-CSRF-Token": "')[2].partition('"')[0]
        sent = {**form, **cookie, "X-CSRF-Token": token}
        answer = urllib3.request("POST", f"{url}/setup/{path}", body=urlencode(fields), headers=sent, retries=False)
        return answer.status

    assert send("stash", url=world.stash.url, key=world.login.api_key) == 200
    assert send("plex", url=world.plex.url, token=PLEX_TOKEN) == 200
    assert send("libraries", which="all") == 200
    eventually(lambda: "Take them" in page(), "a proposed path map")
    send("paths", take="yes")
    eventually(lambda: "What would happen" in page(), "a plan")
    # The daemon lives, the plan is there, and Plex was asked for nothing but to be read.
    assert {request.method for request in world.plex.requests} == {"GET"}
    assert send("start") == 204

    daemon.wait_for_log("working data_dir=")
    eventually(lambda: world.item_of(scene).title == "Harbour at dawn", "the first edit")
    eventually(lambda: "Overview" in page("/"), "the dashboard, for the same session")
    assert daemon.stop() == 0
    for secret in (PLEX_TOKEN, (world.data_dir / "http-api-key").read_text().strip()):
        assert secret not in daemon.log
