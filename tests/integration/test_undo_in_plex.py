"""``undo`` puts back exactly what Plex showed, never over a person's newer edit; an undone scene is left alone."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import PLEX_ROOT, STASH_ROOT, TOKEN, SyncWorld, eventually

from scenesync.app.cli import run_cli
from scenesync.domain.fields import Field
from scenesync.domain.job import scene_job
from scenesync.domain.journal import JournalFilter
from scenesync.domain.outcome import Outcome
from scenesync.simulators.plex.faults import reset, status
from scenesync.simulators.sample_world import build_world, png
from scenesync.store.holds import list_held

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from scenesync.simulators.plex.model import PlexItem

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

SERVERS_OWN = {"lastRatedAt"}
"""When the server was told, which it keeps count of itself; ``updatedAt`` and the pictures' times are no scalars."""

SCENES = 220
"""More than twice what is read, planned, proven or undone at once."""


@pytest.fixture
def environment(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> SyncWorld:
    values = {
        "DATA_DIR": str(world.data_dir),
        "STASH_URL": world.stash.url,
        "PLEX_URL": world.plex.url,
        "PLEX_TOKEN": TOKEN,
        "PATH_MAP": "/data/stash => /mnt/media",
        "SYNC_COLLECTION": "true",
        "SYNC_LABELS": "true",
        "SYNC_RATING": "true",
        "SYNC_TAGLINE": "true",
        "LOG_LEVEL": "error",
    }
    for key, value in values.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)
    return world


def state_of(item: PlexItem) -> dict[str, Any]:
    """Return all that the server holds of an item but its own counters."""
    return {
        "scalars": {stem: value for stem, value in item.scalars.items() if stem not in SERVERS_OWN},
        "tags": {kind: [(use.tag.name, use.role) for use in uses] for kind, uses in item.tags.items() if uses},
        "locked": sorted(item.locked),
        "poster": item.poster.key if item.poster else None,
        "art": item.art.key if item.art else None,
        "files": item.files,
    }


def snapshot(world: SyncWorld, items: Iterable[PlexItem] | None = None) -> dict[str, dict[str, Any]]:
    return {item.rating_key: state_of(item) for item in (world.plex.items() if items is None else items)}


