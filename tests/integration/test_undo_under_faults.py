"""Whatever goes wrong between, undo repeated until it is through ends where SceneSync began, and takes nothing else."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from test_undo_in_plex import snapshot, touched_by_people

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.domain.journal import JournalFilter
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import build_world
from scenesync.store.holds import release_held

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.worker.undo.work import UndoneScene

pytestmark = pytest.mark.integration

SCENES = 10
EVERYTHING: dict[str, Any] = {
    "sync_collection": True,
    "sync_labels": True,
    "sync_tagline": True,
    "sync_poster": False,
    "sync_background": False,
    "collection_sources": ("studio", "groups"),
    "collection_tags": ("*",),
}


def undo_everything(world: SyncWorld, rng: random.Random) -> list[UndoneScene]:
    """Undo again and again, of which the first times Plex fails at random; return what the last time said."""
    with world.installed(**EVERYTHING) as installation:
        undoing = world.session(installation).undoing
        scenes = installation.stash.scenes(sorted(world.stash.library.scenes))
        undone: list[UndoneScene] = []
        for is_faulty in (True, True, True, True, False, False, False):
            world.plex.heal()
            if is_faulty:
                found = (faults.status(500, applied=True), faults.status(500), faults.reset(), faults.empty())
                seed = rng.randrange(1_000_000)
                world.plex.fail_at_random(0.2, *found, only=lambda request: request.method != "GET", seed=seed)
            try:
                undone = list(undoing.undo(list(scenes), scenes, JournalFilter(tuple(scenes))))
            except (TransientError, PermanentError):
                undone = []
        return undone


@pytest.mark.parametrize("seed", [1, 2, 10])
def test_undo_ends_where_it_began_however_often_it_failed(world: SyncWorld, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - not a secret
    build_world(world.stash, world.plex, SCENES, seed=seed, with_covers=False)
    touched_by_people(world, rng, world.plex.items())
    before = snapshot(world)
    scene_ids = sorted(world.stash.library.scenes)
    world.drain(*scene_ids, **EVERYTHING)
    synced = snapshot(world)
    assert all(each.items and each.items[0].is_complete for each in undo_everything(world, rng))
    assert snapshot(world) == before
    with world.installed() as installation:
        release_held(installation.database, None)
    world.drain(*scene_ids, **EVERYTHING)
    assert snapshot(world) == synced
