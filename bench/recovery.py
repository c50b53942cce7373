"""Plex goes away while the product works off a long queue, and comes back: how soon and how fast work goes on."""

from __future__ import annotations

import bisect
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.figures import Benchmark, Beside, Curve, Figure, at_most
from bench.product import open_product
from bench.simulated_servers import ServerProcess, begin_both
from scenesync.worker.availability.pacing import BURST_S, FIRST_RATE, FULL_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scenesync.queue.port import Queue
    from scenesync.simulators.plex.records import RequestRecord

_FIRST_EDIT_WITHIN_S: Final = 2.0
_WINDOW_S: Final = 1.0
_PATIENCE_S: Final = 60.0
_LOOKED_AT_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Sizes:
    """At least ``waiting`` jobs when Plex goes away; before, during and after the outage so much time passes.

    ``spare`` more jobs than that are there at first; each request takes ``latency_s``.
    """

    waiting: int
    spare: int
    before_s: float
    outage_s: float
    after_s: float
    ramp_s: float
    latency_s: float = 0.01
    workers: int = 4


def run(sizes: Sizes, folder: Path) -> list[Figure | Curve]:
    """Return how the recovery went. Raises RuntimeError if too few jobs waited, or nothing was done after it."""
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        scenes = sizes.waiting + sizes.spare
        there, here = begin_both(plex, stash, scenes, plex_latency_s=sizes.latency_s)
        with open_product(folder / "data", here, there, workers=sizes.workers, recovery_ramp=sizes.ramp_s) as product:
            product.enqueue(here.scene_ids)
            with product.working():
                product.wait_for_attempts(1)
                time.sleep(sizes.before_s)
                plex.go_away()
                time.sleep(sizes.outage_s)
                waiting = product.installation.queue.total
                if waiting < sizes.waiting:
                    raise RuntimeError(f"Only {waiting:,} jobs waited when Plex came back.")
                back_at = plex.come_back()
                _wait_until_fewer(product.installation.queue, waiting)
                time.sleep(max(0.0, back_at + sizes.after_s - time.monotonic()))
            given_up = product.installation.dead_letters.count()
        edits, recovered_at = _edits(plex.take_records(), back_at)
    return [*_figures(sizes, edits, recovered_at, waiting, given_up), *_curves(sizes, edits, recovered_at)]


def _wait_until_fewer(queue: Queue, jobs: int) -> None:
    """Wait until one of the jobs is done, which on a machine with much else to do may take longer than all the rest."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while queue.total >= jobs and time.monotonic() < give_up_at:
        time.sleep(_LOOKED_AT_EVERY_S)


def _edits(records: Sequence[RequestRecord], back_at: float) -> tuple[list[float], float]:
    """Return when edits arrived, in seconds since Plex came back, and when it was found to be back."""
    edits = sorted(record.at_monotonic - back_at for record in records if record.kind == "edit")
    looks = [record.at_monotonic - back_at for record in records if record.kind == "sections"]
    found = min((at for at in looks if at >= 0), default=math.inf)
    if not edits or edits[-1] < 0 or found == math.inf:
        raise RuntimeError("Nothing was done after the outage.")
    return edits, found


def _figures(sizes: Sizes, edits: Sequence[float], recovered_at: float, waiting: int, given_up: int) -> list[Figure]:
    first = edits[bisect.bisect_left(edits, 0.0)]
    before = _count(edits, -math.inf, -sizes.outage_s) / (-sizes.outage_s - edits[0])
    steady_from = sizes.ramp_s if sizes.after_s > sizes.ramp_s else sizes.after_s * 0.8
    after = _count(edits, steady_from, sizes.after_s) / (sizes.after_s - steady_from)
    case = f"outage of {sizes.outage_s:g} s, {waiting:,} jobs waiting"
    return [
        Figure(
            f"{case}: first edit after Plex answers",
            first,
            "s",
            at_most(_FIRST_EDIT_WITHIN_S),
            headline="first edit after Plex answers again",
        ),
        Figure(
            f"{case}: most edits in a second / what the pace allows",
            worst_burst(edits, recovered_at, sizes),
            target=at_most(1.0),
            headline="most edits in any second of the recovery / what its pace allows",
        ),
        Figure(f"{case}: dead letters", given_up, target=at_most(0)),
        Figure(f"{case}: rate {steady_from:g} s later", after, "scenes/s", beside=_beside_before(before, after)),
    ]


def _beside_before(before: float, after: float) -> Beside:
    return Beside("scenes/s before it", before, after / before)


def _count(edits: Sequence[float], begin: float, end: float) -> int:
    return bisect.bisect_left(edits, end) - bisect.bisect_left(edits, begin)


def worst_burst(edits: Sequence[float], recovered_at: float, sizes: Sizes) -> float:
    """Return the largest ratio, over all seconds of the ramp, of the edits in it to those that may be.

    These are the integral of the rate over the second, what may be made up for, and the scenes that were in hand:
    their edits may arrive later than they were begun.
    """
    worst = 0.0
    for edit in edits:
        if recovered_at <= edit <= recovered_at + sizes.ramp_s:
            end = edit + _WINDOW_S - recovered_at
            paced = allowed(end, sizes.ramp_s) - allowed(end - _WINDOW_S, sizes.ramp_s)
            spare = max(1.0, _rate(end, sizes.ramp_s) * BURST_S) + sizes.workers
            worst = max(worst, _count(edits, edit, edit + _WINDOW_S) / (paced + spare))
    return worst


def _rate(at: float, ramp_s: float) -> float:
    """Return scenes per second that may begin ``at`` seconds after the recovery."""
    return FIRST_RATE * math.pow(FULL_RATE / FIRST_RATE, min(max(at, 0.0), ramp_s) / ramp_s)


def allowed(at: float, ramp_s: float) -> float:
    """Return how many scenes may begin until ``at``: the integral of the rate; at the end of the ramp it goes on."""
    growth = math.log(FULL_RATE / FIRST_RATE) / ramp_s
    within = FIRST_RATE / growth * (math.exp(growth * min(max(at, 0.0), ramp_s)) - 1)
    return within + FULL_RATE * max(0.0, at - ramp_s)


def _curves(sizes: Sizes, edits: Sequence[float], recovered_at: float) -> list[Curve]:
    begin, end = -math.floor(sizes.outage_s + sizes.before_s), math.ceil(sizes.after_s)
    per_second = tuple((at + 0.5, float(_count(edits, at, at + 1))) for at in range(begin, end))
    ramp = tuple((recovered_at + at, _rate(at, sizes.ramp_s)) for at in range(math.ceil(sizes.ramp_s) + 1))
    return [
        Curve("outage", "edits in each second", per_second),
        Curve("outage", "what the pace allows after the outage", tuple(one for one in ramp if one[0] <= end)),
        Curve("outage", "Plex is away", ((-sizes.outage_s, 0.0), (0.0, 0.0))),
    ]


BENCHMARK: Final = Benchmark(
    "recovery",
    full=partial(run, Sizes(waiting=10_000, spare=2_500, before_s=5, outage_s=6, after_s=20, ramp_s=16)),
    quick=partial(run, Sizes(waiting=400, spare=400, before_s=0.6, outage_s=1.2, after_s=3, ramp_s=3)),
    against_servers=True,
    waits_when_quick=True,
)
