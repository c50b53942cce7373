"""Every step in the life of a job, as functions on a connection inside a transaction.

Procrastinate's functions decide which job is next and keep its status; the statements here put the content beside it
and fence each way back. What it needs added, and why (facts/queue.md 4):

* A job that goes back while a newer event waits would break Procrastinate's unique ``queueing_lock`` and stay ``doing``
  for ever: here it becomes one with the job that waits. Whoever adds under a key holds the key's lock meanwhile.
* Jobs that sleep would be walked over at each fetch: they lie apart, below all lanes, and are lifted into theirs when
  due.
* ``finish`` and ``retry`` ask only for the status: a step touches a row only under the worker and claim that hold it.

Rows are locked in one order everywhere, so that nobody waits in a circle: keys, Procrastinate's row, ours. No statement
sorts what it can do without: an order that no index has would be got by walking over all rows in it.
"""

# ruff: noqa: S608 (statements here are put together from names of this package, never from a value)

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from scenesync.domain.paths import name_key
from scenesync.queue import merging
from scenesync.queue.distributed.connections import Answer, Connection
from scenesync.queue.errors import LeaseLost
from scenesync.queue.merging import Standing
from scenesync.queue.records import (
    PRIORITY_BULK,
    PRIORITY_FANOUT,
    PRIORITY_PERSON,
    BulkResult,
    ClaimedJob,
    EnqueueResult,
    Job,
)
from scenesync.queue.transitions import CLOCK_JUMP_S, Event

CHANNEL: Final = "scenesync_queue"
SUCCEEDED, FAILED = "succeeded", "failed"  # procrastinate_job_status
ASLEEP: Final = -1000  # below every lane: Procrastinate takes the highest priority first
_ASLEEP_QUEUE: Final = "scenesync.asleep"

_QUEUES: Final = {
    PRIORITY_PERSON: "scenesync.person",
    PRIORITY_BULK: "scenesync.bulk",
    PRIORITY_FANOUT: "scenesync.fanout",
}
_OTHER_LANES: Final = "scenesync.other"
ALL_QUEUES: Final = [*_QUEUES.values(), _OTHER_LANES]
_WHEN_LANE: Final = " ".join(f"WHEN {lane} THEN '{name}'" for lane, name in _QUEUES.items())
_QUEUE_OF_LANE: Final = f"CASE ours.lane {_WHEN_LANE} ELSE '{_OTHER_LANES}' END"
URGENT: Final = [_QUEUES[PRIORITY_PERSON]]

_KEYS: Final = "hashtext(current_setting('search_path') || ' keys')"
_HOLD_KEYS: Final = f"""
    SELECT pg_advisory_xact_lock({_KEYS}, part)
    FROM (SELECT DISTINCT hashtext(key) & 63 AS part FROM unnest(%(keys)s::text[]) AS key ORDER BY part) AS parts"""
_HOLD_KEY_OF: Final = f"""
    SELECT pg_advisory_xact_lock({_KEYS}, hashtext(lock) & 63)
    FROM procrastinate_jobs WHERE id = %(id)s AND lock IS NOT NULL"""
_INSERT: Final = """
    INSERT INTO scenesync_jobs (job_id, data, event_at, due_at, wakes_at, last_error_type, file_key, lane, stored_at)
    SELECT job_id, data, event_at, due_at, now() + make_interval(secs => sleep_s), error, file_key, %(lane)s, %(now)s
    FROM (
        SELECT procrastinate_defer_jobs_v1(array_agg(
            ROW(queue, 'scenesync', priority, lock, lock, '{}'::jsonb, now() + make_interval(secs => sleep_s)
            )::procrastinate_job_to_defer_v1 ORDER BY place)) AS ids
        FROM unnest(%(queues)s::text[], %(priorities)s::int[], %(locks)s::text[], %(sleeps_s)s::float8[])
            WITH ORDINALITY AS new (queue, priority, lock, sleep_s, place)) AS deferred
    CROSS JOIN LATERAL unnest(
        deferred.ids, %(data)s::text[], %(events_at)s::float8[], %(due_at)s::float8[], %(sleeps_s)s::float8[],
        %(errors)s::text[], %(file_keys)s::text[]) AS beside (job_id, data, event_at, due_at, sleep_s, error, file_key)
    RETURNING job_id"""
