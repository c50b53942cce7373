"""A SQLite file is read with everything that was committed to it, and nothing in its folder is any different then."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scenesync.disk import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

WRITE_AND_DIE = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(f"PRAGMA journal_mode={sys.argv[2]}")
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("CREATE TABLE film (title TEXT)")
connection.execute("INSERT INTO film VALUES ('Harbour at dawn')")
connection.execute("PRAGMA cache_size=1")
connection.execute("BEGIN IMMEDIATE")
if sys.argv[3] == "torn":
    connection.executemany("INSERT INTO film VALUES (?)", [("x" * 900,) for _ in range(2000)])
os._exit(0)
"""


def died(path: Path, journal: str, *, torn: bool = False) -> None:
    """Leave the file as a process does that is killed; ``torn`` in the middle of a large transaction."""
    how = "torn" if torn else "between"
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path), journal, how], check=True)


def state(folder: Path) -> Mapping[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}


def titles(path: Path) -> list[str]:
    with closing(reading.connect(path, timeout_s=1.0)) as connection:
        return [title for (title,) in connection.execute("SELECT title FROM film")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder? with #odd% characters"
    folder.mkdir()
    return folder / "films.db"


def assert_read_without_trace(path: Path) -> None:
    before, folder_time = state(path.parent), path.parent.stat().st_mtime_ns
    assert titles(path) == ["Harbour at dawn"]
    assert state(path.parent) == before
    assert path.parent.stat().st_mtime_ns == folder_time


def test_a_file_that_nobody_has_open(path: Path) -> None:
    died(path, "wal")
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    assert not list(path.parent.glob("*-wal")) or path.with_name("films.db-wal").stat().st_size == 0
    assert_read_without_trace(path)


def test_a_log_that_a_crash_left(path: Path) -> None:
    died(path, "wal")
    assert path.with_name("films.db-wal").stat().st_size > 0
    assert_read_without_trace(path)


def test_a_log_without_its_index(path: Path) -> None:
    died(path, "wal")
    path.with_name("films.db-shm").unlink()  # a backup that took file and log alone
    assert_read_without_trace(path)


@pytest.mark.parametrize("journal", ["truncate", "delete"])
def test_a_transaction_that_was_cut_off_is_not_seen_and_not_undone(path: Path, journal: str) -> None:
    died(path, journal, torn=True)
    assert path.with_name("films.db-journal").stat().st_size > 0
    assert_read_without_trace(path)


def test_what_is_being_written_by_another_process_is_seen_as_soon_as_it_is_committed(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE film (title TEXT)")
        for number in range(3):
            assert len(titles(path)) == number
            writer.execute("INSERT INTO film VALUES ('Harbour at dawn')")
            writer.execute("BEGIN")
            writer.execute("INSERT INTO film VALUES ('not yet')")
            assert "not yet" not in titles(path)
            writer.execute("ROLLBACK")
            if number == 1:
                writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount a disk")
@pytest.mark.parametrize("index", [True, False], ids=["with its index", "without its index"])
def test_a_log_on_a_read_only_disk(path: Path, index: bool) -> None:  # noqa: FBT001 - parametrised
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path.parent)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr!r}")
    try:
        died(path, "wal")
        if not index:
            path.with_name("films.db-shm").unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(path.parent)], check=True)
        assert_read_without_trace(path)
    finally:
        subprocess.run(["umount", str(path.parent)], check=True)


def test_damage_is_raised_as_what_it_is(path: Path) -> None:
    path.write_bytes(b"a shopping list, not a database " * 400)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        titles(path)


WRITE_AND_STAY = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE film (title TEXT)")
connection.execute("INSERT INTO film VALUES ('Harbour at dawn')")
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITE_AND_STAY, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
        child.communicate("\n")


def turn_index_half_written(path: Path) -> None:
    """Change one of the two copies of the index' header, as whoever commits does for a moment; done twice, undone."""
    with path.with_name(f"{path.name}-shm").open("r+b") as index:
        header = bytearray(index.read(48))
        header[8] ^= 0xFF
        index.seek(0)
        index.write(header)


@pytest.mark.usefixtures("writer")
def test_a_look_at_an_index_that_is_just_being_written_is_repeated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(reading.connect(path, timeout_s=1.0)) as connection:
        turn_index_half_written(path)
        with pytest.raises(sqlite3.OperationalError) as refused:
            connection.execute("SELECT title FROM film").fetchone()
        assert refused.value.sqlite_errorname == "SQLITE_READONLY_RECOVERY"
        monkeypatch.setattr(reading.time, "sleep", lambda _: turn_index_half_written(path))
        reading.begin(connection)
        assert connection.execute("SELECT title FROM film").fetchall() == [("Harbour at dawn",)]


@pytest.mark.usefixtures("writer")
def test_an_index_that_stays_half_written_is_said_and_leaves_no_transaction(path: Path) -> None:
    with closing(reading.connect(path, timeout_s=1.0)) as connection:
        turn_index_half_written(path)
        with pytest.raises(sqlite3.OperationalError):
            reading.begin(connection)
        assert not connection.in_transaction
