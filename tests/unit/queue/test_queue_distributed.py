"""What is PostgreSQL's and Procrastinate's alone; what every engine promises, the tests of ``both_engines`` ask."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from private_postgres import PrivatePostgres
from procrastinate.schema import SchemaManager
from queue_engines import on_postgres

from scenesync.domain.paths import name_key
from scenesync.queue.dead_letters import DeadLetter
from scenesync.queue.distributed import looking, outboxes, schema, steps
from scenesync.queue.distributed import queue as distributed
from scenesync.queue.distributed.connections import Connection, Server, translate
from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.distributed.steps import Claim
from scenesync.queue.errors import LeaseLost, QueueError, QueueLocked, QueueUnreachable, QueueUnsupported
from scenesync.queue.records import PRIORITY_BULK, ClaimedJob, OutboxEvent

MakeJob = Callable[..., dict[str, object]]
OpenQueue = Callable[..., DistributedQueue]

SECRET = "not-a-real-password"
TRIED = 'connection failed: connection to server at "192.0.2.9", port 5432 failed: FATAL: '
NO_SIGN = {"heartbeat_s": 3600.0}

_SLEEPERS = """
    WITH new AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, scheduled_at)
        SELECT 'scenesync.asleep', 'scenesync', -1000, 'scenesync:scene_' || n, 'scenesync:scene_' || n,
            now() + interval '300 s'
        FROM generate_series(%(first)s::int, %(last)s::int) AS n RETURNING id, lock, scheduled_at)
    INSERT INTO scenesync_jobs (job_id, data, lane, event_at, stored_at, due_at, wakes_at, last_error_type, file_key)
    SELECT id, '{"scene_id": 1}', 10, 0, 0, extract(epoch FROM scheduled_at), scheduled_at, 'PlexNotFound', lock
    FROM new"""
_END_ALL_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_OBJECTS = """
    SELECT format('%s %s %s', table_name, column_name, data_type) FROM information_schema.columns
    WHERE table_schema = 'scenesync'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'scenesync'
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'scenesync'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"""


def retry_of(claimed: ClaimedJob, delay_s: float = 60.0) -> dict[str, object]:
    state = {"retry_count": 1, "next_retry_at": time.time() + delay_s, "last_error_type": "PlexBusy"}
    return {**claimed.job, **state}


# -- a failing job beside a newer event


@on_postgres
@pytest.mark.parametrize("way_back", ["requeue", "release", "take over"])
def test_whatever_way_a_job_goes_back_beside_a_newer_event_the_scene_is_not_stuck(
    queue: DistributedQueue, open_queue: OpenQueue, make_job: MakeJob, way_back: str
) -> None:
    worker = open_queue()
    queue.put_job(make_job(1, data={"title": "old"}))
    [claimed] = worker.claim()
    queue.put_job(make_job(1, data={"title": "new"}))
    if way_back == "requeue":
        worker.requeue(claimed, retry_of(claimed))
    elif way_back == "release":
        worker.release(claimed)
    else:
        worker.close()
        assert queue.take_over_dead_owners() == 1
    [again] = queue.claim(5)
    assert again.job["data"] == {"title": "new"}
    queue.complete(again)
    assert queue.snapshot().pending == queue.snapshot().in_progress == 0


@on_postgres
def test_a_job_that_fails_in_the_very_moment_of_a_newer_event_is_one_job_afterwards(
    queue: DistributedQueue, open_queue: OpenQueue, make_job: MakeJob
) -> None:
    other, failures = open_queue(), []

    def put(number: int) -> None:
        try:
            other.put_job(make_job(1, data={"title": str(number)}))
        except QueueError as error:
            failures.append(error)

    queue.put_job(make_job(1))
    for number in range(15):
        [claimed] = queue.claim()
        thread = threading.Thread(target=put, args=(number,))
        thread.start()
        queue.requeue(claimed, retry_of(claimed, delay_s=-1))
        thread.join()
        assert queue.total == 1
        assert queue.list_pending()[0].job["data"] == {"title": str(number)}
    assert failures == []


# -- many that sleep


def blocks(queue: DistributedQueue, statement: str, values: dict[str, object]) -> int:
    """Count the blocks that a statement looks at, once its plans are made; nothing is changed."""
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}".encode()
    with queue._server.transaction() as connection:
        for _ in range(2):
            with connection.transaction(force_rollback=True):
                let_take(connection, values)
                [(plan,)] = connection.execute(explain, values).fetchall()
    return plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]


def let_take(connection: Connection, values: dict[str, object]) -> None:
    """Note what was fetched in this transaction, as the step before does."""
    connection.execute("SELECT set_config(%s, %s::bigint[]::text, true)", (steps._FETCHED, values.get("ids", [])))


def blocks_of_a_claim(queue: DistributedQueue) -> int:
    values = {"queues": steps.ALL_QUEUES, "worker": None, "limit": 5}
    return blocks(queue, steps._LIFT, values) + blocks(queue, steps._FETCH, values)


@on_postgres
def test_a_hundred_thousand_sleepers_do_not_slow_what_is_due_whatever_the_planner_knows(
    queue: DistributedQueue, empty_database: str, make_job: MakeJob
) -> None:
    queue.put_many(make_job(number) for number in range(1, 4))
    alone = blocks_of_a_claim(queue)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no triggers: these were put long ago
        connection.execute(_SLEEPERS, {"first": 1000, "last": 101_000})
        unknown = blocks_of_a_claim(queue)
        connection.execute("ANALYZE procrastinate_jobs, scenesync_jobs")
    known = blocks_of_a_claim(queue)
    assert max(unknown, known) <= alone * 2, "a level more of each index, and no walk"
    assert [one.scene_id for one in queue.claim(5)] == [1, 2, 3]
    assert blocks_of_a_claim(queue) <= alone
    assert queue.claim(5) == []
    assert queue.next_due_at() == pytest.approx(time.time() + 300, abs=60)
    queue.put_job(make_job(1, data={"title": "newer"}))
    assert blocks_of_a_claim(queue) <= alone, "what waits for a running one makes nobody walk over all that sleep"


STEPS = {
    "lift": steps._LIFT,
    "fetch": steps._FETCH,
    "take": steps._TAKE,
    "hold": steps._HOLD,
    "end": steps._END,
    "orphans": steps._ORPHANS,
    "waiting": steps._WAITING,
    "waiting beside": steps._WAITING_BESIDE,
    "key of a row": steps._HOLD_KEY_OF,
    "waiting keys": steps.WAITING_KEYS,
    "wake": steps._AWAITING,
    "find": looking._UNDER_LOCKS,
    "list": looking._PENDING,
    "when": looking._WAKES_IN,
    "is due": looking._IS_DUE,
}


ROWS_READ = "SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_xact_user_tables"


def values_of_steps(queue: DistributedQueue, claims: list[ClaimedJob]) -> dict[str, object]:
    lock = steps.lock_of({"job_key": "scene_120"})
    return {
        **steps._fence(claims, queue._life.worker()),
        "queues": steps.ALL_QUEUES,
        "limit": 1,
        "status": "succeeded",
        "lock": lock,
        "locks": [lock],
        "id": claims[0].row_id if claims else 0,
        "keys": ["7.mp4"],
        "after": 0,
    }


@on_postgres
def test_a_step_costs_the_same_whatever_else_waits(queue: DistributedQueue, make_job: MakeJob) -> None:
    def costs() -> dict[str, int]:
        return {name: blocks(queue, statement, values) for name, statement in STEPS.items()}

    state = {"retry_count": 1, "next_retry_at": time.time() + 600, "last_error_type": "PlexNotFound"}
    queue.put_many(make_job(number, data={"path": f"/{number}.mp4"}, **state) for number in range(1, 31))
    queue.put_many(make_job(number) for number in range(101, 131))
    values = values_of_steps(queue, queue.claim(5)[:1])
    few = costs()
    queue.put_many(make_job(number, data={"path": f"/{number}.mp4"}, **state) for number in range(1000, 2500))
    queue.put_many(make_job(number) for number in range(10_000, 12_500))
    many = costs()
    assert {name: (few[name], many[name]) for name in STEPS if many[name] > few[name] * 2 + 4} == {}


@on_postgres
def test_what_was_planned_while_nothing_waited_walks_over_nothing_afterwards(
    queue: DistributedQueue, make_job: MakeJob
) -> None:
    """A worker's connections are older than what comes in while it runs, and keep their plans until an ANALYZE."""

    def rows_read(values: dict[str, object]) -> dict[str, int]:
        read = {}
        for name, statement in STEPS.items():
            with queue._server.transaction() as connection, connection.transaction(force_rollback=True):
                let_take(connection, values)
                [(before,)] = connection.execute(ROWS_READ).fetchall()
                connection.execute(statement.encode(), values, prepare=True)
                [(after,)] = connection.execute(ROWS_READ).fetchall()
                read[name] = after - before
        return read

    for _ in range(8):  # from the sixth time on the server keeps a plan
        rows_read(values_of_steps(queue, []))
    state = {"retry_count": 1, "next_retry_at": time.time() + 600, "last_error_type": "PlexNotFound"}
    queue.put_many(make_job(number) for number in range(10_000, 12_000))
    queue.put_many(make_job(number, data={"path": f"/{number}.mp4"}, **state) for number in range(20_000, 22_000))
    values = values_of_steps(queue, queue.claim())
    assert {name: count for name, count in rows_read(values).items() if count > 30} == {}


