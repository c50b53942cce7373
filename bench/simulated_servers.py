"""A simulated server in a process of its own, so that it shares no interpreter lock with what is measured.

Both processes build the same world (it follows from its seed) and each serves its own side of it. A process ends when
the pipe to its parent does, however the parent ended.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from bench.address import Address
from bench.child import LOADED
from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.sample_world import World, build_world, png
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection

    from scenesync.simulators.plex.records import RequestRecord

Side = Literal["plex", "stash"]

_ENDING_S: Final = 10.0
_SCANNED_EVERY_S: Final = 60
_SWITCH_INTERVAL_S: Final = 0.0005
"""A real server answers an edit while it renders a page for somebody else."""


_ended_s: Final[list[float]] = []


class ServerProcess:
    """One side of the world, served by a child process between ``with`` and its end."""

    def __init__(self, side: Side) -> None:
        self._pipe, theirs = LOADED.Pipe()
        self._process = LOADED.Process(target=_serve, args=(theirs, side), name=f"simulated-{side}", daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        with contextlib.suppress(EOFError, OSError):  # it is gone
            _ended_s.append(self.processor_s())
        self._pipe.close()
        self._process.join(_ENDING_S)
        if self._process.exitcode is None:
            self._process.terminate()
            self._process.join()
        self._process.close()

    def begin(self, scenes: int, *, with_covers: bool = False, latency_s: float = 0.0) -> Address:
        """Forget the world and serve a new one, in which Plex knows nothing but the files."""
        address: Address = self._call("begin", scenes, with_covers, latency_s)
        return address

    def set_write_latency(self, write_latency_s: float) -> None:
        """Let every write take so long, one after the other."""
        self._call("set_write_latency", write_latency_s)

    def set_latency(self, latency_s: float) -> None:
        """Let every request take so long on top."""
        self._call("set_latency", latency_s)

    def go_away(self) -> None:
        """Refuse connections, as a server that restarts."""
        self._call("go_away")

    def come_back(self) -> float:
        """Answer again; return when, by the monotonic clock, which all processes share."""
        back_at: float = self._call("come_back")
        return back_at

    def edit(self, scene_ids: Sequence[int], number: int) -> None:
        """Give each scene a new title and new details; other ``number``, other texts."""
        self._call("edit", tuple(scene_ids), number)

    def change_covers(self, scene_ids: Sequence[int], number: int) -> None:
        """Give each scene a new cover, and nothing else."""
        self._call("change_covers", tuple(scene_ids), number)

    def share_studio(self, scene_ids: Sequence[int], name: str) -> None:
        """Give all these scenes one new studio, as a person does who selects them all."""
        self._call("share_studio", tuple(scene_ids), name)

    def show(self, edits: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Let items of Plex, by their keys, show these fields (``PlexSimulator.edit_by_hand``), without a request."""
        self._call("show", edits)

    def edit_in_plex(self, scene_ids: Sequence[int]) -> None:
        """Give the items of these scenes another summary, as a person in Plex does."""
        self._call("edit_in_plex", tuple(scene_ids))

    def processor_s(self) -> float:
        """Return the processor time that the process has taken so far, in seconds."""
        seconds: float = self._call("processor_s")
        return seconds

    def count_requests(self) -> int:
        """Return how many requests Stash has answered so far."""
        count: int = self._call("count_requests")
        return count

    def take_records(self) -> list[RequestRecord]:
        """Return Plex's record of every request since the last time, in the order of arrival."""
        records: list[RequestRecord] = self._call("take_records")
        return records

    def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - the callers say what comes back
        self._pipe.send((name, arguments))
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def processor_s_of_ended() -> float:
    """Return what all servers of this process have taken of a processor that have ended: they are no children of it."""
    return sum(_ended_s)


def begin_both(
    plex: ServerProcess, stash: ServerProcess, scenes: int, *, with_covers: bool = False, plex_latency_s: float = 0.0
) -> tuple[Address, Address]:
    """Begin the same world in both servers, at the same time, and return their addresses."""
    with ThreadPoolExecutor(2) as pool:
        there = pool.submit(plex.begin, scenes, with_covers=with_covers, latency_s=plex_latency_s)
        here = pool.submit(stash.begin, scenes, with_covers=with_covers)
        return there.result(), here.result()


