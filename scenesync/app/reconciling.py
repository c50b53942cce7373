"""Put a comparison of both libraries together from the parts of an installation, and run it: on demand or by itself."""

from __future__ import annotations

import contextlib
import gc
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.fields import conflict_policies
from scenesync.app.data_directory import make_data_dir
from scenesync.app.installation import open_installation
from scenesync.app.one_shot import work_off
from scenesync.app.patience import UNREACHABLE_FOR_S
from scenesync.app.running.signals import stopping_on_signals
from scenesync.app.running.spare_memory import share_heaps
from scenesync.app.scene_standings import of_looked
from scenesync.domain.departure import OnDestroy
from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.errors import TransientError
from scenesync.domain.fields import IMAGE_FIELDS
from scenesync.intake.polling import FACT as POLL_CURSOR
from scenesync.intake.polling import latest_change
from scenesync.plex.exceptions import PlexNotFound
from scenesync.queue.owner_lock import KernelLock
from scenesync.reconciliation.reconciling import Interrupted, Polls, Reconciler, Scope, Sides
from scenesync.reconciliation.taking import Enqueueing, Judging, Nothing
from scenesync.store.baselines import BaselineStore
from scenesync.store.memory import Memory
from scenesync.store.proofs import ProofStore
from scenesync.store.reconciliations import Reconciliation, ReconciliationStore
from scenesync.store.scene_states import SceneStateStore
from scenesync.store.traces import TraceStore
from scenesync.worker.finding.listing import shown_items

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from scenesync.app.installation import Installation
    from scenesync.app.one_shot import Report
    from scenesync.app.settings import Settings
    from scenesync.app.wording.progress import ProgressView
    from scenesync.reconciliation.findings import Findings, Looked
    from scenesync.reconciliation.reconciling import Watch
    from scenesync.reconciliation.taking import Taker
    from scenesync.stash.client import StashClient
    from scenesync.worker.availability.plex_connection import PlexSession

LOCK_FILE: Final = "reconcile.lock"
WAIT_FOR_ANOTHER_EVERY_S: Final = 0.25
TRY_AGAIN_AFTER_S: Final = 2.0
COLLECT_EVERY: Final = 100_000
"""New objects between two looks for cycles (Python: 700); three times as many would take 130 MiB more memory."""

BY_COMMAND: Final = "command"
BY_SCHEDULE: Final = "reconciliation"
"""Also what a stopped run is called."""
AT_THE_START: Final = "first reconciliation"


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for: ``cause`` is one of those above; a ``dry_run`` notes and enqueues nothing."""

    scope: Scope
    cause: str = BY_COMMAND
    dry_run: bool = False


class Silent:
    """Shows nothing."""

    def show(self, done: int, left: int) -> None:
        """Do nothing."""


class Trial:
    """Passes on how far a comparison is, and knows since when it gets no further."""

    def __init__(self, watch: Watch, patience_s: float) -> None:
        self._watch = watch
        self._patience_s = patience_s
        self._failing_since: float | None = None

    def show(self, done: int, left: int) -> None:
        """Pass progress on, which ends whatever was in the way before."""
        self._failing_since = None
        self._watch.show(done, left)

    def failed(self) -> bool:
        """Take note of a failure; say whether there have been nothing but failures for too long."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        return now - self._failing_since >= self._patience_s


def reconcile(
    installation: Installation,
    session: PlexSession,
    demand: Demand,
    stop: threading.Event,
    watch: Watch | None = None,
) -> Findings:
    """Compare both libraries and enqueue what is found; one at a time per data directory: another is waited for.

    Scenes that the worker never read are enqueued whatever Plex shows, so the first one syncs all. Raises Interrupted,
    and what Stash, Plex, the queue and the stores raise.
    """
    memory = Memory(installation.database)
    server_id = session.identity.machine_identifier
    polls = Polls(lambda: latest_change(installation.stash).to_text(), lambda cursor: memory.note(POLL_CURSOR, cursor))
    with _alone(installation.settings.data_dir, stop), _rarely_looking_for_cycles():
        wanted = Reconciliation(0, demand.scope.value, demand.cause, time.time())
        reconciler = Reconciler(
            _sides(installation, session),
            _taker(installation, session, demand),
            None if demand.dry_run else ReconciliationStore(installation.database, server_id),
            polls,
            installation.dead_letters.scenes_given_up(PlexNotFound.__name__),
            on_looked=None if demand.dry_run else partial(_note, SceneStateStore(installation.database), server_id),
        )
        return reconciler.run(wanted, stop, watch or Silent())


