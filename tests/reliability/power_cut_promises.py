"""What the queue had promised when the power went, and whether a queue that was opened afterwards keeps it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.queue.embedded import EmbeddedQueue

PUTS: Final = frozenset({"put", "spool"})
ON_DISK_WHEN_DONE: Final = frozenset({"put", "take_in", "replay", "discard"})
"""What the queue's file has on the disk when it returns, with all that came before; other steps a cut may undo."""
ENDS_FOR_GOOD: Final = frozenset({"complete", "discard"})
WAITING, CLAIMED, FAILED = (0, 1), 2, 9


@dataclass(frozen=True, slots=True)
class Found:
    """A queue after the cut: rows and dead letters as (key, token), rows with their status and retry count."""

    integrity: str
    rows: tuple[tuple[str, int, int, int], ...]
    letters: tuple[tuple[str, int], ...]
    respooled: frozenset[str] = frozenset()
    """Keys of events in the spool: one that was taken in may be there again, since its removal is not synced."""


@dataclass(slots=True)
class _Last:
    """The last step that touched a key, and whether something after it is known to be on the disk."""

    does: str
    token: int
    retry_count: int
    done: bool = False
    certain: bool = False


@dataclass(slots=True)
class Promises:
    """What was announced and acknowledged so far."""

    puts: dict[str, int] = field(default_factory=dict)
    """The newest acknowledged event of each key."""
    acknowledged: int = 0
    ended: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Up to which event a key may be gone: the end of that one was at least begun."""
    _last: dict[str, _Last] = field(default_factory=dict)
    _replayed: dict[str, int] = field(default_factory=dict)
    """The event of the dead letter that was made a job of its own again, by key, until another event came."""

    def note(self, line: bytes) -> None:
        """Take one mark of the workload in."""
        mark = json.loads(line)
        does, done = mark["does"], mark["phase"] == "done"
        if done and does in ON_DISK_WHEN_DONE:
            for last in self._last.values():
                last.certain = last.certain or last.done
        for key, token, retry_count in mark["about"]:
            self._last[key] = _Last(does, token, retry_count, done)
            if does == "replay":
                self._replayed[key] = token
            elif does in PUTS:
                self._replayed.pop(key, None)
            elif does == "requeue" and self._replayed.get(key, token) < token:
                # The job of the letter waits, due at once as the person wished who replayed it. It takes over the newer
                # content, but must not be delayed by that one's retry.
                self._last[key].does = "requeue beside a replay"
            if does in ENDS_FOR_GOOD:
                self.ended[key] = max(self.ended[key], token)
            if done and does in PUTS:
                self.puts[key] = max(self.puts.get(key, 0), token)
                self.acknowledged += 1

    def lost(self, found: Found) -> list[str]:
        """Return what was promised and is not there."""
        there: dict[str, int] = defaultdict(int)
        rows = [(key, token) for key, token, status, _ in found.rows if status != FAILED]  # a letter stands for that
        for key, token in (*rows, *found.letters):
            there[key] = max(there[key], token)
        return [
            f"{key}: event {token} was acknowledged; there is {there[key]}, ended was {self.ended[key]}"
            for key, token in self.puts.items()
            if max(there[key], self.ended[key]) < token
        ] + list(self._undone(found))

    def doubled(self, found: Found) -> list[str]:
        """Return what is there twice, or again though its end is followed by something that is on the disk."""
        waiting = Counter(key for key, _, status, _ in found.rows if status in WAITING)
        live = {(key, token) for key, token, status, _ in found.rows if status in (*WAITING, CLAIMED)}
        twice = [f"{key}: {count} waiting jobs" for key, count in waiting.items() if count > 1]
        both = [
            f"{key}: event {token} waits and is a dead letter"
            for key, token in live & set(found.letters)
            if key not in found.respooled
        ]
        again = [
            f"{key}: event {last.token} waits again after {last.does}"
            for key, last in self._certain("complete", "bury", "discard")
            if (key, last.token) in live and key not in found.respooled
        ]
        return [*twice, *both, *again]

    def redelivered(self, found: Found) -> int:
        """Return how many jobs wait whose end had been acknowledged: harmless, a look at Plex more."""
        return sum(status in WAITING and token <= self.ended[key] for key, token, status, _ in found.rows)

    def _undone(self, found: Found) -> Iterable[str]:
        letters = set(found.letters)
        retries = {(key, token): count for key, token, status, count in found.rows if status in WAITING}
        for key, last in self._certain("bury"):
            if (key, last.token) not in letters:
                yield f"{key}: the dead letter of event {last.token} is gone"
        for key, last in self._certain("requeue"):
            # A newer event that waited took its place, unchanged.
            if retries.get((key, last.token), last.retry_count) != last.retry_count and key not in found.respooled:
                yield f"{key}: retry {last.retry_count} of event {last.token} is forgotten"

    def _certain(self, *steps: str) -> Iterable[tuple[str, _Last]]:
        return [(key, last) for key, last in self._last.items() if last.certain and last.does in steps]


def look(queue: EmbeddedQueue, respooled: frozenset[str] = frozenset()) -> Found:
    """Return what is in an open queue."""
    with queue.reading() as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
        rows = connection.execute("SELECT data, status FROM ack_queue_default").fetchall()
        letters = connection.execute("SELECT job FROM dead_letters").fetchall()
    jobs = [(json.loads(data), status) for data, status in rows]
    return Found(
        integrity,
        tuple((job["job_key"], int(job["data"]["title"]), status, job.get("retry_count", 0)) for job, status in jobs),
        tuple((job["job_key"], int(job["data"]["title"])) for job in (json.loads(data) for (data,) in letters)),
        respooled,
    )
