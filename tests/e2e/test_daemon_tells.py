"""The daemon tells people what goes wrong, and a watcher that it is at work; another daemon knows what was told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from live_world import PLEX_TOKEN, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live_world import LiveWorld

pytestmark = pytest.mark.e2e

WITHIN_S = 50.0
"""A daemon looks every five seconds; both start on a machine that is busy with other tests."""


class Ear:
    """Hears messages at ``/hook`` and heartbeats at ``/beat``."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.beats = 0
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ear.beats += self.path == "/beat"
                self._answer()

            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ear.messages.append((message["kind"], message["state"]))
                self._answer()

            def _answer(self) -> None:
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is http.server's
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    thread = threading.Thread(target=ear.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield ear
    ear.server.shutdown()
    ear.server.server_close()
    thread.join()


def test_a_refused_token_is_told_once_and_that_it_is_over_by_the_next_daemon(world: LiveWorld, ear: Ear) -> None:
    world.add_scene("Harbour at dawn")
    told = {"notify_webhook_url": f"{ear.url}/hook", "heartbeat_url": f"{ear.url}/beat"}
    daemon = world.daemon(plex_token="wrong-" + PLEX_TOKEN, **told)
    eventually(lambda: ear.messages == [("refused", "problem")], "the refusal is told", WITHIN_S)
    eventually(lambda: ear.beats == 1, "a heartbeat, since SceneSync itself is at work", WITHIN_S)
    daemon.kill()
    again = world.daemon(**told)
    eventually(lambda: ("refused", "recovered") in ear.messages, "its end is told", WITHIN_S)
    assert ear.messages == [("refused", "problem"), ("refused", "recovered")]
    assert again.stop() == 0
    assert ear.url not in daemon.log + again.log
    shown = world.scenesync("notify", "--json", **told).document()
    assert (shown["ways"], shown["waiting"], shown["lasting"]) == (["webhook"], 0, [])