# Seeks, by force. To find what is equal the planner may as well walk over all that waits, and does so from then on if
# it planned while that was little; but what has to come in the order of an index it looks up in that one.
WAITS: Final = """
        SELECT id, lock FROM procrastinate_jobs
        WHERE id BETWEEN {row} AND {row} AND status = 'todo' ORDER BY id LIMIT 1"""
WAITING_KEYS: Final = """
    SELECT found.queueing_lock FROM unnest(%(locks)s::text[]) AS wanted (lock)
    CROSS JOIN LATERAL (
        SELECT queueing_lock FROM procrastinate_jobs
        WHERE queueing_lock BETWEEN wanted.lock AND wanted.lock AND status = 'todo'
        ORDER BY queueing_lock LIMIT 1) AS found"""
_WAITS_UNDER: Final = """
    SELECT jobs.id, ours.data, ours.lane, ours.event_at, ours.deliveries
    FROM procrastinate_jobs AS jobs JOIN scenesync_jobs AS ours ON ours.job_id = jobs.id
    WHERE jobs.queueing_lock BETWEEN {lock} AND {lock} AND jobs.status = 'todo'
    ORDER BY jobs.queueing_lock LIMIT 1 FOR UPDATE OF jobs"""
_WAITING: Final = _WAITS_UNDER.format(lock="%(lock)s")
_WAITING_BESIDE: Final = f"""
    SELECT beside.* FROM procrastinate_jobs AS held
    CROSS JOIN LATERAL ({_WAITS_UNDER.format(lock="held.lock")}) AS beside
    WHERE held.id = %(id)s"""
_REPLACE: Final = """
    WITH placed AS (
        UPDATE procrastinate_jobs
        SET queue_name = %(queue)s, priority = %(priority)s, scheduled_at = now() + make_interval(secs => %(sleep_s)s)
        WHERE id = %(id)s)
    UPDATE scenesync_jobs
    SET data = %(data)s, lane = %(lane)s, event_at = %(event_at)s, deliveries = %(deliveries)s, due_at = %(due_at)s,
        wakes_at = now() + make_interval(secs => %(sleep_s)s), last_error_type = %(error)s, file_key = %(file_key)s
    WHERE job_id = %(id)s"""
_RETRY: Final = """
    SELECT procrastinate_retry_job_v2(
        %(id)s, now() + make_interval(secs => %(sleep_s)s), %(priority)s, %(queue)s, NULL::varchar)"""
# Two ranges, not one condition with OR: each is a seek, however many sleep between them. What sleeps longer than we
# ever plan was put to bed by a clock that has jumped since. No more than are wanted: once awake they come by age, and
# those that were due earlier are to come earlier.
_LIFT: Final = f"""
    WITH due AS (
        SELECT jobs.id FROM (
            (SELECT job_id FROM scenesync_jobs WHERE wakes_at <= now() ORDER BY wakes_at LIMIT %(limit)s)
            UNION ALL
            (SELECT job_id FROM scenesync_jobs WHERE wakes_at > now() + make_interval(secs => {CLOCK_JUMP_S})
            ORDER BY wakes_at LIMIT %(limit)s)) AS sleepers
        CROSS JOIN LATERAL ({WAITS.format(row="sleepers.job_id")} FOR UPDATE SKIP LOCKED) AS jobs),
    lifted AS (
        UPDATE procrastinate_jobs AS jobs
        SET queue_name = {_QUEUE_OF_LANE}, priority = -ours.lane - 1, scheduled_at = NULL
        FROM due JOIN scenesync_jobs AS ours ON ours.job_id = due.id WHERE jobs.id = due.id)
    UPDATE scenesync_jobs AS ours SET wakes_at = NULL FROM due WHERE ours.job_id = due.id"""
