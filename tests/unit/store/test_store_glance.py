"""A look with the standard library alone sees what the stores wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.holds import Hold
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.store.attempts import AttemptStore
from scenesync.store.database import open_database
from scenesync.store.glance import NOTHING, glance_at_scene, glance_at_store
from scenesync.store.holds import HoldStore
from scenesync.store.pauses import Pause, PauseStore
from scenesync.store.scene_states import SceneStateStore
from scenesync.store.service_state import ServiceState, ServiceStateStore

if TYPE_CHECKING:
    from scenesync.store.database import Database

SERVER = "fake-server"
ROOT = Path(__file__).parents[3]


def attempt(scene_id: int, outcome: Outcome, started_at: float, **facts: object) -> Attempt:
    values = {"duration_s": 0.5, "title": "Harbour at dawn", "server_id": SERVER, **facts}
    return Attempt(scene_id=scene_id, outcome=outcome, started_at=started_at, **values)  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "scenesync.db"


@pytest.fixture
def database(file: Path) -> Database:
    database = open_database(file)
    assert database is not None
    return database


def test_a_scene_is_seen_where_it_stands_and_since_when_it_shows_what_it_shows(database: Database, file: Path) -> None:
    made = [
        attempt(7, Outcome.SYNCED, 100.0, rating_keys=("1001",)),
        attempt(7, Outcome.UNCHANGED, 200.0, rating_keys=("1001",)),
    ]
    with database:
        AttemptStore(database).add_all(made)
        SceneStateStore(database).note_attempts(made)
        HoldStore(database, SERVER).put([Hold(7, "fingerprint", 300.0, "run")])
        seen = glance_at_scene(file, 7)
    assert seen is not None
    assert (seen.server_id, seen.state, seen.rating_keys) == (SERVER, "in_sync", ("1001",))
    assert (seen.written_at, seen.at, seen.held_since) == (100.5, 200.5, 300.0)


def test_the_whole_is_seen_with_what_was_done_last(database: Database, file: Path) -> None:
    made = [
        attempt(7, Outcome.SYNCED, 100.0),
        attempt(8, Outcome.DEAD, 101.0, title="", message="refused", error_type="PlexRefusedEdit"),
    ]
    with database:
        AttemptStore(database).add_all(made)
        SceneStateStore(database).note_attempts(made)
        ServiceStateStore(database).write("plex", ServiceState("down", 90.0))
        PauseStore(database).begin(Pause("plex", 90.0, "PlexTokenRefused", "Plex refuses the token."))
        seen = glance_at_store(file)
    assert seen.reachability == {"plex": "down"}
    assert seen.paused == "Plex refuses the token."
    assert seen.counts == {"in_sync": 1, "failed": 1}
    assert [(each.scene_id, each.outcome, each.title, each.message) for each in seen.latest] == [
        (8, "dead", "", "refused"),
        (7, "synced", "Harbour at dawn", ""),
    ]


def test_nothing_is_seen_where_nothing_is_and_nothing_is_made_there(file: Path) -> None:
    assert glance_at_scene(file, 7) is None
    assert glance_at_store(file) == NOTHING
    file.touch()
    assert glance_at_store(file) == NOTHING
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_it_needs_nothing_but_the_standard_library() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import scenesync.app.plugin_ui.answers"
    command = [sys.executable, "-I", "-S", "-c", program, str(ROOT)]  # without any environment's packages
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
