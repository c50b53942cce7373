"""Absent is not empty: Stash sends its hooks null for whatever a person did not touch."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Outcome
from scenesync.simulators.sample_world import png
from tests.e2e.live_world import LiveWorld, eventually
from tests.integration.sync_world import SyncWorld

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scenesync.simulators.plex.model import PlexItem
    from scenesync.simulators.stash.records import Scene

pytestmark = pytest.mark.reliability

DETAILS, DATE, DIRECTOR = "The first ferry.", "2024-05-01", "Ada Sample"


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    """Stash with the plugin, Plex, and a daemon at work between them; each test has scenes of its own."""
    with LiveWorld(tmp_path_factory.mktemp("household")) as world:
        world.add_scene("Island ferries")  # so that Plex has a library
        world.daemon(poll_interval="1")
        yield world


def full_scene(world: LiveWorld, title: str) -> Scene:
    """Add a scene in which every field is set, and wait until Plex shows it."""
    stash = world.stash
    scene = world.add_scene(
        title,
        details=DETAILS,
        date=DATE,
        director=DIRECTOR,
        studio=stash.add_studio(f"Studio of {title}"),
        performers=[stash.add_performer(f"Ann of {title}")],
        tags=[stash.add_tag(f"Tag of {title}")],
        cover=png(7),
    )
    stash.save(scene, code="A1")
    eventually(lambda: world.item_of(scene).summary == DETAILS, "the scene in Plex")
    world.settle()
    return scene


def shown(item: PlexItem) -> dict[str, Any]:
    return {
        "summary": item.summary,
        "date": item.originally_available_at,
        "studio": item.studio,
        "directors": item.directors,
        "actors": item.actors,
        "genres": item.genres,
        "poster": item.poster.sha1 if item.poster else "",
    }


def looked_at_again(world: LiveWorld, done_before: int, scenes: int = 1) -> None:
    eventually(lambda: world.queue().completed_total >= done_before + scenes, "the event's job to be done")
    world.settle()


def test_organized_toggled_wipes_nothing_and_writes_nothing(household: LiveWorld) -> None:
    scene = full_scene(household, "Harbour")
    item, done, writes = household.item_of(scene), household.queue().completed_total, len(household.plex.field_writes)
    before = shown(item)
    assert all(before.values())
    household.stash.save(scene, organized=True)
    looked_at_again(household, done)
    assert shown(item) == before
    assert len(household.plex.field_writes) == writes


def test_organized_toggled_on_several_at_once_wipes_nothing(household: LiveWorld) -> None:
    scenes = [full_scene(household, f"Pier {number}") for number in range(3)]
    done, writes = household.queue().completed_total, len(household.plex.field_writes)
    before = [shown(household.item_of(scene)) for scene in scenes]
    household.stash.bulk_save(scenes, organized=True)
    looked_at_again(household, done, len(scenes))
    assert [shown(household.item_of(scene)) for scene in scenes] == before
    assert len(household.plex.field_writes) == writes


def test_one_field_saved_leaves_the_others_alone_and_one_emptied_is_emptied(household: LiveWorld) -> None:
    scene = full_scene(household, "Lighthouse")
    item = household.item_of(scene)
    before = shown(item)
    household.stash.save(scene, title="Lighthouse by night")
    eventually(lambda: item.title == "Lighthouse by night", "the title in Plex")
    assert shown(item) == before
    household.stash.save(scene, details="")  # a person did empty this one
    eventually(lambda: not item.summary, "the emptied summary in Plex")
    assert shown(item) == before | {"summary": ""}


def test_the_hook_is_told_null_for_what_nobody_touched(tmp_path: Path) -> None:
    """The other tests here prove nothing if the simulated Stash left these fields out."""
    with LiveWorld(tmp_path) as world:
        heard = tmp_path / "heard.json"
        script = world.plugin_dir / "hook.py"
        script.write_text(f"import sys\nopen({str(heard)!r}, 'wb').write(sys.stdin.buffer.read())\nprint('{{}}')\n")
        scene = world.add_scene("Harbour", details=DETAILS, date=DATE)
        world.stash.save(scene, organized=True)
        told = json.loads(heard.read_text())["args"]["hookContext"]
    assert (told["input"]["details"], told["input"]["date"], told["input"]["title"]) == (None, None, None)
    assert set(told["inputFields"]) == {"id", "organized"}


def test_what_a_job_carries_is_never_taken_for_the_scene(tmp_path: Path) -> None:
    nothing = {"title": None, "details": None, "date": "", "studio": None, "tags": [], "path": None}
    with SyncWorld(tmp_path / "data") as world:
        scene_id, item = world.pair(title="Harbour", details=DETAILS, date=DATE, director=DIRECTOR)
        world.drain(scene_id)
        writes = len(world.plex.field_writes)
        with world.installed() as installation:
            installation.queue.put_job({**scene_job(scene_id, time.time()), "data": nothing})
        (attempt,) = world.drain()
        assert attempt.outcome is Outcome.UNCHANGED
        assert len(world.plex.field_writes) == writes
        assert (item.title, item.summary, item.originally_available_at) == ("Harbour", DETAILS, DATE)


def test_an_event_while_stash_is_away_waits_and_wipes_nothing(tmp_path: Path) -> None:
    with SyncWorld(tmp_path / "data") as world:
        scene_id, item = world.pair(title="Harbour", details=DETAILS, date=DATE)
        world.drain(scene_id)
        writes = len(world.plex.field_writes)
        world.stash.fail_next(2, status=503)
        attempts = world.drain(scene_id)
        assert attempts[0].outcome is Outcome.DEFERRED
        assert attempts[-1].outcome is Outcome.UNCHANGED
        assert len(world.plex.field_writes) == writes
        assert item.summary == DETAILS
