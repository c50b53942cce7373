"""In the bulk a scene that Plex shows as wanted costs Plex no request, and nothing that happened since goes unseen."""

from __future__ import annotations

import copy
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import TOKEN, SyncWorld, eventually

from scenesync.app.cli import run_cli
from scenesync.app.plan_report import plans
from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.domain.pins import Pin, PinnedFile, scene_keys
from scenesync.plex.dialect import Dialect
from scenesync.simulators.sample_world import png
from scenesync.store.errors import StoreUnavailable
from scenesync.store.pins import PinStore
from scenesync.store.proofs import ProofStore
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.simulators.plex.model import PlexItem

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

TEXT_ONLY = {"sync_poster": False, "sync_background": False}


def bulk(world: SyncWorld, *scene_ids: int, look: bool = False, **changes: Any) -> list[Attempt]:
    """Work the scenes off as ``sync --all`` does; Plex's records then have this run alone."""
    settings = {**TEXT_ONLY, **changes}
    attempts: list[Attempt] = []
    with world.installed(**settings) as installation:
        jobs = [scene_job(scene_id, time.time(), look=look) for scene_id in scene_ids]
        installation.queue.put_many(jobs, PRIORITY_BULK)
        world.plex.clear_records()
        loop = installation.work_loop(LoopLimits(until_idle=True), [attempts.append], unreachable_for_s=10)
        loop.run(threading.Event())
    return attempts


def asked(world: SyncWorld) -> dict[str, int]:
    """Return what the last run asked of Plex about single items."""
    told = {"identity", "sections", "list"}
    return {kind: count for kind, count in world.plex.counts().items() if kind not in told}


def settle(world: SyncWorld, *scene_ids: int, **changes: Any) -> None:
    """Let the scenes be written, time pass in Plex, and everything be seen to be right."""
    bulk(world, *scene_ids, **changes)
    world.plex.clock_ahead_s += 10
    bulk(world, *scene_ids, **changes)
    assert asked(world).get("read", 0) > 0


@pytest.fixture
def pair(world: SyncWorld) -> tuple[int, PlexItem]:
    scene_id, item = world.pair(title="Harbour at dawn", details="Boats leave.")
    settle(world, scene_id)
    return scene_id, item


def test_a_hundred_unchanged_scenes_cost_no_request_about_an_item(world: SyncWorld) -> None:
    scene_ids = [world.pair(title=f"Film {number}")[0] for number in range(100)]
    settle(world, *scene_ids)
    attempts = bulk(world, *scene_ids)
    assert [attempt.outcome for attempt in attempts] == [Outcome.UNCHANGED] * 100
    assert {attempt.rule for attempt in attempts} == {"path"}
    assert asked(world) == {}
    assert sum(world.plex.counts().values()) <= 2 + len(scene_ids) / 100