_FETCHED: Final = "scenesync.fetched"
_RUNS: Final = (
    "SELECT 1 FROM procrastinate_jobs AS running WHERE running.lock = waiting.lock AND running.status = 'doing'"
)
# Fetches only as often as there is something awake to fetch: a vain fetch would walk over all that sleep.
# Which ones that were stays with the server until the transaction ends: the client need not hear of it in between.
_FETCH: Final = f"""
    SELECT set_config('{_FETCHED}', COALESCE(array_agg(fetched.id)::text, '{{}}'), true)
    FROM (
        SELECT (procrastinate_fetch_job_v2(%(queues)s::varchar[], %(worker)s::bigint)).id
        FROM (
            SELECT 1 FROM procrastinate_jobs AS waiting
            WHERE waiting.status = 'todo' AND waiting.priority > {ASLEEP}
              AND waiting.queue_name = ANY(%(queues)s::varchar[]) AND NOT EXISTS ({_RUNS})
            ORDER BY waiting.priority DESC, waiting.id LIMIT %(limit)s) AS awake) AS fetched
    WHERE fetched.id IS NOT NULL"""
# A statement of its own: the one that fetches does not see the content of a job that was put since it began.
_TAKE: Final = f"""
    UPDATE scenesync_jobs
    SET claim_no = nextval('scenesync_claims'), deliveries = deliveries + 1, wakes_at = NULL
    FROM unnest(current_setting('{_FETCHED}')::bigint[]) WITH ORDINALITY AS fetched (id, place)
    WHERE job_id = fetched.id RETURNING place, job_id, data, deliveries, stored_at, claim_no, lane"""
_HELD: Final = """
    FROM unnest(%(ids)s::bigint[], %(claims)s::bigint[]) AS claim (id, claim_no)
    JOIN scenesync_jobs AS ours ON ours.job_id = claim.id AND ours.claim_no = claim.claim_no
    JOIN procrastinate_jobs AS jobs ON jobs.id = claim.id
    WHERE jobs.status = 'doing' AND jobs.worker_id IS NOT DISTINCT FROM %(worker)s::bigint"""
_IS_HELD: Final = f"SELECT jobs.id, ours.data, ours.lane, ours.event_at, ours.deliveries {_HELD}"
_HOLD: Final = f"{_IS_HELD} FOR UPDATE OF jobs"
# All that ends a job in one statement, which is one way there and back: the fence, the status, and a word to the others
# if one more waits under its key. What is done need not be on the disk, nor on a standby: a job whose end is forgotten
# in a crash of the server runs once more, and finds nothing to write.
_END: Final = f"""
    WITH held AS MATERIALIZED (SELECT jobs.id, jobs.lock {_HELD} FOR UPDATE OF jobs),
    ended AS (UPDATE scenesync_jobs SET ended = %(status)s FROM held WHERE job_id = held.id)
    SELECT held.id, procrastinate_finish_job_v1(held.id, %(status)s::procrastinate_job_status, false),
        (SELECT pg_notify('{CHANNEL}', '') FROM procrastinate_jobs AS waiting
        WHERE waiting.lock BETWEEN held.lock AND held.lock AND waiting.status = 'todo' ORDER BY waiting.lock LIMIT 1),
        CASE WHEN %(status)s = '{SUCCEEDED}' THEN set_config('synchronous_commit', 'off', true) END
    FROM held"""
