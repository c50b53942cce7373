"""The queue's cost must not depend on how much waits, is done, or is in back-off: asked of SQLite, not of a clock."""

import time
from collections.abc import Callable

import pytest

from scenesync.queue import awaited_files, listing, transitions
from scenesync.queue.dead_letters import GROUPS, LetterFilter, condition, values_of
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.inbox import _FIND, _INSERT
from scenesync.queue.inbox_merge import MERGE

MakeJob = Callable[..., dict[str, object]]
RunSql = Callable[..., list[tuple[object, ...]]]

NOW = {"now": 1.0, "jumped": 901.0, "owner": "o", "claim_no": 1, "row_id": 1, "job_key": "k", "now_json": "1.0"}
STATEMENTS = {
    "claim": (transitions.CLAIM, NOW),
    "claim by id": (transitions.CLAIM_BY_ID, NOW),
    "due in a lane": (transitions.DUE_IN_LANE, {**NOW, "lane": 0}),
    "claim in a lane": (transitions.CLAIM_IN_LANE, {**NOW, "lane": 0}),
    "finish": (transitions.FINISH, {**NOW, "status": 5}),
    "is held": (transitions.IS_HELD, NOW),
    "next due": (transitions.NEXT_DUE, NOW),
    "waiting by key": (transitions.WAITING_BY_KEY, ("k",)),
    "wake": (awaited_files.WAKE, NOW),
    "asleep": (awaited_files.ASLEEP, ("a", 1.0)),
    "not noted": (awaited_files.UNNOTED, ()),
    "find": (listing.UNDER_KEY, ("k",)),
    "list a page": (listing.PENDING, (10, 5)),
    "hook finds": (_FIND, ("k",)),
    "hook merges": (MERGE, ("{}", 1, 1.0, "1.0", 0)),
    "hook inserts": (_INSERT, ("{}", 1.0, 0, "k")),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_seeks_and_never_walks_the_table(queue: EmbeddedQueue, make_job: MakeJob, name: str) -> None:
    queue.put_many(make_job(number) for number in range(50))
    statement, values = STATEMENTS[name]
    with queue.reading() as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    tables = [step for step in plan if "ack_queue_default" in step or "waiting" in step or "running" in step]
    assert all(step.startswith("SEARCH") for step in tables), plan


def test_the_letters_of_a_scene_are_found_by_their_index(queue: EmbeddedQueue) -> None:
    which = LetterFilter(scene_id=7, error="AmbiguousMatch")
    with queue.reading() as connection:
        statement = f"EXPLAIN QUERY PLAN SELECT id {condition(which)} ORDER BY failed_at DESC"
        plan = [row[3] for row in connection.execute(statement, values_of(which))]
    assert "dead_letters_by_scene" in plan[0], plan


def test_the_letters_of_an_error_are_found_and_counted_by_their_index(queue: EmbeddedQueue) -> None:
    which = LetterFilter(error="AmbiguousMatch")
    with queue.reading() as connection:
        for statement in (f"SELECT id {condition(which)} ORDER BY failed_at DESC, id DESC", GROUPS):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values_of(which))]
            assert "dead_letters_by_error" in plan[0], plan
            assert "TEMP B-TREE FOR ORDER BY" not in plan[-1] or statement == GROUPS, plan


def vm_steps(queue: EmbeddedQueue, work: Callable[[], object]) -> int:
    """Count what SQLite's virtual machine executes during ``work``, in tens."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with queue.reading() as connection:
        connection.set_progress_handler(count, 10)
        try:
            work()
        finally:
            connection.set_progress_handler(None, 0)
    return steps


def claim_and_complete(queue: EmbeddedQueue) -> Callable[[], None]:
    def work() -> None:
        for _ in range(5):
            [claimed] = queue.claim()
            queue.complete(claimed)

    return work


def test_claim_costs_the_same_with_fifty_thousand_jobs_in_back_off(queue: EmbeddedQueue, make_job: MakeJob) -> None:
    later = time.time() + 300
    queue.put_many(make_job(number) for number in range(20))
    queue.put_job(make_job(999, next_retry_at=later))
    alone = vm_steps(queue, claim_and_complete(queue))
    queue.put_many(
        (make_job(number, next_retry_at=later) for number in range(1000, 51_000)), batch_rows=5000, priority=0
    )
    queue.put_many((make_job(number) for number in range(60_000, 65_000)), batch_rows=5000)
    crowded = vm_steps(queue, claim_and_complete(queue))
    assert crowded <= alone * 1.5
    assert vm_steps(queue, queue.next_due_at) <= alone


def test_claim_costs_the_same_after_much_was_completed(queue: EmbeddedQueue, make_job: MakeJob, sql: RunSql) -> None:
    queue.put_many(make_job(number) for number in range(20))
    alone = vm_steps(queue, claim_and_complete(queue))
    sql("""WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
           INSERT INTO ack_queue_default (data, timestamp, status)
           SELECT CAST('{"job_key":"old"}' AS BLOB), 1.0, 5 FROM n""")
    assert vm_steps(queue, claim_and_complete(queue)) <= alone * 1.5
