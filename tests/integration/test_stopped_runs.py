"""A run that nobody asked for stops before its first write if it would change too much; a person decides then."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import TOKEN, SyncWorld, eventually

from scenesync.app.cli import run_cli
from scenesync.app.commands import stopped
from scenesync.domain.entities import Entity, EntityChange
from scenesync.domain.job import DECIDED, LOOK, scene_job
from scenesync.intake.fan_out import ask_for
from scenesync.plex.exceptions import PlexServerDown
from scenesync.reconciliation import planning
from scenesync.store.automatic_runs import AutomaticRunStore
from scenesync.store.errors import StoreUnavailable
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.reconciliation.automatic_run import Judge
    from scenesync.simulators.stash.records import Tag
    from scenesync.store.database import Database

pytestmark = pytest.mark.integration

KEY, CAUSE = "tag_3", "tag 3 was deleted"
LIMITS = {"max_change_items": 3, "max_change_percent": 50, "max_cleared_fields": 2}


@pytest.fixture
def written(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> SyncWorld:
    """Six scenes that Plex shows already."""
    for number in range(6):
        world.pair(title=f"Film {number}", details=f"About film {number}.")
    world.drain(*scene_ids(world))
    values = {"DATA_DIR": str(world.data_dir), "STASH_URL": world.stash.url, "PLEX_URL": world.plex.url}
    for key, value in {**values, "PLEX_TOKEN": TOKEN, "PATH_MAP": "/data/stash => /mnt/media"}.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)
    world.plex.clear_records()
    return world


def scene_ids(world: SyncWorld) -> list[int]:
    return sorted(int(key) for key in world.stash.library.scenes)


@contextmanager
def judging(world: SyncWorld, **limits: Any) -> Iterator[Judge]:
    with world.installed(**{**LIMITS, **limits}) as installation:
        yield installation.judge(world.session(installation))


def waiting(world: SyncWorld) -> int:
    with world.installed() as installation:
        return len(installation.queue.list_pending())


def answer(capsys: pytest.CaptureFixture[str], *command: str, status: int = 0) -> Any:
    capsys.readouterr()
    assert run_cli([*command, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_a_run_within_the_limits_goes_into_the_queue(written: SyncWorld) -> None:
    for scene_id in scene_ids(written)[:3]:
        written.stash.save(scene_id, title="Another title")
    with judging(written) as judge:
        judge.gather(KEY, CAUSE, scene_ids(written)[:2])
        judge.gather(KEY, CAUSE, scene_ids(written)[2:3])
        assert judge.conclude(KEY, CAUSE)
        assert judge.conclude(KEY, CAUSE)  # nothing is left to decide
    assert waiting(written) == 3
    assert [attempt.outcome.value for attempt in written.drain()] == ["synced"] * 3


def test_a_run_that_changes_too_many_items_stops_before_its_first_write(
    written: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    for scene_id in scene_ids(written)[:4]:
        written.stash.save(scene_id, title="Another title")
    with judging(written) as judge:
        judge.gather(KEY, CAUSE, scene_ids(written))
        assert not judge.conclude(KEY, CAUSE)
    assert waiting(written) == 0
    assert written.plex.field_writes == []
    (run,) = answer(capsys, "stopped", "list", status=3)
    assert run["reason"].startswith("it would change 4 of 6 items")
    assert answer(capsys, "status")["stopped_runs"] == [run]
    shown = answer(capsys, "stopped", "show", str(run["run"]))
    assert {change["after"] for scene in shown["scenes"] for item in scene["items"] for change in item["changes"]} == {
        "Another title"
    }
    # when a person lets it go on
    assert answer(capsys, "stopped", "continue", str(run["run"])) == {"run": run["run"], "scenes": 6}
    written.drain()
    assert sum(item.title == "Another title" for item in written.plex.items()) == 4
    assert answer(capsys, "stopped", "list") == []
    assert list((written.data_dir / "plans").iterdir()) == []


def test_a_run_that_empties_too_many_fields_stops_and_can_be_dropped(
    written: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    for scene_id in scene_ids(written)[:3]:
        written.stash.save(scene_id, details="")
    with judging(written) as judge:
        judge.gather(KEY, CAUSE, scene_ids(written)[:3])
        assert not judge.conclude(KEY, CAUSE)
    (run,) = answer(capsys, "stopped", "list", status=3)
    assert run["reason"].startswith("it would empty 3 fields")
    assert run_cli(["stopped", "drop", str(run["run"])]) == 2  # nobody can be asked, and nothing says yes
    assert answer(capsys, "stopped", "drop", str(run["run"]), "--yes")["dropped"]
    assert (waiting(written), answer(capsys, "stopped", "list")) == (0, [])
    assert run_cli(["stopped", "show", str(run["run"])]) == 2


class FanOutComesFirst:
    """The store of stopped runs, where a further page is gathered right before a run is to be forgotten."""

    def __init__(self, store: AutomaticRunStore, page: list[int]) -> None:
        self._store = store
        self._page = page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def end(self, run: int, **how: bool) -> bool:
        self._store.gather(KEY, CAUSE, self._page, at=200.0)
        return self._store.end(run, **how)


def test_what_a_new_fan_out_gathers_is_not_lost_when_a_person_decides_in_that_moment(
    written: SyncWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for scene_id in scene_ids(written):
        written.stash.save(scene_id, details="")
    with judging(written) as judge:
        judge.gather(KEY, CAUSE, scene_ids(written)[:4])
        assert not judge.conclude(KEY, CAUSE)
    (run,) = answer(capsys, "stopped", "list", status=3)
    last_page = scene_ids(written)[4:]

    def store_in_company(database: Database) -> FanOutComesFirst:
        return FanOutComesFirst(AutomaticRunStore(database), last_page)

    monkeypatch.setattr(stopped, "AutomaticRunStore", store_in_company)
    # when the run is dropped while pages come in
    assert run_cli(["stopped", "drop", str(run["run"]), "--yes"]) == 1
    assert "gathered again" in capsys.readouterr().err
    with judging(written) as judge:  # then they are judged as usual
        assert not judge.conclude(KEY, CAUSE)
    # when it is let go
    assert answer(capsys, "stopped", "continue", str(run["run"]))["scenes"] == 6
    with judging(written, max_cleared_fields=1000, max_change_items=1000) as judge:
        assert judge.conclude(KEY, CAUSE)
    assert waiting(written) == 6
    assert list((written.data_dir / "plans").iterdir()) == []


def test_who_lets_edits_go_on_was_not_asked_about_deletions(
    written: SyncWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    for scene_id in scene_ids(written):
        written.stash.save(scene_id, details="")
    with judging(written) as judge:
        judge.gather(KEY, CAUSE, scene_ids(written))
        assert not judge.conclude(KEY, CAUSE)
    (run,) = answer(capsys, "stopped", "list", status=3)
    assert answer(capsys, "stopped", "continue", str(run["run"]))["scenes"] == 6
    with written.installed() as installation:
        jobs = [each.job for each in installation.queue.list_pending()]
    assert [(job.get(LOOK), job.get(DECIDED)) for job in jobs] == [(True, None)] * 6


def test_first_writes_and_what_is_written_back_do_not_count(written: SyncWorld) -> None:
    for item in written.plex.items():
        written.plex.edit_by_hand(item, summary="Somebody else's words")
    for number in range(6):
        written.pair(title=f"New film {number}", details="New.")
    with judging(written) as judge:
        judge.gather(KEY, CAUSE, scene_ids(written))
        assert judge.conclude(KEY, CAUSE)
    assert waiting(written) == 12


def test_while_plex_is_away_the_run_stays_gathered(written: SyncWorld) -> None:
    for scene_id in scene_ids(written):
        written.stash.save(scene_id, details="")
    with judging(written) as judge:
        judge.gather(KEY, CAUSE, scene_ids(written))
        written.plex.down()
        with pytest.raises(PlexServerDown):
            judge.conclude(KEY, CAUSE)
        written.plex.up()
        assert not judge.conclude(KEY, CAUSE)
    assert waiting(written) == 0


def test_while_the_plan_cannot_be_kept_the_run_waits_and_no_try_is_spent(written: SyncWorld) -> None:
    for scene_id in scene_ids(written):
        written.stash.save(scene_id, details="")
    in_the_way = written.data_dir / "plans"
    in_the_way.write_text("not a folder")
    with judging(written) as judge:
        judge.gather(KEY, CAUSE, scene_ids(written))
        with pytest.raises(StoreUnavailable, match="cannot be kept"):
            judge.conclude(KEY, CAUSE)
        in_the_way.unlink()
        assert not judge.conclude(KEY, CAUSE)
    assert waiting(written) == 0


def test_a_fan_out_that_would_empty_too_much_waits_for_a_person(
    world: SyncWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = world.stash.add_tag("Live")
    scenes = [world.pair(title=f"Night {number}", tags=[tag])[0] for number in range(4)]
    world.drain(*scenes)
    world.stash.destroy_entities("tag", [tag])
    with world.installed(**LIMITS) as installation:
        ask_for(installation.queue, EntityChange(Entity.TAG, tag.id))
    assert world.drain(**LIMITS) == []
    assert all(list(item.genres) == ["Live"] for item in world.plex.items())
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(world.data_dir))
    (run,) = answer(capsys, "stopped", "list", status=3)
    assert (run["cause"], run["reason"].split(",")[0]) == (
        f"change of tag {tag.id}",
        "it would change 4 of 4 items (100 %)",
    )
    assert answer(capsys, "stopped", "continue", str(run["run"]))["scenes"] == 4
    assert len(world.drain(**LIMITS)) == 4
    assert all(list(item.genres) == [] for item in world.plex.items())


def a_deleted_tag(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> Tag:
    """Return a tag that is gone from Stash and shown by twelve films; to plan takes a request for each of them."""
    tag = world.stash.add_tag("Live")
    world.drain(*(world.pair(title=f"Night {number}", tags=[tag])[0] for number in range(12)))
    world.stash.destroy_entities("tag", [tag])
    monkeypatch.setattr(planning, "SCENES_AT_ONCE", 1)
    return tag


def test_what_a_person_saves_does_not_wait_for_a_run_that_is_being_planned(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, item = world.pair(title="Harbour")
    world.drain(saved)
    tag = a_deleted_tag(world, monkeypatch)
    world.stash.save(saved, title="Harbour at dusk")
    with world.working(**LIMITS, workers=1) as installation:
        ask_for(installation.queue, EntityChange(Entity.TAG, tag.id))
        world.plex.latency_s = 1.0
        eventually(lambda: any((world.data_dir / "plans").glob("*")))
        installation.queue.put_job(scene_job(saved, time.time()))
        eventually(lambda: world.plex.item(item.rating_key).title == "Harbour at dusk")
        assert installation.queue.find(f"tag_{tag.id}").running, "the plan was made by then"
        world.plex.latency_s = 0.0


def test_a_stop_does_not_wait_for_a_run_that_is_being_planned(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tag = a_deleted_tag(world, monkeypatch)
    stop = threading.Event()
    with world.installed(**LIMITS) as installation:
        ask_for(installation.queue, EntityChange(Entity.TAG, tag.id))
        loop = installation.work_loop(LoopLimits(hand_back_after_s=0.2))
        thread = threading.Thread(target=loop.run, args=(stop,))
        world.plex.latency_s = 0.5  # the plan takes six seconds
        thread.start()
        eventually(lambda: any((world.data_dir / "plans").glob("*")))
        began = time.monotonic()
        stop.set()
        thread.join()
        took_s = time.monotonic() - began
        found = installation.queue.find(f"tag_{tag.id}")
        assert took_s < 3.0
        assert (len(found.waiting), found.running) == (1, ())
        assert found.waiting[0].job.get("retry_count") is None
    world.plex.latency_s = 0.0
    # the next one judges it as a whole
    assert world.drain(**LIMITS) == []
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(world.data_dir))
    (run,) = answer(capsys, "stopped", "list", status=3)
    assert run["reason"].startswith("it would change 12 of 12 items")
    assert waiting(world) == 0