_DELETE: Final = "SELECT procrastinate_finish_job_v1(%(id)s, 'succeeded', true)"
_SAY: Final = f"SELECT pg_notify('{CHANNEL}', '')"
_ORPHANS: Final = """
    SELECT jobs.id, ours.data, ours.claim_no, ours.deliveries
    FROM procrastinate_jobs AS jobs JOIN scenesync_jobs AS ours ON ours.job_id = jobs.id
    WHERE jobs.status = 'doing' AND jobs.worker_id IS NULL ORDER BY jobs.lock"""
_HELD_BY: Final = """
    SELECT jobs.id, ours.claim_no FROM procrastinate_jobs AS jobs JOIN scenesync_jobs AS ours ON ours.job_id = jobs.id
    WHERE jobs.worker_id = %(worker)s AND jobs.status = 'doing'"""
_AWAITING: Final = f"""
    SELECT jobs.id, ours.data, ours.lane, ours.event_at, ours.deliveries
    FROM unnest(%(keys)s::text[]) AS wanted (key)
    CROSS JOIN LATERAL (
        SELECT * FROM scenesync_jobs
        WHERE file_key BETWEEN wanted.key AND wanted.key AND wakes_at IS NOT NULL ORDER BY file_key) AS ours
    CROSS JOIN LATERAL ({WAITS.format(row="ours.job_id")} FOR UPDATE SKIP LOCKED) AS jobs
    LIMIT %(limit)s"""


class Place(NamedTuple):
    """Where a job belongs, by what it says itself; ``sleep_s`` is how long it is not to be run, None if it is due."""

    queue: str
    priority: int
    due_at: float
    sleep_s: float | None
    error: str | None
    file_key: str | None

    @classmethod
    def of(cls, job: Mapping[str, Any], lane: int, now: float) -> Self:
        """Return where ``job`` belongs at ``now`` (epoch seconds). Those that failed before come behind the fresh."""
        at = job.get("next_retry_at")
        due_at = float(at) if isinstance(at, int | float) and not isinstance(at, bool) and math.isfinite(at) else 0.0
        sleeps = now < due_at <= now + CLOCK_JUMP_S
        error = job.get("last_error_type")
        return cls(
            queue=_ASLEEP_QUEUE if sleeps else _QUEUES.get(lane, _OTHER_LANES),
            priority=ASLEEP if sleeps else -lane - (due_at > 0),
            due_at=due_at,
            sleep_s=due_at - now if sleeps else None,
            error=error if isinstance(error, str) else None,
            file_key=_awaited_file(job) if error == "PlexNotFound" else None,
        )


class Claim(NamedTuple):
    """Under which a row is held. ``worker`` None: its worker is known to be dead."""

    row_id: int
    claim_no: int
    worker: int | None


def hold_keys(connection: Connection, jobs: Iterable[Mapping[str, Any]]) -> None:
    """Keep others from adding jobs under the keys of these until the transaction ends.

    Must come before the first row is locked, once for all that the transaction touches. Keys share a few locks.
    """
    keys = [key for job in jobs if (key := lock_of(job)) is not None]
    if keys:
        connection.execute(_HOLD_KEYS, {"keys": keys})


def lock_of(job: Mapping[str, Any]) -> str | None:
    """Return the name under which Procrastinate keeps two jobs of one key apart."""
    key = job.get("job_key")
    return f"scenesync:{key}" if isinstance(key, str) else None


def enqueue(connection: Connection, event: Event, *, lane: int, now: float, newest: bool = True) -> EnqueueResult:
    """Add the event's job, or merge it into the job that waits under its key, which the caller holds.

    ``newest`` as in ``merging.joined_by_event``.
    """
    found = waiting_under_key(connection, event.job)
    if found is None:
        [row_id] = insert(connection, [event], lane=lane, now=now, newest=newest)
        return EnqueueResult(row_id, merged=False)
    row_id, waiting = found
    joined = merging.joined_by_event(waiting, event.job, event.happened_at, lane=lane, now=now, newest=newest)
    replace(connection, row_id, joined, now)
    return EnqueueResult(row_id, merged=True)


