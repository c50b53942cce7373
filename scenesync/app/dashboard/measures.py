"""Implements ``web.ports.Metrics``: what Prometheus is told."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import TransientError
from scenesync.domain.outcome import Outcome
from scenesync.store.outages import KEPT as OUTAGES_KEPT
from scenesync.store.outages import OutageStore
from scenesync.store.path_index import PathIndexStore
from scenesync.web.problems import Unavailable
from scenesync.web.prometheus import Counter, Histogram, gauge, gauges, total
from scenesync.worker.availability.health import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.dashboard.desk import Desk
    from scenesync.app.dashboard.standing import DaemonStanding
    from scenesync.domain.outcome import Attempt
    from scenesync.plex.exchange import RequestRecord as PlexRequest
    from scenesync.stash.transport import RequestRecord as StashRequest
    from scenesync.web.models.state import Status

_CIRCUIT: Final = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
_REACHABILITY: Final = {"up": 1.0, "down": 0.0}


class Measures:
    """Counts what the worker does, and reads how things stand when it is asked."""

    def __init__(self, desk: Desk, standing: DaemonStanding) -> None:
        self._desk = desk
        self._standing = standing
        self._attempts = Counter("scenesync_attempts_total", "Attempts at scenes by outcome.", ["outcome"])
        self._matches = Counter("scenesync_matches_total", "Scenes matched, by the rule that answered.", ["rule"])
        self._errors = Counter("scenesync_errors_total", "Attempts that failed, by error.", ["error"])
        self._attempt_s = Histogram("scenesync_attempt_seconds", "How long attempts took, by outcome.", ["outcome"])
        self._plex_s = Histogram(
            "scenesync_plex_request_seconds", "How long requests to Plex took, by kind.", ["kind", "status"]
        )
        self._stash_s = Histogram(
            "scenesync_stash_request_seconds", "How long requests to Stash took, by kind.", ["kind", "status"]
        )

    def attempt(self, made: Attempt) -> None:
        """Count an attempt."""
        self._attempts.add(made.outcome.value)
        self._attempt_s.observe(made.duration_s, made.outcome.value)
        if made.rule:
            self._matches.add(made.rule)
        if made.error_type and made.outcome is not Outcome.SKIPPED:
            self._errors.add(made.error_type)

    def plex_request(self, record: PlexRequest) -> None:
        """Count a request to Plex."""
        self._plex_s.observe(record.duration_s, record.kind, str(record.outcome))

    def stash_request(self, record: StashRequest) -> None:
        """Count a request to Stash."""
        self._stash_s.observe(record.duration_s, record.name, str(record.status or "none"))

    def text(self) -> str:
        """Return all figures in the text format. Raises QueueError, StoreError."""
        counted = (self._attempts, self._matches, self._errors, self._attempt_s, self._plex_s, self._stash_s)
        parts = [_of_status(self._standing.status()), self._of_loop(), self._of_outages(), self._of_index()]
        return "\n".join(chain(*parts, *(each.lines() for each in counted))) + "\n"

    def _of_loop(self) -> Iterator[str]:
        last_turn_s = self._desk.last_turn_s
        if last_turn_s is not None:
            yield from gauge("scenesync_loop_last_turn_seconds", "Seconds since the loop last went round.", last_turn_s)

    def _of_outages(self) -> Iterator[str]:
        try:
            found = OutageStore(self._desk.installation.database).latest(OUTAGES_KEPT)
        except Unavailable:
            return
        counts = {service: sum(each.service == service for each in found) for service in SERVICES}
        yield from gauges("scenesync_outages_known", "Outages of a year that are remembered.", "service", counts)

    def _of_index(self) -> Iterator[str]:
        try:
            now = self._desk.round
            server_id = now.require_session().identity.machine_identifier
        except (Unavailable, TransientError):
            return  # nobody has answered yet who could say whose index it is
        counts = PathIndexStore(now.installation.database, server_id).counts()
        sizes = {"items": counts.items, "files": counts.files}
        yield from gauges("scenesync_index_size", "What the path index holds.", "what", sizes)


def _of_status(status: Status) -> Iterator[str]:
    jobs = {"pending": status.pending, "due": status.due, "in_progress": status.in_progress}
    yield from gauges("scenesync_jobs", "Jobs that wait, are due, are in hand.", "state", jobs)
    waiting = dict(sorted(status.waiting_by_error.items()))
    yield from gauges("scenesync_jobs_waiting_after_error", "Jobs that wait to be tried again.", "error", waiting)
    yield from gauge("scenesync_dead_letters", "Jobs that were given up.", status.dead_letters)
    yield from gauge("scenesync_oldest_pending_seconds", "How long the oldest job has waited.", status.oldest_pending_s)
    yield from total("scenesync_jobs_completed_total", "Jobs done.", status.completed_total)
    yield from total("scenesync_jobs_failed_total", "Jobs given up.", status.failed_total)
    known = {"plex": status.plex, "stash": status.stash}
    up = {service: _REACHABILITY[how] for service, how in known.items() if how in _REACHABILITY}
    yield from gauges("scenesync_up", "Whether a server can be reached.", "service", up)
    yield from gauge(
        "scenesync_circuit_state", "Plex's circuit: 0 closed, 1 half-open, 2 open.", _CIRCUIT[status.circuit]
    )
    yield from gauge("scenesync_paused", "Whether work waits for a person.", status.paused is not None)
    yield from gauge("scenesync_held_scenes", "Scenes left alone since they were undone.", status.held)
    yield from gauge("scenesync_stopped_runs", "Runs stopped before changing too much.", len(status.stopped_runs))
    yield from gauge("scenesync_fleet_workers", "Workers that live, on all machines.", status.fleet.workers)
    yield from gauge("scenesync_outbox_events", "This machine's events not yet in the database.", status.fleet.outbox)
