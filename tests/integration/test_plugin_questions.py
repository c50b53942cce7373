"""What the plugin answers to the pages inside Stash, from the files alone."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.app.context import AppContext
from scenesync.app.data_directory import database_file, worker_lock
from scenesync.app.plugin import entry as plugin_entry
from scenesync.app.plugin.tasks import run_task
from scenesync.app.plugin_ui.answers import QUESTIONS, Unanswerable, answer
from scenesync.domain.holds import Hold
from scenesync.queue import inbox
from scenesync.store.holds import HoldStore, list_held

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = pytest.mark.integration


def of_scene(world: SyncWorld, scene_id: int) -> dict[str, Any]:
    return answer(world.data_dir, {"mode": "ui-scene", "scene_id": str(scene_id)})


def status(world: SyncWorld) -> dict[str, Any]:
    return answer(world.data_dir, {"mode": "ui-status"})


def operate(world: SyncWorld, **arguments: str) -> tuple[dict[str, Any], str]:
    """Run an operation as ``stash-task`` does; return its result and what it wrote into Stash's log."""
    document = {
        "server_connection": {"Scheme": "http", "Host": "127.0.0.1", "Port": world.stash.port},
        "args": arguments,
    }
    settings = {"data_dir": str(world.data_dir), "plex_url": world.plex.url, "plex_token": "fake-plex-token"}
    stdout, stderr = io.BytesIO(), io.BytesIO()
    run_task(AppContext(settings), document, stdout, stderr)
    return json.loads(stdout.getvalue()), stderr.getvalue().decode()


def test_before_anything_happened_nothing_is_known_and_nothing_is_made(world: SyncWorld) -> None:
    found = of_scene(world, 7)
    assert (found["state"], found["running"], found["since"], found["items"]) == ("unknown", False, None, [])
    assert status(world)["sentence"] == "SceneSync is not running."
    assert status(world)["latest"] == []
    assert not world.data_dir.exists()


def test_a_scene_in_sync_is_so_since_it_was_last_written_however_often_it_was_looked_at(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour at dawn")
    began = time.time()
    [written] = world.drain(scene_id)
    [_looked] = world.drain(scene_id)
    found = of_scene(world, scene_id)
    assert (found["state"], found["words"]) == ("in_sync", "in sync")
    assert began <= found["since"] <= written.started_at + written.duration_s + 0.001
    assert found["items"] == []  # nobody has said yet where Plex is
    (world.data_dir / "hook.json").write_text(json.dumps({"plex_url": world.plex.url + "/"}))
    [link] = of_scene(world, scene_id)["items"]
    assert link["url"].startswith(f"{world.plex.url}/web/index.html#!/server/{world.plex.machine_identifier}/")
    assert link["url"].endswith(f"%2F{item.rating_key}")


def test_a_scene_waits_from_the_moment_its_change_came_even_if_only_beside_the_queue(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Harbour at dawn")
    event = inbox.Document(is_hook=True, trigger="Scene.Update.Post", object_id=scene_id)
    assert inbox.store(event, str(world.data_dir)) is None  # no queue yet: a file in the spool
    found = of_scene(world, scene_id)
    assert found["state"] == "waiting"
    assert time.time() - 60 < found["since"] <= time.time()
    assert status(world)["sentence"] == "SceneSync is not running. 1 change is kept until it does."
    lock = worker_lock(world.data_dir)
    assert lock.acquire()
    try:
        assert status(world)["sentence"] == "1 scene to go until Plex shows what Stash knows."
    finally:
        lock.release()


def test_a_scene_that_plex_lacks_is_not_in_plex_although_it_waits(world: SyncWorld) -> None:
    scene_id, _, _ = world.scene(title="Night train")
    world.drain(scene_id)
    found = of_scene(world, scene_id)
    assert (found["state"], found["words"]) == ("unmatched", "not in Plex")
    assert found["explained"] == "No item of Plex has this file yet; SceneSync tries again by itself."
    assert status(world)["states"] == [{"state": "unmatched", "words": "not in Plex", "count": 1}]
    [attempt] = status(world)["latest"]
    assert (attempt["title"], attempt["words"]) == ("Night train", "tried again later")


def test_files_that_cannot_be_read_are_said_to_be_so(world: SyncWorld) -> None:
    world.data_dir.mkdir()
    database_file(world.data_dir).write_bytes(b"no database" * 500)
    with pytest.raises(Unanswerable, match="cannot be read now"):
        of_scene(world, 7)
    with pytest.raises(Unanswerable):
        answer(world.data_dir, {"mode": "ui-scene", "scene_id": "seven"})


def test_sync_now_ends_a_hold_and_goes_before_all_other_work(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Harbour at dawn")
    world.drain(scene_id)
    with world.installed() as installation:
        HoldStore(installation.database, world.plex.machine_identifier).put([Hold(scene_id, "as it was", 1.0, "run")])
    assert of_scene(world, scene_id)["is_held"] is True
    result, log = operate(world, mode="ui-sync", scene_id=str(scene_id))
    assert result == {"error": None, "output": "Queued. SceneSync is not running: it is synced as soon as it does."}
    assert "Queued." in log
    assert of_scene(world, scene_id)["state"] == "waiting"
    with world.installed() as installation:
        assert list_held(installation.database) == ()
        [job] = installation.queue.list_pending(5)
        assert (job.job["scene_id"], job.priority) == (scene_id, 0)
    refused, _ = operate(world, mode="ui-sync", scene_id="0")
    assert refused["error"] == "0 is no scene"


def test_sync_now_is_queued_though_what_the_hook_reads_cannot_be_written(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Harbour at dawn")
    world.drain(scene_id)
    (world.data_dir / "hook.json").mkdir()
    result, log = operate(world, mode="ui-sync", scene_id=str(scene_id))
    assert result["error"] is None
    assert "hook.json cannot be written" in log
    assert of_scene(world, scene_id)["state"] == "waiting"


def test_an_older_python_of_stash_has_the_questions_answered_by_the_plugins_own(world: SyncWorld) -> None:
    world.pair(title="Harbour at dawn")
    result, log = operate(world, mode="ui-status")
    assert result["error"] is None
    assert result["output"]["sentence"] == "SceneSync is not running."
    assert "not running" not in log  # a page that looks every few seconds writes no log
    assert set(QUESTIONS) == plugin_entry.QUESTIONS
