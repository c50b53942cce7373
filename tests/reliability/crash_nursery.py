"""The test's side of crash_child: start children, kill them, see what they left."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import persistqueue
import pytest
from crash_history import History, Verdict
from crash_record import Record, RecordReader
from crash_recorded_queue import OVERTAKING_S, RecordedQueue
from crash_snapshot import Snapshot, look

import scenesync

if TYPE_CHECKING:
    from types import TracebackType

    from crash_record import Line

_PATHS = [
    str(Path(__file__).parent),
    *(str(Path(package.__path__[0]).parent) for package in (scenesync, persistqueue)),
]
_START = f"import sys; sys.path[:0] = {_PATHS!r}; import crash_child; crash_child.main()"


class Nursery:
    """A warm process that forks children on order. Without ``site``, so that coverage and the like stay out."""

    def __init__(self, temporary_folder: Path) -> None:
        if not hasattr(os, "fork"):
            pytest.skip("processes cannot be forked here")
        temporary_folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", _START, str(temporary_folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=20)
        self._process.kill()
        self._process.communicate()

    def start(self, role: str, world: World, **order: object) -> Child:
        """Fork a child that plays ``role`` in ``world``."""
        writer = f"{role}-{next(self._numbers)}"
        facts = {"role": role, "writer": writer, "data_dir": str(world.data_dir), "record": str(world.record_path)}
        return Child(self, world, writer, self._ask({**facts, **order}))

    def reap(self, process_id: int) -> int:
        """Return the exit code of a child that ended, negative for a signal."""
        return os.waitstatus_to_exitcode(self._ask({"reap": process_id}))

    def _ask(self, order: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


class Child:
    """A process that works on the queue."""

    def __init__(self, nursery: Nursery, world: World, writer: str, process_id: int) -> None:
        self._nursery = nursery
        self._world = world
        self.writer = writer
        self.process_id = process_id

    def kill(self) -> int:
        """SIGKILL it and return its exit code."""
        self._world.record.write("gone", writer_gone=self.writer)
        os.kill(self.process_id, signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ended by itself and return its exit code."""
        code = self._nursery.reap(self.process_id)
        self._world.record.write("gone", writer_gone=self.writer)
        return code


class World:
    """One queue on disk with the record of all that was done to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data_dir = folder / "data"
        self.record_path = folder / "record"
        self.record = Record(self.record_path, "test")
        self.history = History()
        self._reader = RecordReader(self.record_path)
        self._numbers = itertools.count(1)

    def open(self, **options: object) -> RecordedQueue:
        """Open the queue in this process, which takes over what the dead held."""
        return RecordedQueue(str(self.data_dir), self.record.named(f"test-{next(self._numbers)}"), **options)

    def wait_for_ready(self, child: Child, timeout_s: float = 60.0) -> None:
        """Wait until ``child`` said that it is ready. Raises TimeoutError."""
        wanted = {"writer": child.writer, "op": "ready"}.items()
        deadline = time.monotonic() + timeout_s
        lines: list[Line] = []
        while not any(wanted <= line.items() for line in lines):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{child.writer} did not get ready: {lines[-3:]}")
            time.sleep(0.0003)
            lines += self._reader.read_new()
        self.history.feed(lines)

    def wait_for_more_lines(self, size_bytes: int, timeout_s: float = 1.0) -> None:
        """Wait until the record has grown by ``size_bytes``; not for ever, since processes may wait for each other."""
        target = self.record_path.stat().st_size + size_bytes
        deadline = time.monotonic() + timeout_s
        while self.record_path.stat().st_size < target and time.monotonic() < deadline:
            time.sleep(0.0005)

    def judge(self, box: RecordedQueue, living: set[int]) -> Verdict:
        """Compare the queue with the record, while the processes ``living`` may be at work."""
        acknowledged_by, snapshot = self._look(box)
        deadline = time.monotonic() + (OVERTAKING_S if living else 0)
        while (left := snapshot.claimed_by_others_than({*living, os.getpid()})) and time.monotonic() < deadline:
            acknowledged_by, snapshot = self._look(box)
        verdict = self.history.judge(snapshot, acknowledged_by)
        verdict.broken += [f"{row.key} is still in the hands of {row.owner}, who is dead" for row in left]
        return verdict

    def _look(self, box: RecordedQueue) -> tuple[int, Snapshot]:
        box.take_over()
        self.history.feed(self._reader.read_new())
        acknowledged_by = self.history.position
        with box.queue.reading() as connection:
            snapshot = look(connection, self._spool_folders())
        self.history.feed(self._reader.read_new())
        return acknowledged_by, snapshot

    def judge_drained(self, box: RecordedQueue) -> Verdict:
        """Work off what is left, then judge: nothing may wait, all that was acknowledged must have been processed."""
        box.drain()
        verdict = self.judge(box, set())
        _, left = self._look(box)
        verdict.broken += [f"{one.token} of {one.key} is left ({one.place})" for one in (*left.rows, *left.spooled)]
        return verdict

    def close(self) -> None:
        self.record.close()
        self._reader.close()

    def _spool_folders(self) -> tuple[Path, ...]:
        return (self.data_dir / "queue" / "spool", *Path(tempfile.gettempdir()).glob("scenesync-*"))
