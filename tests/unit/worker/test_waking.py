from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from scenesync.domain.job import scene_job
from scenesync.domain.paths import name_key
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.worker.waking import Waker

if TYPE_CHECKING:
    from pathlib import Path


def waiting_job(scene_id: int, path: object, error: str = "PlexNotFound") -> dict[str, Any]:
    state = {"retry_count": 2, "next_retry_at": time.time() + 500, "last_error_type": error}
    return {**scene_job(scene_id, time.time(), data={"path": path}), **state}


def test_jobs_wake_whose_file_has_appeared_and_no_others(tmp_path: Path) -> None:
    with closing(EmbeddedQueue(tmp_path / "queue")) as queue:
        queue.put_job(waiting_job(1, "/data/Travel/Harbour.mp4"))
        queue.put_job(waiting_job(2, "/data/Travel/Lighthouse.mp4"))
        queue.put_job(waiting_job(3, "/data/Travel/Harbour.mp4", error="PlexBusy"))
        queue.put_job(waiting_job(4, None))
        queue.put_job(waiting_job(5, 7))
        Waker(queue).wake(frozenset({name_key("D:\\Films\\Harbour.mp4")}))
        [claimed] = queue.claim(5)
        assert (claimed.scene_id, claimed.job["retry_count"]) == (1, 2)
