"""What the path index costs: its first build, a look when nothing changed, a look after changes, and a warm start.

Each function takes a running simulated Plex and an empty folder and returns figures. What the simulated Plex and a
client that keeps nothing reach by themselves is measured in the same run.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.bare_pages import PAGE, answers_to, page_targets
from bench.child import answers
from bench.daemon_memory import resident_mib
from bench.request_kinds import count_requests
from scenesync.app.data_directory import database_file
from scenesync.domain.paths import path_key
from scenesync.plex.client import PlexClient
from scenesync.store.database import open_database
from scenesync.store.path_index import PathIndexStore
from scenesync.worker.finding.library_index import LibraryIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from bench.address import Address
    from bench.simulated_servers import ServerProcess


@dataclass(frozen=True, slots=True)
class Place:
    """Where an index is kept, and by what name it knows the server."""

    file: Path
    server_id: str = "simulated"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How long a bare client takes for all pages, which it only parses as JSON, and for how much data."""

    seconds: float
    bytes_received: int


@dataclass(frozen=True, slots=True)
class Build:
    """A first build in a process of its own: ``pages`` of listings, and ``base_mib`` that the process had before."""

    items: int
    seconds: float
    cpu_s: float
    pages: int
    base_mib: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Refresh:
    """A look at what changed: one question for the libraries and these pages."""

    seconds: float
    pages: int


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Opening the index that is there, until the first file is found: without the interpreter's own start."""

    seconds: float
    requests: int


def ceiling(server: ServerProcess, plex: Address, items: int) -> Ceiling:
    """Read all pages with a bare client; the first time the simulated Plex renders them, so ask for it before."""
    with _client(plex) as client:
        (library,) = client.libraries()
        targets = page_targets(server, lambda: client.list_items(library.key, start=0, size=PAGE), items)
    started, received = time.perf_counter(), 0
    for answer in answers_to(plex, targets):
        json.loads(answer)
        received += len(answer)
    return Ceiling(time.perf_counter() - started, received)


def first_build(server: ServerProcess, plex: Address, place: Place) -> Build:
    """Build an index where there is none in a process of its own. The simulated Plex has rendered its pages before."""
    server.take_records()
    with answers(_build, plex, place) as pipe:
        items, seconds, cpu_s, base, peak = pipe.recv()
    pages = count_requests(server.take_records()).listings - 1  # one asks for the libraries
    return Build(items, seconds, cpu_s, pages, base, peak)


def refresh(server: ServerProcess, plex: Address, place: Place) -> Refresh:
    """Look once for what changed since the last look."""
    server.take_records()
    with _index(plex, place) as (index, _):
        started = time.perf_counter()
        index.refresh()
        seconds = time.perf_counter() - started
    return Refresh(seconds, count_requests(server.take_records()).listings - 1)  # one asks for the libraries


def refresh_after_changes(server: ServerProcess, plex: Address, place: Place, changes: int) -> Refresh:
    """Look once after so many items got another title in Plex."""
    server.show(
        [(key, {"title": f"Renamed by hand {number}"}) for number, key in enumerate(plex.rating_keys[:changes])]
    )
    return refresh(server, plex, place)


def warm_start(server: ServerProcess, plex: Address, place: Place, file: str) -> WarmStart:
    """Open the index and find a file, as every command does. Raises LookupError if it is not found."""
    server.take_records()
    started = time.perf_counter()
    with _index(plex, place) as (index, _):
        if not index.files_at(path_key(file).casefold()):
            raise LookupError(file)
        seconds = time.perf_counter() - started
    return WarmStart(seconds, len(server.take_records()))


def a_file(place: Place) -> str:
    """Return the path of one file of the index. Raises StopIteration for an empty one."""
    with open_database(place.file) as database:
        found = PathIndexStore(database, place.server_id).items_after("", 1)
    return next(file.path for files in found.values() for file in files)


def place_of_daemon(plex: Address, data_dir: Path) -> Place:
    """Return where the daemon with this data directory keeps its index of that Plex."""
    with _client(plex) as client:
        return Place(database_file(data_dir), client.identity().machine_identifier)


@contextmanager
def _index(plex: Address, place: Place) -> Iterator[tuple[LibraryIndex, PathIndexStore]]:
    with _client(plex) as client, open_database(place.file) as database:
        store = PathIndexStore(database, place.server_id)
        yield LibraryIndex(client, store), store


def _client(plex: Address) -> PlexClient:
    return PlexClient.connect(plex.url, token=plex.token, client_identifier="bench", version="0")


def _build(pipe: Connection, plex: Address, place: Place) -> None:
    with _index(plex, place) as (index, store):
        _, base = resident_mib(os.getpid())
        started, cpu_started = time.perf_counter(), time.process_time()
        index.refresh()
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        _, peak = resident_mib(os.getpid())
        pipe.send((store.counts().items, seconds, cpu_s, base, peak))
    pipe.close()
