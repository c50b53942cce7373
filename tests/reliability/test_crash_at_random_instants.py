from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from typing import TYPE_CHECKING, Final

import pytest
from crash_nursery import Nursery, World
from crash_recorded_queue import seeded

from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.suspicion import MAX_DELIVERIES

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from crash_history import Verdict
    from crash_nursery import Child
    from crash_recorded_queue import RecordedQueue
    from proofs import Bounds, Figures

pytestmark = pytest.mark.reliability

_KILLS_PER_HISTORY: Final = 50
_MOST_STEPS: Final = 30  # of all living processes, between two kills
_BYTES_PER_STEP: Final = 250  # of the record


@pytest.fixture
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "system-tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.timeout(3600)
def test_sigkill_at_random_instants_loses_and_doubles_no_job(
    tmp_path: Path, own_temporary_folder: Path, bounds: Bounds, figures: Figures
) -> None:
    histories = bounds.pick(5, 200)
    kept = kills = completed = cut_short = 0
    verdicts: list[tuple[int, Verdict]] = []
    with Nursery(own_temporary_folder) as nursery:
        for seed in range(bounds.first_seed, bounds.first_seed + histories):
            history = _History(nursery, World(tmp_path / str(seed)), seeded(seed))
            verdict = history.run()
            kept += history.world.history.kept
            kills += history.kills
            completed += history.world.history.completed
            cut_short += history.world.history.claims_cut_short
            if verdict:
                verdicts.append((seed, verdict))
    figures(
        "SIGKILL at random instants",
        f"{kills:,} kills",
        jobs=kept,
        lost=sum(len(verdict.lost) for _, verdict in verdicts),
        doubled=sum(len(verdict.doubled) for _, verdict in verdicts),
        remarks=f"{completed:,} completed, {cut_short:,} killed while being processed",
    )
    assert not verdicts, "\n".join(f"--seed {seed}\n{verdict}" for seed, verdict in verdicts[:5])


class _History:
    """A queue whose processes are killed again and again while others go on."""

    def __init__(self, nursery: Nursery, world: World, rng: random.Random) -> None:
        self.world = world
        self.kills = 0
        self._nursery = nursery
        self._rng = rng
        self._living: list[Child] = []
        self._box: RecordedQueue | None = None

    def run(self) -> Verdict:
        """Return the first verdict that is not clean, or the last."""
        try:
            while self.kills < _KILLS_PER_HISTORY:
                self._round()
                if self._rng.random() < 0.75 and (verdict := self._judge()):
                    return verdict
            while self._living:
                self._living.pop().kill()
            return self._judge() or self.world.judge_drained(self._open())
        finally:
            if self._box is not None:
                self._box.close()
            while self._living:
                self._living.pop().kill()
            self.world.close()

    def _round(self) -> None:
        while len(self._living) < self._rng.choice([1, 1, 2, 3]):
            role = self._rng.choice(["live", "live", "live", "store_events"])
            self._living.append(self._nursery.start(role, self.world, seed=self._rng.randrange(10**9)))
        if self._rng.random() < 0.7:
            # Some steps later, wherever that is; else by the clock alone, which hits the opening of the queue as well.
            self.world.wait_for_more_lines(self._rng.randint(1, _MOST_STEPS * _BYTES_PER_STEP))
            time.sleep(self._rng.uniform(0, 0.001))
        else:
            time.sleep(self._rng.uniform(0, 0.012))
        doomed = self._living.pop(self._rng.randrange(len(self._living)))
        doomed.kill()
        self.kills += 1

    def _judge(self) -> Verdict:
        """Judge with a handle that stays open for the next kill, or with a new one that closes again.

        The last one to close copies the write-ahead log into the file and removes it: both worlds must be met.
        """
        verdict = self.world.judge(self._open(), {child.process_id for child in self._living})
        if self._rng.random() < 0.5:
            self._open().close()
            self._box = None
        return verdict

    def _open(self) -> RecordedQueue:
        self._box = self._box or self.world.open()
        return self._box


def test_job_that_kills_its_worker_five_times_becomes_a_dead_letter_and_the_others_are_done(
    tmp_path: Path, own_temporary_folder: Path, figures: Figures
) -> None:
    deadly = 3
    with contextlib.closing(World(tmp_path / "world")) as world, Nursery(own_temporary_folder) as nursery:
        box = world.open()
        for scene_id in range(1, 6):
            box.put(scene_id)
        box.close()
        deaths = 0
        while nursery.start("die_of_a_job", world, deadly_scene_id=deadly).wait() == -signal.SIGKILL:
            deaths += 1
            assert deaths <= MAX_DELIVERIES, "it is handed out for ever"
        box = world.open()
        letters = DeadLetterStore(box.queue).list()
        verdict = world.judge_drained(box)
        assert [(letter.error_type, letter.attempts, letter.job["scene_id"]) for letter in letters] == [
            ("WorkerCrash", MAX_DELIVERIES, deadly)
        ]
        assert box.queue.totals() == (4, 1)
        box.close()
    figures(
        "job that kills its worker", f"{deaths} deaths", jobs=5, lost=len(verdict.lost), doubled=len(verdict.doubled)
    )
    assert deaths == MAX_DELIVERIES
    assert not verdict, str(verdict)


def test_job_whose_worker_was_killed_is_claimed_by_the_next_process_at_once(
    tmp_path: Path, own_temporary_folder: Path
) -> None:
    with contextlib.closing(World(tmp_path / "world")) as world, Nursery(own_temporary_folder) as nursery:
        box = world.open()
        box.put(1)
        holder = nursery.start("hold_then_complete", world, gate="/never")
        world.wait_for_ready(holder)
        assert box.claim() == [], "it is in the hands of another process, which lives"
        box.close()
        holder.kill()
        box = world.open()
        assert [claimed.scene_id for claimed in box.claim()] == [1]
        box.close()
