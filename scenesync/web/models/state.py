"""How things stand: the queue in figures, both servers, outages, circuits, findings of the doctor."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from scenesync.web.models.common import Document, EpochS

Reachability = Literal["up", "down", "unknown"]
CircuitName = Literal["plex", "stash"]
CircuitState = Literal["closed", "open", "half_open"]


class Pause(Document):
    """Why all work waits for a person."""

    service: str
    since: EpochS
    error: str
    message: str


class Outage(Document):
    """A time in which a server could not be used; ``ended_at`` is null while it lasts."""

    service: str
    cause: str
    began_at: EpochS
    ended_at: EpochS | None
    jobs_waiting: int
    jobs_waiting_at_end: int | None
    duration_s: float | None


class Reliability(Document):
    """How dependable a server was over 30 days, or over what of them is known."""

    mttr_s: float | None
    mtbf_s: float | None
    availability: float | None
    outages_30d: int
    observed_s: float


class StoppedRun(Document):
    """A run that nobody asked for, stopped before it changed too much."""

    run: int
    cause: str
    began_at: EpochS
    reason: str
    totals: dict[str, object]


class Reconciliation(Document):
    """A comparison of both libraries; ``ended_at`` is null while it goes on, what it found comes beside these."""

    model_config = ConfigDict(extra="allow")

    scope: str
    cause: str
    began_at: EpochS
    ended_at: EpochS | None


class Listening(Document):
    """Whether a server's news are heard, since when, and if not, why."""

    is_up: bool
    since: EpochS
    reason: str


class Fleet(Document):
    """Who works on the queue; ``leader`` is "" where nobody is elected, or where there is but one."""

    engine: Literal["embedded", "postgresql"]
    workers: int
    leader: str
    outbox: int = Field(description="Events of this machine that are not in the database yet.")
    outbox_oldest_s: float | None
    trouble: str = Field(description="Why the database could not be looked into; empty if it could.")


class Status(Document):
    """How things stand, like ``scenesync status --json``."""

    sentence: str = Field(description="The state in one sentence, for people.")
    pending: int
    due: int
    in_progress: int
    dead_letters: int
    completed_total: int
    failed_total: int
    oldest_pending_s: float
    waiting_by_error: dict[str, int]
    spooled: int
    daemon_running: bool
    paused: Pause | None
    circuit: CircuitState
    plex: Reachability
    stash: Reachability
    plex_notifications: Literal["up", "down", "off", "unknown"]
    last_hour: dict[str, int]
    outages: list[Outage]
    stopped_runs: list[StoppedRun]
    held: int
    reconciliation: Reconciliation | None = Field(description="The latest comparison of both libraries.")
    stash_looked_at: EpochS | None = Field(description="When Stash was last looked at for changes.")
    stash_news: Listening | None = Field(description="Whether Stash's news are heard; null: not known.")
    reliability: dict[str, Reliability]
    fleet: Fleet


class Circuit(Document):
    """A circuit breaker; while it is open no job is tried."""

    state: CircuitState
    failures: int
    opened_at: EpochS | None
    half_open_at: EpochS | None
    probe_under_way: bool


class ClosedCircuit(Document):
    """What a reset did."""

    before: CircuitState
    state: CircuitState


class Check(Document):
    """One finding of the doctor, and its cure."""

    name: str
    verdict: Literal["ok", "warning", "failed"]
    finding: str
    cure: str
    path_map: list[str]


class CheckReport(Document):
    """What the doctor found last; ``checked_at`` is null if it was never asked (the task ``doctor`` asks it)."""

    checked_at: EpochS | None
    checks: list[Check]


class Readiness(Document):
    """Whether the stores answer. A Plex or Stash that is down is no reason not to be ready."""

    ready: bool
    stores: dict[str, str] = Field(description='Of each store "ok", or why it does not answer.')


class Alive(Document):
    """Whether the loop goes round."""

    alive: bool
    last_turn_s: float | None = Field(description="Seconds since the loop last went round.")


class Attempt(Document):
    """What became of one attempt at a scene."""

    scene_id: int
    title: str
    outcome: Literal["synced", "unchanged", "skipped", "retry", "dead", "deferred"]
    started_at: EpochS
    duration_s: float
    rule: str
    rating_keys: list[str]
    changed_fields: list[str]
    error_type: str
    message: str
    retry_at: EpochS | None


class Widget(Document):
    """A flat document for start pages such as Homepage."""

    state: Literal["ok", "working", "paused", "attention"]
    pending: int
    in_progress: int
    dead_letters: int
    completed: int
    synced_last_hour: int
    oldest_pending_s: float
    plex: Reachability
    stash: Reachability
    circuit: CircuitState