def test_what_was_edited_in_this_very_second_is_not_relied_on(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour at dawn")
    bulk(world, scene_id)
    bulk(world, scene_id)  # reads it within the second of its edit, or nearly
    world.plex.edit_by_hand(item, title="Somebody's title")
    bulk(world, scene_id)
    assert item.title == "Harbour at dawn"


def test_a_scene_that_changed_in_stash_is_written(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    scene_id, item = pair
    world.stash.save(scene_id, title="Harbour at dusk")
    (attempt,) = bulk(world, scene_id)
    assert (attempt.outcome, item.title) == (Outcome.SYNCED, "Harbour at dusk")


def test_what_a_person_edited_in_plex_is_seen(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    scene_id, item = pair
    world.plex.edit_by_hand(item, summary="Somebody's words.")
    (attempt,) = bulk(world, scene_id)
    assert (attempt.changed_fields, item.summary) == (("summary",), "Boats leave.")


def test_a_persons_edit_that_stays_is_looked_at_every_time(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    scene_id, item = pair
    world.plex.edit_by_hand(item, summary="Somebody's words.")
    world.plex.clock_ahead_s += 10
    for _ in range(3):
        bulk(world, scene_id, conflict_policy=ConflictPolicy.PLEX)
        assert asked(world) == {"read": 1}
    assert item.summary == "Somebody's words."


def test_a_person_who_names_a_scene_is_shown_what_plex_shows(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    world.plex.clear_records()
    world.drain(pair[0], **TEXT_ONLY)
    assert asked(world) == {"read": 1}


def test_a_job_that_says_so_looks(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    bulk(world, pair[0], look=True)
    assert asked(world) == {"read": 1}


def test_a_forced_job_keeps_its_word_when_others_merge_into_it(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    scene_id, _ = pair
    with world.installed(**TEXT_ONLY) as installation:
        for look in (True, False):
            installation.queue.put_many([scene_job(scene_id, time.time(), look=look)], PRIORITY_BULK)
    world.plex.clear_records()
    bulk(world)
    assert asked(world) == {"read": 1}


def test_another_setting_that_decides_the_edit_means_a_look(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    ways: list[dict[str, Any]] = [
        {"conflict_policy": ConflictPolicy.FILL},
        {"conflict_policy_fields": ("title => plex",)},
        {"lock_fields": False},
        {"sync_studio": False},
        {"title_template": "{title} (film)"},
        {"sync_poster": True},
    ]
    for changes in ways:
        bulk(world, pair[0], **changes)
        assert asked(world).get("read", 0) >= 1, changes


def test_a_plex_that_was_restored_from_a_backup_is_looked_at(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    scene_id, item = pair
    backup = copy.deepcopy((item.updated_at, item.scalars, item.tags, item.locked))
    world.plex.clock_ahead_s += 100
    world.stash.save(scene_id, title="Harbour at dusk")
    settle(world, scene_id)
    # Other films go on to change: the newest change in Plex is newer than anything known.
    _, other = world.pair(title="Quay")
    world.plex.clock_ahead_s += 100
    world.plex.edit_by_hand(other, title="Quay by night")
    item.updated_at, item.scalars, item.tags, item.locked = backup
    world.library.revision += 1
    item.fragments.clear()
    (attempt,) = bulk(world, scene_id)
    assert (attempt.outcome, item.title) == (Outcome.SYNCED, "Harbour at dusk")


def test_another_server_behind_the_same_address_is_looked_at(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    world.plex.machine_identifier = "f" * 40
    bulk(world, pair[0])
    assert asked(world) == {"read": 1}


def test_a_dialect_in_which_less_fits_means_a_look(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour at dawn", details="Boats leave. " * 200)
    settle(world, scene_id)
    with world.installed(**TEXT_ONLY) as installation:
        session = world.session(installation)
        (scene,) = installation.stash.scenes([scene_id]).values()
        installation.plex.adopt(lambda _: Dialect(item_line_bytes=1_000))
        assert session.scene_sync.unchanged.among([scene], asked_at=0.0) == {}
        installation.plex.adopt(lambda _: Dialect())
        assert set(session.scene_sync.unchanged.among([scene], asked_at=0.0)) == {scene_id}
    assert len(item.summary) > 1_000


def test_a_pin_means_a_look(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    scene_id, item = pair
    with world.installed(**TEXT_ONLY) as installation:
        identity = installation.plex.identity()
        (scene,) = installation.stash.scenes([scene_id]).values()
        files = tuple(PinnedFile(file, 1) for file in item.files)
        pins = [Pin(key, item.rating_key, files, scene_id) for key in scene_keys(scene.files)]
        PinStore(installation.database, identity.machine_identifier).put(pins)
    bulk(world, scene_id)
    assert asked(world) == {"read": 1}


def test_an_item_that_plays_another_file_too_is_looked_at(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    scene_id, item = pair
    world.plex.add_version(item, file="/mnt/media/Films/another cut.mp4", size_bytes=5, duration_ms=60_000)
    world.plex.clock_ahead_s += 10
    for _ in range(2):
        bulk(world, scene_id)
        assert asked(world) == {"read": 1}, "who else has that file may change in Stash at any time"


def test_a_file_that_moved_to_another_item_is_looked_at(world: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    scene_id, item = pair
    world.plex.remove_item(item.rating_key)
    new = world.plex.add_item(world.library, file=item.files[0], size_bytes=item.versions[0].size_bytes)
    (attempt,) = bulk(world, scene_id)
    assert (attempt.outcome, new.title) == (Outcome.SYNCED, "Harbour at dawn")


def test_an_undone_scene_is_not_taken_for_proven(
    world: SyncWorld, pair: tuple[int, PlexItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_id, item = pair
    environment(world, monkeypatch)
    assert run_cli(["undo", str(scene_id)]) == 0
    assert item.title != "Harbour at dawn"
    (held,) = bulk(world, scene_id)
    assert held.outcome is Outcome.SKIPPED
    assert run_cli(["sync", "--all", "--include-held"]) == 0
    assert item.title == "Harbour at dawn"


def test_a_new_cover_is_sent_although_nothing_else_changed(world: SyncWorld) -> None:
    pictures = {"sync_poster": True, "sync_background": True}
    scene_id, item = world.pair(title="Harbour at dawn", cover=png(1))
    bulk(world, scene_id, **pictures)
    time.sleep(2.1)  # until then the cover's address may come to stand for another one
    world.plex.clock_ahead_s += 10
    bulk(world, scene_id, **pictures)
    bulk(world, scene_id, **pictures)
    assert asked(world) == {}
    before = item.poster
    world.stash.save(scene_id, cover=png(2))
    bulk(world, scene_id, **pictures)
    assert item.poster != before
    assert item.poster is not None
    assert item.poster.data == png(2)


def test_a_cover_of_this_moment_is_not_relied_on(world: SyncWorld) -> None:
    pictures = {"sync_poster": True, "sync_background": False}
    scene_id, item = world.pair(title="Harbour at dawn", cover=png(1))
    bulk(world, scene_id, **pictures)
    world.plex.clock_ahead_s += 10
    world.stash.save(scene_id, cover=png(2))
    bulk(world, scene_id, **pictures)
    world.plex.clock_ahead_s += 10
    bulk(world, scene_id, **pictures)
    world.stash.save(scene_id, cover=png(3))
    bulk(world, scene_id, **pictures)
    assert item.poster is not None
    assert item.poster.data == png(3)


def test_a_scene_in_a_collection_is_known_too_until_the_collection_is_to_change(world: SyncWorld) -> None:
    collecting = {"sync_collection": True}
    studio = world.stash.add_studio("North Pier")
    scene_id, item = world.pair(title="Harbour at dawn", studio=studio)
    settle(world, scene_id, **collecting)
    assert item.collections == ("North Pier",)
    bulk(world, scene_id, **collecting)
    assert asked(world) == {}
    world.stash.save_studio(studio, name="South Pier")
    bulk(world, scene_id, **collecting)
    assert item.collections == ("South Pier",)


def test_without_an_index_fresh_from_plex_nothing_is_relied_on(
    world: SyncWorld, pair: tuple[int, PlexItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_id, item = pair
    with world.installed(**TEXT_ONLY) as installation:
        session = world.session(installation)
        (scene,) = installation.stash.scenes([scene_id]).values()
        world.plex.edit_by_hand(item, title="Somebody's title")
        # Asked for after the edit: the refresh of a moment ago says nothing, and it is too early for another.
        assert session.scene_sync.unchanged.among([scene], asked_at=time.time()) == {}
        monkeypatch.setattr("scenesync.worker.finding.library_index.AT_MOST_EVERY_S", 0.0)
        assert (
            session.scene_sync.unchanged.among([scene], asked_at=time.time()) == {}
        )  # it has looked now, and seen the edit
        world.plex.stop()
        assert session.scene_sync.unchanged.among([scene], asked_at=time.time()) == {}
    world.plex.start()


def test_the_daemon_relies_on_it_too(
    world: SyncWorld, pair: tuple[int, PlexItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_id, item = pair
    monkeypatch.setattr("scenesync.worker.finding.library_index.AT_MOST_EVERY_S", 0.0)
    with world.working(**TEXT_ONLY) as installation:
        eventually(lambda: world.plex.counts().get("list", 0) > 0)
        world.plex.clear_records()
        installation.queue.put_many([scene_job(scene_id, time.time())], PRIORITY_BULK)
        eventually(lambda: any(each.outcome is Outcome.UNCHANGED for each in world.attempts))
        assert asked(world) == {}
        world.plex.edit_by_hand(item, title="Somebody's title")
        installation.queue.put_many([scene_job(scene_id, time.time())], PRIORITY_BULK)
        eventually(lambda: item.title == "Harbour at dawn")


# -- plan ----------------------------------------------------------------------------------------------------------


def environment(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "DATA_DIR": str(world.data_dir),
        "STASH_URL": world.stash.url,
        "PLEX_URL": world.plex.url,
        "PLEX_TOKEN": TOKEN,
        "PATH_MAP": "/data/stash => /mnt/media",
        "SYNC_POSTER": "false",
        "SYNC_BACKGROUND": "false",
        "LOG_LEVEL": "error",
    }
    for key, value in values.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)


@pytest.fixture
def commands(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncWorld]:
    environment(world, monkeypatch)
    return world


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run_cli(["plan", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_plan_relies_on_what_sync_relies_on(
    commands: SyncWorld, pair: tuple[int, PlexItem], capsys: pytest.CaptureFixture[str]
) -> None:
    world, (scene_id, item) = commands, pair
    world.plex.clear_records()
    assert planned(capsys, "--all")["totals"]["unchanged"] == 1
    assert asked(world) == {}
    assert planned(capsys, "--since", "1d")["totals"]["unchanged"] == 1
    assert asked(world) == {}
    for arguments in (("--all", "--force"), (str(scene_id),)):
        world.plex.clear_records()
        planned(capsys, *arguments)
        assert asked(world) == {"read": 1}
    world.plex.edit_by_hand(item, title="Somebody's title")
    changes = planned(capsys, "--all")["scenes"][0]["items"][0]["changes"]
    assert ("title", "Harbour at dawn") in [(change["field"], change["after"]) for change in changes]
    assert run_cli(["sync", "--all", "--json"]) == 0
    assert item.title == "Harbour at dawn"


def test_where_most_is_known_the_plan_is_still_what_sync_then_does(
    commands: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world = commands
    pairs = [world.pair(title=f"Film {number}", details="Boats leave.") for number in range(60)]
    settle(world, *(scene_id for scene_id, _ in pairs))
    for scene_id, _ in pairs[:60:12]:
        world.stash.save(scene_id, details="Boats come back.")
    for _, item in pairs[3:60:20]:
        world.plex.edit_by_hand(item, genres=["Sea"])
    world.plex.clear_records()
    plan = planned(capsys, "--all")
    assert asked(world) == {"read": 1}, "of fifty scenes eight have to be read, of the other ten none"
    assert (plan["totals"]["change"], plan["totals"]["unchanged"]) == (8, 52)
    wanted = {
        (item["rating_key"], change["field"])
        for scene in plan["scenes"]
        for item in scene["items"]
        for change in item["changes"]
    }
    assert run_cli(["sync", "--all", "--json"]) == 0
    written = {(write.rating_key, write.field) for write in world.plex.field_writes}
    assert wanted == {(key, field) for key, field in written if not field.endswith(".locked")}


def test_what_changes_while_a_long_plan_is_made_is_in_it(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenesync.worker.finding.library_index.CURRENT_S", 0.05)
    monkeypatch.setattr("scenesync.worker.finding.library_index.AT_MOST_EVERY_S", 0.0)
    pairs = [world.pair(title=f"Film {number}") for number in range(60)]
    settle(world, *(scene_id for scene_id, _ in pairs))
    with world.installed(**TEXT_ONLY) as installation:
        plan = plans(installation, installation.plex.identity(), None, None, include_held=False, relying=True)
        first = next(plan)
        world.plex.edit_by_hand(pairs[-1][1], title="Somebody's title")
        time.sleep(0.1)
        verdicts = [first.verdict, *(scene.verdict for scene in plan)]
    assert [str(verdict) for verdict in verdicts] == ["unchanged"] * 59 + ["change"]


def test_force_is_for_many(commands: SyncWorld, capsys: pytest.CaptureFixture[str]) -> None:
    del commands
    for command in ("sync", "plan"):
        assert run_cli([command, "7", "--force"]) == 2
        assert "--force goes with --all or --since" in capsys.readouterr().err


def test_sync_with_force_reads_every_scene(commands: SyncWorld, pair: tuple[int, PlexItem]) -> None:
    del pair
    commands.plex.clear_records()
    assert run_cli(["sync", "--all", "--json"]) == 0
    assert asked(commands) == {}
    assert run_cli(["sync", "--all", "--force", "--json"]) == 0
    assert asked(commands) == {"read": 1}


def test_a_store_that_keeps_no_proofs_ends_neither_an_attempt_nor_the_run(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_ids = [world.pair(title=f"Film {number}")[0] for number in range(4)]
    bulk(world, *scene_ids)
    world.plex.clock_ahead_s += 10

    def locked(_store: ProofStore, _proofs: object) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(ProofStore, "put", locked)
    assert [attempt.outcome for attempt in bulk(world, *scene_ids)] == [Outcome.UNCHANGED] * 4
