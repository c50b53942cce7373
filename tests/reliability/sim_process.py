"""One process of SceneSync inside the simulation: the product's own installation, with doors to simulated servers."""

from __future__ import annotations

import contextlib
import os
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sim_kernel import Crashed, SimulatedProcess
from sim_plex_door import PlexDoor
from sim_stash import StashDoor
from sim_threading import Event
from sqlalchemy import create_engine

from scenesync.app import installation, opening
from scenesync.app.configuration.model import Settings
from scenesync.domain.errors import LeaseLost
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.spool_intake import SpoolIntake
from scenesync.store import pools
from scenesync.store.database import Database, open_database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from sim_kernel import Kernel, Task
    from sim_plex import PlexWorld
    from sim_retries import RetryAccount
    from sim_stash import StashWorld
    from sqlalchemy import Connection, Engine

    from scenesync.domain.dead_letter import DeadLetter
    from scenesync.domain.job import ClaimedJob
    from scenesync.domain.outcome import Attempt
    from scenesync.worker.loop import LoopLimits

LONGEST_GOODBYE_S: Final = 8.0
"""As the daemon's own: then it leaves, whatever hangs."""


class WorkerQueue(EmbeddedQueue):
    """The product's queue; it notes when a task was last told that it still has a job, and can lose its locks."""

    def __init__(self, process: WorkerProcess, *args: Any, **kwargs: Any) -> None:
        self.kernel = process.kernel
        self.process = process
        self.lock_was_lost = False
        self.confirmed_at: dict[tuple[str, str | None], float] = {}
        process.queue = self  # from now on: the process may be killed while it opens the file
        super().__init__(*args, **kwargs)
        self._spool.__class__ = WorkerSpool
        self._spool.kernel = self.kernel  # type: ignore[attr-defined] # it is a WorkerSpool now

    def confirm_owned(self, claimed: ClaimedJob) -> bool:
        held = self.process.holds(self._owner.name, claimed)
        owned = super().confirm_owned(claimed)
        if owned and not held:
            self.process.violate("I9", f"{self.process.name} takes {claimed.job_key} for its own, which it had lost")
        if owned:
            self.confirmed_at[self.kernel.running.name, claimed.job_key] = self.kernel.now
        elif not self.process.stop.is_set():
            self._lost(claimed)
        return owned

    def claim(self, limit: int = 1) -> list[ClaimedJob]:
        return self._noted(lambda: super(WorkerQueue, self).claim(limit))

    def claim_urgent(self, limit: int = 1) -> list[ClaimedJob]:
        return self._noted(lambda: super(WorkerQueue, self).claim_urgent(limit))

    def _noted(self, claim: Callable[[], list[ClaimedJob]]) -> list[ClaimedJob]:
        offset_s = self.kernel.wall_offset_s
        claims = claim()
        steady = offset_s == self.kernel.wall_offset_s
        self.process.retries.claimed(self._owner.name, claims, clock_is_steady=steady)
        return claims

    def complete(self, claimed: ClaimedJob) -> None:
        with self._settling(claimed):
            super().complete(claimed)

    def complete_all(self, claims: Sequence[ClaimedJob]) -> Sequence[ClaimedJob]:
        held = {claim.row_id: self.process.holds(self._owner.name, claim) for claim in claims}
        self.process.settling += 1
        try:
            lost = super().complete_all(claims)
        finally:
            self.process.settling -= 1
        for claim in claims:
            if claim in lost:
                self._lost(claim)
            elif not held[claim.row_id]:
                self.process.violate("I9", f"{self.process.name} ended {claim.job_key}, which it had lost")
        return lost

    def requeue(self, claimed: ClaimedJob, job: Mapping[str, Any]) -> None:
        retries = self.process.retries
        before = retries.failures_of(self._owner.name, claimed)
        with self._settling(claimed):
            retries.failed(claimed, job, before)
            super().requeue(claimed, job)
            retries.written_down(claimed, job, before)

    def release(self, claimed: ClaimedJob) -> None:
        with self._settling(claimed):
            super().release(claimed)

    def bury(self, claimed: ClaimedJob, letter: DeadLetter) -> int:
        retries = self.process.retries
        before = retries.failures_of(self._owner.name, claimed)
        with self._settling(claimed):
            letter_id = super().bury(claimed, letter)
            retries.given_up(claimed, letter, before)
            self.process.require_letter(letter_id, str(claimed.job_key))
            return letter_id

    @contextlib.contextmanager
    def _settling(self, claimed: ClaimedJob) -> Iterator[None]:
        """Mark the moments between a job's end and its being written down: a good time to be killed."""
        self.process.settling += 1
        held = self.process.holds(self._owner.name, claimed)
        try:
            yield
            if not held:
                self.process.violate("I9", f"{self.process.name} ended {claimed.job_key}, which it had lost")
        except LeaseLost:
            if not self.process.stop.is_set():
                self._lost(claimed)
            raise
        finally:
            self.process.settling -= 1

    def _lost(self, claimed: ClaimedJob) -> None:
        """Nobody loses a job while the lock that proves his life is held."""
        if not self.lock_was_lost:
            self.process.violate("I9", f"{self.process.name} lives and lost its job {claimed.job_key}")

    def drop_dead(self) -> None:
        """Lose everything that the kernel takes from a killed process: open files, and with them the locks."""
        self.lose_lock()
        for name in ("_claims", "_puts"):
            connection = getattr(self, name, None)  # none if it is killed while it opens the file
            if connection is not None:
                connection.close()
        self._is_open = False

    def lose_lock(self) -> None:
        """Lose the lock that proves that this process lives, without noticing."""
        self.lock_was_lost = True
        lock = self._owner._lock if hasattr(self, "_owner") else None
        if lock is not None and lock._fd is not None:
            os.close(lock._fd)
            # Kept open on something harmless, so that the product's own release later finds a descriptor.
            lock._fd = os.open(os.devnull, os.O_RDWR)