class _Served:
    """What the child process holds."""

    def __init__(self, side: Side, folder: Path) -> None:
        self._side = side
        self._folder = folder
        self._running: PlexSimulator | StashSimulator | None = None
        self._stash, self._plex = self._empty()
        self._world: World

    def begin(self, scenes: int, with_covers: bool, latency_s: float) -> Address:  # noqa: FBT001 - called by name only
        self.end()
        gc.unfreeze()
        self._stash, self._plex = self._empty()
        self._world = build_world(self._stash, self._plex, scenes, with_covers=with_covers)
        for number, rating_key in enumerate(self._world.scene_of):
            item = self._plex.item(rating_key)
            # One by one, long ago: of what changed in the same second a look for news has to read all.
            item.added_at = item.updated_at = item.added_at - number * _SCANNED_EVERY_S
        self._running = self._plex if self._side == "plex" else self._stash
        self._running.latency_s = latency_s
        self._running.start()
        gc.freeze()  # a collection that looks through the whole world is a pause that no real server makes
        token = self._plex.token if self._side == "plex" else ""
        keys = tuple(self._world.rating_key_of.values())
        return Address(self._running.url, token, self._world.scene_ids, self._world.path_map, keys)

    def set_latency(self, latency_s: float) -> None:
        if self._running is not None:
            self._running.latency_s = latency_s

    def set_write_latency(self, write_latency_s: float) -> None:
        self._plex.write_latency_s = write_latency_s

    def go_away(self) -> None:
        if self._running is not None:
            self._running.down()

    def come_back(self) -> float:
        back_at = time.monotonic()  # before anybody can have asked
        if self._running is not None:
            self._running.up()
        return back_at

    def edit(self, scene_ids: tuple[int, ...], number: int) -> None:
        for scene_id in scene_ids:
            title = f"Harbour concert {scene_id}, evening {number}"
            self._stash.save(scene_id, title=title, details=f"{title}, seen from the pier in the rain.")

    def change_covers(self, scene_ids: tuple[int, ...], number: int) -> None:
        for scene_id in scene_ids:
            self._stash.save(scene_id, cover=png(1_000_000 * (number + 1) + scene_id))

    def share_studio(self, scene_ids: tuple[int, ...], name: str) -> None:
        self._stash.bulk_save(scene_ids, studio=self._stash.add_studio(name))

    def show(self, edits: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        for rating_key, fields in edits:
            self._plex.edit_by_hand(self._plex.item(rating_key), **fields)

    def edit_in_plex(self, scene_ids: tuple[int, ...]) -> None:
        for scene_id in scene_ids:
            item = self._plex.item(self._world.rating_key_of[scene_id])
            self._plex.edit_by_hand(item, summary="Somebody else's words.")

    def processor_s(self) -> float:
        return time.process_time()

    def count_requests(self) -> int:
        return sum(record.graphql is not None for record in self._stash.requests)

    def take_records(self) -> list[RequestRecord]:
        records = sorted(self._plex.requests, key=lambda record: record.at_monotonic)
        self._plex.clear_records()
        return records

    def end(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _empty(self) -> tuple[StashSimulator, PlexSimulator]:
        return StashSimulator(config_dir=self._folder), PlexSimulator()


def _serve(pipe: Connection, side: Side) -> None:
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with tempfile.TemporaryDirectory(prefix="scenesync-bench-") as folder, pipe:
        served = _Served(side, Path(folder))
        with contextlib.suppress(EOFError, ConnectionResetError, KeyboardInterrupt):  # the parent ended, or is gone
            while True:
                name, arguments = pipe.recv()
                try:
                    answer = getattr(served, name)(*arguments)
                except Exception as error:  # noqa: BLE001 - raised again on the other side
                    answer = error
                pipe.send(answer)
        served.end()
