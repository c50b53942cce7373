"""One history: a seed draws a household, what happens to it, and who runs when; the end must keep every promise.

The director (the test's own thread) plays what was drawn, then lifts all faults, lets the worker come to rest and
looks: see ``sim_promises`` for what is checked on the way and at the end.
"""

from __future__ import annotations

import contextlib
import heapq
import random
import shutil
from typing import TYPE_CHECKING

from sim_happenings import EVENTS, Happenings
from sim_kernel import Stuck
from sim_process import engines
from sim_threading import played_by

from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.records import PRIORITY_BULK

if TYPE_CHECKING:
    from pathlib import Path

    from sim_household import Account


class History(Happenings):
    """Plays what its seed drew."""

    def play(self) -> Account:
        """Play and return the account; what the product promises and breaks stands in ``broken``."""
        with played_by(self.kernel, random.Random(f"{self.seed} chance")):  # noqa: S311
            try:
                with contextlib.closing(EmbeddedQueue(self.folder / "queue", auto_resume=False)) as self.hand:
                    self._play_parts()
            except Stuck as stuck:
                self.promises.violate("end", str(stuck))
            finally:
                self.kernel.shut_down()
                self.promises.close()
                engines.take_back()
        return self._settle_account()

    def _play_parts(self) -> None:
        self.letters = DeadLetterStore(self.hand)
        self.span_s = self.plan.choice((5.0, 12.0, 30.0))
        self.hand.put_many([self.job_of(scene) for scene in self.stash.scenes.values()], PRIORITY_BULK)
        self.account.jobs += len(self.stash.scenes)
        self.start_process()
        # Things come together: what is enqueued, and what goes wrong while it is worked on.
        bursts = [0.0, *(self.plan.uniform(0, self.span_s) for _ in range(self.plan.randint(1, 3)))]
        for _ in range(self.plan.randint(6, 16)):
            kind = self.plan.choices(list(EVENTS), list(EVENTS.values()))[0]
            moment = self.plan.choice(bursts) + self.plan.choice((0.0, 0.1, 0.1, 1.5)) * self.plan.random()
            self._at(moment, getattr(self, f"_{kind}"), kind)
        self._follow_agenda()
        self.account.happened["points before rest"] += self.kernel.points
        self._lift_everything()
        self.promises.look_at_the_end()

    def _follow_agenda(self) -> None:
        while self._agenda and not self.account.broken:
            moment, _, act = heapq.heappop(self._agenda)
            self.sleep(moment - self.kernel.now)
            self.kernel.stir()
            act()
            self.promises.look_at_the_queue()

    def _lift_everything(self) -> None:
        self._episodes.clear()
        self.plex.faults.answer_lost = self.plex.faults.not_applied = 0.0
        self.plex.faults.busy = self.plex.faults.read_fails = self.plex.faults.ignored = 0.0
        self.plex.ignore_next.clear()
        self.stash.when_read = None
        self.set_states()
        while self.late:
            self._appear()
        if not any(process.is_running for process in self.processes):
            self.start_process()
        self.kernel.note("-- all faults are over")

    def _settle_account(self) -> Account:
        account, kernel = self.account, self.kernel
        account.requests = self.plex.count.requests
        account.writes = self.plex.count.writes
        account.doubled = self.plex.count.doubled
        account.points = kernel.points
        account.virtual_s = kernel.now
        account.digest = kernel.digest
        account.trace = kernel.trace
        account.happened.update({f"fault: {name}": count for name, count in self.plex.count.injected.items()})
        account.happened["retries"] = self.retries.failures_seen
        account.happened["doubles excused"] += self.plex.count.excused
        return account


def play(seed: int, template: Path, folder: Path) -> Account:
    """Play the history of ``seed`` in ``folder``, which is made from ``template`` and removed afterwards."""
    shutil.copytree(template, folder)
    try:
        return History(seed, folder).play()
    finally:
        shutil.rmtree(folder)
