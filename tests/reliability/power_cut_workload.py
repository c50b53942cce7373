"""The life of a queue in one process, with hooks beside it; each step is announced and acknowledged in a file.

Run as a program: ``power_cut_workload.py DATA_DIR MARKS_FILE JOURNAL SEED``. A mark is one write of one JSON line, so
whoever records the writes of this program knows what had been acknowledged at any of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from power_cut_disk import dice

from scenesync.queue.dead_letters import DeadLetter, DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.queue.records import ClaimedJob
    from scenesync.queue.schema import Journal

ROOT: Final = Path(__file__).parents[2]
SCENES: Final = 12
STEPS: Final = 110
KEEP_FINISHED: Final = 5
HOOK_ENVIRONMENT: Final = {"SCENESYNC_AUTOSTART": "false", "PYTHONDONTWRITEBYTECODE": "1"}


class Workload:
    """Random steps over a few scenes. An event's token stands in its title; tokens grow, so a later one is newer."""

    def __init__(self, data_dir: Path, marks: int, journal: Journal, seed: int) -> None:
        self._data_dir = data_dir
        self._folder = str(data_dir / "queue")
        self._journal: Journal = journal
        self._marks = marks
        self._rng = dice(seed)
        self._tokens = 0
        self._claims: list[ClaimedJob] = []

    def run(self) -> None:
        queue = self._opened()
        try:
            for step in range(STEPS):
                if step % 40 == 39:
                    with self._marked("close", []):
                        queue.close()
                    self._claims.clear()
                    queue = self._opened()
                else:
                    self._step(queue)
        finally:
            queue.close()

    def _opened(self) -> EmbeddedQueue:
        with self._marked("open", []):
            return EmbeddedQueue(self._folder, journal=self._journal, keep_finished=KEEP_FINISHED)

    def _step(self, queue: EmbeddedQueue) -> None:
        does = {
            "put": 20, "put_many": 6, "hook": 6, "spool": 3, "claim": 18, "complete": 16, "requeue": 9, "release": 2,
            "bury": 8, "replay": 5, "discard": 1, "maintain": 5,
        }  # fmt: skip
        [name] = self._rng.choices(list(does), list(does.values()))
        getattr(self, f"_{name}")(queue)

    # -- in

    def _put(self, queue: EmbeddedQueue) -> None:
        event = self._event(self._scene())
        with self._marked("put", [event]):
            queue.put_job(event)

    def _put_many(self, queue: EmbeddedQueue) -> None:
        events = [self._event(scene) for scene in self._rng.sample(range(1, SCENES + 1), 6)]
        with self._marked("put", events):
            queue.put_many(events, batch_rows=4)

    def _hook(self, _queue: EmbeddedQueue) -> None:
        event = self._event(self._scene())
        with self._marked("put", [event]):
            self._run_hook(event)

    def _spool(self, queue: EmbeddedQueue) -> None:
        """Let the hook find the queue busy; take its events in afterwards."""
        events = [self._event(scene) for scene in self._rng.sample(range(1, SCENES + 1), 2)]
        with queue.writing():
            for event in events:
                with self._marked("spool", [event]):
                    self._run_hook(event)
        with self._marked("take_in", events):
            assert queue.take_in_spool() == len(events)

    def _run_hook(self, event: dict[str, Any]) -> None:
        context = {
            "id": event["scene_id"],
            "type": "Scene.Update.Post",
            "input": {"id": str(event["scene_id"]), "title": event["data"]["title"]},
        }
        ran = subprocess.run(
            [sys.executable, "-I", "-S", str(ROOT / "hook.py")],
            input=json.dumps({"args": {"hookContext": context}}).encode(),
            capture_output=True,
            check=True,
            timeout=30,
            env={**HOOK_ENVIRONMENT, "SCENESYNC_DATA_DIR": str(self._data_dir)},
        )
        assert (ran.stdout, ran.stderr) == (b'{"output": "ok"}\n', b""), ran

    # -- out

    def _claim(self, queue: EmbeddedQueue) -> None:
        with self._marked("claim", []):
            self._claims += queue.claim(self._rng.choice((1, 1, 3)))

    def _complete(self, queue: EmbeddedQueue) -> None:
        for claimed in self._one_claim():
            with self._marked("complete", [claimed.job]):
                queue.complete(claimed)

    def _requeue(self, queue: EmbeddedQueue) -> None:
        for claimed in self._one_claim():
            job = claimed.job
            count = job.get("retry_count", 0) + 1
            due_at = time.time() + self._rng.choice((-1.0, -1.0, 300.0))
            failed = {**job, "retry_count": count, "next_retry_at": due_at, "last_error_type": "PlexTemporaryError"}
            with self._marked("requeue", [failed]):
                queue.requeue(claimed, failed)

    def _release(self, queue: EmbeddedQueue) -> None:
        for claimed in self._one_claim():
            with self._marked("release", [claimed.job]):
                queue.release(claimed)

    def _bury(self, queue: EmbeddedQueue) -> None:
        for claimed in self._one_claim():
            letter = DeadLetter(
                claimed.job, "PlexPermanentError", "refused", traceback="x" * 700, failed_at=time.time()
            )
            with self._marked("bury", [claimed.job]):
                queue.bury(claimed, letter)

    def _replay(self, queue: EmbeddedQueue) -> None:
        letters = DeadLetterStore(queue)
        for letter in letters.list(limit=1):
            with self._marked("replay", [letter.job]):
                letters.replay([letter.id])

    def _discard(self, queue: EmbeddedQueue) -> None:
        letters = DeadLetterStore(queue)
        for letter in letters.list(limit=1, newest_first=False):
            with self._marked("discard", [letter.job]):
                letters.discard([letter.id])

    def _maintain(self, queue: EmbeddedQueue) -> None:
        with self._marked("maintain", []):
            queue.maintain()

    # -- parts

    def _scene(self) -> int:
        return self._rng.randint(1, SCENES)

    def _event(self, scene: int) -> dict[str, Any]:
        self._tokens += 1
        return {
            "scene_id": scene,
            "update_type": "metadata",
            "data": {"title": str(self._tokens), "path": f"/films/{scene}/" + "long/" * self._rng.randint(0, 60)},
            "enqueued_at": time.time(),
            "job_key": f"scene_{scene}",
        }

    def _one_claim(self) -> list[ClaimedJob]:
        if not self._claims:
            return []
        return [self._claims.pop(self._rng.randrange(len(self._claims)))]

    @contextlib.contextmanager
    def _marked(self, does: str, jobs: list[dict[str, Any]]) -> Iterator[None]:
        """Announce a step, do it, acknowledge it."""
        about = [[job["job_key"], int(job["data"]["title"]), job.get("retry_count", 0)] for job in jobs]
        self._mark("begin", does, about)
        yield
        self._mark("done", does, about)

    def _mark(self, phase: Literal["begin", "done"], does: str, about: list[list[Any]]) -> None:
        os.write(self._marks, json.dumps({"phase": phase, "does": does, "about": about}).encode() + b"\n")


def main(data_dir: str, marks: str, journal: Journal, seed: str) -> None:
    descriptor = os.open(marks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    Workload(Path(data_dir), descriptor, journal, int(seed)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type] # the program that starts this one gives a journal mode
