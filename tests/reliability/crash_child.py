"""The processes that get killed. One warm process forks them, so that a kill costs milliseconds, not an interpreter.

That one never opens a queue itself (SQLite must not be carried over a fork), and it keeps the dead unburied until told,
so that a process id always means the process that it was given for.
"""

from __future__ import annotations

import contextlib
import hashlib  # noqa: F401 (the queue imports it when it needs it, which would be once per child)
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from typing import TYPE_CHECKING, Any, Final

from crash_record import Record
from crash_recorded_queue import BULK, PERSON, Enqueuer, RecordedQueue, seeded
from crash_steps import run_step

from scenesync.queue.errors import LeaseLost

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from scenesync.domain.job import ClaimedJob

Order = dict[str, Any]

SCENES: Final = 6  # few, so that events meet jobs that wait and jobs that are processed
LONGEST_LIFE_S: Final = 300  # for the case that nobody is left to kill it


def live(order: Order, record: Record) -> None:
    """Do everything that a worker, a bulk and a hook do, in a mixture, until killed."""
    rng = seeded(order["seed"])
    box = RecordedQueue(order["data_dir"], record)
    while True:
        take_a_step(box, rng)


def take_a_step(box: RecordedQueue, rng: random.Random) -> None:
    """Do one of the things that a worker, a bulk or a hook does."""
    name = rng.choices(list(_MIXTURE), list(_MIXTURE.values()))[0]
    _ACTIONS[name](box, rng)


def store_events(order: Order, record: Record) -> None:
    """Be a hook, for one event after another; it opens no queue."""
    rng = seeded(order["seed"])
    hook = Enqueuer(order["data_dir"], record)
    for _ in range(50):
        hook.put_as_hook(rng.randint(1, SCENES))
    signal.pause()


def die_of_a_job(order: Order, record: Record) -> None:
    """Claim, and be killed by some job, as by a library that crashes on it."""
    box = RecordedQueue(order["data_dir"], record)
    while claimed := box.claim():
        if claimed[0].scene_id == order["deadly_scene_id"]:
            record.write("gone", writer_gone=record.writer)
            os.kill(os.getpid(), signal.SIGKILL)
        box.complete(claimed[0])
    box.close()


def enqueue(order: Order, record: Record) -> None:
    """Enqueue single events and small bulks for a while."""
    rng = seeded(order["seed"])
    box = RecordedQueue(order["data_dir"], record, auto_resume=False)
    while time.monotonic() < order["until"]:
        if rng.random() < 0.2:
            box.put_many([rng.randint(1, order["scenes"]) for _ in range(rng.randint(1, 20))], batch_rows=7)
        else:
            box.put(rng.randint(1, order["scenes"]), rng.choice([PERSON, BULK]))
        time.sleep(rng.uniform(0, order["pause_s"]))
    box.close()


def enqueue_as_hooks(order: Order, record: Record) -> None:
    """Start one process per event for a while, as Stash does; every tenth finds the queue busy and uses the spool."""
    rng = seeded(order["seed"])
    hook = Enqueuer(order["data_dir"], record)
    while time.monotonic() < order["until"]:
        scene_id, put = rng.randint(1, order["scenes"]), rng.choice([hook.put_as_hook] * 9 + [hook.put_into_spool])
        next(hook._steps)  # the child's use of it does not come back
        child = os.fork()
        if child == 0:
            _end_after(lambda put=put, scene_id=scene_id: put(scene_id), record)  # type: ignore[misc]
        os.waitpid(child, 0)
        time.sleep(rng.uniform(0, order["pause_s"]))


def drain(order: Order, record: Record) -> None:
    """Work like a worker, some jobs failing, until told to stop and nothing waits."""
    rng = seeded(order["seed"])
    box = RecordedQueue(order["data_dir"], record)
    while not (_exists(order["stop_file"]) and box.queue.total == 0):
        box.claim(rng.randint(1, 4))
        for claimed in tuple(box.held):
            time.sleep(rng.uniform(0, order["work_s"]))
            kind = rng.random()
            if kind < 0.1:
                box.requeue(claimed, rng.uniform(0, 0.05))
            elif kind < 0.15:
                box.release(claimed)
            else:
                box.complete(claimed)
        if not box.held and not box.queue.total:
            box.queue.wait_for_change(0.05)
    box.close()


def hold_then_complete(order: Order, record: Record) -> None:
    """Hold a job until told to end it, which must be refused then."""
    box = RecordedQueue(order["data_dir"], record)
    (claimed,) = box.claim()
    record.write("ready")
    while not _exists(order["gate"]):
        time.sleep(0.001)
    _expect_refusals(box, claimed)


ROLES: Final[dict[str, Callable[[Order, Record], None]]] = {
    "live": live,
    "store_events": store_events,
    "die_of_a_job": die_of_a_job,
    "enqueue": enqueue,
    "enqueue_as_hooks": enqueue_as_hooks,
    "drain": drain,
    "hold_then_complete": hold_then_complete,
    "step": run_step,
}


