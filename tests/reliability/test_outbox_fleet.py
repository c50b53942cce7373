"""Events of hooks on their way to PostgreSQL: their sender killed at any moment, the database crashing meanwhile."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hook_events import leave_event
from private_postgres import database_for_queue

from scenesync.queue.distributed.queue import DistributedQueue
from scenesync.queue.errors import QueueUnreachable
from scenesync.queue.forwarding.outbox import Outbox, read_outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from private_postgres import PrivatePostgres
    from proofs import Bounds, Figures

SENDER: Final = Path(__file__).with_name("outbox_sender.py")
ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 60.0

pytestmark = [pytest.mark.reliability, pytest.mark.integration]


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return database_for_queue(postgres, "outbox")


@contextlib.contextmanager
def sender(url: str, folder: Path) -> Iterator[None]:
    child = subprocess.Popen([sys.executable, str(SENDER), url, str(folder)], cwd=ROOT)
    try:
        yield
    finally:
        assert child.poll() is None, "no sender ends by itself"
        child.kill()
        child.wait()


def work_off(queue: DistributedQueue, rows: dict[int, set[int]]) -> int:
    """Finish what has come, so that an event that comes twice is two rows; return how many jobs were.

    A crash of the database may forget the end of a job, not its row: that one runs again.
    """
    with contextlib.suppress(QueueUnreachable):
        claims = queue.claim(100)
        lost = queue.complete_all(claims)
        ended = [each for each in claims if each not in lost]
        for each in ended:
            rows.setdefault(each.scene_id, set()).add(each.row_id)
        return len(ended)
    return 0


def test_each_event_arrives_exactly_once_however_often_its_sender_dies_and_the_database_crashes(
    postgres: PrivatePostgres, url: str, tmp_path: Path, bounds: Bounds, figures: Figures
) -> None:
    chance = random.Random(bounds.first_seed)  # noqa: S311 (the same choices each time)
    kills, events_each = bounds.pick(4, 200), bounds.pick(25, 100)
    crashes = {kills // 2} if kills < 50 else set(range(10, kills, 20))
    folder = tmp_path / "queue"
    Outbox(folder).close()
    queue = DistributedQueue(url, takes_over=False)
    rows: dict[int, set[int]] = {}
    saved = 0
    for number in range(kills):
        with sender(url, folder):
            until = time.monotonic() + PATIENCE_S
            for _ in range(events_each):
                saved += 1
                leave_event(tmp_path, saved)
            if number in crashes:
                postgres.stop()
                time.sleep(0.3)
                postgres.start()
            while not work_off(queue, rows) and time.monotonic() < until:
                pass  # until it is at work: it dies in the middle of that
            time.sleep(chance.random() * 0.05)
    with sender(url, folder):
        patience = time.monotonic() + PATIENCE_S
        while (len(rows) < saved or read_outbox(folder).waiting) and time.monotonic() < patience:
            work_off(queue, rows)
            time.sleep(0.05)
    queue.close()

    figures(
        "outbox to PostgreSQL",
        f"{kills} kills of the sender, {len(crashes)} crashes of the database",
        jobs=saved,
        lost=len(set(range(1, saved + 1)) - set(rows)),
        doubled=sum(len(its_rows) - 1 for its_rows in rows.values()),
    )
    assert sorted(rows) == list(range(1, saved + 1))
    assert [event for event, its_rows in rows.items() if len(its_rows) > 1] == []
    assert read_outbox(folder).waiting == 0
