"""A dashboard that really listens, before a small world: both simulated servers and an installation between them."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode, urlsplit

import urllib3
from pydantic import SecretStr
from sync_world import SyncWorld, eventually

from scenesync.app.configuration.model import KEYS
from scenesync.app.dashboard.serving import Dashboard
from scenesync.app.installation import open_installation
from scenesync.app.running.duties import routines_of
from scenesync.app.settings import CONFIG_FILE_NAME, LoadedSettings
from scenesync.intake.stash_activity import StashActivity
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

    from scenesync.app.installation import Installation

KEY = "fake-http-key-0123456789"


class WebWorld(SyncWorld):
    """Everything that the daemon has, with its loop running, and a browser without a screen."""

    def __init__(self, data_dir: Path, **changes: Any) -> None:
        super().__init__(data_dir)
        self.changes = {"http_api_key": SecretStr(KEY), "http_port": 0, "poll_interval": 0.0, **changes}
        self.installation: Installation
        self.dashboard: Dashboard
        self._stop = threading.Event()
        self._open = ExitStack()
        self.http = urllib3.PoolManager(maxsize=20, retries=False, timeout=20)

    def __enter__(self) -> Self:
        super().__enter__()
        loaded = self.loaded()
        self.dashboard = Dashboard(loaded)
        self._open.callback(self.dashboard.close)
        self.dashboard.serve(loaded)
        self.installation = self._open.enter_context(
            open_installation(loaded.settings, repairs=True, listeners=self.dashboard.listeners)
        )
        loop = self.installation.work_loop(
            LoopLimits(refresh_index_every_s=0.5), [self.dashboard.attempt], on_turn=self.dashboard.turn
        )
        routines = routines_of(self.installation, loop.require_session, StashActivity())
        self._open.enter_context(self.dashboard.shows(self.installation, loaded, loop.require_session, routines))
        thread = threading.Thread(target=loop.run, args=(self._stop,))
        thread.start()
        self._open.callback(thread.join)
        self._open.callback(self._stop.set)
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()
        self.http.clear()
        super().__exit__(*exc)

    def loaded(self, **changes: Any) -> LoadedSettings:
        settings = self.settings(**{**self.changes, **changes})
        return LoadedSettings(settings, dict.fromkeys(KEYS, "default"), (), (self.data_dir / CONFIG_FILE_NAME,))

    @property
    def url(self) -> str:
        assert self.dashboard.url is not None
        return self.dashboard.url

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = KEY,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        document: Any = None,
    ) -> BaseHTTPResponse:
        """Send one request, with the key unless told otherwise."""
        sent = dict(headers or {})
        if key is not None:
            sent["X-Api-Key"] = key
        if document is not None:
            body = json.dumps(document)
            sent["Content-Type"] = "application/json"
        return self.http.request(method, self.url + path, headers=sent, body=body, redirect=False)

    def get(self, path: str, **query: Any) -> Any:
        """Return the document at a path of the API."""
        answer = self.ask("GET", f"/api/v1{path}" + (f"?{urlencode(query, doseq=True)}" if query else ""))
        assert answer.status == 200, answer.data
        return answer.json()

    def post(self, path: str, document: Any = None, status: int = 200) -> Any:
        """Do something through the API and return what it says."""
        answer = self.ask("POST", f"/api/v1{path}", document=document)
        assert answer.status == status, (answer.status, answer.data)
        return answer.json() if answer.data else None

    def finished(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        """Wait until a task has ended and return it."""
        found: dict[str, Any] = {}

        def has_ended() -> bool:
            found.update(self.get(f"/tasks/{task['id']}"))
            return found["state"] != "running"

        eventually(has_ended)
        return found

    def log_in(self) -> Browser:
        """Return a browser in which somebody logged in."""
        answer = self.http.request(
            "POST",
            self.url + "/login",
            body=urlencode({"key": KEY, "next": "/"}),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            redirect=False,
        )
        assert answer.status == 303, answer.data
        return Browser(self, answer.headers["Set-Cookie"])

    def raw(self, data: bytes, within_s: float = 15.0) -> bytes:
        """Send bytes as they are and return all that comes back until the server hangs up."""
        with socket.create_connection(self.address, timeout=within_s) as connection:
            connection.sendall(data)
            pieces = []
            while piece := connection.recv(65_536):
                pieces.append(piece)
        return b"".join(pieces)

    def synced(self, *scene_ids: int) -> None:
        """Sync scenes through the API and wait until nothing is due."""
        task = self.finished(self.post("/sync", {"scene_ids": list(scene_ids)}, 202))
        assert task["state"] == "done", task


class Browser:
    """Keeps the cookie, and knows the token that the pages hold."""

    def __init__(self, world: WebWorld, set_cookie: str) -> None:
        self.world = world
        self.set_cookie = set_cookie
        self.cookie = set_cookie.partition(";")[0]

    def open(self, path: str, **headers: str) -> BaseHTTPResponse:
        return self.world.ask("GET", path, key=None, headers={"Cookie": self.cookie, "Accept": "text/html", **headers})

    def post(self, path: str, document: Any = None, **headers: str) -> BaseHTTPResponse:
        return self.world.ask("POST", path, key=None, document=document, headers={"Cookie": self.cookie, **headers})

    @property
    def csrf_token(self) -> str:
        page = self.open("/").data.decode()
        return page.partition('"X-CSRF-Token": "')[2].partition('"')[0]