@on_postgres
def test_sleepers_come_when_their_time_has_come_behind_the_fresh_ones_of_their_lane(
    queue: DistributedQueue, empty_database: str, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1))
    [claimed] = queue.claim()
    queue.requeue(claimed, retry_of(claimed))
    queue.put_job(make_job(2), PRIORITY_BULK)
    assert [one.scene_id for one in queue.claim(5)] == [2]
    assert queue.next_due_at() == pytest.approx(time.time() + 60, abs=10)
    with psycopg.connect(empty_database) as connection:
        connection.execute("UPDATE scenesync_jobs SET wakes_at = now()")
    assert queue.next_due_at() == 0
    queue.put_job(make_job(3))
    assert [one.scene_id for one in queue.claim(5)] == [3, 1]


# -- the dead and the living


@on_postgres
def test_a_worker_without_a_sign_of_life_is_dead_after_a_while_and_not_before(
    open_queue: OpenQueue, make_job: MakeJob
) -> None:
    silent, other = open_queue(**NO_SIGN), open_queue(auto_resume=False, stall_s=0.6)
    silent.put_job(make_job(1))
    [claimed] = silent.claim()
    time.sleep(0.7)
    assert other.take_over_dead_owners() == 0, "late it is, but nobody has watched it be silent"
    assert silent.confirm_owned(claimed)
    time.sleep(0.25)
    assert other.take_over_dead_owners() == 1
    assert not silent.confirm_owned(claimed)
    with pytest.raises(LeaseLost):
        silent.complete(claimed)
    [again] = other.claim()
    assert (again.scene_id, again.deliveries) == (1, 2)
    other.complete(again)