def _note(states: SceneStateStore, server_id: str, looked: Sequence[Looked]) -> None:
    states.keep(server_id, map(of_looked, looked))


def reconcile_at_once(
    settings: Settings,
    demand: Demand,
    view: Callable[[str], AbstractContextManager[ProgressView]],
    *,
    then_work: bool = True,
    unreachable_for_s: float = UNREACHABLE_FOR_S,
    stash: StashClient | None = None,
) -> tuple[Findings, Report | None]:
    """Compare, enqueue what is found and, with ``then_work``, work it off or watch the daemon do so.

    ``view`` makes what shows the progress of each part, by its name. Raises Interrupted at a signal, what stood in the
    way for ``unreachable_for_s`` seconds, and what ``work_off`` raises.
    """
    share_heaps()
    with (
        open_installation(settings, stash=stash, repairs=not demand.dry_run) as installation,
        stopping_on_signals() as stop,
        view("comparing") as shown,
    ):
        found = _patiently(installation, demand, stop, shown, unreachable_for_s)
    if demand.dry_run or not then_work:
        return found, None
    report = work_off(settings, view("syncing"), unreachable_for_s=unreachable_for_s, stash=stash)
    return found, replace(report, enqueued=found.enqueued)


def _patiently(
    installation: Installation, demand: Demand, stop: threading.Event, shown: ProgressView, unreachable_for_s: float
) -> Findings:
    """Compare, and go on after a server was away for a while."""
    trial = Trial(shown, unreachable_for_s)
    while True:
        try:
            session = installation.session(installation.plex.identity())
            return reconcile(installation, session, demand, stop, trial)
        except TransientError:
            if trial.failed():
                raise
        if stop.wait(TRY_AGAIN_AFTER_S):
            raise Interrupted


def _sides(installation: Installation, session: PlexSession) -> Sides:
    settings, stash = installation.settings, installation.stash

    def scenes_changed(since: datetime) -> Iterator[int]:
        return (hint.id for hint in stash.scenes_updated_since(since))

    policies = conflict_policies(settings)
    return Sides(
        scenes=stash,
        scenes_changed=scenes_changed,
        scenes_moved_on=ProofStore(installation.database, session.identity.machine_identifier).moved_on,
        syncing=session.scene_sync,
        written=BaselineStore(installation.database, session.identity.machine_identifier),
        read=TraceStore(installation.database),
        server=installation.plex,
        index=session.index,
        walk=partial(shown_items, installation.plex),
        looking_up=installation.database.looking_up,
        watched=frozenset(
            field for field in IMAGE_FIELDS if policies.get(field, settings.conflict_policy) is ConflictPolicy.STASH
        ),
        plainly=settings.on_destroy is not OnDestroy.LABEL,
    )


def _taker(installation: Installation, session: PlexSession, demand: Demand) -> Taker:
    if demand.dry_run:
        return Nothing()
    if demand.cause == BY_COMMAND:
        return Enqueueing(installation.queue)
    return Judging(installation.queue, installation.judge(session), demand.cause)


@contextlib.contextmanager
def _rarely_looking_for_cycles() -> Iterator[None]:
    """Let Python hardly look for unreachable cycles: in millions of small values without any it costs a fifth."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def _alone(data_dir: Path, stop: threading.Event) -> Iterator[None]:
    """Hold the lock of whoever reconciles; wait for it while another does. Raises Interrupted."""
    make_data_dir(data_dir)
    lock = KernelLock(data_dir / LOCK_FILE)
    while not lock.acquire():
        if stop.wait(WAIT_FOR_ANOTHER_EVERY_S):
            raise Interrupted
    try:
        yield
    finally:
        lock.release()
