"""How often the queue on PostgreSQL waits for an answer: over a network that is most of what a job costs."""

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from counting_proxy import CountingProxy
from private_postgres import PrivatePostgres

from scenesync.queue.distributed.queue import DistributedQueue

MakeJob = Callable[..., dict[str, object]]


def test_what_is_done_for_each_job_waits_for_the_server_as_rarely_as_it_can(
    postgres: PrivatePostgres, empty_database: str, make_job: MakeJob
) -> None:
    with CountingProxy(postgres.port) as proxy:
        url = empty_database.replace(f":{postgres.port}/", f":{proxy.port}/")
        with contextlib.closing(DistributedQueue(url)) as queue:
            queue.put_many(make_job(number) for number in range(1, 200))
            turns: dict[str, list[int]] = {}

            def counted(what: str, action: Callable[[], Any]) -> Any:
                before = proxy.turns
                answer = action()
                turns.setdefault(what, []).append(proxy.turns - before)
                return answer

            for number in range(20):
                [claimed] = counted("claim", queue.claim)
                assert counted("confirm", partial(queue.confirm_owned, claimed))
                counted("complete", partial(queue.complete, claimed))
                counted("put", partial(queue.put_job, make_job(1000 + number)))
                counted("put beside one", partial(queue.put_job, make_job(1000 + number)))
                [claimed] = queue.claim()
                counted("release", partial(queue.release, claimed))
                [claimed] = queue.claim()
                counted("retry", partial(queue.requeue, claimed, {**claimed.job, "retry_count": 1}))
                claims = counted("claim of five", partial(queue.claim, 5))
                assert counted("completion of five", partial(queue.complete_all, claims)) == []

    # The middle: now and then a connection is looked after, and signs of life come between.
    usual = {what: sorted(counts)[len(counts) // 2] for what, counts in turns.items()}
    assert usual == {
        "claim": 1,
        "confirm": 1,
        "complete": 1,
        "claim of five": 1,
        "completion of five": 1,
        "put": 3,
        "put beside one": 2,
        "release": 2,
        "retry": 2,
    }


def test_a_vain_look_for_what_a_person_waits_for_is_not_repeated_until_something_is_heard_of(
    postgres: PrivatePostgres, empty_database: str, make_job: MakeJob
) -> None:
    with CountingProxy(postgres.port) as proxy:
        url = empty_database.replace(f":{postgres.port}/", f":{proxy.port}/")
        with contextlib.closing(DistributedQueue(url)) as queue, contextlib.closing(DistributedQueue(url)) as other:
            queue.put_many([make_job(1)])
            assert queue.claim_urgent() == []
            before = proxy.turns
            assert [queue.claim_urgent() for _ in range(50)] == [[]] * 50
            assert proxy.turns - before <= 5, "after a second, and at a change that is heard of late"
            queue.put_job(make_job(2))
            assert [claimed.scene_id for claimed in queue.claim_urgent()] == [2]
            assert queue.claim_urgent() == []
            other.put_job(make_job(3))
            found, until = queue.claim_urgent(), time.monotonic() + 20
            while not found and time.monotonic() < until:
                time.sleep(0.01)
                found = queue.claim_urgent()
            assert [claimed.scene_id for claimed in found] == [3]