class WorkerSpool(SpoolIntake):
    """The product's way to take in the spool; the process may be killed before and after each step with a file."""

    kernel: Kernel

    def _take(self, connection: sqlite3.Connection, path: Path) -> bool:
        self.kernel.risk("spool")
        taken = super()._take(connection, path)
        self.kernel.risk("spool")
        return taken

    def _remove(self, path: Path) -> bool:
        self.kernel.risk("spool")
        removed = super()._remove(path)
        self.kernel.risk("spool")
        return removed


class WorkerDatabase(Database):
    """The product's state store; each transaction is a point of the history, before and after."""

    kernel: Kernel

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        if self._outer() is not None:
            with super().transaction(durable=durable) as connection:
                yield connection
            return
        self.kernel.point("store")
        with super().transaction(durable=durable) as connection:
            yield connection
        self.kernel.point("store")


class WorkerProcess(SimulatedProcess):
    """A daemon. ``violate`` is told of what must not happen in it, ``observe`` of every attempt.

    ``holds`` says whether the queue's file has a job as claimed by an owner; ``require_letter`` hears which dead letter
    was written for which job, ``retries`` of every claim and failure.
    """

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        plex: PlexWorld,
        stash: StashWorld,
        settings: Settings,
        *,
        limits: LoopLimits,
        violate: Callable[[str, str], None],
        observe: Callable[[WorkerProcess, Attempt], None],
        holds: Callable[[str, ClaimedJob], bool],
        require_letter: Callable[[int, str], None],
        retries: RetryAccount,
    ) -> None:
        super().__init__(name)
        self.kernel = kernel
        self.plex = PlexDoor(plex, self)
        self.stash = StashDoor(stash, self)
        self.settings = settings
        self.limits = limits
        self.queue: WorkerQueue | None = None
        self.database: WorkerDatabase | None = None
        self.stop = Event()
        self.has_returned = False
        self.claims_unnoticed = False
        self.violate = violate
        self.holds = holds
        self.require_letter = require_letter
        self.retries = retries
        self._observe = observe
        self.main: Task = kernel.spawn(self, "main", self._main)

    @property
    def is_running(self) -> bool:
        """Say whether it works, or at least still tries to end."""
        return not self.is_dead and not self.has_returned

    def die(self) -> None:
        """Lose connections and locks, as a killed process does."""
        if self.queue is not None:
            self.queue.drop_dead()
        if self.database is not None:
            self.database.close()

    def _main(self) -> None:
        try:
            with installation.open_installation(self.settings, stash=self.stash, repairs=True) as parts:  # type: ignore[arg-type]
                parts.work_loop(self.limits, (lambda attempt: self._observe(self, attempt),)).run(self.stop)  # type: ignore[arg-type]
        except Crashed:
            raise
        except Exception:  # noqa: BLE001 - any end of a daemon but by a stop is a finding
            self.violate("process", f"{self.name} ended by itself:\n{traceback.format_exc()}")
        self.has_returned = True
        self.kernel.note("has ended")


