"""The whole product on PostgreSQL: nodes killed, the elected one among them, the database crashing and out of reach.

Two of the nodes have a hook beside them, whose events wait in an outbox; nothing else tells of a change, since nobody
looks at Stash by himself here. Every node has its own way to the database, and a clock that is wrong. What came of it
is judged by what the simulated servers hold and have recorded.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cutting_proxy import CuttingProxy
from fleet_node import STALL_S
from hook_events import leave_event
from pydantic import SecretStr

from scenesync.app.opening import open_queue, queue_figures
from scenesync.app.settings import Settings
from scenesync.simulators.sample_world import random_edit
from tests.e2e.live_world import LiveWorld, eventually
from tests.e2e.shown_fields import all_differences, needless_writes

if TYPE_CHECKING:
    from private_postgres import PrivatePostgres
    from proofs import Bounds, Figures

    from scenesync.queue.records import QueueSnapshot
    from tests.e2e.live_world import Daemon

NODE: Final = str(Path(__file__).with_name("fleet_node.py"))
SKEWS_S: Final = (0.0, 3600.0, -3600.0, 40.0)
ELECTED, NO_LONGER = "this node is elected:", "this node is elected no longer"
OUTBOXES: Final = 2
AWAY_S: Final = 1.5
WORKS_WITHIN_S: Final = 120.0

pytestmark = [pytest.mark.reliability, pytest.mark.e2e]


class Fleet:
    """Nodes, each with a data directory, a way to the database and a clock; one that is killed begins anew."""

    def __init__(self, world: LiveWorld, postgres: PrivatePostgres, stack: contextlib.ExitStack, size: int) -> None:
        self._world = world
        self._postgres = postgres
        self._url = SecretStr(postgres.new_database("chaos"))
        self.saved: set[int] = set()
        self._ways = [stack.enter_context(CuttingProxy(postgres.port)) for _ in range(size)]
        self.folders = [world.folder / f"node-{place}" for place in range(size)]
        self._nodes = [self._begin(place) for place in range(size)]

    def save(self, scene_id: int, chance: random.Random) -> None:
        """Let a person save a scene, and the hook of one of two machines hear of it."""
        self.saved.add(scene_id)
        random_edit(self._world.stash, scene_id, chance)
        leave_event(self.folders[chance.randrange(OUTBOXES)], scene_id)

    def kill(self, place: int) -> None:
        assert self._nodes[place].is_running(), self._nodes[place].log[-4000:]
        self._nodes[place].kill()
        self._nodes[place] = self._begin(place)

    def be_at_work(self) -> None:
        """Wait until more is done, or nothing is left to do: whoever dies then dies in the middle of it."""
        before = self.left()

        def is_under_way() -> bool:
            now = self.left()
            return now.completed_total > before.completed_total or now.pending == now.in_progress == 0

        eventually(is_under_way, "something that is done", WORKS_WITHIN_S, every_s=0.2)

    def kill_elected(self) -> None:
        """Kill the node that is elected, once one is."""
        try:
            eventually(lambda: any(map(_is_elected, self._nodes)), "somebody is elected")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.last_words()}") from None
        for place, node in enumerate(self._nodes):
            if _is_elected(node):
                self.kill(place)

    def crash_database(self) -> None:
        self._postgres.stop()
        time.sleep(0.3)
        self._postgres.start()

    def cut_off(self, *, silently: bool) -> None:
        """Keep everybody from the database for a while: refused, or without a word."""
        for way in self._ways:
            way.fall_silent() if silently else way.cut()
        time.sleep(AWAY_S)
        for way in self._ways:
            way.heal()

    def isolate(self, place: int) -> None:
        """Keep one node from the database until it is taken for dead, which it is not."""
        self._ways[place].fall_silent()
        time.sleep(STALL_S * 2)
        self._ways[place].heal()

    def left(self) -> QueueSnapshot:
        """Return the queue and what waits in both outboxes, which is all that there is to do."""
        found = [queue_figures(Settings(data_dir=folder, database_url=self._url)) for folder in self.folders[:OUTBOXES]]
        return max(found, key=lambda queue: queue.pending)

    def given_up(self) -> list[str]:
        """Return why jobs were given up."""
        with open_queue(Settings(data_dir=self.folders[0], database_url=self._url)) as queue:
            return [letter.error_type for letter in queue.dead_letters.list()]

    def last_words(self) -> str:
        """Return the end of each node's log."""
        return "\n---\n".join(node.log[-1500:] for node in self._nodes)

    def stop(self) -> list[int]:
        for node in self._nodes:
            assert node.is_running(), node.log[-4000:]
        return [node.stop() for node in self._nodes]

    def _begin(self, place: int) -> Daemon:
        return self._world.start(
            [sys.executable, NODE, str(SKEWS_S[place])],
            data_dir=str(self.folders[place]),
            database_url=self._postgres.url("chaos", port=self._ways[place].port),
            poll_interval="0",
            reconcile_interval="never",
            recovery_ramp="1",
        )