@on_postgres
def test_a_yes_counts_for_nothing_once_no_sign_of_life_arrived_for_long(
    open_queue: OpenQueue, make_job: MakeJob
) -> None:
    silent, other = open_queue(**NO_SIGN, stall_s=0.6), open_queue(auto_resume=False)
    silent.put_job(make_job(1))
    [claimed] = silent.claim()
    time.sleep(0.45)
    with pytest.raises(QueueUnreachable, match="no sign of life"):  # a third of it is left to whoever writes
        silent.confirm_owned(claimed)
    silent.release(claimed)
    assert [each.scene_id for each in other.claim()] == [1]


@on_postgres
def test_who_passed_for_dead_is_refused_also_before_its_job_went_back(
    queue: DistributedQueue, empty_database: str, make_job: MakeJob
) -> None:
    queue.put_job(make_job(1))
    [claimed] = queue.claim()
    with psycopg.connect(empty_database) as connection:
        connection.execute("DELETE FROM procrastinate_workers")
    assert not queue.confirm_owned(claimed)
    with pytest.raises(LeaseLost):
        queue.complete(claimed)
    assert queue.take_over_dead_owners() == 1


@on_postgres
def test_a_worker_that_gives_signs_keeps_its_job_however_long_that_takes(
    open_queue: OpenQueue, make_job: MakeJob
) -> None:
    busy, other = open_queue(heartbeat_s=0.1), open_queue(stall_s=0.6)
    busy.put_job(make_job(1))
    [claimed] = busy.claim()
    for _ in range(5):
        time.sleep(0.3)
        assert other.take_over_dead_owners() == 0
    busy.complete(claimed)


