"""Where a scene stands, as it was last found out: by an attempt at it, or by looking at both sides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import AmbiguousMatch, SceneGone
from scenesync.domain.outcome import Outcome

if TYPE_CHECKING:
    from scenesync.domain.outcome import Attempt

NOT_IN_PLEX: Final = "PlexNotFound"


class SceneState(StrEnum):
    """What can be said of a scene in one word."""

    IN_SYNC = "in_sync"
    WAITING = "waiting"
    DIFFERS = "differs"
    UNMATCHED = "unmatched"
    AMBIGUOUS = "ambiguous"
    LEFT_OUT = "left_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SceneStanding:
    """Where a scene stands; ``at`` in epoch seconds, ``detail`` says why, "" where nothing is to be said."""

    scene_id: int
    state: SceneState
    at: float
    title: str = ""
    path: str = ""
    detail: str = ""
    rule: str = ""
    rating_keys: tuple[str, ...] = ()


def is_gone(attempt: Attempt) -> bool:
    """Say whether the attempt found that Stash no longer has the scene."""
    return attempt.error_type == SceneGone.__name__


def standing_after(attempt: Attempt) -> SceneStanding:
    """Return where a scene stands after an attempt at it."""
    return SceneStanding(
        attempt.scene_id,
        _state_after(attempt),
        attempt.started_at + attempt.duration_s,
        attempt.title,
        attempt.path,
        attempt.message,
        attempt.rule,
        attempt.rating_keys,
    )


def _state_after(attempt: Attempt) -> SceneState:
    match attempt.outcome:
        case Outcome.SYNCED | Outcome.UNCHANGED:
            return SceneState.IN_SYNC
        case Outcome.SKIPPED:
            return SceneState.LEFT_OUT
        case Outcome.DEFERRED:
            return SceneState.WAITING
    if attempt.error_type == NOT_IN_PLEX:
        return SceneState.UNMATCHED
    if attempt.error_type == AmbiguousMatch.__name__:
        return SceneState.AMBIGUOUS
    return SceneState.FAILED if attempt.outcome is Outcome.DEAD else SceneState.WAITING
