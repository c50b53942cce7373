"""A task of Stash touches every scene several times: one job and one edit each, and Plex has its peace meanwhile.

Real processes: Stash's hooks, the daemon, both servers over HTTP. The figures are in the table at the end of a run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from scenesync.intake.polling import URGENT_AT_MOST
from tests.e2e.live_world import LiveWorld, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from proofs import Bounds, Figures

    from scenesync.simulators.stash.records import Scene

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(3600)]

TOUCHES = 3
"""How often the task writes each scene."""
EVERY_S = 1.0
"""So often it is looked how far things are: the servers and their thousands of items live in this very process."""


@dataclass(frozen=True)
class Storm:
    """What a storm cost: Plex's requests while it ran and in all, edits, and what Stash was asked."""

    scenes: int
    lasted_s: float
    edits_meanwhile: int
    requests_meanwhile: int
    edits: int
    requests: int
    attempts: int

    def remarks(self) -> str:
        """Return what it cost in words."""
        return (
            f"Plex: {self.requests_meanwhile} requests ({self.edits_meanwhile} edits) while it lasted "
            f"({self.lasted_s:.0f} s), {self.requests:,} in all ({self.edits:,} edits, "
            f"{self.requests / self.scenes:.2f} requests a scene)"
        )


def household(folder: Path, scenes: int, *, hooks: bool) -> tuple[LiveWorld, list[Scene]]:
    world = LiveWorld(folder, plugin=hooks)
    library = world.stash.library
    library._clock = lambda: time.time() - 86_400  # made yesterday, as far as Stash is concerned
    made = [
        world.add_scene(
            f"Film {number:05d}", size_bytes=1_000_000 + number, details="Nobody knows what this is.", cover=None
        )
        for number in range(scenes)
    ]
    library._clock = None
    return world, made


def begin(world: LiveWorld, *, within_s: float, **settings: str) -> None:
    """Sync everything, and wait until the daemon hears Stash and nothing of that is news any more."""
    assert world.scenesync("sync", "--all", "--no-wait", **settings).exit_code == 0
    world.daemon(poll_interval="1", reconcile_interval="never", **settings)
    world.settle(within_s, every_s=EVERY_S)
    eventually(lambda: world.stash.subscriptions.active == 2, "the daemon listens")
    time.sleep(3.0)


def storm(world: LiveWorld, scenes: list[Scene], *, lasts_s: float, within_s: float) -> Storm:
    """Let Stash identify all scenes, and wait until Plex shows the last word about each."""
    attempts = world.scenesync("status", "--json").document()["completed_total"]
    world.plex.clear_records()
    began = time.monotonic()
    changes = [
        (scene, {"details": f"Version {touch} of {scene.title}."}) for touch in range(TOUCHES) for scene in scenes
    ]
    job = world.stash.identify_job(changes, pause_s=lasts_s / len(changes))
    world.stash.job(job, timeout_s=within_s)
    lasted_s = time.monotonic() - began
    meanwhile = world.plex.counts()
    last = f"Version {TOUCHES - 1} of"
    eventually(
        lambda: sum(item.summary.startswith(last) for item in world.plex.items()) == len(scenes),
        "the last version in Plex",
        within_s,
        every_s=EVERY_S,
    )
    world.settle(within_s, every_s=EVERY_S)
    time.sleep(3.0)  # further looks, which find nothing to do
    counts = world.plex.counts()
    return Storm(
        len(scenes),
        lasted_s,
        meanwhile.get("edit", 0),
        sum(meanwhile.values()),
        counts.get("edit", 0),
        sum(counts.values()),
        world.scenesync("status", "--json").document()["completed_total"] - attempts,
    )


@pytest.mark.parametrize("hooks", [True, False], ids=["hooks", "polling"])
def test_a_storm_is_one_job_a_scene_and_plex_has_its_peace_while_it_lasts(
    tmp_path: Path, bounds: Bounds, figures: Figures, *, hooks: bool
) -> None:
    # A hook is a process of its own, some 50 ms each: as many as Stash could start in the long form's time.
    scenes = (400 if hooks else 10_000) if bounds.is_long else (10 if hooks else 60)
    world, made = household(tmp_path, scenes, hooks=hooks)
    within_s = 60 + scenes * 0.2
    limits = {"max_change_items": "1", "max_change_percent": "100"}
    with world:
        begin(world, within_s=within_s, **limits)
        found = storm(world, made, lasts_s=60.0 if bounds.is_long else 3.0, within_s=within_s)
    how = "hooks" if hooks else "polling"
    tried = f"{scenes:,} scenes written {TOUCHES} times each by a task, {how}"
    figures("storm", tried, jobs=found.attempts, lost=0, doubled=max(0, found.edits - scenes), remarks=found.remarks())
    # What a look finds while the task begins, or a hook says before it is known to run, passes for a person's.
    early = 2 * URGENT_AT_MOST
    assert found.edits_meanwhile <= early
    assert found.edits <= scenes + early
    assert found.attempts <= scenes * 1.05 + early
    assert found.requests_meanwhile <= 20 + found.lasted_s * 4
    assert found.requests <= scenes * 1.2 + 60 + found.lasted_s * 4


def test_a_storm_that_turns_the_library_over_stops_before_its_first_write(tmp_path: Path) -> None:
    world, made = household(tmp_path, 30, hooks=False)
    limits = {"max_change_items": "5"}  # and more than half of all
    with world:
        begin(world, within_s=60.0, **limits)
        world.plex.clear_records()
        world.stash.bulk_save(made, details="From the wrong box.")
        eventually(
            lambda: world.scenesync("status", "--json", **limits).document()["stopped_runs"], "a run that was stopped"
        )
        (run,) = world.scenesync("status", "--json", **limits).document()["stopped_runs"]
        assert "it would change 30 of 30 items" in run["reason"]
        assert world.plex.counts().get("edit", 0) == 0
        assert world.queue().pending == 0
