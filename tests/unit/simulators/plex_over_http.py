"""Plain HTTP to a simulated Plex, without any Plex library in between."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import urllib3

from scenesync.simulators.plex.server import PlexSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.simulators.plex.behaviour import PlexBehaviour
    from scenesync.simulators.plex.model import PlexItem, PlexLibrary


class World:
    """A running simulator with one library, and one keep-alive connection to it."""

    def __init__(self, plex: PlexSimulator, pool: urllib3.PoolManager) -> None:
        self.plex = plex
        self._pool = pool
        self.library: PlexLibrary = plex.add_library("Films", ["/data/media"])

    def film(self, name: str = "harbour.mp4", title: str | None = None) -> PlexItem:
        return self.plex.add_item(self.library, file=f"/data/media/{name}", title=title)

    def send(
        self, method: str, path: str, *pairs: tuple[str, object], body: bytes | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        query = urlencode(pairs)
        given = {"X-Plex-Token": self.plex.token} | {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.plex.url}{path}{'?' if query else ''}{query}"
        return self._pool.request(method, url, headers=given, body=body, retries=False, timeout=10)

    def json(self, path: str, *pairs: tuple[str, object], **headers: str) -> dict:
        answer = self.send("GET", path, *pairs, Accept="application/json", **headers)
        assert answer.status == 200, answer.data
        assert answer.headers["Content-Type"] == "application/json"
        return json.loads(answer.data)["MediaContainer"]

    def xml(self, path: str, *pairs: tuple[str, object], **headers: str) -> ET.Element:
        answer = self.send("GET", path, *pairs, **headers)
        assert answer.status == 200, answer.data
        assert answer.headers["Content-Type"].startswith("text/xml")
        return ET.fromstring(answer.data)  # noqa: S314 - our own simulator wrote it

    def listed(self, *pairs: tuple[str, object], **headers: str) -> dict:
        return self.json(f"/library/sections/{self.library.key}/all", ("type", 1), *pairs, **headers)

    def titles(self, *pairs: tuple[str, object]) -> list[str]:
        return [entry["title"] for entry in self.listed(*pairs).get("Metadata", [])]

    def edit(self, item: PlexItem, *pairs: tuple[str, object]) -> int:
        path = f"/library/sections/{item.library_key}/all"
        return self.send("PUT", path, ("type", item.type_number), ("id", item.rating_key), *pairs).status

    def read(self, item: PlexItem) -> dict:
        (entry,) = self.json(f"/library/metadata/{item.rating_key}")["Metadata"]
        return entry


@contextmanager
def world(behaviour: PlexBehaviour | None = None, **options: str) -> Iterator[World]:
    """Start and stop everything; a bug inside the simulator fails the test."""
    with PlexSimulator(behaviour=behaviour, **options) as plex, urllib3.PoolManager() as pool:
        yield World(plex, pool)
    assert plex.simulator_failures == ()