@on_postgres
def test_a_worker_that_passed_for_dead_goes_on_as_a_new_one(open_queue: OpenQueue, make_job: MakeJob) -> None:
    silent, other = open_queue(**NO_SIGN), open_queue(auto_resume=False, stall_s=0.1)
    silent.put_job(make_job(1))
    [lost] = silent.claim()
    for _ in range(2):
        other.take_over_dead_owners()
        time.sleep(0.15)
    other.take_over_dead_owners()
    [claimed] = silent.claim()
    assert claimed.claim_no != lost.claim_no
    with pytest.raises(LeaseLost):
        silent.complete(lost)
    silent.complete(claimed)


# -- a database that goes away


@on_postgres
def test_work_goes_on_when_postgresql_was_away(
    queue: DistributedQueue, postgres: PrivatePostgres, make_job: MakeJob
) -> None:
    queue.put_many(make_job(number) for number in range(1, 4))
    [claimed] = queue.claim()
    postgres.stop()
    try:
        queue._server._pool.timeout = 0.5
        with pytest.raises(QueueUnreachable, match=r"queue on 127\.0\.0\.1"):
            queue.put_job(make_job(9))
    finally:
        postgres.start()
    queue._server._pool.timeout = 10
    queue.complete(claimed)
    assert {one.scene_id for one in queue.claim(9)} == {2, 3}
    assert queue.claim() == []
    timer = threading.Timer(0.2, queue.put_job, (make_job(9),))
    timer.start()
    assert queue.wait_for_change(20)
    timer.join()


