"""Plain HTTP to a simulated Stash, real plugins for it, and what a real Stash said."""

from __future__ import annotations

import json
import re
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scenesync.simulators.stash.server import StashSimulator

CAPTURES = Path(__file__).parent / "stash-captures"

# Keeps its stdin, byte for byte, and then does what the test wrote into "behaviour.py" beside it.
_PROBE = """
import os, sys, time, json, subprocess
here = os.path.dirname(os.path.abspath(__file__))
raw = sys.stdin.buffer.read()
with open(os.path.join(here, f"seen-{time.time_ns()}-{os.getpid()}.json"), "wb") as seen:
    seen.write(raw)
document = json.loads(raw)
def say(level, text):
    sys.stderr.write(f"\\x01{level}\\x02{text}\\n")
    sys.stderr.flush()
behaviour = os.path.join(here, "behaviour.py")
if os.path.exists(behaviour):
    with open(behaviour) as source:
        exec(source.read())
"""

_MANIFEST = """
name: {name}
exec:
  - python
  - -I
  - -S
  - "{{pluginDir}}/probe.py"
tasks:
  - name: Count
    description: Counts
    defaultArgs:
      mode: task
      count: 3
hooks:
  - name: Watch
    description: Watches
    defaultArgs:
      mode: hook
      number: 7
    triggeredBy: [{triggers}]
"""
TRIGGERS = (
    "Scene.Create.Post",
    "Scene.Update.Post",
    "Scene.Destroy.Post",
    *(
        f"{kind}.{what}.Post"
        for kind in ("Performer", "Studio", "Tag", "Group", "Movie")
        for what in ("Update", "Destroy")
    ),
    "Tag.Merge.Post",
)


class Probe:
    """A plugin in a folder of its own that records what Stash gives it."""

    def __init__(self, plugins: Path, plugin_id: str = "probe", *, triggers: tuple[str, ...] = TRIGGERS) -> None:
        self.plugins = plugins
        self.folder = plugins / plugin_id
        self.folder.mkdir(parents=True)
        (self.folder / "probe.py").write_text(_PROBE, encoding="utf-8")
        manifest = _MANIFEST.format(name=plugin_id.title(), triggers=", ".join(triggers))
        (self.folder / f"{plugin_id}.yml").write_text(manifest, encoding="utf-8")

    def behave(self, source: str) -> None:
        """Do this in each run from now on; ``document``, ``say`` and ``here`` are known there."""
        (self.folder / "behaviour.py").write_text(textwrap.dedent(source), encoding="utf-8")

    def raw(self) -> list[bytes]:
        """What came on stdin, run by run."""
        return [path.read_bytes() for path in sorted(self.folder.glob("seen-*.json"))]

    def documents(self) -> list[dict[str, Any]]:
        """The same, parsed."""
        return [json.loads(raw) for raw in self.raw()]

    def events(self) -> list[tuple[str, int]]:
        """Trigger and id of each hook run."""
        contexts = (document["args"]["hookContext"] for document in self.documents())
        return [(context["type"], context["id"]) for context in contexts]


class Client:
    """One keep-alive connection to a simulated Stash."""

    def __init__(self, stash: StashSimulator, pool: urllib3.PoolManager) -> None:
        self.stash = stash
        self._pool = pool

    def send(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self.stash.url}{path}"
        return self._pool.request(method, url, body=body, headers=headers, retries=False, redirect=False, timeout=30)

    def post(
        self, query: str, variables: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        response = self.send(
            "POST", "/graphql", body=body, headers={"Content-Type": "application/json"} | (headers or {})
        )
        return response.status, response.json()

    def data(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The data of an answer that must be free of errors."""
        status, answer = self.post(query, variables)
        assert status == 200, answer
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def error(self, query: str, variables: dict[str, Any] | None = None) -> tuple[int, str]:
        """Status and first error message."""
        status, answer = self.post(query, variables)
        return status, answer["errors"][0]["message"]

    def ids(self, scene_filter: dict[str, Any] | None = None, **page: int | str | None) -> list[int]:
        """Ids of the scenes found."""
        query = "query($f:FindFilterType,$s:SceneFilterType){findScenes(filter:$f,scene_filter:$s){scenes{id}}}"
        wanted: dict[str, int | str | None] = {"per_page": -1, "sort": "id", "direction": "ASC"} | page
        found = self.data(query, {"f": {k: v for k, v in wanted.items() if v is not None}, "s": scene_filter})
        return [int(scene["id"]) for scene in found["findScenes"]["scenes"]]


@contextmanager
def served(stash: StashSimulator) -> Iterator[Client]:
    """Serve a simulator that a test has built."""
    with stash, urllib3.PoolManager(maxsize=8) as pool:
        yield Client(stash, pool)


def capture(name: str) -> dict[str, Any]:
    """A document of a real Stash."""
    content: dict[str, Any] = json.loads((CAPTURES / f"{name}.json").read_text(encoding="utf-8"))
    return content


def shape(value: object) -> object:
    """Keys and types; lists by their first element."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None:
        return value if value is None else "bool"
    return "number" if isinstance(value, int | float) else "text"


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-05:00")
_ADDRESS = re.compile(r"http://[^/]+")
_CACHE_KEY = re.compile(r"t=\d+")


def masked(value: Any) -> Any:
    """The same without what differs from run to run: local times, the address, cache keys, file fingerprints."""
    if isinstance(value, dict):
        if value.get("type") == "oshash":
            return {**value, "value": "…"}
        return {key: masked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, str):
        text = _TIME.sub("TIME", value)
        return _CACHE_KEY.sub("t=0", _ADDRESS.sub("http://stash", text)) if text.startswith("http://") else text
    return value


def eventually(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until ``condition`` holds, or fail."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
