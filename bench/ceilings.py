"""What the simulated servers can do at best, with requests made beforehand and nobody else at work.

Whatever is measured against them cannot be faster than this.
"""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit

from bench.figures import Benchmark, Figure
from bench.simulated_servers import ServerProcess, begin_both

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.address import Address

_OK: Final = b"HTTP/1.1 200"
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_CHUNK_BYTES: Final = 262_144
_SCENES: Final = """query Scenes($ids: [ID!]) { findScenes(ids: $ids) { scenes {
    id title details date director rating100 organized updated_at studio { id name } performers { id name gender }
    tags { id name } groups { group { id name } } files { path size duration } paths { screenshot } } } }"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """``seconds`` for each kind of request, over ``connections`` at once, in a library of ``scenes``."""

    seconds: float
    scenes: int = 500
    connections: int = 4


def run(sizes: Sizes, _folder: Path) -> list[Figure]:
    """Return how many requests of each kind the servers answer in a second."""
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        there, here = begin_both(plex, stash, sizes.scenes)
        kinds = {
            "simulated Plex alone: reads of an item": (there, _reads(there)),
            "simulated Plex alone: edits": (there, _edits(there)),
            "simulated Stash alone: requests for a scene": (here, _asks(here, 1)),
            "simulated Stash alone: requests for 50 scenes": (here, _asks(here, 50)),
        }
        return [
            Figure(
                name,
                answered_in_a_second(address.url, requests, sizes.connections, sizes.seconds),
                "requests/s",
                headline=f"ceiling of what is measured: {name}",
            )
            for name, (address, requests) in kinds.items()
        ]


def answered_in_a_second(url: str, requests: Sequence[bytes], connections: int, seconds: float) -> float:
    """Send ``requests`` over and over for a while; return how many were answered in a second."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(connections) as pool:
        shares = [requests[number::connections] for number in range(connections)]
        return sum(pool.map(lambda share: _send(url, share, end), shares)) / seconds


def _send(url: str, requests: Sequence[bytes], end: float) -> int:
    address, sent = urlsplit(url), 0
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < end:
            connection.sendall(requests[sent % len(requests)])
            _await_answer(connection)
            sent += 1
    return sent


def _await_answer(connection: socket.socket) -> None:
    """Read one answer to its end. Raises RuntimeError unless it is a 200."""
    answer = connection.recv(_CHUNK_BYTES)
    while _HEAD_END not in answer:
        answer += _more(connection)
    head, _, body = answer.partition(_HEAD_END)
    if not head.startswith(_OK):
        raise RuntimeError(f"The simulated server answered {head[:200]!r}")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(_LENGTH))
    missing = length - len(body)
    while missing > 0:
        missing -= len(_more(connection))


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(_CHUNK_BYTES)
    if not chunk:
        raise RuntimeError("The simulated server closed the connection.")
    return chunk


def _reads(plex: Address) -> list[bytes]:
    return [_request("GET", f"/library/metadata/{key}", plex) for key in plex.rating_keys]


def _edits(plex: Address) -> list[bytes]:
    return [
        _request("PUT", f"/library/sections/1/all?{_edit(key, number)}", plex)
        for number in range(4)
        for key in plex.rating_keys
    ]


def _edit(key: str, number: int) -> str:
    title = f"Harbour concert {key}, evening {number}"
    fields = {"type": "1", "id": key, "title.value": title, "title.locked": "1", "summary.value": title * 4}
    return urlencode(fields | {"summary.locked": "1"}, quote_via=quote)


def _asks(stash: Address, scenes: int) -> list[bytes]:
    batches = [stash.scene_ids[first : first + scenes] for first in range(0, len(stash.scene_ids), scenes)]
    bodies = [json.dumps({"query": _SCENES, "variables": {"ids": list(map(str, batch))}}) for batch in batches]
    return [_request("POST", "/graphql", stash, body.encode()) for body in bodies]


def _request(method: str, target: str, server: Address, body: bytes = b"") -> bytes:
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    token = f"X-Plex-Token: {server.token}\r\n" if server.token else ""
    return f"{method} {target} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n{kind}{token}\r\n".encode() + body


BENCHMARK: Final = Benchmark(
    "simulators",
    full=partial(run, Sizes(seconds=1.0)),
    quick=partial(run, Sizes(seconds=0.2, scenes=200)),
)
