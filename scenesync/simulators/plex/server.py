"""The simulated Plex Media Server as demo, tests and benchmarks hold it."""

import contextlib
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Self

from scenesync.simulators.http_server import HttpServer, Request
from scenesync.simulators.plex.announcing import Announcements
from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.by_hand import edit_by_hand
from scenesync.simulators.plex.catalogue import Catalogue
from scenesync.simulators.plex.faults import ArmedFault, Fault, Flakiness
from scenesync.simulators.plex.model import PlexCollection, PlexItem, PlexLibrary, UnscannedFile
from scenesync.simulators.plex.rearranging import merge, move, rematch, split
from scenesync.simulators.plex.records import FieldWrite, RequestRecord
from scenesync.simulators.plex.scans import Scans
from scenesync.simulators.plex.state import PlexState
from scenesync.simulators.plex.traffic import BusyWriter, StartUp, Traffic, WritePause, fits

DEFAULT_RECORDS_KEPT: Final = 500_000


class PlexSimulator:
    """A Plex server with real HTTP on 127.0.0.1, invented content and faults on demand.

    Safe to use from other threads while it runs. Objects that it hands out (items, libraries) are the live ones: read
    them, change them only through methods. ``port`` 0 takes any free port, which :meth:`stop` and :meth:`start` keep.
    """

    def __init__(
        self,
        *,
        token: str = "fake-plex-token",  # noqa: S107 - a simulated secret
        read_only_token: str | None = None,
        behaviour: PlexBehaviour | None = None,
        port: int = 0,
        machine_identifier: str = "5f0c51ab0000000000000000000000000001f1e5",
        version: str = "1.43.3.10861-simulated",
        records_kept: int = DEFAULT_RECORDS_KEPT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = threading.RLock()
        self.clock_ahead_s = 0.0
        """By how much the server's clock is ahead of this machine's; to raise it is to let time pass there."""
        # The clock is looked up at every call, so that frozen time reaches the simulator too.
        self._catalogue = Catalogue(self._time)
        self._announcements = Announcements(self._on_loop, lambda: self.behaviour)
        self._catalogue.on_change = self._announcements.announce
        scans = Scans(self._catalogue, self._guard, lambda: self.behaviour, self._announcements.announce_scan)
        self._state = PlexState(
            catalogue=self._catalogue,
            behaviour=behaviour or PlexBehaviour(),
            machine_identifier=machine_identifier,
            version=version,
            schedule_scan=scans.schedule,
            listen=self._announcements.admit,
            now=self._time,
            requests=deque(maxlen=records_kept),
            field_writes=deque(maxlen=records_kept),
        )
        self._traffic = Traffic(self._state, self._guard, token, read_only_token)
        self._http = HttpServer(self._traffic.answer, port=port, tls=tls, clock=self._time)

    def _time(self) -> float:
        return time.time() + self.clock_ahead_s

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen and return once connections are accepted."""
        self._traffic.begin()
        self._http.start()

    def stop(self) -> None:
        """Reset connections, stop listening, end the thread. Content stays. Idempotent."""
        self._http.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        return self._http.url

    @property
    def port(self) -> int:
        """The port in use."""
        return self._http.port

    @property
    def token(self) -> str:
        """The owner's token; setting another one makes the old one invalid."""
        return self._traffic.token

    @token.setter
    def token(self, token: str) -> None:
        self._traffic.token = token

    @property
    def machine_identifier(self) -> str:
        """What names this server; setting another one is like another server behind the same address."""
        return self._state.machine_identifier

    @machine_identifier.setter
    def machine_identifier(self, machine_identifier: str) -> None:
        self._state.machine_identifier = machine_identifier

    @property
    def behaviour(self) -> PlexBehaviour:
        """The open questions as answered at present; may be replaced while running."""
        return self._state.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: PlexBehaviour) -> None:
        with self._guard:
            self._state.behaviour = behaviour

    @property
    def notifications(self) -> Announcements:
        """The notification websocket: who listens, and ways to cut, refuse or silence it."""
        return self._announcements

    @property
    def simulator_failures(self) -> tuple[Exception, ...]:
        """Exceptions inside the simulator itself; anything here is a bug of the simulator."""
        return self._http.failures

    # -- content ------------------------------------------------------------------------------------------------------

    def add_library(
        self,
        title: str,
        roots: Sequence[str],
        *,
        type: str = "movie",  # noqa: A002 - Plex's own word
        agent: str = "tv.plex.agents.none",
        scanner: str = "Plex Video Files Scanner",
    ) -> PlexLibrary:
        """Create a library ("section"); its ``key`` is the section id."""
        with self._guard:
            return self._catalogue.add_library(title, roots, type, agent, scanner)

    def library(self, title: str) -> PlexLibrary:
        """Return the library of this title. Raises :class:`KeyError` if there is none."""
        with self._guard:
            found = next((one for one in self._catalogue.libraries.values() if one.title == title), None)
        if found is None:
            raise KeyError(title)
        return found

    def add_item(
        self,
        library: PlexLibrary,
        *,
        file: str,
        size_bytes: int | None = 1_000_000,
        duration_ms: int | None = 60_000,
        title: str | None = None,
    ) -> PlexItem:
        """Add a movie with one version. Without a title it shows the file's name."""
        with self._guard:
            version = self._catalogue.new_version(file, size_bytes, duration_ms)
            return self._catalogue.add_movie(library, (version,), title)

    def add_version(self, item: PlexItem, *, file: str, size_bytes: int | None, duration_ms: int | None) -> None:
        """Add another version (file) to a movie."""
        with self._guard:
            item.versions = (*item.versions, self._catalogue.new_version(file, size_bytes, duration_ms))
            self._catalogue.touch(item, moves_updated_at=True)

    def rename_file(self, item: PlexItem, file: str, *, index: int = 0) -> None:
        """Give one version another path, as after a rename that the scanner detected: the rating key stays."""
        with self._guard:
            versions = list(item.versions)
            versions[index] = replace(versions[index], file=file)
            item.versions = tuple(versions)
            self._catalogue.touch(item, moves_updated_at=True)

    def merge_items(self, item: PlexItem, *others: PlexItem) -> None:
        """Merge movies as versions of one: the others vanish, their files move in."""
        with self._guard:
            merge(self._catalogue, item, others)

    def split_item(self, item: PlexItem) -> tuple[PlexItem, ...]:
        """Split a movie apart: every further version gets an item of its own; return the new ones."""
        with self._guard:
            return split(self._catalogue, item)

    def move_item(self, item: PlexItem, library: PlexLibrary) -> PlexItem:
        """Let another library have the movie's files; return its item there."""
        with self._guard:
            return move(self._catalogue, item, library)

    def rematch_item(self, item: PlexItem, title: str) -> None:
        """Fix the match: unlocked titles are replaced, key and files stay."""
        with self._guard:
            rematch(self._catalogue, item, title)

    def remove_item(self, rating_key: str) -> None:
        """Make an item vanish. Raises :class:`KeyError` if there is none."""
        with self._guard:
            self._catalogue.remove(self._catalogue.entries[rating_key])

    def trash_item(self, rating_key: str) -> None:
        """Make a movie's file vanish: the movie stays listed, marked as deleted, until the trash is emptied."""
        with self._guard:
            item = self._catalogue.entries[rating_key]
            item.deleted_at = self._catalogue.now
            self._catalogue.touch(item, moves_updated_at=True)

    def edit_by_hand(self, item: PlexItem, *, locked: bool = True, **fields: str | float | Iterable[str]) -> None:
        """Edit as a person in Plex Web does: no request, no record; fields are named as on :class:`PlexItem`.

        ``edit_by_hand(item, title="Harbour", genres=["Sea"])``. Raises :class:`KeyError` for an unknown field.
        """
        with self._guard:
            edit_by_hand(self._catalogue, item, locked=locked, fields=fields)

    def set_actor_photo(self, name: str, address: str) -> None:
        """Give an actor a photo in every item, as an agent does."""
        with self._guard:
            self._catalogue.tags.set_photo(self._catalogue.tags.get("actor", name), address)

    def item(self, rating_key: str) -> PlexItem:
        """Return a movie or collection. Raises :class:`KeyError` if there is none."""
        with self._guard:
            return self._catalogue.entries[rating_key]

    def items(self, library: PlexLibrary | None = None) -> list[PlexItem]:
        """All movies, of one library or of all."""
        with self._guard:
            return list(self._catalogue.movies() if library is None else library.items.values())

    def item_by_file(self, file: str) -> PlexItem:
        """Return the first movie that has this file. Raises :class:`KeyError` if there is none."""
        with self._guard:
            found = next((item for item in self._catalogue.movies() if file in item.files), None)
        if found is None:
            raise KeyError(file)
        return found

    def collections(self, library: PlexLibrary | None = None) -> list[PlexCollection]:
        """All collections, of one library or of all."""
        with self._guard:
            libraries = self._catalogue.libraries.values() if library is None else (library,)
            return [found for one in libraries for found in one.collections.values()]

    # -- scans --------------------------------------------------------------------------------------------------------

    def add_unscanned_file(
        self,
        library: PlexLibrary,
        *,
        file: str,
        size_bytes: int = 1_000_000,
        duration_ms: int = 60_000,
        appears_after_scan: bool = True,
    ) -> None:
        """Put a file on the server's disk that becomes an item when a scan was asked for, or by :meth:`scan` alone."""
        with self._guard:
            library.unscanned.append(UnscannedFile(file, size_bytes, duration_ms, appears_after_scan))

    def scan(self, library: PlexLibrary | None = None) -> tuple[PlexItem, ...]:
        """Scan at once, every file; return the new items."""
        with self._guard:
            libraries = tuple(self._catalogue.libraries.values()) if library is None else (library,)
            return tuple(item for one in libraries for item in self._catalogue.take_scanned(one, lambda _file: True))

    def _on_loop(self, work: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # a stopped server has nobody to tell
            self._http.call_soon(work)

    # -- trouble ------------------------------------------------------------------------------------------------------

    def down(self) -> None:
        """Refuse connections and reset the open ones."""
        self._http.refuse()

    def up(self) -> None:
        """Accept connections again."""
        self._http.accept()

    def starting_up(self, on: bool = True, *, form: StartUp = "maintenance") -> None:  # noqa: FBT001, FBT002 - a switch
        """Answer everything like a server that is starting: 503 and JSON, or 400 "still starting up"; or stop that."""
        self._traffic.startup = form if on else None

    def fail_next(
        self,
        count: int,
        fault: Fault,
        *,
        only: Callable[[Request], bool] | str | None = None,
        after: int = 0,
    ) -> None:
        """Let ``fault`` happen to the next ``count`` requests that fit, after sparing ``after`` of them.

        ``only`` is a predicate, a method (``"PUT"``) or a kind (``"edit"``). Faults are made by ``plex.faults``.
        """
        with self._guard:
            self._traffic.armed.append(ArmedFault(fault, count, fits(only), after))

    def fail_at_random(
        self,
        share: float,
        *faults: Fault,
        only: Callable[[Request], bool] | str | None = None,
        seed: int = 0,
    ) -> None:
        """Let one of ``faults`` happen to a ``share`` (0 to 1) of the requests that fit, until :meth:`heal`."""
        with self._guard:
            self._traffic.flakiness = Flakiness(share, faults, fits(only), seed)

    def busy_writer(self, delay_s: float = 10.0, *, applied: bool) -> None:
        """Answer every write with 500 after ``delay_s``, carried out or not; reads are fine. Until :meth:`heal`."""
        self._traffic.busy_writer = BusyWriter(delay_s, applied)

    def heal(self) -> None:
        """End every fault but :meth:`down`: armed ones, random ones, start-up, busy writer, deafness."""
        with self._guard:
            self._traffic.armed.clear()
            self._traffic.flakiness = self._traffic.busy_writer = self._traffic.startup = None
            self._traffic.deaf = False
            self._state.ignored_fields = frozenset()

    @property
    def deaf(self) -> bool:
        """Writes are answered with 200 and change nothing."""
        return self._traffic.deaf

    @deaf.setter
    def deaf(self, deaf: bool) -> None:
        self._traffic.deaf = deaf

    @property
    def ignored_fields(self) -> frozenset[str]:
        """Parameter stems (``genre``, ``summary``) that edits leave unchanged, although answered with 200."""
        return self._state.ignored_fields

    @ignored_fields.setter
    def ignored_fields(self, stems: Iterable[str]) -> None:
        self._state.ignored_fields = frozenset(stems)

    @property
    def latency_s(self) -> float:
        """Time that every request takes on top."""
        return self._traffic.latency_s

    @latency_s.setter
    def latency_s(self, latency_s: float) -> None:
        self._traffic.latency_s = latency_s

    @property
    def write_latency_s(self) -> float:
        """Time that every write takes on top, while it holds the writer's turn."""
        return self._traffic.write_latency_s

    @write_latency_s.setter
    def write_latency_s(self, write_latency_s: float) -> None:
        self._traffic.write_latency_s = write_latency_s

    @contextlib.contextmanager
    def paused_on_write(self) -> Iterator[WritePause]:
        """Hold writes until the block is left; ``arrived`` of the value is an event set once one waits."""
        pause = WritePause()
        self._traffic.pause = pause
        try:
            yield pause
        finally:
            self._traffic.pause = None
            if self._http.running:
                self._http.call_soon(pause.release)

    @property
    def on_page(self) -> Callable[[int], None] | None:
        """Called with the offset after each page of a listing, e.g. to add an item between two pages."""
        return self._state.on_page

    @on_page.setter
    def on_page(self, on_page: Callable[[int], None] | None) -> None:
        self._state.on_page = on_page

    # -- records ------------------------------------------------------------------------------------------------------

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests so far, the latest ``records_kept`` of them."""
        with self._guard:
            return list(self._state.requests)

    @property
    def field_writes(self) -> list[FieldWrite]:
        """Every field of every edit that was carried out, the latest ``records_kept`` of them."""
        with self._guard:
            return list(self._state.field_writes)

    @property
    def whole_library_edits(self) -> list[str]:
        """Targets of edits that named no item and so changed the whole library. Must stay empty."""
        with self._guard:
            return list(self._state.whole_library_edits)

    @property
    def deleted_media(self) -> list[str]:
        """Rating keys of movies that were deleted with their files. Must stay empty."""
        with self._guard:
            return list(self._state.deleted_media)

    @property
    def refreshed(self) -> list[str]:
        """Rating keys of items whose metadata refresh was asked for."""
        with self._guard:
            return list(self._state.refreshed)

    @property
    def peak_writes_in_flight(self) -> int:
        """The most writes that were under way at the same time."""
        return self._traffic.peak_writes_in_flight

    def counts(self) -> dict[str, int]:
        """How many requests there were of each kind since the start or :meth:`clear_records`."""
        with self._guard:
            return dict(self._state.counts)

    def clear_records(self) -> None:
        """Forget requests, counts, field writes and the peak; not what must never happen."""
        with self._guard:
            self._state.requests.clear()
            self._state.counts.clear()
            self._state.field_writes.clear()
            self._traffic.peak_writes_in_flight = self._traffic.writes_in_flight
