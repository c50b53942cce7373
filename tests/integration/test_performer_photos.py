"""Performers' photos: told to Plex once, without a key, and only where that can work."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from scenesync.app.wording.plan import scene_lines
from scenesync.domain.errors import AttemptCut
from scenesync.domain.outcome import Outcome
from scenesync.reconciliation.planning import plan_scenes
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import png
from scenesync.worker.proof import Unproven

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.integration

ON: dict[str, Any] = {"sync_performer_photos": True, "stash_url_for_plex": "http://stash.example:9999"}
KEY = "fake-api-key"


def outcomes(world: SyncWorld, *scene_ids: int, **settings: object) -> list[Outcome]:
    return [attempt.outcome for attempt in world.drain(*scene_ids, **{**ON, **settings})]


def photos(world: SyncWorld, item: PlexItem) -> dict[str, str]:
    return dict(world.plex.item(item.rating_key).actor_photos)


def address(performer: Any) -> str:
    return f"http://stash.example:9999/performer/{performer.id}/image?t="


def looks(world: SyncWorld) -> int:
    return sum(request.path.startswith("/performer/") for request in world.stash.requests)


def writes(world: SyncWorld) -> int:
    return sum(request.method == "PUT" for request in world.plex.requests)


@pytest.mark.parametrize("tags", ["replace", "add"])
def test_a_new_actor_gets_the_photo_and_the_cast_stays_as_it_is(world: SyncWorld, tags: str) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=tags)
    ann, bo = world.stash.add_performer("Ann", image=png(1)), world.stash.add_performer("Bo, Jr. & Co")
    scene_id, item = world.pair(title="Walk", performers=[ann, bo])
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert shown.actors == ("Ann", "Bo, Jr. & Co")
    assert list(shown.actor_photos) == ["Ann"], "a placeholder is no photo"
    assert shown.actor_photos["Ann"].startswith(address(ann))
    assert "actor" in shown.locked


def test_by_default_there_are_none(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", performers=[world.stash.add_performer("Ann", image=png(1))])
    world.drain(scene_id)
    assert photos(world, item) == {}


def test_switched_on_later_they_reach_actors_who_are_there_already_and_nothing_is_locked(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", performers=[world.stash.add_performer("Ann", image=png(1))])
    world.drain(scene_id, lock_fields=False)
    assert outcomes(world, scene_id, lock_fields=False) == [Outcome.SYNCED]
    assert list(photos(world, item)) == ["Ann"]
    assert "actor" not in world.plex.item(item.rating_key).locked


def test_nothing_is_written_twice_in_whichever_scene_a_person_plays(world: SyncWorld) -> None:
    ann = world.stash.add_performer("Ann", image=png(1))
    ids = [world.pair(title=f"Walk {number}", performers=[ann])[0] for number in range(4)]
    world.drain(*ids)
    world.plex.clear_records()
    world.drain(*ids, **ON)
    assert writes(world) == 1
    world.plex.clear_records()
    assert outcomes(world, *ids) == [Outcome.UNCHANGED] * 4
    assert writes(world) == 0


def test_a_changed_photo_is_brought_up_to_date_once_and_a_changed_performer_costs_nothing(world: SyncWorld) -> None:
    ann = world.stash.add_performer("Ann", image=png(1))
    scene_id, item = world.pair(title="Walk", performers=[ann])
    world.drain(scene_id, **ON)
    first = photos(world, item)["Ann"]
    wait_a_second(world)
    world.stash.save_performer(ann, details="Something else changed.")
    world.plex.clear_records()
    assert outcomes(world, scene_id) == [Outcome.UNCHANGED]
    assert photos(world, item)["Ann"] == first
    asked = looks(world)
    world.drain(scene_id, **ON)
    assert looks(world) == asked, "that the photo is the same is asked once"
    wait_a_second(world)
    world.stash.save_performer(ann, image=png(2))
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert photos(world, item)["Ann"] != first
    world.plex.clear_records()
    assert outcomes(world, scene_id) == [Outcome.UNCHANGED]
    assert writes(world) == 0


def test_a_photo_that_waited_long_takes_nothing_back_that_a_person_did_to_the_cast(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bo = world.stash.add_performer("Ann", image=png(1)), world.stash.add_performer("Bo")
    scene_id, item = world.pair(title="Walk", performers=[ann, bo])
    world.drain(scene_id)
    monkeypatch.setattr("scenesync.worker.artwork.photos.STALE_AFTER_S", -1.0)

    def meanwhile() -> bool:
        world.plex.edit_by_hand(item, actors=["Ann"])
        return True

    with world.installed(**ON) as installation:
        session = world.session(installation)
        written = session.scene_sync.sync(installation.stash.scenes([scene_id])[scene_id], lambda: True)
        errors: list[Exception | None] = []
        session.proofs.add(Unproven(scene_id, written, errors.append, still_ours=meanwhile))
        session.proofs.check(threading.Event())
    assert [type(error) for error in errors] == [AttemptCut]
    assert (world.plex.item(item.rating_key).actors, photos(world, item)) == (("Ann",), {})


def test_a_photo_that_stash_takes_away_leaves_plex(world: SyncWorld) -> None:
    ann = world.stash.add_performer("Ann", image=png(1))
    scene_id, item = world.pair(title="Walk", performers=[ann])
    world.drain(scene_id, **ON)
    world.stash.save_performer(ann, image=None)
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert photos(world, item) == {}
    assert world.plex.item(item.rating_key).actors == ("Ann",)
    assert outcomes(world, scene_id) == [Outcome.UNCHANGED]


class TestAPhotoOfAnAgent:
    def known(self, world: SyncWorld) -> tuple[int, PlexItem]:
        scene_id, item = world.pair(title="Walk", performers=[world.stash.add_performer("Ann", image=png(1))])
        world.drain(scene_id)
        world.plex.set_actor_photo("Ann", "https://agent.example/ann.jpg")
        return scene_id, item

    def test_stays(self, world: SyncWorld) -> None:
        scene_id, item = self.known(world)
        assert outcomes(world, scene_id) == [Outcome.UNCHANGED]
        assert photos(world, item) == {"Ann": "https://agent.example/ann.jpg"}

    def test_stays_although_the_actor_is_new_to_the_item(self, world: SyncWorld) -> None:
        self.known(world)
        ann = next(iter(world.stash.library.performers.values()))
        other_id, other = world.pair(title="Run", performers=[ann])
        assert outcomes(world, other_id) == [Outcome.SYNCED]
        assert photos(world, other) == {"Ann": "https://agent.example/ann.jpg"}

    def test_is_replaced_if_the_policy_for_photos_says_so(self, world: SyncWorld) -> None:
        scene_id, item = self.known(world)
        policy = ("performer_photos => stash",)
        assert outcomes(world, scene_id, conflict_policy_fields=policy) == [Outcome.SYNCED]
        assert photos(world, item)["Ann"].startswith("http://stash.example")
        assert outcomes(world, scene_id, conflict_policy_fields=policy) == [Outcome.UNCHANGED]


class TestAStashThatAsksForAKey:
    def test_gets_no_photo_written_and_everything_else_is(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk", performers=[world.stash.add_performer("Ann", image=png(1))])
        world.stash.require_login("someone", "fake-password", KEY)
        assert outcomes(world, scene_id, stash_api_key=SecretStr(KEY)) == [Outcome.SYNCED]
        assert outcomes(world, scene_id, stash_api_key=SecretStr(KEY)) == [Outcome.UNCHANGED]
        shown = world.plex.item(item.rating_key)
        assert (shown.actors, shown.actor_photos) == (("Ann",), {})

    def test_its_key_is_in_nothing_that_is_sent_to_plex(self, world: SyncWorld) -> None:
        """A key without a password: Stash answers everybody, and SceneSync has a key at hand."""
        scene_id, item = world.pair(
            title="Walk", performers=[world.stash.add_performer("Ann", image=png(1))], cover=png(2)
        )
        world.stash.require_login("", "", KEY)
        assert outcomes(world, scene_id, stash_api_key=SecretStr(KEY)) == [Outcome.SYNCED]
        assert list(photos(world, item)) == ["Ann"]
        assert KEY not in repr(world.plex.requests)
        assert "apikey" not in photos(world, item)["Ann"].lower()


def test_namesakes_who_are_one_actor_in_plex_do_not_take_turns(world: SyncWorld) -> None:
    first = world.stash.add_performer("Ann", image=png(1))
    second = world.stash.add_performer("Ann", "the singer", image=png(2))
    one, item = world.pair(title="Walk", performers=[first])
    two, _ = world.pair(title="Run", performers=[second])
    world.drain(one, two, **ON)
    shown = photos(world, item)
    world.plex.clear_records()
    assert outcomes(world, one, two, one) == [Outcome.UNCHANGED] * 2
    assert photos(world, item) == shown
    assert writes(world) == 0


def test_the_photo_of_a_performer_who_is_gone_is_replaced_by_the_namesakes(world: SyncWorld) -> None:
    first = world.stash.add_performer("Ann", image=png(1))
    one, item = world.pair(title="Walk", performers=[first])
    world.drain(one, **ON)
    world.stash.destroy_entities("performer", [first])
    second = world.stash.add_performer("Ann", image=png(2))
    world.stash.save(one, performers=[second])
    assert outcomes(world, one) == [Outcome.SYNCED]
    assert photos(world, item)["Ann"].startswith(address(second))


def test_a_server_that_ignores_photos_is_left_in_peace_after_two_tries(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Walk", performers=[world.stash.add_performer("Ann", image=png(1))])
    world.drain(scene_id)
    world.plex.ignored_fields = ["actor"]
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    world.plex.clear_records()
    assert outcomes(world, scene_id) == [Outcome.UNCHANGED]
    assert writes(world) == 0


def test_a_write_that_fails_is_tried_again(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Walk", performers=[world.stash.add_performer("Ann", image=png(1))])
    world.drain(scene_id)
    for _ in range(3):
        world.plex.fail_next(1, faults.status(500), only="edit")
        assert outcomes(world, scene_id) == [Outcome.RETRY]
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert list(photos(world, item)) == ["Ann"]


def test_a_photo_that_is_broken_keeps_nothing_else_from_plex(world: SyncWorld) -> None:
    bad, good = world.stash.add_performer("Ann", image=b"no picture"), world.stash.add_performer("Bo", image=png(1))
    scene_id, item = world.pair(title="Walk", performers=[bad, good])
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    assert list(photos(world, item)) == ["Bo"]


def test_a_plan_names_the_actors_who_would_get_their_photos(world: SyncWorld) -> None:
    ann, bo = (world.stash.add_performer(name, image=png(1)) for name in ("Ann", "Bo"))
    scene_id, _ = world.pair(title="Walk", performers=[ann])
    world.drain(scene_id)
    world.stash.save(scene_id, performers=[ann, bo])
    with world.installed(**ON) as installation:
        scene_sync = world.session(installation).scene_sync
        (planned,) = plan_scenes(scene_sync, installation.stash.scenes([scene_id]).values())
        assert [item.photos for item in planned.items] == [("Ann", "Bo")]
        assert any("photos" in line.plain and "+Ann +Bo" in line.plain for line in scene_lines(planned))
    world.drain(scene_id, **ON)
    with world.installed(**ON) as installation:
        scene_sync = world.session(installation).scene_sync
        (planned,) = plan_scenes(scene_sync, installation.stash.scenes([scene_id]).values())
    assert planned.items == ()


def wait_a_second(world: SyncWorld) -> None:
    """Let the clock of Stash go on: it counts in seconds."""
    now = world.stash.library.now_s() + 1.5
    world.stash.library._clock = lambda: now
