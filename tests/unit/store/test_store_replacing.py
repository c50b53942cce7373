"""A store takes the place of another: nothing of the former one gets into it, and nobody goes on with that one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scenesync.store import replacing
from scenesync.store.database import open_database
from scenesync.store.errors import StoreUnavailable
from scenesync.store.memory import Memory
from scenesync.store.replacing import replace_database

if TYPE_CHECKING:
    from pathlib import Path

    from scenesync.store.sqlite_file import Journal

HOLD_THE_STORE_OPEN = """
import pathlib, sys
from scenesync.store.database import open_database
database = open_database(pathlib.Path(sys.argv[1]), journal=sys.argv[2])
print("open", flush=True)
sys.stdin.read()
"""


def store_with(path: Path, colour: str) -> Path:
    with open_database(path) as database:
        Memory(database).note("colour", colour)
    return path


def colour_in(path: Path) -> str | None:
    with open_database(path) as database:
        return Memory(database).recall("colour")


@pytest.fixture
def staged(database_path: Path) -> Path:
    return store_with(database_path.parent / "staged" / "scenesync.db", "red")


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_the_log_of_a_store_that_was_deleted_is_not_replayed_into_the_new_one(
    database_path: Path, staged: Path, suffix: str
) -> None:
    side_file = database_path.with_name(database_path.name + suffix)
    side_file.write_bytes(b"of the former store")
    assert replace_database(database_path, staged) is None
    assert not side_file.exists()
    (kept,) = database_path.parent.glob("scenesync.db.replaced-*")
    assert kept.name.endswith(suffix)
    assert kept.read_bytes() == b"of the former store"


def test_a_real_log_without_its_store_leaves_the_new_one_as_it_is(database_path: Path, staged: Path) -> None:
    with open_database(database_path) as database:
        for number in range(50):
            Memory(database).note(f"fact {number}", "x" * 3000)
        log = database_path.with_name(database_path.name + "-wal").read_bytes()
    assert log
    database_path.unlink()
    database_path.with_name(database_path.name + "-wal").write_bytes(log)
    replace_database(database_path, staged)
    with closing(sqlite3.connect(database_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT name, value FROM fact").fetchall() == [("colour", "red")]


@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_a_store_that_somebody_has_open_is_not_replaced(
    database_path: Path, staged: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "PATIENCE_S", 0.1)
    with open_database(database_path, journal=journal) as database:
        Memory(database).note("colour", "blue")
        with pytest.raises(StoreUnavailable, match=r"has scenesync\.db open"):
            replace_database(database_path, staged)
        with open_database(database_path, journal=journal):  # a second one in this process
            pass
        with pytest.raises(StoreUnavailable, match=r"has scenesync\.db open"):
            replace_database(database_path, staged)
    assert colour_in(database_path) == "blue"
    assert replace_database(database_path, staged) is not None
    assert colour_in(database_path) == "red"


def test_without_a_log_another_process_that_has_it_open_is_seen_until_it_is_killed(
    database_path: Path, staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "PATIENCE_S", 0.1)
    database_path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", HOLD_THE_STORE_OPEN, str(database_path), "truncate"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreUnavailable, match=r"has scenesync\.db open"):
            replace_database(database_path, staged)
        holder.kill()
        holder.wait(timeout=10)
    assert replace_database(database_path, staged) is not None
    assert colour_in(database_path) == "red"
