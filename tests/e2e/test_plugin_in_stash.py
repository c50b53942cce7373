"""The plugin as Stash runs it: a hook that starts the daemon, and the tasks of the manifest."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from live_world import LOCKED, PLEX_TOKEN, eventually
from plugin_world import RUN_TASK, PluginWorld

from scenesync.queue.file_lock import held_elsewhere
from scenesync.simulators.plex import faults
from scenesync.simulators.stash.jobs import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[PluginWorld]:
    if sys.platform != "linux":
        pytest.skip("looks for the daemon in /proc")
    with PluginWorld(tmp_path) as world:
        world.configure()
        try:
            yield world
        finally:
            world.kill_daemon()


def test_saving_a_scene_starts_the_daemon_which_finds_everything_by_itself(plugin: PluginWorld) -> None:
    plugin.configure(sync_collection=True, workers=2)
    scene = plugin.add_scene("Harbour at dawn", studio=plugin.stash.add_studio("Pier Records"))
    plugin.stash.save(scene, details="Nobody typed a command.")
    [run] = plugin.stash.hook_runs
    assert (run.exit_status, run.output, run.error) == (0, "ok", None)
    assert run.duration_s < 5

    eventually(lambda: plugin.item_of(scene).summary == "Nobody typed a command.", "the summary in Plex")
    plugin.settle()
    assert plugin.item_of(scene).collections == ("Pier Records",)
    assert [run.error for run in plugin.stash.hook_runs] == [None]
    asked = plugin.stash.operations()
    assert asked["ApiKey"] == 1  # over the cookie, which lives for an hour only
    assert asked["PluginSettings"] >= 1
    log = (plugin.data_dir / "daemon.log").read_text()
    assert "working data_dir=" in log
    pid = plugin.daemon_pid()
    assert pid is not None
    for text in (log, Path(f"/proc/{pid}/cmdline").read_text(), *plugin.kept_texts()):
        assert PLEX_TOKEN not in text
        assert LOCKED.api_key not in text
        assert plugin.cookies_in(text) == []

    plugin.stash.save(scene, details="By the same daemon.")
    eventually(lambda: plugin.item_of(scene).summary == "By the same daemon.", "the second summary")
    assert plugin.daemon_pid() == pid
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: plugin.daemon_pid() is None, "the daemon's end", 10)
    assert not held_elsewhere(plugin.data_dir / "daemon.lock")


def test_no_daemon_is_started_when_the_page_says_so(plugin: PluginWorld) -> None:
    plugin.configure(autostart=False)
    job, _ = plugin.task("Queue status")  # the first task or daemon tells the hook
    assert job.status is JobStatus.FINISHED
    scene = plugin.add_scene("Harbour at dawn")
    plugin.stash.save(scene, details="Waits.")
    assert plugin.jobs() == 1
    assert plugin.daemon_pid() is None
    plugin.task("Process queue")
    assert plugin.item_of(scene).summary == "Waits."


def test_without_an_installation_the_hook_keeps_the_change_and_says_what_to_do(plugin: PluginWorld) -> None:
    (plugin.plugin_dir / ".venv" / "bin" / "python").unlink()
    plugin.stash.save(plugin.add_scene("Harbour at dawn"), details="Kept.")
    assert plugin.jobs() == 1
    [line] = [line for line in plugin.stash.log if line.level == "warning"]
    assert line.text.startswith("SceneSync is not installed yet. Changes are kept meanwhile. ")
    assert "Run the task Install or update dependencies" in line.text


def test_the_task_sync_all_shows_its_progress_and_brings_everything_to_plex(plugin: PluginWorld) -> None:
    scenes = [plugin.add_scene(f"Pier {number:02d}") for number in range(50)]  # it takes longer than one proof waits
    plugin.plex.latency_s = 0.05
    job_id = plugin.ask(RUN_TASK, {"task": "Sync all scenes"})["runPluginTask"]
    seen: set[float] = set()

    def ended() -> bool:
        job = plugin.stash.engine.jobs.find(int(job_id))
        if job is not None and job.progress is not None:
            seen.add(job.progress)
        return job is not None and job.status is JobStatus.FINISHED

    eventually(ended, "the task's end", 60)
    assert plugin.stash.job(job_id).error is None
    assert any(0 < value < 1 for value in seen), seen
    assert max(seen) == 1
    assert {plugin.item_of(scene).title for scene in scenes} == {scene.title for scene in scenes}
    texts = [line.text for line in plugin.stash.log]
    assert "50 scenes enqueued, 0 were waiting already" in texts
    assert "50 synced" in texts
    assert not any("returned error" in text for text in texts)


def test_tasks_list_replay_and_purge_dead_letters(plugin: PluginWorld) -> None:
    plugin.configure(autostart=False)
    scenes = [plugin.add_scene(title) for title in ("Pier", "Island")]
    plugin.plex.fail_next(2, faults.status(403), only="edit")
    _, log = plugin.task("Sync all scenes")
    assert "2 dead letters (scenesync dlq list)" in "\n".join(log)
    _, log = plugin.task("Queue status")
    assert "0 pending (0 due), 0 in progress, 2 dead letters, 0 done so far" in log

    _, log = plugin.task("Dead letters: list")
    listed = [line for line in log if "PlexPermanentError" in line]
    assert len(listed) == 2
    assert all("Plex answered 403" in line for line in listed)
    plugin.task("Dead letters: replay")
    assert (plugin.queue().dead_letters, plugin.queue().pending) == (0, 2)
    plugin.task("Process queue")
    assert {plugin.item_of(scene).title for scene in scenes} == {"Pier", "Island"}

    plugin.plex.fail_next(1, faults.status(403), only="edit")
    plugin.stash.save(scenes[0], details="Refused.")
    plugin.task("Process queue")
    assert plugin.queue().dead_letters == 1
    _, log = plugin.task("Dead letters: purge")
    assert "1 dead letter deleted" in log
    assert plugin.jobs() == 0


def test_a_task_that_cannot_work_says_why_in_stash(plugin: PluginWorld) -> None:
    plugin.configure(plex_token="wrong-token-4711")
    scene = plugin.add_scene("Harbour at dawn")
    _, log = plugin.task("Sync all scenes")
    [error] = [line for line in log if line.startswith("Plugin returned error: ")]
    assert "Plex answered 401 Unauthorized: check plex_token" in error
    assert "wrong-token-4711" not in "\n".join(log)
    assert plugin.jobs() == 1

    plugin.configure()
    plugin.task("Sync recent changes")
    assert plugin.item_of(scene).title == "Harbour at dawn"


def test_a_daemon_that_a_person_stopped_stays_off_until_it_is_started(plugin: PluginWorld) -> None:
    scene = plugin.add_scene("Harbour at dawn")
    _, log = plugin.task("Start the daemon")
    assert log[-1] == "SceneSync works in the background."
    pid = plugin.daemon_pid()
    assert pid is not None
    assert plugin.task("Start the daemon")[1][-1] == "SceneSync runs already."

    _, log = plugin.task("Stop the daemon")
    assert log[-1].startswith("SceneSync was stopped. Changes are kept")
    eventually(lambda: plugin.daemon_pid() is None, "the daemon's end", 5)
    plugin.stash.save(scene, details="While it was off.")
    assert plugin.daemon_pid() is None
    assert plugin.jobs() == 1
    assert plugin.task("Stop the daemon")[1][-1].startswith("SceneSync was not running.")

    plugin.task("Start the daemon")
    eventually(lambda: plugin.item_of(scene).summary == "While it was off.", "the summary in Plex")
    assert '"autostart": true' in (plugin.data_dir / "hook.json").read_text()


def test_a_daemon_that_cannot_start_says_why_in_stash(plugin: PluginWorld) -> None:
    plugin.configure(plex_url="", plex_token="")
    _, log = plugin.task("Start the daemon")
    [error] = [line for line in log if line.startswith("Plugin returned error: ")]
    assert "SceneSync did not start. It said: " in error
    assert "plex_url is not set" in error
