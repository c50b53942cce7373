"""The sample library: the same for the same seed, awkward enough, and alike on both sides."""

from __future__ import annotations

import random
import zlib

import pytest
from stash_over_http import capture, served

from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.sample_world import World, build_world, png, random_edit
from scenesync.simulators.stash.server import StashSimulator

SCENES = 300
Built = tuple[StashSimulator, PlexSimulator, World]


@pytest.fixture(scope="module")
def built() -> Built:
    stash, plex = StashSimulator(), PlexSimulator()
    return stash, plex, build_world(stash, plex, SCENES)


def _facts(stash: StashSimulator) -> list[tuple[object, ...]]:
    return [
        (s.title, s.details, s.date, s.studio_id, s.performer_ids, s.tag_ids, s.path, s.files[0].size_bytes, s.cover)
        for s in stash.scenes()
    ]


def test_the_same_seed_makes_the_same_world_and_another_one_a_different(built: Built) -> None:
    stash, _plex, _world = built
    again, other = StashSimulator(), StashSimulator()
    build_world(again, PlexSimulator(), SCENES)
    build_world(other, PlexSimulator(), SCENES, seed=2)

    assert _facts(again) == _facts(stash)
    assert _facts(other) != _facts(stash)


def test_every_scene_has_its_file_in_plex_below_the_other_root(built: Built) -> None:
    stash, plex, world = built

    assert len(world.scene_ids) == len(world.scene_of) == SCENES
    for scene_id in world.scene_ids:
        scene = stash.scene(scene_id)
        (version,) = plex.item(world.rating_key_of[scene_id]).versions
        assert version.file == world.plex_path(scene.path)
        assert version.file.startswith("/mnt/media/")
        assert version.size_bytes == scene.files[0].size_bytes
        assert world.scene_of[world.rating_key_of[scene_id]] == scene_id


def test_files_and_covers_are_all_different(built: Built) -> None:
    scenes = built[0].scenes()

    for values in (
        {scene.path for scene in scenes},
        {scene.files[0].size_bytes for scene in scenes},
        {scene.cover.etag for scene in scenes},
    ):
        assert len(values) == SCENES


def test_the_library_is_as_awkward_as_a_real_one(built: Built) -> None:
    stash = built[0]
    scenes = stash.scenes()
    titles = "".join(scene.title for scene in scenes)

    assert all(character in titles for character in ",&\"'<>✨日%/")
    assert any(scene.title == "" for scene in scenes)
    assert {len(scene.date) for scene in scenes if scene.date} == {4, 7, 10}
    assert any(scene.date is None for scene in scenes)
    assert any("\n\n" in scene.details for scene in scenes)
    assert any(scene.studio_id is None for scene in scenes)
    assert any(scene.groups for scene in scenes)
    assert any(studio.parent_id for studio in stash.library.studios.values())
    assert any(performer.disambiguation for performer in stash.library.performers.values())


def test_covers_are_valid_png_files() -> None:
    content = png(7)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(content):
        length = int.from_bytes(content[at : at + 4])
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(content[at + 8 + length : at + 12 + length])
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]
    assert len(zlib.decompress(chunks[b"IDAT"])) == 27 * (1 + 48 * 3)


def test_edits_of_a_person_change_what_they_say_and_cover_all_fields() -> None:
    stash = StashSimulator()
    world = build_world(stash, PlexSimulator(), 20)
    rng = random.Random(5)  # noqa: S311 - a seed, no secret
    seen: set[str] = set()
    for _each in range(60):
        scene_id = rng.choice(world.scene_ids)
        before = stash.scene(scene_id)
        changes = random_edit(stash, scene_id, rng)
        after = stash.scene(scene_id)
        seen |= changes.keys()
        shown = {
            "studio": lambda scene: scene.studio_id,
            "performers": lambda scene: sorted(scene.performer_ids),
            "tags": lambda scene: sorted(scene.tag_ids),
            "cover": lambda scene: scene.cover.content,
        }
        for name, value in changes.items():
            read = shown.get(name, lambda scene, name=name: getattr(scene, name))
            assert read(after) == value
            assert read(before) != value
    assert seen == {"title", "details", "date", "studio", "performers", "tags", "cover"}


def test_an_edit_of_a_scene_without_relations_finds_something_to_change() -> None:
    stash = StashSimulator()
    scene = stash.add_scene(path="/data/1.mp4")
    for seed in range(10):
        rng = random.Random(seed)  # noqa: S311 - likewise
        assert random_edit(stash, scene.id, rng).keys() <= {"title", "details", "date", "cover"}


def test_a_page_of_a_thousand_scenes_comes_whole() -> None:
    real = capture("answer-find-scenes")["request"]
    stash = StashSimulator()
    build_world(stash, PlexSimulator(), 1000, with_covers=False)
    with served(stash) as client:
        status, answer = client.post(real["query"], {"f": {"per_page": 1000, "sort": "id"}})
        assert (status, len(answer["data"]["findScenes"]["scenes"])) == (200, 1000)
