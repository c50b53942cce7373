"""What happened to one scene, in one line of time: events that wait, attempts, edits, dead letters. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

from scenesync.domain.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.web.models.scenes import Hold, JournalEntry
    from scenesync.web.models.state import Attempt
    from scenesync.web.models.work import DeadLetter, Job

ONE_EDIT_S: Final = 60.0
"""Fields that one run wrote to one item within this time are one edit."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened; ``edits`` are the fields that were written."""

    at: float
    kind: str
    title: str
    text: str = ""
    outcome: str = ""
    edits: list[JournalEntry] = field(default_factory=list)


def moments(
    *,
    attempts: Sequence[Attempt],
    edits: Sequence[JournalEntry],
    jobs: Sequence[Job],
    letters: Sequence[DeadLetter],
    hold: Hold | None,
) -> Sequence[Moment]:
    """Return what happened, newest first. ``edits`` come newest first."""
    found = [
        *(_of_job(job) for job in jobs if job.enqueued_at),
        *(_of_letter(letter) for letter in letters),
        *(_of_attempt(attempt) for attempt in attempts),
        *_of_edits(edits),
    ]
    if hold is not None:
        text = "It is left alone until its metadata in Stash changes, or somebody syncs it."
        found.append(Moment(hold.since, "hold", "Held since it was undone", text))
    return sorted(found, key=lambda moment: moment.at, reverse=True)


def _of_job(job: Job) -> Moment:
    tried = f"Tried {counted(job.retry_count, 'time')}, last error {job.last_error_type}." if job.retry_count else ""
    return Moment(job.enqueued_at or 0.0, "event", "A change was queued and waits", tried)


def _of_letter(letter: DeadLetter) -> Moment:
    text = " ".join(part for part in (letter.message, letter.advice) if part)
    return Moment(letter.failed_at, "letter", f"Given up: {letter.error_type}", text, "dead")


def _of_attempt(attempt: Attempt) -> Moment:
    text = f"{attempt.error_type}: {attempt.message}" if attempt.error_type else ""
    return Moment(attempt.started_at, "attempt", "Attempt", text, attempt.outcome)


def _of_edits(entries: Sequence[JournalEntry]) -> Iterator[Moment]:
    return (_of_edit(together) for together in edits_together(entries))


def edits_together(entries: Sequence[JournalEntry]) -> Iterator[list[JournalEntry]]:
    """Yield the entries, which come newest first, by the edits that they are parts of.

    What is written at once has one time, but for pictures, which are noted as they are sent. So two times within a
    minute are one edit, unless a field is in both: then somebody changed the scene twice.
    """
    together: list[JournalEntry] = []
    for _, group in groupby(entries, key=_written_at_once):
        written = list(group)
        if together and not _belongs(written, together):
            yield together
            together = []
        together += written
    if together:
        yield together


def _written_at_once(entry: JournalEntry) -> tuple[str, str, str, float]:
    return entry.run, entry.rating_key, entry.cause, entry.at


def _belongs(written: Sequence[JournalEntry], to: Sequence[JournalEntry]) -> bool:
    older, newer = written[0], to[-1]
    return (
        _written_at_once(older)[:-1] == _written_at_once(newer)[:-1]
        and newer.at - older.at <= ONE_EDIT_S
        and {entry.field for entry in written}.isdisjoint(entry.field for entry in to)
    )


def _of_edit(entries: list[JournalEntry]) -> Moment:
    newest = entries[0]
    what = "Taken back" if newest.cause == "undo" else "Written"
    title = f"{what}: {counted(len(entries), 'field')} of item {newest.rating_key}"
    return Moment(newest.at, "edit", title, edits=entries[::-1])