# -- what a process does with its life


def _put(box: RecordedQueue, rng: random.Random) -> None:
    box.put(_some_scene(box, rng), rng.choice([PERSON, BULK]))


def _put_many(box: RecordedQueue, rng: random.Random) -> None:
    box.put_many([_some_scene(box, rng) for _ in range(rng.randint(1, 8))])


def _put_as_hook(box: RecordedQueue, rng: random.Random) -> None:
    box.put_as_hook(_some_scene(box, rng))


def _put_into_spool(box: RecordedQueue, rng: random.Random) -> None:
    box.put_into_spool(_some_scene(box, rng))


def _claim(box: RecordedQueue, rng: random.Random) -> None:
    box.claim(rng.choice([1, 1, 3]))


def _complete(box: RecordedQueue, rng: random.Random) -> None:
    if box.held:
        box.complete(rng.choice(box.held))


def _requeue(box: RecordedQueue, rng: random.Random) -> None:
    if box.held:
        box.requeue(rng.choice(box.held), rng.choice([0.0, 0.0, 0.004]))


def _release(box: RecordedQueue, rng: random.Random) -> None:
    if box.held:
        box.release(rng.choice(box.held))


def _bury(box: RecordedQueue, rng: random.Random) -> None:
    if box.held:
        box.bury(rng.choice(box.held))


def _replay(box: RecordedQueue, rng: random.Random) -> None:
    del rng
    box.replay()


def _maintain(box: RecordedQueue, rng: random.Random) -> None:
    del rng
    box.maintain()


def try_to_end_what_was_lost(box: RecordedQueue, rng: random.Random) -> None:
    """Let a second handle lose its job to this one, and see that it can do nothing to it any more."""
    loser = RecordedQueue(box.data_dir, box.record.named(f"{box.record.writer}/loser-{rng.randrange(10**6)}"))
    claimed = loser.claim(1)
    loser.lose_claims()
    box.take_over_from(loser)
    box.claim(1)
    for job in claimed:
        _expect_refusals(loser, job)
    loser.queue.close()


def _expect_refusals(loser: RecordedQueue, job: ClaimedJob) -> None:
    for end in (loser.complete, loser.requeue, loser.release, loser.bury):
        with contextlib.suppress(LeaseLost):
            end(job)
            loser.record.write("problem", text=f"{end.__name__} was accepted for row {job.row_id} after it was lost")


def _some_scene(box: RecordedQueue, rng: random.Random) -> int:
    """Return a scene that is being processed here rather more often than another."""
    if box.held and rng.random() < 0.4:
        return rng.choice(box.held).scene_id
    return rng.randint(1, SCENES)


_ACTIONS: Final[dict[str, Callable[[RecordedQueue, random.Random], None]]] = {
    "put": _put,
    "put_many": _put_many,
    "put_as_hook": _put_as_hook,
    "put_into_spool": _put_into_spool,
    "claim": _claim,
    "complete": _complete,
    "requeue": _requeue,
    "release": _release,
    "bury": _bury,
    "replay": _replay,
    "maintain": _maintain,
    "try_to_end_what_was_lost": try_to_end_what_was_lost,
}
_MIXTURE: Final = {
    "put": 16,
    "put_many": 6,
    "put_as_hook": 10,
    "put_into_spool": 5,
    "claim": 24,
    "complete": 14,
    "requeue": 12,
    "release": 4,
    "bury": 5,
    "replay": 3,
    "maintain": 2,
    "try_to_end_what_was_lost": 2,
}


# -- the process that forks them


def main() -> None:
    """Obey orders from stdin, one JSON object a line, until it is closed; then kill and bury who still lives."""
    tempfile.tempdir = sys.argv[1]
    living: set[int] = set()
    try:
        while text := sys.stdin.readline():
            order = json.loads(text)
            if "reap" in order:
                living.discard(order["reap"])
                answer = os.waitpid(order["reap"], 0)[1]
            else:
                answer = _fork(order)
                living.add(answer)
            sys.stdout.write(f"{answer}\n")
            sys.stdout.flush()
    finally:
        for process_id in living:
            os.kill(process_id, signal.SIGKILL)
            os.waitpid(process_id, 0)


def _fork(order: Order) -> int:
    process_id = os.fork()
    if process_id == 0:
        signal.alarm(LONGEST_LIFE_S + order.get("life_s", 0))
        record = Record(order["record"], order["writer"])
        _end_after(lambda: ROLES[order["role"]](order, record), record)
    return process_id


def _end_after(work: Callable[[], None], record: Record) -> None:
    code = 0
    try:
        work()
    except BaseException:  # noqa: BLE001 (whatever it is, the record must tell)
        record.write("problem", text=f"{record.writer} failed: {traceback.format_exc()}")
        code = 1
    finally:
        os._exit(code)  # as after a kill: no file is closed, nothing is tidied up


def _exists(path: str) -> bool:
    return os.access(path, os.F_OK)


if __name__ == "__main__":
    main()
