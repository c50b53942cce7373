"""Take over what another tool left: its jobs become jobs, its dead letters dead letters, its times earlier attempts.

Run again it takes over only what came since: per folder the last row of each kind is noted once all before it is kept.
A crash in between repeats some: jobs merge with those that wait, letters and times that are there already are left.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.domain.outcome import Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.intake.selection import BulkQueue
    from scenesync.intake.stash2plex import GivenUp, OtherTool, WaitingScene

TOOL: Final = "Stash2Plex"
MOST_TIMES: Final = 10_000
"""So many of the latest syncs are remembered; older ones would push out what SceneSync itself did."""
ADVICE: Final = f"It failed in {TOOL}. `scenesync dlq replay` gives it another try."


class Facts(Protocol):
    """Where it is noted how far a folder was taken over."""

    def recall(self, name: str) -> str | None:
        """Return a fact, None if it was never noted."""
        ...

    def note(self, name: str, value: str) -> None:
        """Remember a fact, in place of an earlier one."""
        ...


class Letters(Protocol):
    """Where dead letters are kept."""

    def of_scene(self, scene_id: int) -> Sequence[DeadLetter]:
        """Return the letters of a scene."""
        ...

    def add(self, letter: DeadLetter) -> int:
        """Store a letter for a job that is in no row of the queue; return its id."""
        ...


class Attempts(Protocol):
    """Where it is kept what was tried."""

    def latest(self, scene_id: int, limit: int) -> Sequence[Attempt]:
        """Return the latest attempts at a scene."""
        ...

    def add(self, made: Attempt) -> None:
        """Keep one attempt."""
        ...


@dataclass(frozen=True, slots=True)
class Marks:
    """How far a folder was taken over: the last row of each kind, and the latest time of a sync."""

    job: int = 0
    letter: int = 0
    synced_at: float = 0.0

    @classmethod
    def from_text(cls, text: str | None) -> Marks:
        """Return what ``to_text`` wrote, nothing taken over for None. Raises ValueError, KeyError."""
        document = json.loads(text) if text else {}
        return cls(document["job"], document["letter"], document["synced_at"]) if document else cls()

    def to_text(self) -> str:
        """Return them as text."""
        return json.dumps({"job": self.job, "letter": self.letter, "synced_at": self.synced_at})


@dataclass(frozen=True, slots=True)
class News:
    """What of a folder is not taken over yet; of several letters of a scene only the last one counts."""

    waiting: tuple[WaitingScene, ...]
    given_up: tuple[GivenUp, ...]
    synced_at: Mapping[int, float]
    marks: Marks
    """How far it is taken over when this is."""


def fact_of(found: OtherTool) -> str:
    """Return the name of the fact that says how far a folder was taken over."""
    return f"taken over from {TOOL} at {found.folder}"


def news(found: OtherTool, known: Marks) -> News:
    """Return what is new in a folder."""
    waiting = {each.scene_id: each for each in found.waiting if each.row_id > known.job}
    given_up = {each.scene_id: each for each in found.given_up if each.row_id > known.letter}
    newer = {scene_id: at for scene_id, at in found.synced_at.items() if at > known.synced_at}
    latest = sorted(newer, key=lambda scene_id: newer[scene_id])[-MOST_TIMES:]
    return News(
        tuple(waiting.values()),
        tuple(given_up.values()),
        {scene_id: newer[scene_id] for scene_id in latest},
        Marks(
            max((each.row_id for each in found.waiting), default=known.job),
            max((each.row_id for each in found.given_up), default=known.letter),
            max(found.synced_at.values(), default=known.synced_at),
        ),
    )


def take_over(
    found: OtherTool, new: News, queue: BulkQueue, letters: Letters, attempts: Attempts, facts: Facts
) -> None:
    """Keep what is new, then note that. Raises QueueError, StoreError."""
    jobs = (scene_job(each.scene_id, time.time(), data=dict(each.hint)) for each in new.waiting)
    queue.put_many(jobs, priority=PRIORITY_BULK)
    for each in new.given_up:
        letter = _letter(each)
        if not any(_is_same(letter, kept) for kept in letters.of_scene(each.scene_id)):
            letters.add(letter)
    for scene_id, at in new.synced_at.items():
        if not attempts.latest(scene_id, 1):
            attempts.add(Attempt(scene_id, Outcome.SYNCED, at, 0.0, message=f"by {TOOL}, before it was taken over"))
    facts.note(fact_of(found), new.marks.to_text())


def _letter(given_up: GivenUp) -> DeadLetter:
    return DeadLetter(
        job=scene_job(given_up.scene_id, given_up.failed_at or time.time(), data=dict(given_up.hint)),
        error_type=given_up.error_type,
        message=given_up.message,
        traceback=given_up.traceback,
        attempts=given_up.attempts,
        failed_at=given_up.failed_at or time.time(),
        advice=ADVICE,
        details={"taken_over_from": TOOL, "letter": given_up.row_id},
    )


def _is_same(letter: DeadLetter, kept: DeadLetter) -> bool:
    return kept.details == letter.details and kept.message == letter.message
