"""Work the queue off once and report: what ``drain``, ``sync`` and Stash's tasks share.

While a daemon runs, nothing is worked on here: its progress is watched instead.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.app.data_directory import make_data_dir, worker_lock
from scenesync.app.exit_codes import DONE, LEFTOVERS
from scenesync.app.fleet.forwarding import forwarding
from scenesync.app.installation import open_installation
from scenesync.app.opening import look_into_state, queue_figures
from scenesync.app.patience import UNREACHABLE_FOR_S
from scenesync.app.running.second_look import make_good
from scenesync.app.running.signals import stopping_on_signals
from scenesync.app.running.spare_memory import share_heaps
from scenesync.app.wording.counting import counted
from scenesync.app.wording.progress import ProgressWatch
from scenesync.domain.errors import NeedsPerson, PermanentError, StashUnavailable
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.plex.exceptions import PlexServerDown
from scenesync.queue.file_lock import held_elsewhere
from scenesync.store.pauses import PauseStore
from scenesync.store.service_state import ServiceStateStore
from scenesync.worker.availability.health import PLEX, STASH
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from scenesync.app.settings import Settings
    from scenesync.app.wording.progress import ProgressView
    from scenesync.queue.records import QueueSnapshot
    from scenesync.stash.client import StashClient

WATCH_EVERY_S: Final = 0.25
SETTINGS_TAKEN_UP_WITHIN_S: Final = 5.0
"""A daemon that waits for a person may be about to see what that person just changed."""

ENDED: Final = (Outcome.SYNCED, Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.DEAD)


@dataclass(slots=True)
class Tally:
    """Counts outcomes; told by the worker's threads."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, attempt: Attempt) -> None:
        """Count one attempt."""
        with self._lock:
            self.counts[attempt.outcome] += 1

    def done(self) -> int:
        """Return how many jobs have ended for good."""
        return sum(self.counts[outcome] for outcome in ENDED)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, and what it left."""

    counts: Counter[Outcome]
    left: QueueSnapshot
    worked_by_daemon: bool = False
    enqueued: int | None = None
    """How many jobs the command had put into the queue before, None if that is not known."""

    @property
    def exit_code(self) -> int:
        """0 if nothing is left, 3 if jobs wait or are dead."""
        return LEFTOVERS if self.left.pending or self.left.in_progress or self.left.dead_letters else DONE

    def as_document(self) -> dict[str, object]:
        """Return the report for ``--json``."""
        return {
            **{outcome.value: self.counts[outcome] for outcome in Outcome},
            "pending": self.left.pending,
            "in_progress": self.left.in_progress,
            "dead_letters": self.left.dead_letters,
            "waiting_by_error": dict(self.left.waiting_by_error),
            "worked_by_daemon": self.worked_by_daemon,
        }

    def _of_the_daemon(self) -> str:
        if _left(self.left):
            return "the daemon is at work"
        return "nothing was to be done" if self.enqueued == 0 else "the daemon has worked them off"

    def as_line(self) -> str:
        """Return the report as one line for people."""
        done = ", ".join(f"{self.counts[outcome]} {outcome.value}" for outcome in Outcome if self.counts[outcome])
        if self.counts[Outcome.SKIPPED]:
            done += " (scenesync explain SCENE_ID says why one is skipped)"
        parts = [done or (self._of_the_daemon() if self.worked_by_daemon else "nothing was due")]
        if self.left.pending:
            errors = ", ".join(
                f"{count} {error}" for error, count in sorted(self.left.waiting_by_error.items()) if error
            )
            parts.append(f"{self.left.pending} wait" + (f" ({errors})" if errors else ""))
        if self.left.dead_letters:
            parts.append(f"{counted(self.left.dead_letters, 'dead letter')} (scenesync dlq list)")
        return "; ".join(parts)


def work_off(
    settings: Settings,
    view: AbstractContextManager[ProgressView],
    *,
    timeout_s: float | None = None,
    unreachable_for_s: float = UNREACHABLE_FOR_S,
    stash: StashClient | None = None,
) -> Report:
    """Work until nothing is due, or ``timeout_s`` has passed, and return what was done.

    Raises what ``Gate`` raises for a run that does not wait for a person.
    """
    make_data_dir(settings.data_dir)
    lock = worker_lock(settings.data_dir)
    if not lock.acquire():
        watched = _watch_daemon(settings, view, timeout_s, unreachable_for_s)
        if watched is not None:
            return watched
        if not lock.acquire():  # the daemon ended, and another one came at once
            return Report(Counter(), queue_figures(settings), worked_by_daemon=True)
    share_heaps()
    limits = LoopLimits(workers=settings.workers, until_idle=True, deadline_s=timeout_s)
    tally = Tally()
    try:
        with (
            open_installation(settings, stash=stash, repairs=True) as installation,
            stopping_on_signals() as stop,
            forwarding(settings, installation.queue, stop, begins=True),
            view as shown,
            ProgressWatch(shown, lambda: (tally.done(), _left(queue_figures(settings)))),
        ):
            make_good(installation, stop, give_up_after_s=unreachable_for_s)
            installation.work_loop(limits, [tally], unreachable_for_s=unreachable_for_s).run(stop)
    finally:
        lock.release()
    return Report(tally.counts, queue_figures(settings))


def _watch_daemon(
    settings: Settings, view: AbstractContextManager[ProgressView], timeout_s: float | None, unreachable_for_s: float
) -> Report | None:
    """Show how the running daemon gets on, until nothing is due; None if it ended before that.

    Raises PlexServerDown or StashUnavailable when the daemon has had to wait for one of them for so long, NeedsPerson
    when it waits for a person.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    with stopping_on_signals() as stop, view as shown:
        begin, began = queue_figures(settings), time.monotonic()
        while True:
            now = queue_figures(settings)
            shown.show(now.completed_total - begin.completed_total, now.due + now.in_progress)
            finished = now.due + now.in_progress == 0
            if finished or (deadline is not None and time.monotonic() >= deadline) or stop.wait(WATCH_EVERY_S):
                return Report(Counter(), now, worked_by_daemon=True)
            if not held_elsewhere(worker_lock(settings.data_dir).path):
                return None
            if time.monotonic() - began >= min(unreachable_for_s, SETTINGS_TAKEN_UP_WITHIN_S):
                _raise_if_it_waits_for_a_person(settings)
            _raise_if_unreachable(settings, unreachable_for_s)


def _raise_if_it_waits_for_a_person(settings: Settings) -> None:
    for pause in look_into_state(settings, lambda database: PauseStore(database).read(), otherwise=()):
        raise NeedsPerson(PermanentError(f"The daemon waits for you; all jobs are kept. {pause.message}"))


def _raise_if_unreachable(settings: Settings, unreachable_for_s: float) -> None:
    """Raise the reason if the daemon has been waiting for a server for so long that a person should be told."""
    errors = {PLEX: PlexServerDown, STASH: StashUnavailable}
    states = look_into_state(
        settings,
        lambda database: {service: ServiceStateStore(database).read(service) for service in errors},
        otherwise={},
    )
    for service, state in states.items():
        if state.reachability == "down" and time.time() - (state.since or 0.0) >= unreachable_for_s:
            raise errors[service](f"The daemon cannot reach {service}; all jobs are kept. {state.message}")


def _left(snapshot: QueueSnapshot) -> int:
    return snapshot.due + snapshot.in_progress