def _is_elected(node: Daemon) -> bool:
    log = node.log
    return log.rfind(ELECTED) > log.rfind(NO_LONGER)


def settle(fleet: Fleet, patience_s: float) -> QueueSnapshot:
    """Wait until nothing is left to do, or nothing was done for a while; return what is left."""
    done, until = -1, 0.0
    while True:
        left = fleet.left()
        if left.completed_total != done:
            done, until = left.completed_total, time.monotonic() + patience_s
        if left.pending == left.in_progress == 0 or time.monotonic() > until:
            return left
        time.sleep(0.2)


@pytest.mark.timeout(3600)
def test_a_fleet_brings_every_change_to_plex_whatever_dies_or_is_cut_off(
    postgres: PrivatePostgres, tmp_path: Path, bounds: Bounds, figures: Figures
) -> None:
    chance = random.Random(bounds.first_seed)  # noqa: S311 (the same choices each time)
    scenes, events, size = bounds.pick(20, 600), bounds.pick(60, 4_000), bounds.pick(2, 4)
    rounds = bounds.pick(1, 12)
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(LiveWorld(tmp_path, plugin=False))
        scene_ids = world.fill(scenes, seed=bounds.first_seed).scene_ids
        fleet = Fleet(world, postgres, stack, size)
        troubles = [
            fleet.crash_database,
            lambda: fleet.cut_off(silently=False),
            lambda: fleet.cut_off(silently=True),
            lambda: fleet.isolate(chance.randrange(size)),
        ]
        steps = rounds * len(troubles)
        for number in range(steps):
            for _ in range(events // steps):
                fleet.save(chance.choice(scene_ids), chance)
            fleet.be_at_work()
            if number % 2:
                fleet.kill_elected()
            else:
                fleet.kill(chance.randrange(size))
            troubles[number % len(troubles)]()
        left = settle(fleet, patience_s=60 + 5 * STALL_S)
        time.sleep(STALL_S)  # edits are proven by being read back
        exits = fleet.stop()
        given_up = fleet.given_up()
    saved = [world.stash.scene(scene_id) for scene_id in sorted(fleet.saved)]
    stale = all_differences(world.stash, world.plex, [(scene, world.item_of(scene)) for scene in saved])
    doubled = needless_writes(world.plex)
    figures(
        "fleet of daemons on PostgreSQL",
        f"{steps} nodes killed, half of them elected; {steps} times the database or the way to it",
        jobs=left.completed_total,
        lost=len(stale),
        doubled=len(doubled),
        remarks=f"{events:,} events of two machines on {scenes:,} scenes, {size} nodes, clocks wrong by up to an hour; "
        f"{left.dead_letters} dead letters",
    )
    assert (left.pending, left.in_progress) == (0, 0), f"stuck, seed {bounds.first_seed}"
    assert stale == [], f"stale, seed {bounds.first_seed}"
    assert doubled == [], f"written twice, seed {bounds.first_seed}"
    # In the long form as many die in minutes as elsewhere in years: a scene may lose five of them, the last one beside
    # few others, and be taken for the cause. What it is to show it shows all the same, by its later events.
    assert given_up == ["WorkerCrash"] * (left.dead_letters if bounds.is_long else 0)
    assert exits == [0] * size
