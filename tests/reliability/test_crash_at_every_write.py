"""Each operation of the queue, hit at each of its system calls that writes: by SIGKILL, by EIO, by ENOSPC."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from crash_nursery import Nursery, World
from crash_recorded_queue import seeded
from crash_steps import STEPS, make_ready_world
from crash_strace import Gate, Trace, TracingBarred

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crash_history import Verdict
    from proofs import Bounds, Figures

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(3600)]

KILL: Final = "signal=SIGKILL"
_DISK_ERRORS: Final = {"QueueDiskFailed", "QueueUnwritable"}
# Which errors may be raised: by an operation of the queue, and by one that writes into the spool.
_TRUE_ERRORS: Final = {
    "error=EIO": _DISK_ERRORS,
    "error=ENOSPC": {*_DISK_ERRORS, "QueueDiskFull"},
}
_OS_ERRORS: Final = {"OSError"}


@dataclass(frozen=True, slots=True)
class Point:
    """The ``nth`` call of a system call in one operation; ``lasting`` if all later ones fail as well."""

    step: str
    call: str
    nth: int
    fault: str
    lasting: bool = False

    @property
    def injection(self) -> str:
        """Return it as strace wants it."""
        return f"{self.call}:{self.fault}:when={self.nth}{'+' if self.lasting else ''}"


@dataclass(frozen=True, slots=True)
class Strike:
    """What came of a fault: how the process ended, how many events it all was about, and what is wrong."""

    point: Point
    exit_code: int
    kept: int
    verdict: Verdict


class Laboratory:
    """Prepared queues, one per operation, each to be copied, hit and judged."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        folder.mkdir()
        self._folder = folder
        self._nursery = nursery
        self._tried = 0
        self._calls: dict[str, dict[str, int]] = {}
        self._make_template(folder / "plain")
        self._make_template(folder / "crashed", dies="claim several")
        World(folder / "empty").close()

    def points(self, fault: str, *, lasting: bool = False) -> list[Point]:
        """Return every call that writes, of every operation, as counted in a run without faults."""
        return [
            Point(step, call, nth, fault, lasting)
            for step in STEPS
            for call, count in sorted(self._count(step).items())
            for nth in range(1, count + 1)
        ]

    def strike(self, point: Point, *, go_on: bool = False) -> Strike:
        """Hit a process at ``point`` and judge the queue that it left; ``go_on`` if it is to work on before."""
        world = self._copy_of(point.step)
        try:
            code, _ = self._run(world, point.step, inject=point.injection, go_on=go_on)
            box = world.open()
            verdict = world.judge(box, set())
            verdict.broken += _wrong_errors(point, world.history.failed_steps)
            verdict = verdict or world.judge_drained(box)
            box.close()
            return Strike(point, code, world.history.kept, verdict)
        finally:
            world.close()
            shutil.rmtree(world.folder)

    def _count(self, step: str) -> dict[str, int]:
        if step not in self._calls:
            world = self._copy_of(step)
            code, trace = self._run(world, step, inject=None, go_on=False)
            assert code == 0
            world.close()
            self._calls[step] = trace.calls()
        return self._calls[step]

    def _run(self, world: World, step: str, *, inject: str | None, go_on: bool) -> tuple[int, Trace]:
        gate = Gate(world.folder / "gate")
        child = self._nursery.start("step", world, step=step, gate=str(gate.path), go_on=go_on)
        try:
            world.wait_for_ready(child)
            trace = Trace(child.process_id, world.folder / "trace", inject)
        except BaseException:
            child.kill()
            raise
        gate.open()
        trace.wait()
        return child.wait(), trace

    def _copy_of(self, step: str) -> World:
        template = {"open a new queue": "empty", "take over from a dead process": "crashed"}.get(step, "plain")
        self._tried += 1
        return World(shutil.copytree(self._folder / template, self._folder / f"{template}-{self._tried}"))

    def _make_template(self, folder: Path, dies: str | None = None) -> None:
        world = World(folder)
        box = world.open()
        make_ready_world(box)
        box.close()
        if dies is not None:
            self._nursery.start("step", world, step=dies, gate=None, go_on=False).wait()
        world.close()


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    folder = tmp_path_factory.mktemp("every-write")
    system_tmp = folder / "system-tmp"
    system_tmp.mkdir()
    with pytest.MonkeyPatch.context() as patch, Nursery(system_tmp) as nursery:
        patch.setattr(tempfile, "tempdir", str(system_tmp))
        laboratory = Laboratory(folder / "worlds", nursery)
        try:
            laboratory.points(KILL)
        except TracingBarred as reason:
            pytest.skip(f"no fault can be put into system calls: {reason}")
        yield laboratory


