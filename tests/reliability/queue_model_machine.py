"""Drives real queues on one file and the model side by side, and compares everything after each step."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from queue_model import BULK, FANOUT, PERSON, Job, QueueModel, Row, file_name

from scenesync.queue import inbox, spool
from scenesync.queue.dead_letters import DeadLetter, DeadLetterStore, LetterFilter
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.errors import LeaseLost
from scenesync.queue.snapshot import read_snapshot

if TYPE_CHECKING:
    from queue_model_clock import MovedTime

    from scenesync.domain.job import ClaimedJob

MOST_HANDLES = 3
KEPT_FINISHED = 3

scenes = st.integers(1, 4)
lanes = st.sampled_from([PERSON, BULK, FANOUT])
picks = st.integers(0, 11)
ages_s = st.sampled_from([0.0, 0.0, 5.0, 700.0])
outcomes = st.sampled_from(["complete", "requeue", "requeue", "release", "bury"])
delays_s = st.sampled_from([0.0, 30.0, 600.0])
by_hand = st.sampled_from(
    ["wake", "take in", "drop all", "drop one", "drop old", "replay all", "replay some", "discard", "maintain"]
)
errors = st.sampled_from(["PlexNotFound", "PlexBusy"])
steps_s = st.sampled_from([0.25, 10.0, 45.0, 900.0, 90_000.0])


@dataclass
class Handle:
    """One process, as far as the queue can tell: an open queue with a kernel lock of its own."""

    name: str
    queue: EmbeddedQueue
    resumes: bool  # takes over from the dead whenever a claim finds nothing else
    is_locked: bool = True  # False: its lock is gone, so that others may take it for dead while it still works
    claims: list[ClaimedJob] = field(default_factory=list)


@dataclass
class Tally:
    """What all histories of a run did."""

    steps: int = 0
    events: int = 0
    claimed: int = 0
    crashes: int = 0
    refused: int = 0


class QueueMachine(RuleBasedStateMachine):
    """Rules are what people, hooks, workers, clocks and crashes do; the invariants are what is promised."""

    clock: ClassVar[MovedTime]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="queue-model-"))
        self.queue_folder = self.folder / inbox.QUEUE_FOLDER
        self.model = QueueModel()
        self.handles: list[Handle] = []
        self.dead: set[str] = set()  # who held jobs and is not provably alive
        self.stale: list[tuple[Handle, ClaimedJob]] = []
        self.clock.now += 1000.0
        self.titles = 0
        self.opened = 0

    @initialize()
    def begin(self) -> None:
        self.open_handle(resume=False)
        self.open_handle(resume=True)
        self.put_many([1, 2, 3], BULK, 0, 500)
        self.outside = sqlite3.connect(self.queue_folder / "data.db", isolation_level=None)

    def teardown(self) -> None:
        for handle in self.handles:
            handle.queue.close()
        if hasattr(self, "outside"):
            self.outside.close()
        shutil.rmtree(self.folder)

    # -- events

    @rule(scene=scenes, lane=lanes, age_s=ages_s, pick=picks)
    def put_job(self, scene: int, lane: int, age_s: float, pick: int) -> None:
        event = self.event(scene, age_s=age_s)
        result = self.handle(pick).queue.put_job(event, lane)
        assert (result.row_id, result.merged) == self.model.put(event, lane, self.now)

    @rule(pick=picks, has_key=st.booleans())
    def put_something_else(self, pick: int, *, has_key: bool) -> None:
        fan_out = {**self.event(0), "update_type": "fanout", "job_key": "performer_7"}
        event = fan_out if has_key else {"scene_id": 9, "data": {}, "enqueued_at": self.now}
        lane = FANOUT if has_key else PERSON
        result = self.handle(pick).queue.put_job(event, lane)
        assert (result.row_id, result.merged) == self.model.put(event, lane, self.now)

    @rule(numbers=st.lists(scenes, max_size=7), lane=lanes, pick=picks, batch_rows=st.sampled_from([2, 500]))
    def put_many(self, numbers: list[int], lane: int, pick: int, batch_rows: int) -> None:
        events = [self.event(scene) for scene in numbers]
        result = self.handle(pick).queue.put_many(iter(events), lane, batch_rows=batch_rows)
        merged = [joined for _, joined in (self.model.put(event, lane, self.now) for event in events)]
        assert (result.created, result.merged) == (merged.count(False), merged.count(True))

    @rule(scene=scenes, destroyed=st.booleans())
    def hook_stores(self, scene: int, *, destroyed: bool) -> None:
        self.run_hook(scene, destroyed=destroyed)
        self.model.put(self.hooks_event(scene, destroyed=destroyed), PERSON, self.now)

    @rule(scene=scenes, destroyed=st.booleans())
    def hook_finds_the_queue_busy(self, scene: int, *, destroyed: bool) -> None:
        self.outside.execute("BEGIN IMMEDIATE")
        before = set(spool.event_files(spool.spool_beside(str(self.queue_folder))))
        try:
            self.run_hook(scene, destroyed=destroyed)
        finally:
            self.outside.execute("ROLLBACK")
        [name] = set(spool.event_files(spool.spool_beside(str(self.queue_folder)))) - before
        self.model.spooled[name] = self.hooks_event(scene, destroyed=destroyed)

    @rule(scene=scenes, age_s=ages_s)
    def event_lands_in_the_spool(self, scene: int, age_s: float) -> None:
        event = self.event(scene, age_s=age_s)
        path = spool.write_event(str(self.queue_folder), json.dumps(event).encode())
        self.model.spooled[Path(path).name] = event

    # -- work

    @rule(pick=picks)
    def claim_one(self, pick: int) -> None:
        self.claim(pick, 1)

    @rule(pick=picks, limit=st.integers(2, 4))
    def claim(self, pick: int, limit: int) -> None:
        handle = self.handle(pick)
        claimed = handle.queue.claim(limit)
        if not handle.is_locked:
            self.goes_on_under_a_new_name(handle)
        expected = self.model.claim(handle.name, limit, self.now)
        if handle.resumes and not expected:
            self.lose_orphans(except_for=handle.name)
            expected = self.model.claim(handle.name, limit, self.now)
        assert [(one.row_id, one.deliveries, one.priority) for one in claimed] == [
            (row.row_id, row.deliveries, row.lane) for row in expected
        ]
        assert [one.job for one in claimed] == [{**row.job, "pqid": row.row_id} for row in expected]
        assert [one.enqueued_timestamp for one in claimed] == [row.stored_at for row in expected]
        handle.claims += claimed
        self.tally.claimed += len(claimed)

    @precondition(lambda self: self.in_hand())
    @rule(pick=picks, outcome=outcomes, delay_s=delays_s, error=errors)
    def end_a_job(self, pick: int, outcome: str, delay_s: float, error: str) -> None:
        handle, claim = self.take(pick)
        if outcome == "complete":
            handle.queue.complete(claim)
            self.model.complete(claim.row_id)
        elif outcome == "release":
            handle.queue.release(claim)
            self.model.give_back(claim.row_id)
        elif outcome == "requeue":
            job = self.failed(claim, delay_s, error)
            handle.queue.requeue(claim, job)
            self.model.give_back(claim.row_id, without_row_id(job))
        else:
            letter_id = handle.queue.bury(claim, DeadLetter(claim.job, error, "given up", failed_at=self.now))
            self.model.bury(claim.row_id, error, self.model.row(claim.row_id).job, self.now)
            assert letter_id == self.model.last_letter_id

    @precondition(lambda self: bool(self.stale))
    @rule(pick=picks, step=st.sampled_from(["complete", "requeue", "release", "bury"]))
    def act_on_a_lost_job(self, pick: int, step: str) -> None:
        handle, claim = self.stale[pick % len(self.stale)]
        extra: dict[str, tuple[Any, ...]] = {
            "requeue": (self.failed(claim, 0.0, "PlexBusy"),),
            "bury": (DeadLetter(claim.job, "Late", "too late"),),
        }
        with pytest.raises(LeaseLost):
            getattr(handle.queue, step)(claim, *extra.get(step, ()))
        self.tally.refused += 1

    @precondition(lambda self: self.in_hand() and len(self.handles) > 1)
    @rule(pick=picks, step=st.sampled_from(["complete", "release"]))
    def act_on_the_job_of_another(self, pick: int, step: str) -> None:
        holder, claim = self.in_hand()[pick % len(self.in_hand())]
        other = next(handle for handle in self.handles if handle is not holder)
        with pytest.raises(LeaseLost):
            getattr(other.queue, step)(claim)
        self.tally.refused += 1

    # -- life and death

    @precondition(lambda self: len(self.handles) < MOST_HANDLES)
    @rule(resume=st.booleans())
    def open_handle(self, *, resume: bool) -> None:
        self.opened += 1
        queue = EmbeddedQueue(self.queue_folder, auto_resume=resume, keep_finished=KEPT_FINISHED)
        self.handles.append(Handle(queue._owner.name, queue, resume))
        if resume:
            self.lose_orphans()

    @precondition(lambda self: len(self.handles) > 1)
    @rule(pick=picks)
    def close_handle(self, pick: int) -> None:
        handle = self.handle(pick)
        handle.queue.close()
        self.bury_handle(handle)

    @precondition(lambda self: len(self.handles) > 1)
    @rule(pick=picks)
    def crash(self, pick: int) -> None:
        handle = self.handle(pick)
        drop_kernel_lock(handle.queue)
        handle.queue._puts.close()
        handle.queue._claims.close()
        handle.queue._is_open = False
        self.bury_handle(handle)
        self.tally.crashes += 1

    @precondition(lambda self: any(handle.is_locked and handle.claims for handle in self.handles))
    @rule(pick=picks)
    def lock_is_lost_while_its_process_lives(self, pick: int) -> None:
        candidates = [handle for handle in self.handles if handle.is_locked and handle.claims]
        handle = candidates[pick % len(candidates)]
        drop_kernel_lock(handle.queue)
        handle.is_locked = False
        self.dead.add(handle.name)

    @rule(pick=picks)
    def take_over_dead_owners(self, pick: int) -> None:
        taker = self.handle(pick)
        expected = self.lose_orphans(except_for=taker.name)
        assert taker.queue.take_over_dead_owners() == expected

    # -- the clock

    @rule(seconds=steps_s, back=st.booleans())
    def clock_moves(self, seconds: float, *, back: bool) -> None:
        self.clock.now += -seconds if back else seconds

    # -- by hand

    @rule(pick=picks, scene=scenes, action=by_hand)
    def somebody_steps_in(self, pick: int, scene: int, action: str) -> None:
        queue, model, key = self.handle(pick).queue, self.model, f"scene_{scene}"
        letters = DeadLetterStore(queue)
        ids = [letter.letter_id for letter in model.letters]
        some = ids[pick : pick + 2]
        about = [letter.letter_id for letter in model.letters if letter.job["scene_id"] == scene]
        if action == "wake":
            names = [f"harbour {scene}.mp4", "nowhere.mp4"]
            assert queue.wake_for_files(names) == model.wake(names, self.now)
        elif action == "take in":
            assert queue.take_in_spool() == model.take_in_spool(self.now)
        elif action == "drop all":
            assert queue.drop_pending() == model.drop_pending(self.now)
        elif action == "drop one":
            assert queue.drop_pending(job_key=key) == model.drop_pending(self.now, key=key)
        elif action == "drop old":
            old = self.now - 20.0
            assert queue.drop_pending(older_than=old) == model.drop_pending(self.now, older_than=old)
        elif action == "replay all":
            assert letters.replay() == model.replay(ids, self.now)
        elif action == "replay some":
            assert letters.replay(some) == model.replay(some, self.now)
        elif action == "discard":
            assert letters.discard(LetterFilter(scene_id=scene)) == model.discard(about)
        else:
            queue.maintain()

    # -- what must hold after each step

    @invariant()
    def file_holds_what_the_model_holds(self) -> None:
        self.tally.steps += 1
        stored = self.outside.execute(
            "SELECT _id, status, owner, data, priority, due_at, deliveries, timestamp "
            "FROM ack_queue_default WHERE status <= 2 ORDER BY _id"
        ).fetchall()
        assert [described(row) for row in self.model.rows_in_order()] == [
            (row_id, owner if status == 2 else None, json.loads(data), *rest)
            for row_id, status, owner, data, *rest in stored
        ]
        assert_one_of_a_kind([(json.loads(data).get("job_key"), status == 2) for _, status, _, data, *_ in stored])

    @invariant()
    def letters_are_those_of_the_model(self) -> None:
        letters = DeadLetterStore(self.handles[0].queue).list(newest_first=False)
        assert {(one.id, one.error_type, json.dumps(without_row_id(one.job), sort_keys=True)) for one in letters} == {
            (one.letter_id, one.error_type, json.dumps(one.job, sort_keys=True)) for one in self.model.letters
        }

    @invariant()
    def looking_tells_the_truth(self) -> None:
        for scene in range(1, 5):
            found = self.handles[-1].queue.find(f"scene_{scene}")
            assert {False: [one.row_id for one in found.waiting], True: [one.row_id for one in found.running]} == {
                running: [
                    row.row_id
                    for row in self.model.rows
                    if row.key == f"scene_{scene}" and (row.holder is not None) == running
                ]
                for running in (False, True)
            }
        noted = self.outside.execute(
            "SELECT file_key, json_extract(CAST(data AS TEXT), '$.data.path') FROM ack_queue_default "
            "WHERE status < 2 AND last_error_type = 'PlexNotFound' AND file_key IS NOT NULL"
        ).fetchall()
        assert all(file_key == file_name(path) for file_key, path in noted)
        for handle in self.handles:
            assert handle.queue.next_due_at() == self.model.next_due_at(self.now)
            assert all(handle.queue.confirm_owned(claim) for claim in handle.claims)
        assert not any(handle.queue.confirm_owned(claim) for handle, claim in self.stale)
        assert self.handles[-1].queue.totals() == (self.model.completed, self.model.failed)
        snapshot = read_snapshot(self.queue_folder, self.now)
        waiting, spooled = self.model.waiting(), len(self.model.spooled)
        assert (snapshot.pending, snapshot.due, snapshot.in_progress, snapshot.spooled, snapshot.dead_letters) == (
            len(waiting) + spooled,
            sum(row.is_due(self.now) for row in waiting) + spooled,
            len(self.model.rows) - len(waiting),
            spooled,
            len(self.model.letters),
        )

    # -- parts

    @property
    def now(self) -> float:
        return self.clock.now

    def handle(self, pick: int) -> Handle:
        return self.handles[pick % len(self.handles)]

    def in_hand(self) -> list[tuple[Handle, ClaimedJob]]:
        return [(handle, claim) for handle in self.handles for claim in handle.claims]

    def take(self, pick: int) -> tuple[Handle, ClaimedJob]:
        """Take a job in hand off the books; whoever uses this claim again is late."""
        handle, claim = self.in_hand()[pick % len(self.in_hand())]
        handle.claims.remove(claim)
        self.stale.append((handle, claim))
        return handle, claim

    def event(self, scene: int, *, age_s: float = 0.0) -> Job:
        self.titles += 1
        self.tally.events += 1
        return {
            "scene_id": scene,
            "update_type": "metadata",
            "data": {"title": f"Harbour {self.titles}", **self.hint_of_the_path(scene)},
            "enqueued_at": self.now - age_s,
            "job_key": f"scene_{scene}",
        }

    def hint_of_the_path(self, scene: int) -> dict[str, str]:
        """Return where the scene lies; it is moved at times, and at times the event does not say."""
        names = (f"Harbour {scene}.mp4", f"Harbour {scene} again.mp4", None, f"HARBOUR {scene}.mp4")
        name = names[self.titles % len(names)]
        return {} if name is None else {"path": f"/data/Travel/{name}"}

    def run_hook(self, scene: int, *, destroyed: bool) -> None:
        self.titles += 1
        trigger = "Scene.Destroy.Post" if destroyed else "Scene.Update.Post"
        document = inbox.Document(is_hook=True, trigger=trigger, object_id=scene, title=f"Harbour {self.titles}")
        try:
            assert inbox.store(document, str(self.folder)) is None
        finally:
            for connection in inbox._LEFT_OPEN:
                connection.close()  # type: ignore[attr-defined]
            inbox._LEFT_OPEN.clear()

    def hooks_event(self, scene: int, *, destroyed: bool) -> Job:
        """Return the event that ``run_hook`` has just stored."""
        self.tally.events += 1
        return {
            "scene_id": scene,
            "update_type": "destroy" if destroyed else "metadata",
            "data": {"title": f"Harbour {self.titles}"},
            "enqueued_at": self.now,
            "job_key": f"scene_{scene}",
        }

    def failed(self, claim: ClaimedJob, delay_s: float, error: str) -> Job:
        retries = claim.job.get("retry_count", 0) + 1
        return {
            **claim.job,
            "retry_count": retries,
            "next_retry_at": self.now + delay_s,
            "last_error_type": error,
        }

    def lose_orphans(self, *, except_for: str | None = None) -> int:
        """Take the jobs of the dead from them, in the model and on the books; return how many."""
        dead = self.dead - {except_for}
        for handle in self.handles:
            if handle.name in dead:
                self.stale += [(handle, claim) for claim in handle.claims]
                handle.claims.clear()
        return self.model.take_over(dead, self.now)

    def goes_on_under_a_new_name(self, handle: Handle) -> None:
        """A queue that finds its lock gone passes for dead: what it held is lost to it, what it claims now is not."""
        assert handle.queue._owner.name != handle.name
        self.stale += [(handle, claim) for claim in handle.claims]
        handle.claims.clear()
        handle.name, handle.is_locked = handle.queue._owner.name, True

    def bury_handle(self, handle: Handle) -> None:
        self.handles.remove(handle)
        self.dead.add(handle.name)
        self.stale = [(holder, claim) for holder, claim in self.stale if holder is not handle]


def drop_kernel_lock(queue: EmbeddedQueue) -> None:
    """Do to the lock what the death of its process does: the descriptor goes, the file stays."""
    lock = queue._owner._lock
    if lock._fd is not None:
        os.close(lock._fd)
    # A dead process claims nothing any more; one that lives on still believes that it holds the lock.
    lock._fd = None if lock._fd is None else os.open(os.devnull, os.O_RDONLY)


def described(row: Row) -> tuple[object, ...]:
    return (row.row_id, row.holder, row.job, row.lane, row.due_at, row.deliveries, row.stored_at)


def assert_one_of_a_kind(keys: list[tuple[str | None, bool]]) -> None:
    """At most one waiting and one running job per key, whatever the model thinks."""
    named = [pair for pair in keys if pair[0] is not None]
    assert len(named) == len(set(named)), f"two jobs of one key: {sorted(named)}"


def without_row_id(job: Job) -> Job:
    return {name: value for name, value in job.items() if name != "pqid"}
