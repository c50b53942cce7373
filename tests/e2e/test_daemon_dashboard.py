"""The dashboard as the daemon serves it: there with it, gone with it, never in the way of delivery."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from live_world import PLEX_ROOT, STASH_ROOT, eventually

if TYPE_CHECKING:
    from live_world import Daemon, LiveWorld

pytestmark = pytest.mark.e2e

SERVED = {"http_enabled": "true", "http_port": "0"}


def url_of(daemon: Daemon) -> str:
    daemon.wait_for_log("dashboard and API at ")
    found = re.search(r"dashboard and API at (http://\S+)", daemon.log)
    assert found is not None
    return found[1]


def get(url: str, key: str | None = None) -> urllib3.BaseHTTPResponse:
    headers = {} if key is None else {"X-Api-Key": key}
    return urllib3.request("GET", url, headers=headers, retries=False, redirect=False, timeout=10)


def test_the_key_is_made_kept_and_opens_the_api_until_the_daemon_ends(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    daemon = world.daemon(**SERVED)
    url = url_of(daemon)
    file = world.data_dir / "http-api-key"
    key = file.read_text().strip()
    assert len(key) > 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert get(f"{url}/health/live").json()["alive"] is True
    assert get(f"{url}/api/v1/status").status == 401

    world.stash.save(scene, title="Harbour at dusk")
    world.settle()
    status: dict[str, Any] = get(f"{url}/api/v1/status", key).json()
    assert status["completed_total"] >= 1
    assert status["daemon_running"] is True
    command = world.scenesync("status", "--json").document()
    assert {name for name in command if name not in status} == set()

    listening = urllib3.request(
        "GET", f"{url}/api/v1/events", headers={"X-Api-Key": key}, preload_content=False, timeout=15
    )
    assert listening.read1(1024)
    began = time.monotonic()
    assert daemon.stop() == 0  # a listener keeps nobody waiting
    assert time.monotonic() - began < 8
    with pytest.raises(urllib3.exceptions.HTTPError):
        get(f"{url}/health/live")
    assert key not in daemon.log

    assert world.daemon(**SERVED).is_running()
    assert file.read_text().strip() == key


def test_a_busy_port_is_a_warning_and_delivery_goes_on(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = world.daemon(http_enabled="true", http_port=str(taken.getsockname()[1]))
        daemon.wait_for_log("cannot be had, delivery goes on without dashboard and API")
        world.stash.save(scene, title="Harbour at dusk")
        world.settle()
    assert world.item_of(scene).title == "Harbour at dusk"


def test_others_are_not_let_in_with_a_key_that_can_be_guessed(world: LiveWorld) -> None:
    daemon = world.daemon(http_enabled="true", http_host="0.0.0.0", http_port="0", http_api_key="short")  # noqa: S104
    daemon.wait_for_log("no dashboard and no API, delivery goes on without them")
    assert "dashboard and API at" not in daemon.log
    assert daemon.is_running()


def test_new_settings_move_the_dashboard(world: LiveWorld) -> None:
    world.data_dir.mkdir(mode=0o700)
    file = world.data_dir / "scenesync.toml"
    file.write_text('http_api_key = "fake-http-key-0123456789"\nhttp_base_path = "/scenes"\n')
    daemon = world.daemon(**SERVED)
    url = url_of(daemon)
    assert url.endswith("/scenes")
    page = get(f"{url}/login")
    assert 'action="/scenes/login"' in page.data.decode()
    assert get(url.removesuffix("/scenes") + "/login").status == 200  # a proxy may take the path off
    assert get(f"{url}/", None).status == 401 or "/scenes/login" in get(f"{url}/").headers["Location"]

    file.write_text('http_api_key = "fake-http-key-9876543210"\nhttp_base_path = "/scenes"\n')
    eventually(lambda: daemon.log.count("dashboard and API at ") == 2, "it listens anew")
    url = re.findall(r"dashboard and API at (http://\S+)", daemon.log)[-1]
    assert get(f"{url}/api/v1/status", "fake-http-key-0123456789").status == 401
    assert get(f"{url}/api/v1/status", "fake-http-key-9876543210").status == 200


def test_a_path_map_written_from_the_dashboard_is_in_force_without_a_restart(world: LiveWorld) -> None:
    world.data_dir.mkdir(mode=0o700)
    key = "fake-http-key-0123456789"
    (world.data_dir / "scenesync.toml").write_text(f'http_api_key = "{key}"\n')
    world.add_scene("Harbour at dawn")
    daemon = world.daemon(**SERVED, path_map=None)
    url = url_of(daemon)
    eventually(lambda: get(f"{url}/health/ready").status == 200, "it works")

    def asked(method: str, path: str, document: object = None) -> Any:
        answer = urllib3.request(
            method, f"{url}/api/v1{path}", headers={"X-Api-Key": key}, json=document, retries=False, timeout=10
        )
        assert answer.status < 300, answer.data
        return answer.json()

    task = asked("POST", "/tasks", {"kind": "doctor"})
    eventually(lambda: asked("GET", f"/tasks/{task['id']}")["state"] != "running", "the doctor has looked")
    proposed = asked("GET", "/path-map")["proposed"]
    assert proposed == [f"{STASH_ROOT} => {PLEX_ROOT}"]
    assert asked("POST", "/path-map", {"rules": proposed})["is_awaited"] is True
    eventually(lambda: not asked("GET", "/path-map")["is_awaited"], "the daemon took it over")
    shown = asked("GET", "/path-map")
    assert (shown["in_force"], shown["latest"]["before"]) == (proposed, [])
    assert daemon.is_running()


def test_no_command_imports_the_web_framework() -> None:
    program = """
import importlib, json, pkgutil, sys
import scenesync.app.cli
import scenesync.app.commands as commands
for module in pkgutil.iter_modules(commands.__path__):
    importlib.import_module(f"scenesync.app.commands.{module.name}")
print(json.dumps([name for name in sys.modules if name.split(".")[0] in {"fastapi", "starlette", "uvicorn", "jinja2"}
                  or name.startswith(("scenesync.web", "scenesync.app.dashboard."))]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []
