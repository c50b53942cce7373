"""How often the queue on PostgreSQL waits for an answer: over a network that is most of what a job costs."""

import contextlib
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
                claims = counted("claim of five", partial(queue.claim, 5))
                assert counted("completion of five", partial(queue.complete_all, claims)) == []

    # The middle: now and then a connection is looked after, and signs of life come between.
    usual = {what: sorted(counts)[len(counts) // 2] for what, counts in turns.items()}
    assert usual == {"claim": 3, "confirm": 2, "complete": 2, "put": 3, "claim of five": 3, "completion of five": 2}