def _call_first(holder: list[Any]) -> object:
    return holder[0]()


class Engines:
    """SQLAlchemy's engines, used again: what they compiled once need not be compiled for each simulated process.

    An engine belongs to one process from its opening until the end of the history.
    """

    def __init__(self) -> None:
        self._free: dict[object, list[tuple[Engine, list[Any]]]] = {}
        self._lent: list[tuple[object, tuple[Engine, list[Any]]]] = []
        self._create = create_engine

    def create(self, url: str, *, creator: Callable[[], object], **options: Any) -> Engine:
        """Stand in for ``create_engine``."""
        kind = options["pool_size"]
        free = self._free.setdefault(kind, [])
        if free:
            lent = free.pop()
            lent[1][0] = creator
        else:
            connect = [creator]
            lent = (self._create(url, creator=partial(_call_first, connect), **options), connect)
        self._lent.append((kind, lent))
        return lent[0]

    def take_back(self) -> None:
        """Close all connections; every engine may be used by another history."""
        for kind, lent in self._lent:
            lent[0].dispose()
            self._free[kind].append(lent)
        self._lent.clear()


engines: Final = Engines()


@contextlib.contextmanager
def simulated_installation(kernel_of: Callable[[], Kernel]) -> Iterator[None]:
    """Let the product's composition take the simulated parts, each for the process that asks."""

    def queue(*args: Any, **kwargs: Any) -> EmbeddedQueue:
        kernel = kernel_of()
        process = kernel.running.process
        if not isinstance(process, WorkerProcess):
            return EmbeddedQueue(*args, **kwargs)
        return WorkerQueue(process, *args, **kwargs)

    def database(*args: Any, **kwargs: Any) -> Database:
        kernel = kernel_of()
        opened: Database = open_database(*args, **kwargs)
        process = kernel.running.process
        if not isinstance(process, WorkerProcess):
            return opened
        opened.__class__ = WorkerDatabase
        assert isinstance(opened, WorkerDatabase)
        opened.kernel = kernel
        process.database = opened
        return opened

    def plex_client(*_: Any, **__: Any) -> PlexDoor:
        process = kernel_of().running.process
        assert isinstance(process, WorkerProcess)
        return process.plex

    stand_ins: tuple[tuple[ModuleType, str, object], ...] = (
        (opening, "EmbeddedQueue", queue),
        (opening, "open_database", database),
        (installation, "plex_client", plex_client),
        (pools, "create_engine", engines.create),
    )
    real = [(module, name, getattr(module, name)) for module, name, _ in stand_ins]
    for module, name, stand_in in stand_ins:
        setattr(module, name, stand_in)
    try:
        yield
    finally:
        for module, name, original in real:
            setattr(module, name, original)


def settings_for(data_dir: Path, *, workers: int, pictures: bool) -> Settings:
    """Return the settings of a simulated daemon."""
    return Settings(
        data_dir=data_dir,
        stash_url="http://stash.test:9999",
        plex_url="http://plex.test:32400",
        plex_token="simulated",  # type: ignore[arg-type]
        workers=workers,
        sync_poster=pictures,
        sync_background=pictures,
    )
