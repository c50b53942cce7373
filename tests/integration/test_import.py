"""``scenesync import stash2plex``: taking over from another tool of this kind."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from other_tool import OtherTool

from scenesync.app.cli import cli
from scenesync.queue.dead_letters import DeadLetterReader
from scenesync.queue.read_only import read_queue
from scenesync.queue.snapshot import read_snapshot
from scenesync.simulators.stash.server import StashSimulator
from scenesync.store.attempts import AttemptStore
from scenesync.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

LINK = "plex/library/metadata/12345"


@pytest.fixture
def tool(tmp_path: Path) -> OtherTool:
    return OtherTool(tmp_path / "Stash2Plex" / "data")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(tool: OtherTool, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(data_dir))

    def run(*options: str, folder: Path | None = None) -> Result:
        arguments = ["import", "stash2plex", str(folder or tool.folder), *options]
        return CliRunner().invoke(cli, arguments, standalone_mode=False)

    return run


def document(result: Result) -> dict[str, Any]:
    assert result.exception is None, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def letters(data_dir: Path) -> tuple[Any, ...]:
    return read_queue(data_dir / "queue", lambda queue: DeadLetterReader(queue).list()) or ()


def test_jobs_letters_and_times_are_taken_over(tool: OtherTool, data_dir: Path, run: Callable[..., Result]) -> None:
    tool.enqueue(1, 2, 3, "4", title="Harbour", path="/media/harbour.mp4")
    tool.finish_first()
    tool.give_up(7, "No item for https://plex/?X-Plex-Token=fake-secret-9")
    tool.synced({"1": 1_700_000_000.5, "8": 1_700_000_100})

    result = run()
    assert (result.return_value, result.exception) == (0, None)
    assert "3 waiting jobs" in result.stdout
    assert read_snapshot(data_dir / "queue").pending == 3, "one was done, one in hand"
    (letter,) = letters(data_dir)
    assert (letter.job["scene_id"], letter.error_type, letter.attempts) == (7, "PlexNotFound", 5)
    assert letter.failed_at == 1_770_091_506
    assert "fake-secret-9" not in letter.message
    database = open_database(data_dir / "scenesync.db", read_only=True)
    assert database is not None
    with database:
        (attempt,) = AttemptStore(database).latest(8, 5)
    assert (attempt.outcome.value, attempt.started_at) == ("synced", 1_700_000_100)


def test_run_twice_it_takes_over_once_and_later_what_came_since(
    tool: OtherTool, data_dir: Path, run: Callable[..., Result]
) -> None:
    tool.enqueue(1, 2)
    tool.give_up(7, "gone")
    tool.synced({"1": 1_700_000_000})
    first = document(run("--json"))
    assert (first["jobs"], first["dead_letters"], first["sync_times"]) == (2, 1, 1)
    again = document(run("--json"))
    assert (again["jobs"], again["dead_letters"], again["sync_times"]) == (0, 0, 0)
    assert len(letters(data_dir)) == 1
    tool.enqueue(9)
    since = document(run("--json"))
    assert (since["jobs"], since["dead_letters"]) == (1, 0)
    assert read_snapshot(data_dir / "queue").pending == 3


def test_a_dry_run_changes_nothing_anywhere(tool: OtherTool, data_dir: Path, run: Callable[..., Result]) -> None:
    tool.enqueue(1)
    tool.give_up(7, "gone")
    before = tool.content()
    found = document(run("--dry-run", "--json"))
    assert (found["jobs"], found["dead_letters"], found["dry_run"]) == (1, 1, True)
    assert not data_dir.exists()
    assert tool.content() == before


def test_nothing_is_written_into_the_other_tools_folder(tool: OtherTool, run: Callable[..., Result]) -> None:
    tool.enqueue(1)
    tool.give_up(7, "gone")
    before = tool.content()
    assert run().return_value == 0
    assert tool.content() == before


class Evil:
    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, (f"touch '{self._trace}'",)


def test_a_pickle_that_wants_to_run_something_is_named_and_left(
    tool: OtherTool, data_dir: Path, run: Callable[..., Result], tmp_path: Path
) -> None:
    trace = tmp_path / "was here"
    tool.enqueue(1)
    tool.put({"scene_id": 2, "data": Evil(trace)})
    tool.enqueue(3, None)
    tool.give_up(7, "gone", job={"scene_id": 7, "data": Evil(trace)})
    result = run()
    assert result.return_value == 3
    assert not trace.exists()
    assert read_snapshot(data_dir / "queue").pending == 2
    assert letters(data_dir) == ()
    assert "Left there: queue/data.db row 2: it wants more than plain values" in result.stdout
    assert "Left there: queue/data.db row 4: it names no scene" in result.stdout
    assert "Left there: dlq.db letter 1: it wants more than plain values" in result.stdout


@pytest.mark.parametrize("part", [".", "data", "data/queue"])
def test_the_folder_may_be_named_as_people_find_it(tool: OtherTool, run: Callable[..., Result], part: str) -> None:
    tool.enqueue(1)
    found = document(run("--dry-run", "--json", folder=tool.folder.parent / part))
    assert (found["jobs"], found["folder"]) == (1, str(tool.folder))


def test_another_folder_is_refused_with_what_was_expected(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run(folder=tmp_path)
    assert result.return_value == 1
    assert "no data folder of Stash2Plex" in result.stderr


def test_files_that_are_no_databases_are_told(tool: OtherTool, run: Callable[..., Result]) -> None:
    tool.enqueue(1)
    (tool.folder / "queue" / "data.db").write_bytes(b"not a database, but a page long" * 200)
    for log in tool.folder.glob("queue/data.db-*"):
        log.unlink()
    result = run()
    assert result.return_value == 1
    assert "cannot be read" in result.stderr


def test_a_text_that_is_no_utf_8_costs_its_own_record_alone(
    tool: OtherTool, data_dir: Path, run: Callable[..., Result]
) -> None:
    tool.enqueue(1, 2, 3)
    for scene_id in (7, 8, 9):
        tool.give_up(scene_id, "invented")
    for file, statement in (
        ("queue/data.db", "UPDATE ack_queue_default SET data = CAST(x'7bff' AS TEXT) WHERE _id = 2"),
        ("dlq.db", "UPDATE dead_letters SET error_message = CAST(x'68e9' AS TEXT) WHERE scene_id = 8"),
    ):
        with closing(sqlite3.connect(tool.folder / file)) as connection:
            assert connection.execute(statement).rowcount == 1
            connection.commit()
    found = document(run("--json"))
    assert (found["jobs"], found["dead_letters"]) == (2, 2)
    assert sorted((each["where"], each["reason"]) for each in found["left_there"]) == [
        ("dlq.db letter 2", "a text in it is no UTF-8"),
        ("queue/data.db row 2", "a text in it is no UTF-8"),
    ]
    assert {letter.job["scene_id"] for letter in letters(data_dir)} == {7, 9}


def test_damaged_times_are_left_and_the_rest_is_taken(tool: OtherTool, run: Callable[..., Result]) -> None:
    tool.enqueue(1)
    (tool.folder / "sync_timestamps.json").write_text('{"1": 17')
    found = document(run("--json"))
    assert found["jobs"] == 1
    assert [each["where"] for each in found["left_there"]] == ["sync_timestamps.json"]


def test_of_a_scene_that_failed_often_the_last_letter_counts(
    tool: OtherTool, data_dir: Path, run: Callable[..., Result]
) -> None:
    for number in range(3):
        tool.give_up(7, f"try {number}")
    assert document(run("--json"))["dead_letters"] == 1
    assert [letter.message for letter in letters(data_dir)] == ["try 2"]


def test_a_crash_before_the_note_leads_to_no_second_letter(
    tool: OtherTool, data_dir: Path, run: Callable[..., Result]
) -> None:
    tool.give_up(7, "gone")
    run()
    for path in data_dir.glob("scenesync.db*"):
        path.unlink()
    assert document(run("--json"))["dead_letters"] == 1
    assert len(letters(data_dir)) == 1


# --- links in Stash ---------------------------------------------------------------------------------------------------


@pytest.fixture
def stash(monkeypatch: pytest.MonkeyPatch) -> Iterator[StashSimulator]:
    with StashSimulator() as stash:
        monkeypatch.setenv("SCENESYNC_STASH_URL", stash.url)
        yield stash


def add_scenes(stash: StashSimulator) -> dict[str, int]:
    urls = {
        "both": ["https://example.org/harbour", LINK, "https://example.org/quay"],
        "only": [f"http://192.0.2.7:32400/{LINK}/"],
        "none": ["https://example.org/pier"],
        "own": [f"https://example.org/about?see={LINK}", "plex/library/metadata/12345/children"],
    }
    ids = {name: int(stash.add_scene(title=name, path=f"/media/{name}.mp4").id) for name in urls}
    for name, links in urls.items():
        stash.save(ids[name], urls=links)
    stash.requests.clear()
    return ids


def urls_of(stash: StashSimulator, scene_id: int) -> tuple[str, ...]:
    return stash.scene(scene_id).urls


def test_links_of_such_tools_are_taken_off_and_nothing_else(
    tool: OtherTool, stash: StashSimulator, run: Callable[..., Result]
) -> None:
    tool.enqueue(1)
    ids = add_scenes(stash)
    result = run("--clean-urls", "--yes", "--json")
    assert (document(result)["scenes_with_links"], document(result)["scenes_cleaned"]) == (2, 2)
    assert urls_of(stash, ids["both"]) == ("https://example.org/harbour", "https://example.org/quay")
    assert urls_of(stash, ids["only"]) == ()
    assert urls_of(stash, ids["none"]) == ("https://example.org/pier",)
    assert len(urls_of(stash, ids["own"])) == 2
    assert stash.operations()["SetSceneUrls"] == 2, "one change a scene"
    assert stash.operations()["SceneUrlsAfter"] <= 4
    noted = [line for line in result.stderr.splitlines() if "taken off" in line]
    assert len(noted) == 2, "the log says what was where"
    assert LINK in noted[0]
    assert document(run("--clean-urls", "--yes", "--json"))["scenes_with_links"] == 0


def test_without_a_terminal_it_asks_for_yes_and_changes_nothing(
    tool: OtherTool, data_dir: Path, stash: StashSimulator, run: Callable[..., Result]
) -> None:
    tool.enqueue(1)
    ids = add_scenes(stash)
    result = run("--clean-urls")
    assert "needs --yes" in str(result.exception)
    assert LINK in urls_of(stash, ids["both"])
    assert read_snapshot(data_dir / "queue").pending == 0


def test_a_dry_run_counts_the_links_and_leaves_them(
    tool: OtherTool, stash: StashSimulator, run: Callable[..., Result]
) -> None:
    tool.enqueue(1)
    ids = add_scenes(stash)
    result = run("--clean-urls", "--dry-run")
    assert "2 scenes in Stash with links" in result.stdout
    assert LINK in urls_of(stash, ids["both"])


def test_a_scene_that_stash_refuses_to_change_does_not_stop_the_rest(
    tool: OtherTool, stash: StashSimulator, run: Callable[..., Result]
) -> None:
    tool.enqueue(1)
    ids = add_scenes(stash)
    stash.fail_next(1, graphql_error="no", operation="SetSceneUrls")
    result = run("--clean-urls", "--yes")
    assert result.return_value == 3
    assert LINK in urls_of(stash, ids["both"])
    assert urls_of(stash, ids["only"]) == ()


def test_it_needs_no_plugin_folder_that_is_still_there_afterwards(
    tool: OtherTool, data_dir: Path, run: Callable[..., Result]
) -> None:
    tool.enqueue(1)
    assert run().return_value == 0
    shutil.rmtree(tool.folder)
    assert read_snapshot(data_dir / "queue").pending == 1


@pytest.mark.parametrize("impossible", ["Infinity", "1" + 400 * "0", "1.7e12", "NaN", "-1", "null"])
def test_a_time_that_cannot_be_is_left_out_and_hinders_no_other(
    tool: OtherTool, run: Callable[..., Result], impossible: str
) -> None:
    times = tool.folder / "sync_timestamps.json"
    times.write_text(f'{{"1": {impossible}, "2": 1700000000}}')
    assert document(run("--json"))["sync_times"] == 1
    times.write_text(f'{{"1": {impossible}, "2": 1700000100}}')
    assert document(run("--json"))["sync_times"] == 1, "one that cannot be counts as the latest"