def ran(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert run_cli([*arguments, "--json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def touched_by_people(world: SyncWorld, rng: random.Random, items: list[PlexItem]) -> None:
    """Let persons have been at work in half of the library before SceneSync came, with and without locks."""
    names = ["Sea", "Travel", "A, B", "Rock & Roll", "100 %", "Night", "Coast"]
    for item in rng.sample(items, len(items) // 2):
        fields: dict[str, Any] = {}
        if rng.random() < 0.5:
            fields |= {"title": f"Seen on {item.rating_key}", "summary": "Their own words.\n\nTwo paragraphs."}
        if rng.random() < 0.6:
            fields["genres"] = rng.sample(names, 3)
        if rng.random() < 0.6:
            fields["actors"] = rng.sample(["Ann Example", "B. Example", "C. Example", "D. Example"], 3)
        if rng.random() < 0.4:
            fields |= {"labels": ["Theirs"], "collections": ["Evenings"]}
        if rng.random() < 0.4:
            fields |= {"originally_available_at": "1999-12-31", "user_rating": 7.5, "studio": "A Studio"}
        world.plex.edit_by_hand(item, locked=rng.random() < 0.5, **fields)


@pytest.mark.timeout(300)
def test_over_hundreds_of_scenes_everything_is_as_it_was_and_an_undo_of_the_undo_as_synced(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    rng = random.Random(5)  # noqa: S311 - not a secret
    build_world(world.stash, world.plex, SCENES, seed=5, with_covers=False)
    ids = sorted(world.stash.library.scenes)
    for scene_id in rng.sample(ids, 20):
        world.stash.save(scene_id, cover=png(scene_id))
    touched_by_people(world, rng, world.plex.items())
    before = snapshot(world)
    assert run_cli(["sync", "--all", "--json"]) == 0
    # A second round on top, so that fields have a history.
    changed = rng.sample(ids, 30)
    for scene_id in changed:
        world.stash.save(scene_id, title=f"Harbour {scene_id}", details="", tag_ids=[])
    assert run_cli(["sync", "--json", *map(str, changed)]) == 0
    synced = snapshot(world)

    world.plex.clear_records()
    planned = ran(capsys, "undo", "--since", "1d", "--dry-run")
    assert world.plex.field_writes == []
    undone = ran(capsys, "undo", "--since", "1d")
    assert {**planned, "run": undone["run"], "dry_run": False} == undone
    assert snapshot(world) == before
    assert undone["totals"]["refused_fields"] == 0
    assert undone["totals"]["held"] == undone["totals"]["put_back"] > 0.8 * SCENES
    edits = sum(request.kind == "edit" for request in world.plex.requests)
    assert edits <= undone["totals"]["put_back"]  # one request for all texts, lists and locks of an item

    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items="add")
    back = ran(capsys, "undo", "--run", undone["run"])
    assert snapshot(world) == synced
    assert back["totals"]["held"] == 0
    sample = [str(scene_id) for scene_id in rng.sample(ids, 50)]
    assert ran(capsys, "sync", *sample)["unchanged"] == 50

    ran(capsys, "undo", "--run", back["run"])
    assert snapshot(world) == before


def test_a_persons_newer_edit_stays_unless_it_is_forced(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier at noon", details="Sun.")
    before = state_of(item)
    assert run_cli(["sync", str(scene_id), "--json"]) == 0
    world.plex.edit_by_hand(item, summary="Somebody knows better")
    undone = ran(capsys, "undo", str(scene_id), code=3)
    reasons = {field["field"]: field["reason"] for field in undone["scenes"][0]["items"][0]["fields"]}
    assert reasons == {"title": None, "titleSort": None, "summary": "edited"}
    assert (item.title, item.summary) == ("pier", "Somebody knows better")
    assert item.locked == {"summary"}
    ran(capsys, "undo", str(scene_id), "--force")
    assert state_of(item) == before


def test_without_a_choice_nothing_is_undone(environment: SyncWorld, capsys: pytest.CaptureFixture[str]) -> None:
    scene_id, _ = environment.pair("pier", title="Pier at noon")
    assert run_cli(["undo"]) == 2
    assert "Say what to undo" in capsys.readouterr().err
    assert ran(capsys, "undo", str(scene_id))["scenes"] == []
    assert run_cli(["undo", str(scene_id)]) == 0
    assert "Nothing was written." in capsys.readouterr().out
    assert environment.plex.field_writes == []


def test_a_run_that_is_not_known_is_no_undo_that_did_nothing(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    scene_id, _ = environment.pair("pier", title="Pier at noon")
    assert run_cli(["sync", str(scene_id), "--json"]) == 0
    capsys.readouterr()
    assert run_cli(["undo", "--run", "20010101T000000-beef"]) == 2
    assert "journal --runs" in capsys.readouterr().err


def test_edits_are_undone_by_time_and_by_run(environment: SyncWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier one")
    assert run_cli(["sync", str(scene_id), "--json"]) == 0
    world.stash.save(scene_id, title="Pier two")
    assert run_cli(["sync", str(scene_id), "--json"]) == 0
    newest, oldest = ran(capsys, "journal", "--runs")
    assert (newest["cause"], newest["scenes"], newest["fields"]) == ("sync", 1, 2)
    # What a later run wrote is not lost by undoing an earlier one alone.
    kept = ran(capsys, "undo", "--run", oldest["run"], code=3)
    assert {field["reason"] for field in kept["scenes"][0]["items"][0]["fields"]} == {"written_since"}
    ran(capsys, "undo", "--run", newest["run"])
    assert item.title == "Pier one"
    assert item.locked == {"title", "titleSort"}
    ran(capsys, "undo", str(scene_id), "--since", "1h")
    assert item.title == "pier"
    assert item.locked == set()
    edits = ran(capsys, "journal", str(scene_id), "--since", "1h", "--limit", "2")
    assert {(edit["cause"], edit["field"], edit["after"]) for edit in edits} == {
        ("undo", "title", "pier"),
        ("undo", "titleSort", "pier"),
    }


def test_one_edit_is_undone_by_its_number(environment: SyncWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier one", details="A quiet pier.")
    assert run_cli(["sync", str(scene_id), "--json"]) == 0
    edits = ran(capsys, "journal", str(scene_id))
    (number,) = (edit["number"] for edit in edits if edit["field"] == "summary")
    ran(capsys, "undo", "--edit", str(number))
    assert (item.title, item.summary) == ("Pier one", "")
    assert run_cli(["journal", str(scene_id)]) == 0
    assert f" {number} " in capsys.readouterr().out.replace("\n", " \n")
    assert run_cli(["undo", "--edit", "4711"]) == 2


def test_an_undone_scene_is_left_alone_by_events_and_restarts_until_stash_or_a_person_says_otherwise(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier at noon")
    world.drain(scene_id)
    ran(capsys, "undo", str(scene_id))
    for _ in range(2):  # each a process of its own, as far as the stores are concerned
        (attempt,) = world.drain(scene_id)
        assert (attempt.outcome, item.title) == (Outcome.SKIPPED, "pier")
        assert "was undone and is held" in attempt.message
    assert ran(capsys, "status")["held"] == 1
    assert ran(capsys, "status")["dead_letters"] == 0
    assert ran(capsys, "holds", "list")[0]["scene_id"] == scene_id
    assert ran(capsys, "explain", str(scene_id))["left_out_by"] == "held"
    assert ran(capsys, "plan", "--all")["totals"]["left_out_by_reason"] == {"held": 1}
    assert ran(capsys, "plan", "--all", "--include-held")["totals"]["change"] == 1
    assert ran(capsys, "plan", str(scene_id))["totals"]["change"] == 1
    assert ran(capsys, "sync", "--all")["skipped"] == 1
    world.stash.save(scene_id, title="Pier at dusk")
    (attempt,) = world.drain(scene_id)
    assert (attempt.outcome, item.title) == (Outcome.SYNCED, "Pier at dusk")
    assert ran(capsys, "status")["held"] == 0


@pytest.mark.parametrize("by", ["id", "all", "release", "apply"])
def test_a_person_ends_a_hold(
    environment: SyncWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier at noon")
    other, _ = world.pair("quay", title="Quay")
    world.drain(scene_id, other)
    ran(capsys, "undo", str(scene_id), str(other))
    if by == "id":
        assert ran(capsys, "sync", str(scene_id))["synced"] == 1
    elif by == "all":
        assert run_cli(["sync", "--since", "1d", "--include-held"]) == 2
        assert ran(capsys, "sync", "--all", "--include-held")["synced"] == 2
    elif by == "release":
        assert run_cli(["holds", "release"]) == 2
        assert ran(capsys, "holds", "release", str(scene_id)) == {"released": 1}
        assert (item.title, world.drain(scene_id)[0].outcome) == ("pier", Outcome.SYNCED)
    else:
        file = tmp_path / "plan.jsonl"
        ran(capsys, "plan", str(scene_id), "--out", str(file))
        assert ran(capsys, "apply", str(file))["synced"] == 1
    assert item.title == "Pier at noon"
    assert [hold["scene_id"] for hold in ran(capsys, "holds", "list")] == ([] if by == "all" else [other])


def test_undo_waits_for_work_that_a_daemon_has_begun(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier one")
    world.drain(scene_id)
    world.stash.save(scene_id, title="Pier two")
    with world.working() as installation:
        with world.plex.paused_on_write() as pause:
            installation.queue.put_job(scene_job(scene_id, time.time()))
            assert pause.arrived.wait(10)
            codes: list[int] = []
            undoing = threading.Thread(target=lambda: codes.append(run_cli(["undo", str(scene_id), "--json"])))
            undoing.start()
            time.sleep(0.5)
            assert undoing.is_alive()
        undoing.join(30)
        installation.queue.put_job(scene_job(scene_id, time.time()))
        eventually(lambda: world.attempts[-1].outcome is Outcome.SKIPPED)
    capsys.readouterr()
    assert codes == [0]
    assert (item.title, item.locked) == ("pier", set())


def test_work_that_had_begun_with_an_older_state_of_the_scene_is_undone_and_does_not_end_the_hold(
    world: SyncWorld,
) -> None:
    scene_id, item = world.pair("pier", title="Pier one")
    world.drain(scene_id)
    with world.installed() as installation:
        session = world.session(installation)
        world.stash.save(scene_id, title="Pier two")
        older = installation.stash.scenes([scene_id])[scene_id]
        world.stash.save(scene_id, title="Pier three")
        scenes = installation.stash.scenes([scene_id])
        under_way = [older]

        def work_off(_: Sequence[int]) -> None:
            while under_way:
                session.scene_sync.sync(under_way.pop(), lambda: True)

        (undone,) = session.undoing.undo([scene_id], scenes, JournalFilter((scene_id,)), once_held=work_off)
        assert (undone.held, undone.items[0].is_complete) == (True, True)
        assert [hold.scene_id for hold in list_held(installation.database)] == [scene_id]
    assert (item.title, world.drain(scene_id)[0].outcome) == ("pier", Outcome.SKIPPED)


def test_with_lock_fields_off_only_what_undo_restores_is_locked_or_unlocked(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier at noon", details="Sun.", cover=png(1))
    world.plex.edit_by_hand(item, tagline="Theirs", locked=True)
    before = state_of(item)
    world.drain(scene_id)
    assert "title" in item.locked
    monkeypatch.setenv("SCENESYNC_LOCK_FIELDS", "false")
    ran(capsys, "undo", str(scene_id))
    assert state_of(item) == before
    # And where nothing had been locked, nothing is.
    assert ran(capsys, "sync", str(scene_id))["synced"] == 1
    assert item.locked <= {"tagline", "thumb", "art"}  # selecting a known picture locks it, whoever asks
    ran(capsys, "undo", str(scene_id))
    assert state_of(item) == before


def test_an_item_is_only_put_back_while_it_plays_the_file_it_was_edited_for(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    moved, followed = world.pair("pier", title="Pier")
    _, other_film = world.pair("quay", title="Quay")
    _, gone = world.pair("mole", title="Mole")
    assert run_cli(["sync", "--all", "--json"]) == 0
    world.plex.rename_file(followed, f"{PLEX_ROOT}/Elsewhere/pier.mp4")
    world.stash.rename_in_scan(moved, f"{STASH_ROOT}/Elsewhere/pier.mp4")
    world.plex.rename_file(other_film, f"{PLEX_ROOT}/Elsewhere/another film.mp4")
    world.plex.remove_item(gone.rating_key)
    undone = ran(capsys, "undo", "--since", "1h", code=3)
    assert [scene["items"][0]["refusal"] for scene in undone["scenes"]] == [
        None,
        "the item plays another file now",
        "Plex no longer has the item",
    ]
    assert (followed.title, other_film.title) == ("pier", "Quay")
    assert [scene["held"] for scene in undone["scenes"]] == [True, False, False]


def test_a_scene_that_is_gone_from_stash_is_put_back_without_a_hold(world: SyncWorld) -> None:
    scene_id, item = world.pair("pier", title="Pier at noon", cover=png(1))
    before = state_of(item)
    world.drain(scene_id)
    with world.installed() as installation:
        undone = world.session(installation).undoing.undo_scene(scene_id)
    assert state_of(item) == before
    assert (undone.held, undone.items[0].is_complete) == (False, True)


@pytest.mark.parametrize("applied", [True, False])
def test_an_undo_that_met_a_busy_plex_is_finished_by_another(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str], *, applied: bool
) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier at noon", details="Sun.", rating100=80)
    before = state_of(item)
    world.drain(scene_id, sync_rating=True)
    world.plex.busy_writer(0.0, applied=applied)
    failed = ran(capsys, "undo", str(scene_id), code=3)
    assert "PlexBusy" in failed["scenes"][0]["items"][0]["error"]
    (attempt,) = world.drain(scene_id)
    assert attempt.outcome is Outcome.SKIPPED
    world.plex.heal()
    ran(capsys, "undo", str(scene_id))
    assert state_of(item) == before


def test_a_list_that_is_empty_for_a_moment_so_as_to_be_put_in_order_is_not_lost_to_a_failure(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items="add")
    scene_id, item = world.pair("pier", title="Pier at noon", performers=[world.stash.add_performer("B. Example")])
    world.plex.edit_by_hand(item, actors=["A. Example", "B. Example"], locked=False)
    before = state_of(item)
    world.drain(scene_id)
    world.plex.fail_next(1, status(500), only="edit", after=2)  # of: put back, take off, put on
    failed = ran(capsys, "undo", str(scene_id), code=3)
    assert "PlexBusy" in failed["scenes"][0]["items"][0]["error"]
    assert item.actors == ()
    ran(capsys, "undo", str(scene_id))
    assert state_of(item) == before


def test_a_picture_that_a_person_chose_and_locked_comes_back_with_its_lock(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier at noon", cover=png(1))
    with world.installed() as installation:
        for field in (Field.POSTER, Field.BACKGROUND):
            installation.plex.upload_image(item.rating_key, field, png(9))
        theirs = item.posters[-1].key
        installation.plex.select_image(item.rating_key, Field.POSTER, theirs)
    before = state_of(item)
    assert (before["poster"], before["locked"]) == (theirs, ["thumb"])
    world.drain(scene_id)
    assert item.poster is not None
    assert item.poster.key != theirs
    ran(capsys, "undo", str(scene_id))
    assert state_of(item) == before


def test_a_picture_that_plex_will_not_take_away_does_not_keep_the_text_from_going_back(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier at noon", cover=png(1))
    before = state_of(item)
    world.drain(scene_id)
    world.plex.fail_next(1, status(404), only="DELETE")  # a server older than 1.43
    undone = ran(capsys, "undo", str(scene_id), code=3)
    remarks = {field["field"]: field["remark"] for field in undone["scenes"][0]["items"][0]["fields"]}
    assert [stem for stem, remark in remarks.items() if remark] == ["art"]
    assert (item.title, item.art is None) == ("pier", False)
    ran(capsys, "undo", str(scene_id))
    assert state_of(item) == before


def test_pictures_that_plex_cannot_name_keep_no_other_scene_from_going_back(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    scenes = [world.pair(name, title=name.title(), cover=png(1)) for name in ("pier", "quay")]
    (first, spoilt), (second, item) = scenes
    before = state_of(item)
    world.drain(first, second)
    world.plex.fail_next(1, status(400), only=lambda request: f"/{spoilt.rating_key}/posters" in request.target)
    undone = ran(capsys, "undo", str(first), str(second), code=3)
    assert state_of(item) == before
    assert [scene["held"] for scene in undone["scenes"]] == [False, True]
    assert "400" in undone["scenes"][0]["items"][0]["error"]
    assert spoilt.title == "Pier"


def test_what_plex_ignores_is_said(environment: SyncWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world = environment
    scene_id, item = world.pair("pier", title="Pier at noon", details="Sun.")
    world.drain(scene_id)
    world.plex.ignored_fields = {"summary"}
    failed = ran(capsys, "undo", str(scene_id), code=3)
    assert "Fields that did not stick: summary" in failed["scenes"][0]["items"][0]["error"]
    assert (item.title, item.summary) == ("pier", "Sun.")
    world.plex.heal()
    ran(capsys, "undo", str(scene_id))
    assert (item.title, item.summary, item.locked) == ("pier", "", set())


def test_an_outage_ends_an_undo_and_the_next_one_goes_on(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = environment
    scenes = [world.pair(f"pier {number}", title=f"Pier at {number}") for number in range(3)]
    before = snapshot(world)
    assert run_cli(["sync", "--all", "--json"]) == 0
    world.plex.fail_next(1, reset(), only="edit", after=1)
    world.plex.fail_next(50, status(503), only="identity", after=1)
    assert run_cli(["undo", "--since", "1h"]) == 1
    world.plex.heal()
    ran(capsys, "undo", "--since", "1h")
    assert snapshot(world) == before
    assert ran(capsys, "status")["held"] == len(scenes)