def test_sigkill_at_every_system_call_that_writes_loses_and_doubles_no_job(
    laboratory: Laboratory, bounds: Bounds, figures: Figures
) -> None:
    every = laboratory.points(KILL)
    points = _chosen(every, bounds, 2)
    found = [laboratory.strike(point) for point in points]
    _report("SIGKILL at each write", f"{len(points)} of {len(every)} kill points", found, figures)
    assert not [strike for strike in found if strike.exit_code != -9], "these calls were never reached"


@pytest.mark.parametrize(
    "step", ["requeue", "requeue beside a newer event", "release", "bury", "replay", "take in spool"]
)
def test_no_write_of_a_step_from_one_place_to_another_is_one_after_which_the_job_is_nowhere_or_twice(
    laboratory: Laboratory, figures: Figures, step: str
) -> None:
    """Retry as "acknowledge, then put" loses the job in between, so does "fail, then add to the dead letters"."""
    points = [point for point in laboratory.points(KILL) if point.step == step]
    found = [laboratory.strike(point) for point in points]
    _report(f"SIGKILL at each write: {step}", f"{len(points)} kill points", found, figures)


@pytest.mark.parametrize("fault", _TRUE_ERRORS)
def test_disk_error_at_every_write_shows_itself_loses_nothing_and_the_queue_works_on(
    laboratory: Laboratory, bounds: Bounds, figures: Figures, fault: str
) -> None:
    every = laboratory.points(fault)
    points = _chosen(every, bounds, 2)
    found = [laboratory.strike(point, go_on=True) for point in points]
    _report(f"{fault[6:]} at each write", f"{len(points)} of {len(every)} faults", found, figures)


def test_disk_that_stays_full_from_any_write_on_loses_nothing_that_was_acknowledged(
    laboratory: Laboratory, bounds: Bounds, figures: Figures
) -> None:
    every = laboratory.points("error=ENOSPC", lasting=True)
    points = _chosen(every, bounds, 1)
    found = [laboratory.strike(point) for point in points]
    _report("ENOSPC from each write on", f"{len(points)} of {len(every)} faults", found, figures)


def _chosen(points: list[Point], bounds: Bounds, per_step: int) -> list[Point]:
    """Return all points in the long form, else some of each operation."""
    if bounds.is_long:
        return points
    rng = seeded(bounds.first_seed)
    of_step = {step: [point for point in points if point.step == step] for step in STEPS}
    return [point for some in of_step.values() for point in rng.sample(some, min(per_step, len(some)))]


def _wrong_errors(point: Point, failed: list[dict[str, object]]) -> list[str]:
    allowed = _TRUE_ERRORS.get(point.fault, set())
    wrong = []
    for line in failed:
        is_of_spool = line["op"] == "put" and (
            line.get("way") == "spool" or (line.get("way") == "hook" and point.lasting)
        )
        if line["error"] not in (_OS_ERRORS if is_of_spool else allowed):
            wrong.append(f"{line['op']} ({line.get('way')}) ended with {line['error']}: {line['text']}")
    return wrong


def _report(proof: str, tried: str, found: list[Strike], figures: Figures) -> None:
    figures(
        proof,
        tried,
        jobs=sum(strike.kept for strike in found),
        lost=sum(len(strike.verdict.lost) for strike in found),
        doubled=sum(len(strike.verdict.doubled) for strike in found),
        remarks=f"{len({strike.point.step for strike in found})} operations",
    )
    bad = [strike for strike in found if strike.verdict]
    assert not bad, "\n".join(f"{one.point.step}, {one.point.injection}\n{one.verdict}" for one in bad[:10])
