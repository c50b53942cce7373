"""Two Stashes that lead to one Plex: whose scene an item shows that both know."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from scenesync.app.configuration.route import ElderPlace, RoutePlace
from scenesync.app.explanation import explain_scene
from scenesync.app.installation import open_installation
from scenesync.app.routes.elders import left_to_elders
from scenesync.domain.job import DESTROY, METADATA, scene_job
from scenesync.domain.outcome import Outcome
from scenesync.simulators.stash.server import StashSimulator
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sync_world import SyncWorld

    from scenesync.app.settings import Settings
    from scenesync.domain.outcome import Attempt
    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.integration


class TwoStashes:
    """``living`` stands first in the file, ``attic`` second; both have a scene with the same file."""

    def __init__(self, world: SyncWorld, attic: StashSimulator, data_dir: Path) -> None:
        self.plex, self.living, self.attic = world.plex, world.stash, attic
        self.first, self.item = world.pair("shared", title="Harbour in the living room")
        scene = attic.add_scene(
            path="/data/stash/Films/shared.mp4",
            size_bytes=1_000_001,
            duration_s=60.0,
            title="Harbour in the attic",
            details="Told in the attic alone.",
        )
        self.second = int(scene.id)
        homes = {"living": data_dir, "attic": data_dir / "routes" / "attic-home"}
        first = RoutePlace("living-home", "living", "home", data_dir)
        second = RoutePlace(
            "attic-home", "attic", "home", data_dir, "attic", (ElderPlace("living", homes["living"], "scenesync"),)
        )
        self._settings = {
            "living": world.settings().at(first, data_dir=homes["living"]),
            "attic": world.settings(stash_url=attic.url, on_destroy="label").at(second, data_dir=homes["attic"]),
        }

    def settings(self, stash: str) -> Settings:
        return self._settings[stash]

    def drain(self, stash: str, scene_id: int, update_type: str = METADATA) -> Attempt:
        with open_installation(self._settings[stash], repairs=True) as installation:
            installation.queue.put_job(scene_job(scene_id, time.time(), update_type=update_type))
            attempts: list[Attempt] = []
            loop = installation.work_loop(LoopLimits(until_idle=True), [attempts.append], unreachable_for_s=10)
            loop.run(threading.Event())
        [attempt] = attempts
        return attempt

    def shown(self) -> PlexItem:
        return self.plex.item(self.item.rating_key)


@pytest.fixture
def stashes(world: SyncWorld, tmp_path: Path) -> Iterator[TwoStashes]:
    with StashSimulator() as attic:
        yield TwoStashes(world, attic, tmp_path / "installation")


def test_the_stash_that_stands_first_keeps_the_item_and_the_other_says_so(stashes: TwoStashes) -> None:
    assert stashes.drain("living", stashes.first).outcome is Outcome.SYNCED
    attempt = stashes.drain("attic", stashes.second)
    assert attempt.outcome is Outcome.SKIPPED
    assert "shows a scene of living, a Stash that stands earlier in scenesync.toml" in attempt.message
    assert (stashes.shown().title, stashes.shown().summary) == ("Harbour in the living room", "")
    with open_installation(stashes.settings("attic")) as installation:
        told = explain_scene(installation, stashes.second)
    assert (told.takes_part, told.left_out_by) == (False, "other_stash")
    assert "shows a scene of living" in told.verdict
    assert left_to_elders(stashes.settings("attic")) == 1
    assert left_to_elders(stashes.settings("living")) is None


def test_what_the_other_wrote_first_is_written_over_once_and_then_left_alone(stashes: TwoStashes) -> None:
    assert stashes.drain("attic", stashes.second).outcome is Outcome.SYNCED
    assert stashes.shown().title == "Harbour in the attic"
    assert stashes.drain("living", stashes.first).outcome is Outcome.SYNCED
    stashes.attic.save(stashes.second, title="Harbour in the attic, once more")
    for _ in range(2):
        assert stashes.drain("attic", stashes.second).outcome is Outcome.SKIPPED
        assert stashes.drain("living", stashes.first).outcome is Outcome.UNCHANGED
    assert stashes.shown().title == "Harbour in the living room"


def test_the_item_falls_to_the_other_when_the_first_stash_has_its_scene_no_more(stashes: TwoStashes) -> None:
    stashes.drain("living", stashes.first)
    assert stashes.drain("attic", stashes.second).outcome is Outcome.SKIPPED
    stashes.living.destroy(stashes.first)
    stashes.drain("living", stashes.first, update_type=DESTROY)
    assert stashes.drain("attic", stashes.second).outcome is Outcome.SYNCED
    assert stashes.shown().title == "Harbour in the attic"


def test_a_scene_deleted_in_the_other_stash_changes_nothing_of_the_item(stashes: TwoStashes) -> None:
    stashes.drain("attic", stashes.second)
    stashes.drain("living", stashes.first)
    before = (stashes.shown().title, stashes.shown().labels)
    stashes.attic.destroy(stashes.second)
    stashes.drain("attic", stashes.second, update_type=DESTROY)
    assert (stashes.shown().title, stashes.shown().labels) == before


def test_items_that_are_not_shared_are_synced_as_ever(stashes: TwoStashes, world: SyncWorld) -> None:
    stashes.drain("living", stashes.first)
    scene = stashes.attic.add_scene(path="/data/stash/Films/own.mp4", size_bytes=77, duration_s=60.0, title="Own")
    item = world.item("Films/own.mp4", 77)
    assert stashes.drain("attic", int(scene.id)).outcome is Outcome.SYNCED
    assert world.plex.item(item.rating_key).title == "Own"
