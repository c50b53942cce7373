"""Which outbox leads to which routes, what a hook does where there is one, and how a dead process is begun again."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scenesync.app.data_directory import OUTBOX_FOLDER, make_data_dir, queue_folder, worker_lock
from scenesync.app.opening import open_queue
from scenesync.app.routes.outboxes import deliver_once, home_outbox, left_over_events, outboxes_of, routes_at_home
from scenesync.app.routes.supervising import LONGEST_PAUSE_S, Home, RouteProcess, pause_before
from scenesync.app.running.switch import is_running
from scenesync.app.settings import LoadedSettings, load_settings
from scenesync.queue import inbox
from scenesync.queue.forwarding.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABLES = """
[[stash]]
name = "living"
url = "http://living:9999"
[[stash]]
name = "attic"
url = "http://attic:9999"
outbox = "attic-plugin/data"
[[stash]]
name = "garden"
url = "http://garden:9999"
[[plex]]
name = "home"
url = "http://home:32400"
token = "fake-home-token"
[[plex]]
name = "cabin"
url = "http://cabin:32400"
token = "fake-cabin-token"
"""
SINGLE = 'plex_url = "http://home:32400"\nplex_token = "fake-home-token"\n'


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], LoadedSettings]:
    for name in [name for name in os.environ if name.upper().startswith("SCENESYNC_")]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path))

    def load_file(text: str) -> LoadedSettings:
        (tmp_path / "scenesync.toml").write_text(text, encoding="utf-8")
        return load_settings()

    return load_file


def hook(data_dir: Path, scene_id: int) -> None:
    """Do what the hook does when a person saved a scene."""
    document = inbox.Document(is_hook=True, trigger="Scene.Update.Post", object_id=scene_id, title=None, path=None)
    inbox.store(document, str(data_dir))


def waiting(loaded: LoadedSettings) -> dict[str, list[int]]:
    found = {}
    for route in loaded.routes:
        with open_queue(route.settings) as queue:
            found[route.name] = [pending.job["scene_id"] for pending in queue.list_pending()]
    return found


def test_the_first_stash_without_an_outbox_has_ours_and_another_one_is_only_looked_at(
    tmp_path: Path, load: Callable[[str], LoadedSettings]
) -> None:
    found = {
        outbox.folder: [settings.place.name for settings in outbox.routes if settings.place]
        for outbox in outboxes_of(load(TABLES))
    }
    assert found == {
        tmp_path / "outbox": ["living-home", "living-cabin"],
        tmp_path / "attic-plugin" / "data": ["attic-home", "attic-cabin"],
    }


def test_a_table_that_names_our_own_folder_is_the_one_in_whose_plugin_we_live(
    tmp_path: Path, load: Callable[[str], LoadedSettings]
) -> None:
    attic_at_home = TABLES.replace("attic-plugin/data", str(tmp_path))
    assert {route.stash for route in routes_at_home(load(attic_at_home))} == {"attic"}
    folders = {outbox.folder: {each.stash_url for each in outbox.routes} for outbox in outboxes_of(load(attic_at_home))}
    assert folders == {tmp_path / "outbox": {"http://attic:9999"}}


def test_hook_and_application_mean_the_same_folder() -> None:
    assert inbox.OUTBOX_FOLDER == OUTBOX_FOLDER


def test_without_an_outbox_a_hook_uses_the_queue_and_with_one_the_outbox(tmp_path: Path) -> None:
    hook(tmp_path, 5)
    assert (tmp_path / "queue").is_dir()
    make_data_dir(home_outbox(tmp_path))
    hook(tmp_path, 6)
    with closing(Outbox(queue_folder(home_outbox(tmp_path)))) as outbox:
        assert [event.job["scene_id"] for event in outbox.batch(0)] == [6]


def test_events_reach_all_routes_of_their_stash_once_however_often_they_are_delivered(
    tmp_path: Path, load: Callable[[str], LoadedSettings]
) -> None:
    loaded = load(TABLES)
    for folder in (home_outbox(tmp_path), tmp_path / "attic-plugin" / "data"):
        make_data_dir(folder)
    for scene_id in (5, 6, 5):
        hook(tmp_path, scene_id)
    hook(tmp_path / "attic-plugin" / "data", 5)
    for _ in range(2):
        deliver_once(loaded)
        found = waiting(loaded)
        assert {name: sorted(scenes) for name, scenes in found.items()} == {
            "living-home": [5, 6],
            "living-cabin": [5, 6],
            "attic-home": [5],
            "attic-cabin": [5],
            "garden-home": [],
            "garden-cabin": [],
        }


def test_events_of_a_further_stash_are_marked_as_its_in_the_queues_of_its_routes(
    tmp_path: Path, load: Callable[[str], LoadedSettings]
) -> None:
    loaded = load(TABLES)
    attic = tmp_path / "attic-plugin" / "data"
    for data_dir in (home_outbox(tmp_path), attic):
        make_data_dir(data_dir)
    for data_dir in (tmp_path, attic):
        hook(data_dir, 5)
    deliver_once(loaded)
    found = {}
    for route in loaded.routes:
        with open_queue(route.settings) as queue:
            found[route.name] = [(each.job["job_key"], each.job.get("server")) for each in queue.list_pending()]
    assert found == {
        **{key: [("scene_5", None)] for key in ("living-home", "living-cabin")},
        **{key: [("attic:scene_5", "attic")] for key in ("attic-home", "attic-cabin")},
        **{key: [] for key in ("garden-home", "garden-cabin")},
    }


def test_an_outbox_that_somebody_serves_is_left_to_them(tmp_path: Path, load: Callable[[str], LoadedSettings]) -> None:
    loaded = load(TABLES)
    make_data_dir(home_outbox(tmp_path))
    hook(tmp_path, 5)
    lock = worker_lock(home_outbox(tmp_path))
    assert lock.acquire()
    try:
        deliver_once(loaded)
        assert waiting(loaded)["living-home"] == []
    finally:
        lock.release()
    deliver_once(loaded)
    assert waiting(loaded)["living-home"] == [5]


def test_one_route_that_once_were_several_still_gets_what_hooks_leave_in_the_outbox(
    tmp_path: Path, load: Callable[[str], LoadedSettings]
) -> None:
    make_data_dir(home_outbox(tmp_path))
    hook(tmp_path, 5)
    loaded = load(SINGLE)
    with left_over_events(loaded), open_queue(loaded.settings) as queue:
        deadline = time.monotonic() + 20
        while not queue.list_pending():
            assert time.monotonic() < deadline, "the event did not arrive"
            time.sleep(0.02)
        assert [pending.job["scene_id"] for pending in queue.list_pending()] == [5]


def test_where_there_never_were_several_nothing_is_made_for_it(
    tmp_path: Path, load: Callable[[str], LoadedSettings]
) -> None:
    loaded = load(SINGLE)
    with left_over_events(loaded):
        deliver_once(loaded)
    assert [path.name for path in tmp_path.iterdir()] == ["scenesync.toml"]


def test_a_process_that_dies_again_and_again_is_begun_at_growing_intervals() -> None:
    assert [pause_before(deaths) for deaths in (1, 2, 3, 6, 7, 1000)] == [1, 2, 4, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def begun(code: str) -> RouteProcess:
    process = RouteProcess("living-home", [sys.executable, "-c", code], "null")
    assert process.keep_alive()
    return process


def settled(process: RouteProcess) -> bool:
    """Wait until the process has ended, and return what ``keep_alive`` says then."""
    deadline = time.monotonic() + 20
    while process.keep_alive() and process.is_running:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process.keep_alive()


def test_a_process_that_fails_is_wanted_further_and_one_that_ends_well_was_asked_to() -> None:
    assert settled(begun("raise SystemExit(1)"))
    process = begun("pass")
    deadline = time.monotonic() + 20
    while process.keep_alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_that_cannot_begin_is_tried_again_later_and_ends_no_other(tmp_path: Path) -> None:
    process = RouteProcess("living-home", [str(tmp_path / "no-such-program")], "null")
    assert process.keep_alive()
    assert not process.is_running
    process.command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    assert process.keep_alive()
    assert not process.is_running, "it is tried after the pause"
    deadline = time.monotonic() + 20
    while process.keep_alive() and not process.is_running:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.ask_to_end()
    process.wait(deadline)


def test_who_runs_the_routes_works_in_the_data_directory_as_long_as_no_route_lives_there(
    tmp_path: Path, load: Callable[[str], LoadedSettings]
) -> None:
    loaded = load(TABLES)
    elsewhere = replace(loaded, routes=loaded.routes[1:])
    home = Home(elsewhere)
    assert home.take()
    home.beat()
    try:
        assert is_running(tmp_path)
        assert (tmp_path / "daemon.beat").exists()
        assert not Home(elsewhere).take()
    finally:
        home.leave()
    lived_in = Home(loaded)
    assert lived_in.take()
    assert not is_running(tmp_path)
    lived_in.leave()


def test_a_process_ends_with_its_stdin_and_one_that_does_not_is_killed() -> None:
    obedient = begun("import sys; sys.stdin.read()")
    stubborn = begun("import sys, time; sys.stdin.read(); time.sleep(60)")
    began = time.monotonic()
    for process in (obedient, stubborn):
        process.ask_to_end()
    obedient.wait(began + 20)
    assert not obedient.is_running
    stubborn.wait(time.monotonic() + 0.2)
    assert not stubborn.is_running
    assert time.monotonic() - began < 20