def enqueue_batch(
    connection: Connection, events: Sequence[Event], *, lane: int, now: float, newest: bool = True
) -> BulkResult:
    """Add many jobs by one look-up and one insert; those that wait already are merged one by one.

    ``newest`` as in ``merging.joined_by_event``.
    """
    locks = [lock_of(event.job) for event in events]
    rows = connection.execute(WAITING_KEYS, {"locks": [lock for lock in locks if lock is not None]}).fetchall()
    waiting: set[str] = {lock for (lock,) in rows}
    new: list[Event] = []
    one_by_one: list[Event] = []
    for event, lock in zip(events, locks, strict=True):
        (one_by_one if lock in waiting else new).append(event)
        if lock is not None:
            waiting.add(lock)
    if new:
        insert(connection, new, lane=lane, now=now, newest=newest)
    merged = sum(enqueue(connection, event, lane=lane, now=now, newest=newest).merged for event in one_by_one)
    return BulkResult(created=len(events) - merged, merged=merged)


def waiting_under_key(connection: Connection, job: Mapping[str, Any]) -> tuple[int, Standing] | None:
    """Return the row that waits under the job's key, and lock it."""
    lock = lock_of(job)
    return None if lock is None else _one_standing(connection.execute(_WAITING, {"lock": lock}))


def replace(connection: Connection, row_id: int, standing: Standing, now: float) -> None:
    """Give a waiting row new content, and put it where that belongs."""
    values = {
        **Place.of(standing.job, standing.lane, now)._asdict(),
        **standing._asdict(),
        "id": row_id,
        "data": _text(standing.job),
    }
    del values["job"]
    connection.execute(_REPLACE, values)


def claim(connection: Connection, worker: int, queues: Collection[str], limit: int) -> Answer:
    """Take up to ``limit`` jobs that are due, the best lane first, then fresh ones, then by age; see ``claimed``."""
    values = {"queues": list(queues), "worker": worker, "limit": limit}
    connection.execute(_LIFT, values)
    connection.execute(_FETCH, values)
    return connection.execute(_TAKE)


def claimed(answer: Answer) -> list[ClaimedJob]:
    """Return what was claimed, in its order; waits for it where the server has not answered yet."""
    return [_claimed(row) for _, *row in sorted(answer.fetchall())]


def held(connection: Connection, claims: Sequence[ClaimedJob], worker: int | None) -> set[int]:
    """Return the rows of those claims that are still ``worker``'s, and lock nothing."""
    return {row[0] for row in connection.execute(_IS_HELD, _fence(claims, worker)).fetchall()}


def finish_all(connection: Connection, claims: Sequence[ClaimedJob], worker: int | None, status: str) -> set[int]:
    """End claimed rows for good; return which were still held."""
    return {row[0] for row in connection.execute(_END, {**_fence(claims, worker), "status": status}).fetchall()}


def finish(connection: Connection, claim: Claim, status: str) -> None:
    """End a claimed row for good. Raises LeaseLost."""
    if connection.execute(_END, {**_fence_of(claim), "status": status}).fetchone() is None:
        raise LeaseLost(claim.row_id)


def give_back(
    connection: Connection,
    claim: Claim,
    *,
    now: float,
    job: Mapping[str, Any] | None = None,
    keep_deliveries: bool = False,
) -> None:
    """Make a claimed row wait again, with ``job`` as its new content or unchanged. Raises LeaseLost.

    If another event waits under the same key, the row that waits stands for both, due when it was, and the old row
    goes: never two waiting rows, never a row that cannot go back.
    """
    of_row = {"id": claim.row_id}
    connection.execute(_HOLD_KEY_OF, of_row)
    # Both are asked before either answer is waited for.
    held, beside = connection.execute(_HOLD, _fence_of(claim)), connection.execute(_WAITING_BESIDE, of_row)
    row, found = held.fetchone(), _one_standing(beside)
    if row is None:
        raise LeaseLost(claim.row_id)
    run = _standing(row)[1]
    content = dict(run.job if job is None else job)
    run = run._replace(job=content, deliveries=run.deliveries if keep_deliveries else 0)
    if found is None:
        place = Place.of(content, run.lane, now)
        connection.execute(_RETRY, {**place._asdict(), "id": claim.row_id})
        replace(connection, claim.row_id, run, now)
    else:
        connection.execute(_DELETE, {"id": claim.row_id})
        replace(connection, found[0], merging.joined_by_run(found[1], run), now)
    say(connection)


