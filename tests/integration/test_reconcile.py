"""Reconciliation finds what Plex does not show as it should, whatever the cause, and lets it be seen to."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import TOKEN, SyncWorld

from scenesync.app.cli import run_cli
from scenesync.app.reconciling import AT_THE_START, BY_SCHEDULE, LOCK_FILE, Demand, Silent, Trial, reconcile
from scenesync.app.running.reconciliation_schedule import Schedule
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.gaps import GapKind
from scenesync.domain.job import scene_job
from scenesync.intake.polling import FACT as POLL_CURSOR
from scenesync.plex.client import PlexClient
from scenesync.plex.exceptions import PlexTemporaryError
from scenesync.queue.owner_lock import KernelLock
from scenesync.reconciliation import reconciling
from scenesync.reconciliation.reconciling import Scope
from scenesync.simulators.sample_world import png
from scenesync.store.memory import Memory
from scenesync.store.reconciliations import Reconciliation, ReconciliationStore
from scenesync.store.traces import TraceStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.domain.item import Item

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

Command = Any


@pytest.fixture
def command(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Run a command with --json and return its document; ``status`` is the exit status that it must have."""
    values = {"DATA_DIR": str(world.data_dir), "STASH_URL": world.stash.url, "PLEX_URL": world.plex.url}
    for key, value in {**values, "PLEX_TOKEN": TOKEN, "PATH_MAP": "/data/stash => /mnt/media"}.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)

    def run(*arguments: str, status: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert run_cli([*arguments, "--json"]) == status
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    return run


def counts(document: dict[str, Any]) -> dict[str, int]:
    return {kind: told["count"] for kind, told in document["gaps"].items() if told["count"]}


def test_each_kind_of_gap_is_found_told_and_mended(world: SyncWorld, command: Command) -> None:
    right, _ = world.pair("right", title="Harbour", details="A pier.", tags=[world.stash.add_tag("Sea")])
    stale, stale_item = world.pair("stale", title="Dusk", details="Long ago.")
    drifted, drifted_item = world.pair("drifted", title="Night", details="Stars.")
    world.drain(right, stale, drifted)
    _, empty_item = world.pair("empty", title="Morning", details="Fog.")
    missing, _, _ = world.scene("missing", title="Noon")
    world.stash.save(stale, details="Just now.")
    world.plex.edit_by_hand(drifted_item, summary="Somebody else's words")
    world.plex.clear_records()

    found = command("reconcile", "--scope", "all", "--dry-run", status=3)
    assert counts(found) == {"missing": 1, "drifted": 1, "empty": 1, "stale": 1}
    assert found["gaps"]["drifted"]["examples"][0] == {
        "kind": "drifted",
        "scene_id": drifted,
        "title": "Night",
        "path": "/data/stash/Films/drifted.mp4",
        "rating_keys": [drifted_item.rating_key],
        "fields": ["summary"],
    }
    assert (found["scenes"], found["right"], found["enqueued"]) == (5, 1, 0)
    assert world.plex.field_writes == []

    done = command("reconcile", "--scope", "all", status=3)
    assert counts(done) == counts(found)
    assert done["work"]["waiting_by_error"] == {"PlexNotFound": 1}
    assert (stale_item.summary, drifted_item.summary, empty_item.summary) == ("Just now.", "Stars.", "Fog.")

    again = command("reconcile", "--scope", "all", "--dry-run", status=3)
    assert counts(again) == {"missing": 1}
    assert again["gaps"]["missing"]["examples"][0]["scene_id"] == missing


def test_a_dry_run_notes_and_enqueues_nothing(world: SyncWorld, command: Command) -> None:
    world.pair(title="Harbour", details="A pier.")
    found = command("reconcile", "--scope", "all", "--dry-run", status=3)
    assert (found["dry_run"], found["work"], found["enqueued"], found["scenes"]) == (True, None, 0, 1)
    status = command("status")
    assert (status["pending"], status["reconciliation"]) == (0, None)
    assert not any(record.method != "GET" for record in world.plex.requests)


def test_the_first_one_syncs_everything_and_lets_polls_begin_where_it_began(world: SyncWorld, command: Command) -> None:
    right, item = world.pair(title="film 1")  # Plex shows the file's name, which is this
    world.pair(title="Harbour", details="A pier.")
    found = command("reconcile", "--scope", "all")
    assert (counts(found), found["to_look_at"], found["enqueued"]) == ({"empty": 1}, 1, 2)
    assert found["work"]["synced"] + found["work"]["unchanged"] == 2
    assert item.title == "film 1"
    with world.installed() as installation:
        cursor = json.loads(Memory(installation.database).recall(POLL_CURSOR) or "{}")
        assert cursor["at"] == max(scene.updated_at for scene in world.stash.library.scenes.values())
        assert TraceStore(installation.database).read(right) is not None
    assert command("status")["reconciliation"]["scenes"] == 2
    again = command("reconcile", "--scope", "all")
    assert (counts(again), again["to_look_at"], again["enqueued"]) == ({}, 0, 0)


def test_a_scene_without_anything_to_show_does_not_blank_an_item(world: SyncWorld, command: Command) -> None:
    bare, item = world.pair("bare", title="bare")
    world.plex.edit_by_hand(item, summary="From an agent", genres=["Drama"], locked=False)
    _, titled = world.pair("other", title="A title is all it has")
    found = command("reconcile", "--scope", "all")
    assert (found["not_ready"], counts(found)) == (1, {"stale": 1})
    assert (item.summary, list(item.genres)) == ("From an agent", ["Drama"])
    assert titled.title == "A title is all it has"
    # once there is something to show, all of it counts
    world.stash.save(bare, studio=world.stash.add_studio("Quay"))
    assert counts(command("reconcile", "--scope", "all")) == {"empty": 1}
    assert (item.summary, item.studio) == ("", "Quay")


def test_a_scene_that_plex_lacks_waits_for_its_file_and_is_given_up_once(world: SyncWorld, command: Command) -> None:
    scene_id, path, size = world.scene("late", title="Noon", details="Bells.")
    found = command("reconcile", "--scope", "all", status=3)
    assert (found["work"]["pending"], found["work"]["waiting_by_error"]) == (1, {"PlexNotFound": 1})
    requests = len(world.plex.requests)
    again = command("reconcile", "--scope", "all", "--no-wait", status=3)
    assert (counts(again), command("status")["pending"]) == ({"missing": 1}, 1)
    assert len(world.plex.requests) - requests <= 4, "who, which libraries, one page"
    # when its file appears, nobody has to wait for the time of the job
    item = world.item(path, size)
    command("reconcile", "--scope", "all")
    assert item.summary == "Bells."
    # what was given up stays so
    other, _, _ = world.scene("never", title="Midnight")
    with world.installed() as installation:
        letter = DeadLetter(scene_job(other, time.time()), "PlexNotFound", "Not there.", failed_at=time.time())
        installation.dead_letters.add(letter)
    assert counts(command("reconcile", "--scope", "all", status=3)) == {"missing": 1}
    assert command("status")["pending"] == 0
    assert scene_id != other


def test_a_scene_that_was_undone_is_left_alone(world: SyncWorld, command: Command) -> None:
    scene_id, item = world.pair(title="Harbour", details="A pier.")
    world.drain(scene_id)
    command("undo", str(scene_id))
    assert item.summary == ""
    found = command("reconcile", "--scope", "all")
    assert (counts(found), found["left_out"]) == ({}, {"held": 1})
    assert item.summary == ""
    world.stash.save(scene_id, details="A longer pier.")
    command("reconcile", "--scope", "all")
    assert item.summary == "A longer pier."


def test_what_a_filter_leaves_out_is_no_gap(
    world: SyncWorld, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENESYNC_ONLY_ORGANIZED", "true")
    world.pair(title="Harbour", details="A pier.")
    found = command("reconcile", "--scope", "all")
    assert (found["left_out"], found["enqueued"]) == ({"only_organized": 1}, 0)


@pytest.mark.parametrize(("scope", "seen"), [("24h", 1), ("7d", 2), ("all", 3)])
def test_a_scope_holds_what_stash_changed_within_that_time(
    world: SyncWorld, command: Command, scope: str, seen: int
) -> None:
    for days in (0, 3, 30):
        scene_id, _ = world.pair(title=f"Night {days}", details="Stars.")
        at = datetime.now(UTC) - timedelta(days=days, minutes=5)
        scene = replace(world.stash.scene(scene_id), updated_at=at.isoformat(timespec="seconds"))
        world.stash.library.put_scene(scene, bump=False)
    found = command("reconcile", "--scope", scope, "--dry-run", status=3)
    assert (found["scenes"], counts(found)) == (seen, {"empty": seen})


def test_a_scope_also_holds_what_changed_in_plex_since_it_was_seen_to_be_right(
    world: SyncWorld, command: Command
) -> None:
    made = [world.pair(title=f"Night {number}", details="Stars.") for number in range(3)]
    for scene_id, _ in made:
        world.stash.library.put_scene(
            replace(world.stash.scene(scene_id), updated_at="2020-01-01T00:00:00Z"), bump=False
        )
    world.drain(*(scene_id for scene_id, _ in made))
    time.sleep(2.1)  # Plex's times have whole seconds: what was read in the second of its change proves nothing
    world.drain(*(scene_id for scene_id, _ in made))
    assert command("reconcile", "--scope", "24h")["scenes"] == 0
    world.plex.edit_by_hand(made[0][1], summary="Somebody else's words")
    found = command("reconcile", "--scope", "24h")
    assert (found["scenes"], counts(found)) == (1, {"drifted": 1})
    # Plex was restored: all times are older
    for _, item in made:
        item.updated_at -= 1000
        item.fragments.clear()
    del made[1][1].scalars["summary"]
    world.library.revision += 1
    assert counts(command("reconcile", "--scope", "24h")) == {"drifted": 1}
    assert [item.summary for _, item in made] == ["Stars."] * 3


def test_of_too_many_scenes_all_are_looked_at_which_is_cheaper(
    world: SyncWorld, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "MOST_BY_ID", 2)
    for number in range(3):
        world.pair(title=f"Night {number}", details="Stars.")
    old, _ = world.pair(title="Long ago")
    world.stash.library.put_scene(replace(world.stash.scene(old), updated_at="2020-01-01T00:00:00Z"), bump=False)
    assert command("reconcile", "--scope", "24h", "--dry-run", status=3)["scenes"] == 4


def test_another_picture_than_ours_is_found_and_put_right(world: SyncWorld, command: Command) -> None:
    scene_id, item = world.pair(title="Harbour", details="A pier.", cover=png(1))
    world.drain(scene_id)
    ours = item.poster
    assert counts(command("reconcile", "--scope", "all", "--dry-run")) == {}
    item.posters = tuple(replace(each, selected=False) for each in item.posters)
    item.posters = (replace(item.posters[0], selected=True), *item.posters[1:])
    item.poster_at += 100
    item.fragments.clear()
    found = command("reconcile", "--scope", "all")
    assert found["gaps"]["drifted"]["examples"][0]["fields"] == ["thumb"]
    assert item.poster is not None
    assert ours is not None
    assert item.poster.key == ours.key


def test_a_difference_that_a_listing_hides_is_found(world: SyncWorld, command: Command) -> None:
    names = ["Alps", "Beach", "Coast", "Dunes"]
    tags = [world.stash.add_tag(name) for name in names]
    scenes = [world.pair(title=f"Walk {number}", details="On foot.", tags=tags) for number in range(3)]
    world.drain(*(scene_id for scene_id, _ in scenes))
    item = scenes[0][1]
    world.plex.edit_by_hand(item, genres=[*names[:3], "Elsewhere"])
    found = command("reconcile", "--scope", "all")
    assert (counts(found), found["items_read_in_full"]) == ({"drifted": 1}, 3)
    assert sorted(item.genres) == names


def test_what_listings_show_in_full_costs_no_read(world: SyncWorld, command: Command) -> None:
    scenes = [world.pair(title=f"Walk {number}", details="On foot.") for number in range(3)]
    world.drain(*(scene_id for scene_id, _ in scenes))
    world.plex.clear_records()
    found = command("reconcile", "--scope", "all", "--no-wait")
    assert (found["right"], found["items_read_in_full"]) == (3, 0)
    assert dict(world.plex.counts()) == {"identity": 1, "sections": 1, "list": 1}


def test_a_server_that_is_too_slow_for_a_large_read_is_asked_for_less(
    world: SyncWorld, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = [world.stash.add_tag(name) for name in ("Alps", "Beach", "Coast")]
    for number in range(60):
        world.pair(title=f"Walk {number}", tags=tags)
    asked: list[int] = []
    real = PlexClient.read_items

    def read_items(self: PlexClient, rating_keys: Sequence[str], *, at_once: int = 50) -> Mapping[str, Item]:
        asked.append(at_once)
        if at_once > 50:
            raise PlexTemporaryError("no answer in time")
        return real(self, rating_keys, at_once=at_once)

    monkeypatch.setattr(PlexClient, "read_items", read_items)
    assert counts(command("reconcile", "--scope", "all", "--dry-run", status=3)) == {"empty": 60}
    assert asked == [500, 125, 50]


def test_one_that_nobody_asked_for_stops_before_it_changes_too_much(world: SyncWorld, command: Command) -> None:
    scenes = [world.pair(title=f"Film {number}", details=f"About {number}.") for number in range(6)]
    world.drain(*(scene_id for scene_id, _ in scenes))
    for scene_id, _ in scenes:
        world.stash.save(scene_id, details="")
    world.plex.clear_records()
    limits = {"max_change_items": 3, "max_change_percent": 50, "max_cleared_fields": 2}
    with world.installed(**limits) as installation:
        found = reconcile(installation, world.session(installation), Demand(Scope.ALL, BY_SCHEDULE), threading.Event())
        assert (found.stopped, found.gaps[GapKind.STALE]) == (True, 6)
        assert len(installation.queue.list_pending()) == 0
    (run,) = command("stopped", "list", status=3)
    assert (run["cause"], run["reason"].split(",")[0]) == ("reconciliation", "it would change 6 of 6 items (100 %)")
    assert world.plex.field_writes == []
    # what a person types goes on
    command("reconcile", "--scope", "all")
    assert {item.summary for _, item in scenes} == {""}


@pytest.mark.parametrize(
    ("interval", "age_s", "is_due"),
    [
        *(("hourly", 3590, False), ("hourly", 3610, True), ("daily", 86_390, False), ("daily", 86_410, True)),
        *(("weekly", 604_790, False), ("weekly", 604_810, True), ("never", 10**9, False), ("daily", -50, True)),
    ],
)
def test_it_is_due_when_the_last_of_its_scope_is_long_ago(
    world: SyncWorld, interval: str, age_s: float, *, is_due: bool
) -> None:
    with world.installed(reconcile_interval=interval, reconcile_scope="7d") as installation:
        schedule = Schedule(installation, lambda: world.session(installation))
        assert schedule.due() == Demand(Scope.ALL, AT_THE_START)
        Memory(installation.database).note(POLL_CURSOR, '{"at": "2024-01-01T00:00:00Z", "seen": {}}')
        runs = ReconciliationStore(installation.database, world.plex.machine_identifier)
        runs.end(runs.begin(Reconciliation(0, "24h", "command", time.time())).id, {}, at=time.time())
        runs.begin(Reconciliation(0, "7d", "command", time.time()))  # never ended
        runs.end(runs.begin(Reconciliation(0, "all", "command", time.time() - age_s)).id, {}, at=time.time())
        assert schedule.due() == (Demand(Scope.WEEK, BY_SCHEDULE) if is_due else None)


def test_another_plex_server_is_compared_in_full_once(world: SyncWorld) -> None:
    with world.installed(reconcile_scope="7d") as installation:
        schedule = Schedule(installation, lambda: world.session(installation))
        Memory(installation.database).note(POLL_CURSOR, '{"at": "2024-01-01T00:00:00Z", "seen": {}}')
        before = ReconciliationStore(installation.database, world.plex.machine_identifier)
        before.end(before.begin(Reconciliation(0, "all", "command", time.time())).id, {}, at=time.time())
        assert schedule.due() is None
        world.plex.machine_identifier = "another"
        assert schedule.due() == Demand(Scope.ALL, AT_THE_START)
        reconcile(installation, world.session(installation), Demand(Scope.ALL, AT_THE_START), threading.Event())
        assert schedule.due() is None


def test_two_at_once_take_turns(world: SyncWorld) -> None:
    world.pair(title="Harbour", details="A pier.")
    with world.installed() as installation:
        session, stop = world.session(installation), threading.Event()
        other = KernelLock(world.data_dir / LOCK_FILE)
        assert other.acquire()
        found: list[int] = []

        def compare() -> None:
            found.append(reconcile(installation, session, Demand(Scope.ALL), stop).scenes)

        thread = threading.Thread(target=compare)
        thread.start()
        time.sleep(0.6)
        assert found == []
        other.release()
        thread.join(20)
        assert found == [1]


def test_it_goes_on_after_plex_was_away_for_a_moment(world: SyncWorld, command: Command) -> None:
    world.pair(title="Harbour", details="A pier.")
    world.plex.down()
    back = threading.Timer(3.0, world.plex.up)
    back.start()
    assert counts(command("reconcile", "--scope", "all")) == {"empty": 1}
    world.plex.down()
    assert run_cli(["reconcile", "--scope", "all", "--wait", "0"]) == 1
    world.plex.up()
    back.join()


def test_failures_between_which_it_gets_on_are_not_one_outage() -> None:
    trial = Trial(Silent(), patience_s=0.05)
    for done in range(4):
        assert not trial.failed()
        time.sleep(0.03)
        trial.show(done, 4 - done)
    assert not trial.failed()
    time.sleep(0.06)
    assert trial.failed()
