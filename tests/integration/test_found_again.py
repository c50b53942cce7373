"""An item that vanished from where it was is found again without a person's help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sync_world import PLEX_ROOT

from scenesync.domain.outcome import Outcome
from scenesync.plex.exceptions import PlexNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync_world import SyncWorld

    from scenesync.domain.item import Item
    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.integration


def edit_arrives(world: SyncWorld, scene_id: int, item: PlexItem) -> None:
    """Save the scene and see that this item shows it, at the first attempt."""
    world.stash.save(scene_id, title="Harbour, edited")
    [attempt] = world.drain(scene_id)
    assert (attempt.outcome, attempt.rule) == (Outcome.SYNCED, "path")
    assert world.plex.item(item.rating_key).title == "Harbour, edited"


def synced(world: SyncWorld) -> tuple[int, PlexItem]:
    scene_id, item = world.pair(title="Harbour")
    world.drain(scene_id)
    return scene_id, item


def test_an_item_that_was_deleted_and_scanned_again(world: SyncWorld) -> None:
    scene_id, item = synced(world)
    world.plex.remove_item(item.rating_key)
    [version] = item.versions
    edit_arrives(world, scene_id, world.plex.add_item(world.library, file=version.file, size_bytes=version.size_bytes))


def test_an_item_whose_match_was_fixed(world: SyncWorld) -> None:
    scene_id, item = synced(world)
    world.plex.rematch_item(item, "Some other film")
    edit_arrives(world, scene_id, item)


def test_an_item_that_moved_to_another_library(world: SyncWorld) -> None:
    scene_id, item = synced(world)
    other = world.plex.add_library("Other videos", [PLEX_ROOT])
    edit_arrives(world, scene_id, world.plex.move_item(item, other))


def test_one_of_two_items_that_moved_while_its_twin_stayed(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour")
    twin_library = world.plex.add_library("Twin", [PLEX_ROOT])
    [version] = item.versions
    twin = world.plex.add_item(twin_library, file=version.file, size_bytes=version.size_bytes)
    world.drain(scene_id)
    moved = world.plex.move_item(item, world.plex.add_library("Third", [PLEX_ROOT]))
    edit_arrives(world, scene_id, moved)
    assert twin.title == "Harbour, edited"


def test_an_item_whose_file_became_a_version_of_another_one(world: SyncWorld) -> None:
    scene_id, item = synced(world)
    other = world.plex.add_item(world.library, file=f"{PLEX_ROOT}/Films/no scene has this.mp4", size_bytes=7)
    world.plex.merge_items(other, item)
    edit_arrives(world, scene_id, other)


def test_an_item_that_was_split_from_another_one(world: SyncWorld) -> None:
    scene_id, path, size = world.scene(title="Harbour")
    item = world.plex.add_item(world.library, file=f"{PLEX_ROOT}/Films/no scene has this.mp4", size_bytes=7)
    world.plex.add_version(item, file=f"{PLEX_ROOT}/{path}", size_bytes=size, duration_ms=60_000)
    world.drain(scene_id)
    [own] = world.plex.split_item(item)
    before = item.title
    edit_arrives(world, scene_id, own)
    assert item.title == before


def test_an_item_whose_file_was_renamed_on_both_sides(world: SyncWorld) -> None:
    scene_id, item = synced(world)
    world.stash.rename_in_scan(scene_id, "/data/stash/Films/renamed.mp4")
    world.plex.rename_file(item, f"{PLEX_ROOT}/Films/renamed.mp4")
    edit_arrives(world, scene_id, item)


def test_a_key_that_a_rebuilt_plex_gave_to_another_film_is_not_written(world: SyncWorld) -> None:
    """The index says what was true before; the item that is written is asked which file it plays."""
    scene_id, item = world.pair(title="Harbour")
    _, other = world.pair(title="Quay")
    with world.installed() as installation:
        session = world.session(installation)
        paths = [each.versions[0].file for each in (item, other)]
        world.plex.rename_file(item, f"{PLEX_ROOT}/Films/in between.mp4")
        world.plex.rename_file(other, paths[0])
        world.plex.rename_file(item, paths[1])
        with pytest.raises(PlexNotFound):
            session.scene_sync.sync(installation.stash.scenes([scene_id])[scene_id], lambda: True)
    assert world.plex.field_writes == []
    world.drain(scene_id)
    assert [world.plex.item(each.rating_key).title == "Harbour" for each in (item, other)] == [False, True]


def test_items_that_changed_keys_while_one_of_them_was_being_read(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_id, item = world.pair(title="Harbour")
    _, other = world.pair(title="Quay")
    with world.installed() as installation:
        session = world.session(installation)
        paths = [each.versions[0].file for each in (item, other)]
        world.plex.rename_file(item, f"{PLEX_ROOT}/Films/in between.mp4")
        world.plex.rename_file(other, paths[0])
        world.plex.rename_file(item, paths[1])
        read = installation.plex.read_items

        def read_while_others_refresh(keys: Sequence[str]) -> Mapping[str, Item]:
            monkeypatch.undo()
            session.index.refresh()
            return read(keys)

        monkeypatch.setattr(installation.plex, "read_items", read_while_others_refresh)
        match, _ = session.scene_sync.plan(installation.stash.scenes([scene_id])[scene_id])

        assert match.rating_keys == (other.rating_key,)
        assert [file.path for file in session.index.files_of(item.rating_key)] == [paths[1]]


def test_an_ambiguity_that_plex_has_settled_meanwhile_is_none(world: SyncWorld) -> None:
    scene_id, path, size = world.scene("twice", title="Harbour")
    kept, gone = (
        world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/{path}", size_bytes=size)
        for folder in ("A", "B")
    )
    with world.installed() as installation:
        world.session(installation)
    world.plex.remove_item(gone.rating_key)
    [attempt] = world.drain(scene_id)
    assert (attempt.outcome, attempt.rating_keys) == (Outcome.SYNCED, (kept.rating_key,))
