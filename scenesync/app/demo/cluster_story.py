"""The story as two workers and a PostgreSQL tell it: one of them dies, and the other one goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenesync.app.demo.story import Story

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_WORK = "working data_dir="


@dataclass(frozen=True, slots=True)
class ClusterStory(Story):
    """Two workers share a database; the hooks' outbox is the first one's."""

    def begin(self) -> None:
        """Start both workers."""
        self.introduce()
        first, second = self.workers
        for worker in self.workers:
            worker.start()
        self.watch.wait_for("both workers to begin", self._are_all_at_work)
        took_s = self.watch.wait_for("Plex to be reached", lambda: self.watch.overview().plex == "up")
        self.tell.say(
            f"Two workers run (processes {first.pid} and {second.pid}); Plex's library is read after {took_s:.1f} s. "
            "Hooks write to the first one's outbox; queue and state are in PostgreSQL."
        )

    def sudden_death(self, bulk: Sequence[int], alone: Sequence[int]) -> None:
        """Kill the worker with the outbox in the middle of its work, save on, and start it again after a while."""
        self.tell.heading("kill -9")
        first, second = self.workers
        self.watch.wait_for("jobs in the workers' hands", lambda: self.watch.queue().in_progress > 0)
        killed_at = time.time()
        first.kill()
        queue = self.watch.queue()
        self.facts.in_hand_when_killed = queue.in_progress
        self.tell.say(
            f"Worker {first.pid} is killed; {queue.in_progress} scenes were in the hands of both, {queue.pending} wait."
        )
        self.facts.resumed_s = self.wait_for_edit("the other worker's next edit", killed_at)
        self.tell.say(f"Worker {second.pid} goes on: its next edit comes {self.facts.resumed_s:.1f} s later.")
        self.save_all(bulk, alone)
        self.tell.say(
            f"{len(bulk)} scenes changed by bulk edit, {len(alone)} one by one: nobody sends on what the hooks write, "
            "so it waits in the outbox."
        )
        first.start()
        self.tell.say(
            f"A new worker (process {first.pid}) sends it on. What the dead one held nobody touches until it was "
            "silent for half a minute: it might live."
        )

    def _are_all_at_work(self) -> bool:
        return all(_AT_WORK in worker.log_text() for worker in self.workers)
