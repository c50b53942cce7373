"""Today's SceneSync opens what every earlier version left behind, loses nothing of it, and works on."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.schema import SCHEMA_VERSION
from scenesync.store.database import open_database
from scenesync.store.migrations import MIGRATIONS
from tests.e2e.live_world import LiveWorld
from tests.e2e.shown_fields import differences

sys.path.insert(0, str(Path(__file__).parent / "old_files"))

import household

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs import Figures

pytestmark = pytest.mark.reliability

OLD_FILES: Final = Path(__file__).parent / "old_files"
VERSIONS: Final = sorted(folder.name for folder in OLD_FILES.glob("version_*"))
DUMPS: Final = {"queue.sql": "queue/data.db", "state.sql": "scenesync.db"}
BECOMES_RIGHT: Final = (*household.CHANGED_SINCE, household.CHANGED_BEFORE, 8, household.NOT_IN_PLEX)
"""The scenes that have a job, or were in sync and are again what they were."""


@pytest.fixture
def world(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveWorld]:
    """The household on the day of the upgrade: both servers, and the files of the earlier version."""
    with LiveWorld(tmp_path, hook_settings={"SCENESYNC_DATA_DIR": str(tmp_path / "elsewhere")}) as world:
        monkeypatch.setattr(tempfile, "tempdir", str(world.temporary))
        household.furnish(world)
        for scene_id in (*household.CHANGED_SINCE, household.CHANGED_BEFORE):
            household.rename(world, scene_id, household.title_after(scene_id))
        restore(OLD_FILES / version, world.data_dir)
        yield world


def restore(folder: Path, data_dir: Path) -> None:
    """Make the files of a data directory as they were."""
    (data_dir / "queue").mkdir(mode=0o700, parents=True)
    for dump, name in DUMPS.items():
        with contextlib.closing(sqlite3.connect(data_dir / name)) as connection:
            connection.executescript((folder / dump).read_text(encoding="utf-8"))
    shutil.copytree(folder / "spool", data_dir / "queue" / "spool")


def left_behind(version: str) -> Any:
    return json.loads((OLD_FILES / version / "what_is_there.json").read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(file: Path, statement: str) -> list[list[Any]]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [list(row) for row in connection.execute(statement).fetchall()]


def test_there_are_files_of_the_first_version() -> None:
    assert "version_0.1.0" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_status_reads_old_files_and_changes_nothing(world: LiveWorld, version: str) -> None:
    before, there = contents(world.data_dir), left_behind(version)
    ran = world.scenesync("status", "--json")
    assert ran.exit_code == 0, ran.stderr
    status = ran.document()
    assert status["pending"] == len(there["waiting"]) + len(there["spooled"])
    assert status["in_progress"] == len(there["claimed"])
    assert status["dead_letters"] == len(there["dead_letters"])
    assert status["completed_total"] == there["completed"][0][0]
    assert contents(world.data_dir) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_opening_old_files_loses_nothing(world: LiveWorld, version: str, figures: Figures) -> None:
    there = left_behind(version)
    with contextlib.closing(EmbeddedQueue(world.data_dir / "queue")) as queue:
        assert queue.damage is None
        assert queue.take_in_spool() == len(there["spooled"])
        waiting = {pending.job["job_key"]: pending.job.get("retry_count") for pending in queue.list_pending()}
        letters = DeadLetterStore(queue).list(newest_first=False)
    expected = dict(there["waiting"]) | dict.fromkeys([key for (key,) in there["claimed"]] + there["spooled"])
    assert waiting == expected, "the job of the process that died waits again"
    assert [
        [letter.job["scene_id"], letter.error_type, letter.message, letter.attempts] for letter in letters
    ] == there["dead_letters"]

    open_database(world.data_dir / "scenesync.db").close()
    state = world.data_dir / "scenesync.db"
    same = {
        "baselines": "SELECT rating_key, field, scene_id, written, shown, replaced FROM baseline ORDER BY 1, 2",
        "image_baselines": "SELECT rating_key, field, sha1 FROM image_baseline ORDER BY 1, 2",
        "journal": "SELECT scene_id, rating_key, field, before, after FROM journal ORDER BY id",
        "items": "SELECT rating_key, path FROM plex_file ORDER BY 1, 2",
        "attempts": "SELECT scene_id, outcome FROM attempt ORDER BY id",
        "outages": "SELECT service, cause, ended_at IS NULL FROM outage ORDER BY id",
        "services": "SELECT service, reachability FROM service_state ORDER BY service",
        "facts": "SELECT server_id, name, value FROM fact ORDER BY 1, 2",
    }
    found = {name: rows(state, statement) for name, statement in same.items()}
    assert {name: Counter(map(str, listed)) for name, listed in found.items()} == {
        name: Counter(map(str, there[name])) for name in same
    }
    assert [name for name in same if not there[name]] == [], "an old file that holds nothing proves nothing"
    assert rows(state, "SELECT MAX(version) FROM schema_version") == [[MIGRATIONS[-1].version]]
    assert rows(world.data_dir / "queue" / "data.db", "PRAGMA user_version") == [[SCHEMA_VERSION]]
    for file in DUMPS.values():
        assert rows(world.data_dir / file, "PRAGMA integrity_check") == [["ok"]]
        assert list((world.data_dir / file).parent.glob("*.damaged-*")) == []
    figures(f"upgrade from {version.removeprefix('version_')}", "2 files", jobs=len(expected), lost=0, doubled=0)


@pytest.mark.parametrize("version", VERSIONS)
def test_old_files_are_worked_off_to_the_right_end(world: LiveWorld, version: str) -> None:
    world.add_item(household.title_before(household.NOT_IN_PLEX))  # Plex has scanned it meanwhile
    ran = world.scenesync("sync", str(household.NOT_IN_PLEX), str(household.CHANGED_BEFORE))
    assert ran.exit_code == 3, ran.stderr
    queue = world.queue()
    assert (queue.pending, queue.in_progress, queue.dead_letters) == (0, 0, len(left_behind(version)["dead_letters"]))
    scenes = [world.stash.library.scenes[scene_id] for scene_id in BECOMES_RIGHT]
    assert [
        line for scene in scenes for line in differences(world.stash, world.plex, scene, world.item_of(scene))
    ] == []

    household.rename(world, household.REFUSED_BY_PLEX, household.title_after(household.REFUSED_BY_PLEX))
    assert world.scenesync("dlq", "replay", "--all").exit_code == 0
    assert world.scenesync("drain").exit_code == 0
    refused = world.stash.library.scenes[household.REFUSED_BY_PLEX]
    assert differences(world.stash, world.plex, refused, world.item_of(refused)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_earlier_version_wrote_is_still_known_as_ours(world: LiveWorld, version: str) -> None:
    """Under this policy a title that SceneSync did not write itself would stay."""
    assert left_behind(version)["baselines"]
    ours, theirs = (world.item_of(world.stash.library.scenes[number]) for number in (household.CHANGED_TWICE, 5))
    world.plex.edit_by_hand(ours, title=household.title_between(household.CHANGED_TWICE))
    world.plex.edit_by_hand(theirs, title="Grandmother's favourite")
    world.scenesync("drain", conflict_policy="plex")
    assert world.plex.item(ours.rating_key).title == household.title_after(household.CHANGED_TWICE)
    assert world.plex.item(theirs.rating_key).title == "Grandmother's favourite"


@pytest.mark.parametrize(
    ("command", "file", "statement"),
    [
        ("drain", "queue/data.db", "PRAGMA user_version = 99"),
        ("run", "scenesync.db", "INSERT INTO schema_version (version, name, applied_at) VALUES (99, 'to come', 0)"),
    ],
    ids=["queue", "state"],
)
@pytest.mark.parametrize("version", VERSIONS[-1:])
def test_files_of_a_newer_version_are_refused_with_a_message(
    world: LiveWorld, version: str, command: str, file: str, statement: str
) -> None:
    target = world.data_dir / file
    with contextlib.closing(sqlite3.connect(target)) as connection:
        connection.execute(statement)
        connection.commit()
    before = target.read_bytes()
    ran = world.scenesync(command)
    assert (ran.exit_code, ran.stdout) == (1, ""), version
    assert "newer SceneSync" in ran.stderr
    assert "99" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert target.read_bytes() == before
    assert list(target.parent.glob("*.damaged-*")) == []
