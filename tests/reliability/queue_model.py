"""The queue as it is promised to be, in memory and without a thought for speed, crashes or other processes.

Written from the promises (docs, DESIGN), not from the code: lists that are walked, no index, no SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

Job = dict[str, Any]

RETRY_STATE: Final = ("retry_count", "next_retry_at", "last_error_type")
PERSON, BULK, FANOUT = 0, 10, 20
CLOCK_JUMP_S: Final = 900.0
DELIVERIES_BEFORE_DEATH: Final = 5


def file_name(path: str | None) -> str:
    """Return the last part of a path, without case; "" for no path."""
    return "" if path is None else path.rsplit("/", 1)[-1].lower()


@dataclass
class Row:
    """A job that waits (``holder`` None) or is in hand. Times are epoch seconds."""

    row_id: int
    job: Job
    lane: int
    event_at: float
    stored_at: float
    deliveries: int = 0
    holder: str | None = None

    @property
    def key(self) -> str | None:
        return self.job.get("job_key")

    @property
    def due_at(self) -> float:
        return float(self.job.get("next_retry_at", 0.0))

    def is_due(self, now: float) -> bool:
        return self.due_at <= now or self.due_at > now + CLOCK_JUMP_S


@dataclass
class Letter:
    """A dead letter."""

    letter_id: int
    job: Job
    error_type: str
    failed_at: float
    event_at: float


@dataclass
class QueueModel:
    """What the queue holds, and what each operation makes of it."""

    rows: list[Row] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    spooled: dict[str, Job] = field(default_factory=dict)
    completed: int = 0
    failed: int = 0
    last_row_id: int = 0
    last_letter_id: int = 0

    # -- looking

    def waiting(self) -> list[Row]:
        return [row for row in self.rows if row.holder is None]

    def rows_in_order(self) -> list[Row]:
        return sorted(self.rows, key=lambda row: row.row_id)

    def waiting_under(self, key: str | None) -> Row | None:
        found = [row for row in self.waiting() if key is not None and row.key == key]
        assert len(found) <= 1, "the model itself broke its first rule"
        return found[0] if found else None

    def is_running(self, key: str | None) -> bool:
        return key is not None and any(row.key == key for row in self.rows if row.holder is not None)

    def row(self, row_id: int) -> Row:
        return next(row for row in self.rows if row.row_id == row_id)

    def next_claim(self, now: float) -> Row | None:
        """Return what a claim must take: lane by lane, in a lane what is longest due, then what is oldest."""
        free = [row for row in self.waiting() if not self.is_running(row.key)]
        for lane in sorted({row.lane for row in free}):
            in_lane = [row for row in free if row.lane == lane]
            due = [row for row in in_lane if row.due_at <= now]
            misplanned = [row for row in in_lane if row.due_at > now + CLOCK_JUMP_S]
            if due or misplanned:
                return min(due or misplanned, key=lambda row: (row.due_at, row.row_id))
        return None

    def next_due_at(self, now: float) -> float | None:
        free = [row for row in self.waiting() if not self.is_running(row.key)]
        if any(row.is_due(now) for row in free):
            return 0
        return min((row.due_at for row in free), default=None)

    # -- in

    def put(self, event: Job, lane: int, now: float) -> tuple[int, bool]:
        """Return the row of an event that comes now, and whether it joined one."""
        return self._merge(event, lane, now, now, late=False)

    def _merge(self, event: Job, lane: int, now: float, happened: float, *, late: bool) -> tuple[int, bool]:
        """Take in an event; ``late`` ones are put in order by when they ``happened``."""
        row = self.waiting_under(event.get("job_key"))
        if row is None:
            self.last_row_id += 1
            self.rows.append(Row(self.last_row_id, dict(event), lane, happened, now))
            return self.last_row_id, False
        was_due_at = row.due_at
        is_newest = not late or happened >= row.event_at
        earliest = min(job["enqueued_at"] for job in (row.job, event))
        before = row.job
        state = {name: row.job[name] for name in RETRY_STATE if name in row.job}
        content = {**row.job, **event} if is_newest else {**event, **row.job}
        row.job = {name: value for name, value in content.items() if name not in RETRY_STATE}
        row.job["enqueued_at"] = earliest
        if not (lane != BULK and is_newest):
            waits_for = before.get("data", {}).get("path")
            if "last_error_type" in state and waits_for and isinstance(row.job.get("data"), dict):
                row.job["data"] = {"path": waits_for, **row.job["data"]}
            row.job |= state
        row.event_at = max(happened, row.event_at) if late else now
        row.lane = min(row.lane, lane)
        assert row.due_at <= was_due_at, "a merge must never delay"
        return row.row_id, True

    def take_in_spool(self, now: float) -> int:
        taken = len(self.spooled)
        for name in sorted(self.spooled):
            event = self.spooled.pop(name)
            self._merge(event, PERSON, now, event["enqueued_at"], late=True)
        return taken

    # -- out

    def claim(self, holder: str, limit: int, now: float) -> list[Row]:
        self.take_in_spool(now)
        taken: list[Row] = []
        while len(taken) < limit and (row := self.next_claim(now)) is not None:
            row.holder = holder
            row.deliveries += 1
            taken.append(row)
        return taken

    def complete(self, row_id: int) -> None:
        self.rows.remove(self.row(row_id))
        self.completed += 1

    def bury(self, row_id: int, error_type: str, job: Job, now: float) -> None:
        row = self.row(row_id)
        self.rows.remove(row)
        self.failed += 1
        self.last_letter_id += 1
        self.letters.append(Letter(self.last_letter_id, dict(job), error_type, now, row.event_at))

    def give_back(self, row_id: int, job: Job | None = None, *, count_deliveries: bool = False) -> None:
        """Let a job wait again; an event that waits already stands for both, with the content of the newer one."""
        row = self.row(row_id)
        kept = row.deliveries if count_deliveries else 0
        content = row.job if job is None else job
        other = self.waiting_under(row.key)
        if other is None:
            row.holder, row.job, row.deliveries = None, dict(content), kept
            return
        self.rows.remove(row)
        earliest = min(other.job["enqueued_at"], content["enqueued_at"])
        state = {name: other.job[name] for name in RETRY_STATE if name in other.job}
        came_late = row.event_at > other.event_at  # a replay, an event from the spool
        merged = {**other.job, **content} if came_late else {**content, **other.job}
        other.job = {name: value for name, value in merged.items() if name not in RETRY_STATE} | state
        other.job["enqueued_at"] = earliest
        other.event_at = max(row.event_at, other.event_at)
        other.lane = min(other.lane, row.lane)
        other.deliveries = max(other.deliveries, kept)

    def take_over(self, dead: set[str], now: float) -> int:
        orphans = [row for row in self.rows if row.holder in dead]
        for row in orphans:
            if row.deliveries >= DELIVERIES_BEFORE_DEATH:
                self.bury(row.row_id, "WorkerCrash", row.job, now)
            else:
                self.give_back(row.row_id, count_deliveries=True)
        return len(orphans)

    # -- by hand

    def wake(self, file_names: list[str], now: float) -> int:
        asleep = [
            row
            for row in self.waiting()
            if file_name(row.job.get("data", {}).get("path")) in file_names
            and row.due_at > now
            and row.job.get("last_error_type") == "PlexNotFound"
        ]
        for row in asleep:
            row.job["next_retry_at"] = now
        return len(asleep)

    def drop_pending(self, now: float, *, key: str | None = None, older_than: float | None = None) -> int:
        self.take_in_spool(now)
        dropped = [
            row
            for row in self.waiting()
            if (key is None or row.key == key) and (older_than is None or row.stored_at < older_than)
        ]
        self.rows = [row for row in self.rows if row not in dropped]
        return len(dropped)

    def replay(self, letter_ids: list[int], now: float) -> int:
        replayed = self._end_letters(letter_ids)
        for letter in replayed:
            job = {name: value for name, value in letter.job.items() if name not in RETRY_STATE}
            self._merge(job, PERSON, now, letter.event_at, late=True)
        return len(replayed)

    def discard(self, letter_ids: list[int]) -> int:
        return len(self._end_letters(letter_ids))

    def _end_letters(self, letter_ids: list[int]) -> list[Letter]:
        ended = [letter for letter in self.letters if letter.letter_id in letter_ids]
        self.letters = [letter for letter in self.letters if letter not in ended]
        return ended
