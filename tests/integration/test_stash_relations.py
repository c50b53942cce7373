"""Who shows an entity, asked of a Stash over HTTP, which checks the queries against the schema of a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scenesync.domain.entities import Entity

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = pytest.mark.integration


def found(world: SyncWorld, entity: Entity, *ids: int, after: int = 0, limit: int = 100, depth: int = 0) -> list[int]:
    with world.installed() as installation:
        return list(installation.stash.scene_ids_of_entity_after(entity, ids, after, limit, depth=depth))


@pytest.mark.parametrize("entity", Entity)
def test_scenes_of_an_entity_come_in_pages_by_id(world: SyncWorld, entity: Entity) -> None:
    ours: Any = getattr(world.stash, f"add_{entity}")("Ours")
    other: Any = getattr(world.stash, f"add_{entity}")("Other")

    def scene(each: Any) -> int:
        return world.scene(**({"studio": each} if entity is Entity.STUDIO else {f"{entity}s": [each]}))[0]

    first, _, third, fourth = scene(ours), scene(other), scene(ours), scene(ours)
    assert found(world, entity, ours.id, limit=2) == [first, third]
    assert found(world, entity, ours.id, after=third, limit=2) == [fourth]
    assert found(world, entity, ours.id, after=fourth) == []
    assert found(world, entity, 999) == [], "deleted meanwhile"


def test_studios_and_tags_below_count_as_far_as_asked(world: SyncWorld) -> None:
    root = world.stash.add_studio("Root")
    child = world.stash.add_studio("Child", root)
    grandchild = world.stash.add_studio("Grandchild", child)
    scenes = [world.scene(studio=studio)[0] for studio in (root, child, grandchild)]
    assert [found(world, Entity.STUDIO, root.id, depth=depth) for depth in (0, 1, -1)] == [
        scenes[:1], scenes[:2], scenes
    ]  # fmt: skip
    music = world.stash.add_tag("Music")
    live = world.stash.add_tag("Live", parents=[music])
    tagged = [world.scene(tags=[tag])[0] for tag in (music, live)]
    assert [found(world, Entity.TAG, music.id, depth=depth) for depth in (0, -1)] == [tagged[:1], tagged]