@on_postgres
def test_what_a_claim_took_whose_answer_was_lost_is_claimed_again(
    queue: DistributedQueue, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = steps.claim

    def cut_off_after_the_commit(connection: psycopg.Connection[tuple[object, ...]], *values: Any) -> None:
        claim(connection, *values)
        connection.execute("COMMIT")
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    queue.put_many(make_job(number) for number in (1, 2))
    [kept] = queue.claim()
    with monkeypatch.context() as broken:
        broken.setattr(steps, "claim", cut_off_after_the_commit)
        with pytest.raises(QueueUnreachable):
            queue.claim()
    assert queue.snapshot().in_progress == 2
    assert [one.scene_id for one in queue.claim(5)] == [2]
    assert queue.confirm_owned(kept)


@on_postgres
def test_a_job_whose_end_the_server_forgets_in_a_crash_runs_once_more_although_its_worker_lives(
    queue: DistributedQueue, empty_database: str, make_job: MakeJob
) -> None:
    queue.put_many(make_job(number) for number in (1, 2))
    done, kept = queue.claim(2)
    queue.complete(done)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", (done.row_id,))
        connection.execute("UPDATE scenesync_jobs SET ended = NULL")
        assert queue.claim() == []
        connection.execute(_END_ALL_OTHERS)
    until = time.monotonic() + 20
    again: list[ClaimedJob] = []
    while not again and time.monotonic() < until:
        with contextlib.suppress(QueueUnreachable):
            again = queue.claim()
        time.sleep(0.05)
    assert [one.scene_id for one in again] == [done.scene_id]
    assert queue.confirm_owned(kept), "what is in hand stays there"


@on_postgres
def test_a_crash_of_the_server_leaves_no_job_with_a_worker_that_does_not_know_of_it(
    queue: DistributedQueue, postgres: PrivatePostgres, make_job: MakeJob
) -> None:
    queue.put_many(make_job(number) for number in range(1, 31))
    claims = queue.claim(30)
    done, kept = claims[:20], claims[20:]
    for claimed in done:
        queue.complete(claimed)
    postgres.stop()  # some of those ends are on no disk yet
    postgres.start()
    again: list[ClaimedJob] = []
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(QueueUnreachable):
            again += queue.claim(30)
            if queue.snapshot().in_progress == len(again) + len(kept):
                break
        time.sleep(0.05)
    assert {one.scene_id for one in again} <= {one.scene_id for one in done}
    assert queue.complete_all([*again, *kept]) == []
    assert (queue.snapshot().in_progress, queue.snapshot().completed_total) == (0, 30)


@on_postgres
def test_the_end_of_a_job_that_is_done_waits_for_no_disk_and_nothing_else_is_so_careless(
    queue: DistributedQueue, make_job: MakeJob
) -> None:
    """What a power cut may take is that a job is done, never a job, its retry state or a dead letter."""
    queue.put_many(make_job(number) for number in (1, 2))
    waits_for: dict[str, object] = {}
    for claimed, status in zip(queue.claim(2), (steps.SUCCEEDED, steps.FAILED), strict=True):
        with queue._server.transaction() as connection:
            steps.finish(connection, Claim(claimed.row_id, claimed.claim_no, queue._life.worker()), status)
            [(waits_for[status],)] = connection.execute("SHOW synchronous_commit").fetchall()
    with queue._server.transaction() as connection:
        [(waits_for["afterwards"],)] = connection.execute("SHOW synchronous_commit").fetchall()
    assert waits_for == {"succeeded": "off", "failed": "on", "afterwards": "on"}


@on_postgres
def test_of_two_that_slept_the_one_that_was_due_earlier_comes_first(queue: DistributedQueue, make_job: MakeJob) -> None:
    queue.put_many(make_job(number) for number in (1, 2))
    now = time.time()
    for claimed, sleep_s in zip(queue.claim(2), (0.8, 0.4), strict=True):
        queue.requeue(claimed, {**claimed.job, "retry_count": 1, "next_retry_at": now + sleep_s})
    time.sleep(1.0)

    assert [queue.claim()[0].scene_id for _ in range(2)] == [2, 1]


def test_a_lock_of_another_session_is_not_said_to_be_a_file() -> None:
    ours = translate(psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"), "films on db:5432")

    assert isinstance(ours, QueueLocked)
    assert "another session" in str(ours).lower()
    assert "file" not in str(ours)


def test_a_server_that_is_not_there_is_said_to_be_without_its_password() -> None:
    with pytest.raises(QueueUnreachable) as caught:
        DistributedQueue(f"postgresql://someone:{SECRET}@127.0.0.1:1/films")
    assert "films on 127.0.0.1:1" in str(caught.value)
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize(
    ("error", "is_refused"),
    [
        (psycopg.OperationalError(f'{TRIED} password authentication failed for user "someone"'), True),
        (psycopg.OperationalError(f'{TRIED} role "someone" is not permitted to log in'), True),
        (psycopg.OperationalError(f'{TRIED} no pg_hba.conf entry for host "192.0.2.7", user "someone"'), True),
        (psycopg.OperationalError(f'{TRIED} database "films" does not exist\nMultiple attempts failed.'), True),
        (psycopg.errors.InvalidPassword("x"), True),
        (psycopg.errors.InvalidCatalogName("x"), True),
        (psycopg.OperationalError(f"{TRIED} sorry, too many clients already"), False),
        (psycopg.OperationalError(f"{TRIED} the database system is starting up"), False),
        (psycopg.errors.TooManyConnections("x"), False),
        (psycopg.OperationalError("connection failed: Connection refused"), False),
    ],
)
def test_a_server_that_does_not_let_in_is_told_from_one_that_is_away(error: psycopg.Error, *, is_refused: bool) -> None:
    ours = translate(error, "films on db:5432")

    assert isinstance(ours, QueueUnreachable), "who works waits for a person as for the server"
    assert ("database_url" in str(ours), "answers again" in str(ours)) == (is_refused, not is_refused)
    assert "films on db:5432" in str(ours)
    assert TRIED not in str(ours) or not is_refused


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(QueueUnsupported) as caught:
        Server(f"postgresql://someone:{SECRET}@[oops/films?x", timeout_s=1)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_every_operational_error_has_a_meaning_and_bugs_have_none() -> None:
    waiting, kinds = [psycopg.OperationalError], set()
    while waiting:
        kind = waiting.pop()
        kinds.add(kind)
        waiting += kind.__subclasses__()
    assert len(kinds) > 50
    assert [kind for kind in kinds if translate(kind("x"), "here") is None] == []
    assert translate(psycopg.errors.UniqueViolation("x"), "here") is None
    assert translate(psycopg.errors.SyntaxError("x"), "here") is None


# -- its schema


def database(postgres: PrivatePostgres, request: pytest.FixtureRequest) -> str:
    """A new database with nothing in its schema, which the tests' own connections look into too."""
    url = postgres.new_database(request.node.name[:60])
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA scenesync")
        connection.execute(f'ALTER DATABASE "{request.node.name[:60]}" SET search_path = scenesync'.encode())
    return url


def prepare(url: str) -> None:
    server = Server(url, timeout_s=10)
    try:
        schema.prepare(server)
    finally:
        server.close()


def objects(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [text for (text,) in connection.execute(_OBJECTS).fetchall()]


def test_a_database_that_nobody_prepared_is_refused_and_preparing_twice_changes_nothing(
    postgres: PrivatePostgres, request: pytest.FixtureRequest
) -> None:
    url = database(postgres, request)
    with pytest.raises(QueueUnsupported, match="not ready"):
        DistributedQueue(url)
    prepare(url)
    before = objects(url)
    prepare(url)
    assert objects(url) == before
    DistributedQueue(url).close()


def test_a_queue_of_an_older_procrastinate_becomes_todays(
    postgres: PrivatePostgres, request: pytest.FixtureRequest, database_url: str
) -> None:
    url = database(postgres, request)
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE scenesync_queue_schema (step text PRIMARY KEY, ran_at timestamptz DEFAULT now())"
        )
        for file in files[:-4]:
            connection.execute(file.read_bytes())
            connection.execute("INSERT INTO scenesync_queue_schema VALUES (%s)", (f"procrastinate {file.stem}",))
    with pytest.raises(QueueUnsupported, match=files[-4].stem):
        DistributedQueue(url)
    prepare(url)
    of_procrastinate = [text for text in objects(url) if "scenesync" not in text and "FUNCTION" in text]
    assert of_procrastinate == [
        text for text in objects(database_url) if "scenesync" not in text and "FUNCTION" in text
    ]
    queue = DistributedQueue(url)
    queue.put_job({"scene_id": 1, "job_key": "scene_1"})
    assert [one.scene_id for one in queue.claim()] == [1]
    queue.close()


def test_a_database_that_another_program_uses_with_procrastinate_is_left_alone(
    postgres: PrivatePostgres, request: pytest.FixtureRequest
) -> None:
    url = database(postgres, request)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SchemaManager.get_schema().encode())
    before = objects(url)
    with pytest.raises(QueueUnsupported, match="of its own"):
        prepare(url)
    assert objects(url) == before


# -- the rest


@on_postgres
def test_finished_jobs_are_pruned_however_many_and_stay_counted(
    open_queue: OpenQueue, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue(keep_finished=3)
    queue.put_many(make_job(number) for number in range(1, 11))
    failed, *done = queue.claim(10)
    queue.bury(failed, DeadLetter(failed.job, "Bug", "x"))
    queue.complete_all(done)
    monkeypatch.setattr(distributed, "_PRUNED_AT_ONCE", 3)
    queue.maintain()
    assert queue.totals() == (9, 1)
    with queue._server.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM scenesync_jobs").fetchone() == (3,)


@on_postgres
def test_texts_that_postgresql_cannot_hold_cost_no_letter_and_no_job(queue: DistributedQueue) -> None:
    queue.put_job({"scene_id": "seven", "job_key": "scene_x", "data": {"title": "a\0b \ud800"}})
    [claimed] = queue.claim()
    letter_id = queue.bury(claimed, DeadLetter(claimed.job, "Bug", "a\0b \ud800", details={"x": "\0"}))
    letter = queue.dead_letters.get(letter_id)
    assert letter is not None
    assert (letter.message, letter.details) == ("a\ufffdb ?", {"x": "\0"})
    assert letter.job["data"] == {"title": "a\0b \ud800"}


@on_postgres
def test_a_file_name_that_postgresql_cannot_hold_is_waited_for_like_any_other(
    queue: DistributedQueue, make_job: MakeJob
) -> None:
    path = "/films/a\0b\ud800.mp4"
    queue.put_job(make_job(1, data={"path": path}))
    [claimed] = queue.claim()
    queue.requeue(claimed, {**retry_of(claimed), "last_error_type": "PlexNotFound"})
    assert queue.wake_for_files([name_key(path)]) == 1
    assert [one.scene_id for one in queue.claim()] == [1]


@on_postgres
def test_who_asks_how_far_an_outbox_has_come_waits_for_what_is_being_taken_in(
    queue: DistributedQueue, make_job: MakeJob
) -> None:
    """Its sender lost the answer: by what is said before the server is done it would send the events again."""
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(queue.taken_from("outbox of one")))
    with queue._server.transaction() as connection:
        outboxes.take_in(connection, "outbox of one", [OutboxEvent(4, make_job(1), PRIORITY_BULK, 0.0)], time.time())
        asking.start()
        time.sleep(0.3)
        assert answers == []
    asking.join(10)
    assert answers == [4]


@on_postgres
def test_the_server_gives_up_soon_who_vanished_in_the_middle_of_something(queue: DistributedQueue) -> None:
    with queue._server.transaction() as connection:
        limits = {
            name: connection.execute(f"SHOW {name}".encode()).fetchone()
            for name in ("tcp_keepalives_idle", "tcp_user_timeout", "idle_in_transaction_session_timeout")
        }
    assert limits == {
        "tcp_keepalives_idle": ("4",),
        "tcp_user_timeout": ("10000",),
        "idle_in_transaction_session_timeout": ("15s",),
    }
    given_up = psycopg.errors.IdleInTransactionSessionTimeout("terminating connection")
    assert isinstance(translate(given_up, "films on db:5432"), QueueUnreachable)


@on_postgres
def test_a_queue_that_was_closed_begins_no_new_life(open_queue: OpenQueue) -> None:
    queue = open_queue()
    assert queue.fleet.me() != "0"
    queue.close()
    with pytest.raises(QueueUnreachable, match="closed"):
        queue.claim()


class Fleet:
    """Workers, of which one after another goes away with jobs in hand, beside others that put events."""

    def __init__(self, open_queue: OpenQueue, make_job: MakeJob, scenes: int) -> None:
        self.stash = dict.fromkeys(range(1, scenes + 1), "")
        self.plex: dict[int, str] = {}
        self.both_at_once: list[int] = []
        self.failures: list[Exception] = []
        self.all_put = threading.Event()
        self._open_queue, self._make_job = open_queue, make_job
        self._chance = random.Random(4711)  # noqa: S311 (the same choices each time)
        self._in_work: Counter[int] = Counter()
        self._lock = threading.Lock()

    def begin(self, task: Callable[..., None], *values: int) -> threading.Thread:
        def run() -> None:
            try:
                task(*values)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test is to show it
                self.failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def put_events(self, seed: int) -> None:
        own = random.Random(seed)  # noqa: S311 (likewise)
        queue = self._open_queue(auto_resume=False)
        for number in range(60):
            scene_id = own.choice(list(self.stash))
            with self._lock:
                self.stash[scene_id] = f"{seed}-{number}"
            if number % 10 == 0:
                queue.put_many([self._make_job(each) for each in own.sample(list(self.stash), 10)])
            queue.put_job(self._make_job(scene_id))

    def work(self) -> None:
        queue, left = self._open_queue(), 12
        while True:
            claims = queue.claim(3)
            if not claims and self.all_put.is_set() and not queue.total and not queue.snapshot().in_progress:
                return
            for one in claims:
                self._settle(queue, one)
            left -= len(claims)
            if left < 0:  # it goes, with what it took last still in hand
                queue.claim(2)
                queue.close()
                queue, left = self._open_queue(), 12

    def _settle(self, queue: DistributedQueue, one: ClaimedJob) -> None:
        with self._lock:
            self._in_work[one.scene_id] += 1
            if self._in_work[one.scene_id] > 1:
                self.both_at_once.append(one.scene_id)
            title, luck = self.stash[one.scene_id], self._chance.random()
        time.sleep(0.001)
        with self._lock:
            self._in_work[one.scene_id] -= 1
            if luck > 0.25:
                self.plex[one.scene_id] = title
        if luck > 0.25:
            queue.complete(one)
        elif luck > 0.1:
            queue.requeue(one, retry_of(one, delay_s=0.05))
        else:
            queue.release(one)


@on_postgres
def test_workers_that_go_failures_and_events_leave_no_scene_stale_and_none_stuck(
    open_queue: OpenQueue, make_job: MakeJob
) -> None:
    fleet = Fleet(open_queue, make_job, scenes=25)
    workers = [fleet.begin(fleet.work) for _ in range(3)]
    for putting in [fleet.begin(fleet.put_events, seed) for seed in (1, 2)]:
        putting.join()
    fleet.all_put.set()
    for worker in workers:
        worker.join(60)
    assert fleet.failures == []
    assert fleet.both_at_once == []
    queue = open_queue()
    assert (queue.total, queue.snapshot().in_progress, queue.dead_letters.count()) == (0, 0, 0)
    changed = {scene_id: title for scene_id, title in fleet.stash.items() if title}
    assert {scene_id: fleet.plex.get(scene_id) for scene_id in changed} == changed
