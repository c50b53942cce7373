"""Implements ``web.ports.Standing``: the state as ``scenesync status`` reads it, for many who ask at once."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from scenesync.app.circuits import close_circuits, read_circuits
from scenesync.app.fleet.standing import fleet_now
from scenesync.app.overview import overview_of, read_overview
from scenesync.domain.sentence import sentence
from scenesync.store.outages import OutageStore
from scenesync.store.scene_states import SceneStateStore
from scenesync.web.models import state
from scenesync.web.problems import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.app.dashboard.desk import Desk
    from scenesync.app.doctor.finding import Check
    from scenesync.app.overview import Overview
    from scenesync.domain.outcome import Attempt

FRESH_S: Final = 1.0


class DaemonStanding:
    """Reads how things stand, once a second at most, however many ask."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._status: state.Status | None = None
        self._read_at = 0.0
        self._report = state.CheckReport(checked_at=None, checks=[])

    def status(self) -> state.Status:
        """Return the state, at most a second old. Raises QueueError, StoreError."""
        with self._lock:
            if self._status is None or time.monotonic() - self._read_at >= FRESH_S:
                self._status = status_of(self._overview())
                self._read_at = time.monotonic()
            return self._status

    def _overview(self) -> Overview:
        """Read the state, through the daemon's open database if there is one at this moment."""
        try:
            installation = self._desk.installation
        except Unavailable:
            return read_overview(self._desk.loaded.settings)
        fleet = fleet_now(installation.settings, installation.queue.fleet)
        return overview_of(installation.database, installation.queue.snapshot(), fleet, running=True)

    def outages(self, limit: int, skip: int = 0) -> Sequence[state.Outage]:
        """Return the latest outages, newest first, without the ``skip`` newest."""
        found = OutageStore(self._desk.installation.database).latest(limit, skip)
        return [state.Outage(**asdict(outage), duration_s=outage.duration_s) for outage in found]

    def attempts(self, limit: int) -> Sequence[state.Attempt]:
        """Return the latest attempts at any scene, newest first."""
        installation = self._desk.installation
        made = installation.attempts.latest_of_all(limit)
        known = SceneStateStore(installation.database).of_scenes(self._desk.server_id, {each.scene_id for each in made})
        titles = {scene_id: standing.title for scene_id, standing in known.items()}
        return [attempt_document(replace(each, title=titles.get(each.scene_id, ""))) for each in made]

    def circuits(self) -> Mapping[str, state.Circuit]:
        """Return both circuits."""
        known = read_circuits(self._desk.installation.database)
        return {service: state.Circuit.model_validate(each) for service, each in known.items()}

    def reset_circuit(self, services: Sequence[str]) -> Mapping[str, state.ClosedCircuit]:
        """Close these circuits."""
        closed = close_circuits(self._desk.installation.database, services)
        return {service: state.ClosedCircuit.model_validate(each) for service, each in closed.items()}

    def checks(self) -> state.CheckReport:
        """Return what the doctor found last."""
        return self._report

    def note_checks(self, checks: Sequence[Check]) -> state.CheckReport:
        """Keep what the doctor found now."""
        self._report = state.CheckReport(
            checked_at=time.time(), checks=[state.Check.model_validate(check.as_document()) for check in checks]
        )
        return self._report


def status_of(overview: Overview) -> state.Status:
    """Return an overview as the API shows it."""
    document = overview.as_document()
    return state.Status.model_validate({**document, "sentence": _sentence(overview)})


def attempt_facts(made: Attempt) -> dict[str, Any]:
    """Return an attempt as the events tell it."""
    return {
        "scene_id": made.scene_id,
        "title": made.title,
        "outcome": made.outcome.value,
        "started_at": made.started_at,
        "duration_s": made.duration_s,
        "rule": made.rule,
        "rating_keys": list(made.rating_keys),
        "changed_fields": list(made.changed_fields),
        "error_type": made.error_type,
        "message": made.message,
        "retry_at": made.retry_at,
    }


def attempt_document(made: Attempt) -> state.Attempt:
    """Return an attempt as the API shows it."""
    return state.Attempt.model_validate(attempt_facts(made))


def _sentence(overview: Overview) -> str:
    reachability = {"plex": overview.plex, "stash": overview.stash}
    return sentence(
        pending=overview.queue.pending,
        due=overview.queue.due,
        in_progress=overview.queue.in_progress,
        dead_letters=overview.queue.dead_letters,
        stopped_runs=len(overview.stopped_runs),
        down=[service for service, how in reachability.items() if how == "down"],
        paused="" if overview.paused is None else overview.paused.message,
        waiting_by_error=overview.queue.waiting_by_error,
    )