def wake(connection: Connection, file_keys: Sequence[str], now: float, limit: int) -> int:
    """Make due at once up to ``limit`` sleeping jobs that wait for a file of one of these names; return how many."""
    rows = connection.execute(_AWAITING, {"keys": list(file_keys), "limit": limit}).fetchall()
    for row in rows:
        row_id, standing = _standing(row)
        replace(connection, row_id, standing._replace(job={**standing.job, "next_retry_at": now}), now)
    return len(rows)


def held_by(connection: Connection, worker: int) -> list[Claim]:
    """Return all claims under which ``worker`` holds a job."""
    rows = connection.execute(_HELD_BY, {"worker": worker}).fetchall()
    return [Claim(row_id, claim_no, worker) for row_id, claim_no in rows]


def orphans(connection: Connection) -> list[tuple[int, str, int, int]]:
    """Return row id, content, claim number and deliveries of the claimed jobs whose worker is gone."""
    return sorted(connection.execute(_ORPHANS).fetchall())


def say(connection: Connection) -> None:
    """Wake those who wait for a change, once the transaction is committed."""
    connection.execute(_SAY)


def insert(connection: Connection, events: Sequence[Event], *, lane: int, now: float, newest: bool = True) -> list[int]:
    """Add jobs under keys under which none waits, which the caller holds; return their rows."""
    places = [Place.of(event.job, lane, now) for event in events]
    values = {
        "queues": [place.queue for place in places],
        "priorities": [place.priority for place in places],
        "locks": [lock_of(event.job) for event in events],
        "sleeps_s": [place.sleep_s for place in places],
        "data": [event.data.decode("ascii") for event in events],
        # Of a live event it counts when it arrived, not when its sender says it was.
        "events_at": [now if newest else event.happened_at for event in events],
        "due_at": [place.due_at for place in places],
        "errors": [place.error for place in places],
        "file_keys": [place.file_key for place in places],
        "lane": lane,
        "now": now,
    }
    return [row_id for (row_id,) in connection.execute(_INSERT, values).fetchall()]


def _fence(claims: Sequence[ClaimedJob], worker: int | None) -> dict[str, Any]:
    return {
        "ids": [each.row_id for each in claims],
        "claims": [each.claim_no for each in claims],
        "worker": worker,
    }


def _fence_of(claim: Claim) -> dict[str, Any]:
    return {"ids": [claim.row_id], "claims": [claim.claim_no], "worker": claim.worker}


def _claimed(row: Sequence[Any]) -> ClaimedJob:
    row_id, data, deliveries, stored_at, claim_no, lane = row
    return ClaimedJob(row_id, {**merging.decode_job(data), "pqid": row_id}, deliveries, stored_at, claim_no, lane)


def _standing(row: tuple[Any, ...]) -> tuple[int, Standing]:
    row_id, data, lane, event_at, deliveries = row
    return row_id, Standing(merging.decode_job(data), lane, event_at, deliveries)


def _one_standing(answer: Answer) -> tuple[int, Standing] | None:
    row = answer.fetchone()
    return None if row is None else _standing(row)


def _text(job: Job) -> str:
    return merging.encode(job).decode("ascii")


def _awaited_file(job: Mapping[str, Any]) -> str | None:
    data = job.get("data")
    path = data.get("path") if isinstance(data, dict) else None
    return name_key(path) or None if isinstance(path, str) else None
