"""The operations of the real queue, each with its line in the record before and after."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import time
from typing import TYPE_CHECKING, Any, Final

from scenesync.domain.job import scene_job, scene_key
from scenesync.queue import inbox, spool
from scenesync.queue.dead_letters import DeadLetter, DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import LeaseLost, QueueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from crash_record import Record

    from scenesync.domain.job import ClaimedJob, Job

PERSON, BULK = 0, 10
# Who takes over from the dead, or sweeps up after them, holds their lock for an instant (longer if it is suspended just
# then); others think so long that they live.
OVERTAKING_S: Final = 20.0
_HAS_CLAIMED: Final = "SELECT 1 FROM ack_queue_default WHERE status = 2 AND owner = ?"


class Enqueuer:
    """The ways in that need no open queue. An event's title is its token: its name in the record."""

    def __init__(self, data_dir: str, record: Record) -> None:
        self.data_dir = data_dir
        self.queue_folder = os.path.join(data_dir, inbox.QUEUE_FOLDER)  # noqa: PTH118 (as the hook does)
        self.record = record
        self._steps = itertools.count(1)

    def put_as_hook(self, scene_id: int) -> None:
        """Store an event in the way of the hook. Raises OSError if it could be kept nowhere."""
        with self._putting("hook", [scene_id]) as jobs:
            document = inbox.Document(
                is_hook=True,
                trigger="Scene.Update.Post",
                object_id=scene_id,
                title=jobs[0]["data"]["title"],
                path=jobs[0]["data"]["path"],
            )
            inbox.store(document, self.data_dir)

    def put_into_spool(self, scene_id: int) -> None:
        """Leave an event beside the queue, as a hook does that finds it busy. Raises OSError."""
        with self._putting("spool", [scene_id]) as jobs:
            spool.write_event(self.queue_folder, json.dumps(jobs[0]).encode())

    @contextlib.contextmanager
    def _putting(self, way: str, scene_ids: Sequence[int]) -> Iterator[list[Job]]:
        step = next(self._steps)
        tokens = [f"{self.record.writer}.{step}.{number}" for number in range(len(scene_ids))]
        events = [[scene_key(scene_id), token] for scene_id, token in zip(scene_ids, tokens, strict=True)]
        with self._recorded("put", {"way": way, "events": events}, step):
            # Not earlier: by these times the queue puts spooled events in order, by these lines the record does.
            yield [
                scene_job(scene_id, time.time(), data={"title": token, "path": f"/films/{scene_id}.mkv"})
                for scene_id, token in zip(scene_ids, tokens, strict=True)
            ]

    @contextlib.contextmanager
    def _recorded(
        self, op: str, facts: Mapping[str, object] | None = None, step: int = 0
    ) -> Iterator[dict[str, object]]:
        step = step or next(self._steps)
        result: dict[str, object] = {}
        self.record.write(op, "begin", step, **(facts or {}))
        try:
            yield result
        except LeaseLost:
            self.record.write(op, "refused", step)
            raise
        except (QueueError, OSError) as error:
            self.record.write(op, "failed", step, error=type(error).__name__, text=str(error))
            raise
        self.record.write(op, "done", step, **result)


class RecordedQueue(Enqueuer):
    """An open queue; ``held`` are the jobs in its hands."""

    def __init__(self, data_dir: str, record: Record, **options: Any) -> None:
        super().__init__(data_dir, record)
        self.held: list[ClaimedJob] = []
        with self._recorded("open"):
            self.queue = EmbeddedQueue(self.queue_folder, **options)

    def put(self, scene_id: int, priority: int = PERSON) -> None:
        with self._putting("put_job", [scene_id]) as jobs:
            self.queue.put_job(jobs[0], priority)

    def put_many(self, scene_ids: Sequence[int], batch_rows: int = 3) -> None:
        with self._putting("put_many", scene_ids) as jobs:
            self.queue.put_many(jobs, BULK, batch_rows)

    def claim(self, limit: int = 1) -> list[ClaimedJob]:
        with self._recorded("claim") as result:
            claimed = self.queue.claim(limit)
            result["jobs"] = [
                [one.row_id, one.claim_no, one.job_key, token_of(one.job), one.job.get("retry_count", 0)]
                for one in claimed
            ]
        self.held += claimed
        return claimed

    def complete(self, claimed: ClaimedJob) -> None:
        self._end("complete", claimed, lambda: self.queue.complete(claimed))

    def requeue(self, claimed: ClaimedJob, due_in_s: float = 0.0) -> None:
        retry = {
            "retry_count": claimed.job.get("retry_count", 0) + 1,
            "next_retry_at": time.time() + due_in_s,
            "last_error_type": "PlexTemporaryError",
        }
        self._end("requeue", claimed, lambda: self.queue.requeue(claimed, {**claimed.job, **retry}), **retry)

    def release(self, claimed: ClaimedJob) -> None:
        self._end("release", claimed, lambda: self.queue.release(claimed))

    def bury(self, claimed: ClaimedJob) -> None:
        letter = DeadLetter.from_error(claimed.job, RuntimeError("no such item"), failed_at=time.time())
        self._end("bury", claimed, lambda: self.queue.bury(claimed, letter))

    def replay(self) -> None:
        with self._recorded("replay"):
            DeadLetterStore(self.queue).replay()

    def take_in_spool(self) -> None:
        with self._recorded("take_in"):
            self.queue.take_in_spool()

    def take_over(self) -> None:
        with self._recorded("take_over"):
            self.queue.take_over_dead_owners()

    def take_over_from(self, dead: RecordedQueue, patience_s: float = OVERTAKING_S) -> None:
        """Take over until ``dead`` holds nothing any more, or ``patience_s`` have passed."""
        deadline = time.monotonic() + patience_s
        self.take_over()
        while self._is_in_hands_of(dead) and time.monotonic() < deadline:
            self.take_over()

    def _is_in_hands_of(self, other: RecordedQueue) -> bool:
        with self.queue.reading() as connection:
            return connection.execute(_HAS_CLAIMED, (other.queue._owner.name,)).fetchone() is not None

    def maintain(self) -> None:
        with self._recorded("maintain"):
            self.queue.maintain()

    def drain(self, timeout_s: float = 60.0) -> None:
        """Complete all that waits, whether due yet or soon."""
        deadline = time.monotonic() + timeout_s
        while self.claim(8) or self.queue.total:
            for claimed in tuple(self.held):
                self.complete(claimed)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.queue.total} jobs cannot be claimed")

    def close(self) -> None:
        self.record.write("gone", writer_gone=self.record.writer)
        with self._recorded("close"):
            self.queue.close()

    def lose_claims(self) -> None:
        """Lose the proof of being alive while working on, as a process does whose lock file somebody swept away."""
        self.record.write("gone", writer_gone=self.record.writer)
        self.queue._owner.retire()

    def _end(self, op: str, claimed: ClaimedJob, end: Callable[[], object], **facts: object) -> None:
        with self._recorded(op, facts={"row": claimed.row_id, "claim_no": claimed.claim_no, **facts}):
            end()
        self.held.remove(claimed)


def seeded(seed: int) -> random.Random:
    """Return a source of chance that can be repeated."""
    return random.Random(seed)  # noqa: S311 (nothing here is secret)


def token_of(job: Job) -> str | None:
    """Return the token of the event that is the content of ``job``."""
    data = job.get("data")
    return data.get("title") if isinstance(data, dict) else None
