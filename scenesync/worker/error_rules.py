"""What each error means for the job that met it: one row per error, the most specific one counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from scenesync.domain.errors import (
    AmbiguousMatch,
    AttemptCut,
    EditIgnored,
    ImageTooLarge,
    ImageUnusable,
    LeaseLost,
    LibraryNotFound,
    PermanentError,
    SceneGone,
    SceneSkipped,
    StashRefused,
    StashUnauthorized,
    StashUnavailable,
    TransientError,
)
from scenesync.plex.exceptions import (
    PlexBusy,
    PlexNotFound,
    PlexPermanentError,
    PlexServerDown,
    PlexTemporaryError,
    PlexUnauthorized,
)
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError
from scenesync.worker.backoff import NOT_FOUND_BASE_S, NOT_FOUND_CAP_S, TRANSIENT_BASE_S, TRANSIENT_CAP_S

BUSY_CAP_S: Final = 300.0
NOT_FOUND_RETRIES: Final = 12
BUSY_RETRIES: Final = 12


class Treatment(Enum):
    """What to do about an error."""

    RETRY = "retry"
    """Try again later, a limited number of times, then dead letter."""
    WAIT = "wait"
    """Keep the job as it is until the cause is gone; costs no retry."""
    FINISH = "finish"
    """There is nothing to do for this job; done."""
    BURY = "bury"
    """A person has to look: dead letter at once."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: ``max_retries`` None stands for the setting of that name; ``opens_breaker`` for Plex's breaker."""

    error: type[Exception]
    treatment: Treatment
    max_retries: int | None = 0
    base_s: float = TRANSIENT_BASE_S
    cap_s: float = TRANSIENT_CAP_S
    opens_breaker: bool = False
    advice: str = ""


RULES: Final = (
    Rule(PlexServerDown, Treatment.WAIT, opens_breaker=True),
    Rule(
        PlexTemporaryError,
        Treatment.RETRY,
        max_retries=None,
        opens_breaker=True,
        advice="Look at Plex's own log for the time of the attempts, then replay.",
    ),
    # Not an outage: reads are fine. The write may have been applied, so the next attempt reads first.
    Rule(
        PlexBusy,
        Treatment.RETRY,
        max_retries=BUSY_RETRIES,
        cap_s=BUSY_CAP_S,
        advice="Plex could not write for a long time. Look for running scans or a slow disk, then replay.",
    ),
    # Plex may simply not have scanned the file yet.
    Rule(
        PlexNotFound,
        Treatment.RETRY,
        max_retries=NOT_FOUND_RETRIES,
        base_s=NOT_FOUND_BASE_S,
        cap_s=NOT_FOUND_CAP_S,
        advice="Check that the file is in one of the plex_libraries and that path_map is right "
        "(scenesync doctor), then replay.",
    ),
    Rule(PlexUnauthorized, Treatment.WAIT),
    Rule(ImageTooLarge, Treatment.BURY, advice="Give the scene a smaller cover in Stash, then replay."),
    Rule(
        ImageUnusable,
        Treatment.RETRY,
        max_retries=None,
        advice="Look at the scene's cover in Stash; give it another one, then replay.",
    ),
    Rule(PlexPermanentError, Treatment.BURY, advice="Plex refuses this edit; the message says why."),
    Rule(
        AmbiguousMatch,
        Treatment.BURY,
        advice="Set path_map so that the exact path matches (scenesync doctor), or remove the duplicate, then replay. "
        "Or say which item it is: scenesync pin SCENE RATING_KEY.",
    ),
    Rule(EditIgnored, Treatment.BURY, advice="Plex accepted the edit and did not keep it; replay to try once more."),
    Rule(StashUnavailable, Treatment.WAIT),
    # A full disk or a locked file is not the job's fault.
    Rule(StoreError, Treatment.WAIT),
    Rule(QueueError, Treatment.WAIT),
    Rule(StashUnauthorized, Treatment.WAIT),
    Rule(StashRefused, Treatment.BURY, advice="Stash answered with an error; the message has its words."),
    Rule(LibraryNotFound, Treatment.WAIT),
    Rule(SceneGone, Treatment.FINISH),
    Rule(SceneSkipped, Treatment.FINISH),
    Rule(LeaseLost, Treatment.FINISH),
    Rule(AttemptCut, Treatment.WAIT),
    Rule(PermanentError, Treatment.BURY),
    Rule(TransientError, Treatment.RETRY, max_retries=None),
    Rule(
        Exception,
        Treatment.RETRY,
        max_retries=None,
        advice="This is a bug in SceneSync: please report it with the traceback.",
    ),
)

_BY_CLASS: Final = {rule.error: rule for rule in RULES}


def rule_for(error: BaseException) -> Rule:
    """Return the row of the most specific class of ``error``."""
    for error_class in type(error).__mro__:
        rule = _BY_CLASS.get(error_class)
        if rule is not None:
            return rule
    return _BY_CLASS[Exception]
