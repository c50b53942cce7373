"""What became of one attempt, as one frozen record that log, statistics, progress and history listen to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The ways an attempt can end."""

    SYNCED = "synced"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    RETRY = "retry"
    DEAD = "dead"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one job: ``started_at`` in epoch seconds, ``retry_at`` likewise when it will be tried again.

    ``title`` and ``path`` are the scene's, "" if it was not read; ``server_id`` is the Plex server's.
    """

    scene_id: int
    outcome: Outcome
    started_at: float
    duration_s: float
    error_type: str = ""
    message: str = ""
    rule: str = ""
    rating_keys: tuple[str, ...] = ()
    changed_fields: tuple[str, ...] = ()
    retry_at: float | None = None
    title: str = ""
    path: str = ""
    server_id: str = ""
