"""What is not known about Plex makes no difference: under every answer the libraries end up equal."""

from __future__ import annotations

import itertools
import random
from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal

import pytest
from live_world import LiveWorld
from shown_fields import differences

from scenesync.app.commands.sync import enqueue
from scenesync.app.exit_codes import DONE
from scenesync.app.one_shot import work_off
from scenesync.app.opening import open_queue
from scenesync.app.settings import Settings, load_settings
from scenesync.app.wording.progress import LineView
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.sample_world import random_edit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scenesync.simulators.sample_world import World

pytestmark = pytest.mark.e2e

SCENES = 30
FOREIGN_GENRES = ("Comedy/Drama", "Rock & Roll", "100 %", "Feature+", "Live", "C# minor", "Ça va", "A%20B")
"""What an earlier agent left on the items; all but the scenes' own tags must go."""
LONG_CAST = 28

TAGS: Sequence[Literal["replace", "add"]] = ("replace", "add")
DECODINGS: Sequence[Literal["once", "twice"]] = ("once", "twice")
LISTINGS: Sequence[Literal["strict", "lax"]] = ("strict", "lax")
ANSWERS = [
    PlexBehaviour(tags_on_items=tags, minus_decoding=decoding, listing=listing, max_target_bytes=limit)
    for tags, decoding, (listing, limit) in itertools.product(TAGS, DECODINGS, zip(LISTINGS, (8000, 3000), strict=True))
]


def _name(answer: PlexBehaviour) -> str:
    return f"{answer.tags_on_items}-{answer.minus_decoding}-{answer.listing}-{answer.max_target_bytes}"


def without_commas(world: LiveWorld) -> None:
    """Rename what has a comma in its name: how to take such a name off an item is a question of its own."""
    library = world.stash.library
    for tag in tuple(library.tags.values()):
        world.stash.save_tag(tag, name=tag.name.replace(",", " -"))
    for studio in tuple(library.studios.values()):
        world.stash.save_studio(studio, name=studio.name.replace(",", " -"))


def settings_of(world: LiveWorld, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in world.environment().items():
        if name.startswith("SCENESYNC_"):
            monkeypatch.setenv(name, value)
    return load_settings().settings


def sync(settings: Settings, scene_ids: Sequence[int] = ()) -> None:
    """Sync these scenes, or all."""
    enqueue(settings, scene_ids, since=None)
    report = work_off(settings, nullcontext(LineView()))
    with open_queue(settings) as queue:
        letters = [letter.message for letter in DeadLetterStore(queue).list()]
    assert (report.exit_code, letters) == (DONE, [])


def assert_equal(world: LiveWorld, content: World, scene_ids: Sequence[int]) -> None:
    stash, plex = world.stash, world.plex
    items = [(stash.scene(scene_id), plex.item(content.rating_key_of[scene_id])) for scene_id in scene_ids]
    assert [line for scene, item in items for line in differences(stash, plex, scene, item)] == []
    assert plex.whole_library_edits == []
    assert plex.deleted_media == []
    assert plex.simulator_failures == ()


@pytest.mark.parametrize("answer", ANSWERS, ids=_name)
def test_both_libraries_are_equal_whatever_plex_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: PlexBehaviour
) -> None:
    chance = random.Random(20)  # noqa: S311 - invented edits
    with LiveWorld(tmp_path, behaviour=answer) as world:
        stash, plex = world.stash, world.plex
        content = world.fill(SCENES)
        without_commas(world)
        crowd = [stash.add_performer(f"Übergangs-Ensemble der Küste {number:02d}") for number in range(LONG_CAST)]
        for scene_id in content.scene_ids[::3]:
            item = plex.item(content.rating_key_of[scene_id])
            genres = chance.sample(FOREIGN_GENRES, 4)
            plex.edit_by_hand(item, genres=genres, actors=["Nobody O'Body", "Ada Sample"], summary="Left over.")
        stash.save(content.scene_ids[0], performers=crowd, details="A very long evening at the pier. " * 40)
        settings = settings_of(world, monkeypatch)

        sync(settings)
        assert_equal(world, content, content.scene_ids)

        changed = content.scene_ids[::4]
        for scene_id in changed:
            random_edit(stash, scene_id, chance)
        stash.save(content.scene_ids[0], performers=crowd[::2], tags=[], details="")
        sync(settings, changed)
        assert_equal(world, content, content.scene_ids)

        plex.clear_records()
        sync(settings)
        assert plex.field_writes == []


@pytest.mark.parametrize(
    ("tags", "decoding"),
    [
        ("replace", "twice"),
        ("add", "twice"),
        ("replace", "once"),
        ("add", "once"),
    ],
)
def test_a_name_with_a_comma_leaves_the_list(
    world: LiveWorld,
    monkeypatch: pytest.MonkeyPatch,
    tags: Literal["replace", "add"],
    decoding: Literal["once", "twice"],
) -> None:
    world.plex.behaviour = PlexBehaviour(tags_on_items=tags, minus_decoding=decoding)
    scene = world.add_scene("Harbour", tags=[world.stash.add_tag("Interview")])
    item = world.item_of(scene)
    world.plex.edit_by_hand(item, genres=["Comedy, Drama", "Interview", "Comedy"])

    sync(settings_of(world, monkeypatch))

    assert item.genres == ("Interview",)
