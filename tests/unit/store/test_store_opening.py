from __future__ import annotations

import logging
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from store_engines import SQLITE
from store_samples import SERVER, film, path_lookup

from scenesync.disk import reading
from scenesync.domain import circuit
from scenesync.store import sqlite_file
from scenesync.store.circuits import CircuitStore
from scenesync.store.database import Database, open_database
from scenesync.store.errors import StoreDamaged, StoreForeign, StoreTooNew, StoreUnavailable
from scenesync.store.memory import Memory
from scenesync.store.migrations import MIGRATIONS, version_of
from scenesync.store.path_index import PathIndexStore

if TYPE_CHECKING:
    from pathlib import Path

LATEST = MIGRATIONS[-1].version

OPEN_AT_A_SIGNAL = """
import pathlib, sys, time
from scenesync.store.database import open_database
from scenesync.store.migrations import version_of
path, signal = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
print("ready", flush=True)
while not signal.exists():
    time.sleep(0.001)
with open_database(path) as database, database.reading() as connection:
    print(version_of(connection), flush=True)
"""

HOLD_THE_OPENING_LOCK = """
import pathlib, sys, time
from scenesync.store.sqlite_file import only_opener
with only_opener(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def engine() -> str:
    """What is asked here is of the file."""
    return SQLITE


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def damaged_files(path: Path) -> list[Path]:
    return [file for file in path.parent.glob("*.damaged-*") if not file.name.endswith(("-wal", "-shm"))]


def open_in_processes(path: Path, signal: Path, count: int) -> list[str]:
    command = [sys.executable, "-c", OPEN_AT_A_SIGNAL, str(path), str(signal)]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(count)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    signal.touch()
    outcomes = []
    for child in children:
        output, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
        outcomes.append(output.strip())
    return outcomes


def fill(path: Path, items: int) -> None:
    with open_database(path) as database:
        PathIndexStore(database, SERVER).replace_library("1", map(film, range(items)), started_at=1.0)


def test_a_fresh_store_and_its_side_files_are_private(database: Database, database_path: Path) -> None:
    PathIndexStore(database, SERVER).upsert_items([film(1)])
    assert mode_of(database_path.parent) == 0o700
    assert {mode_of(file) for file in database_path.parent.iterdir()} == {0o600}
    assert database_path.with_name("scenesync.db-wal").exists()


def test_an_existing_file_that_others_can_read_is_made_private(database_path: Path) -> None:
    fill(database_path, 1)
    database_path.chmod(0o644)
    with open_database(database_path):
        assert mode_of(database_path) == 0o600


def test_what_was_written_is_there_after_reopening(database_path: Path) -> None:
    fill(database_path, 3)
    with open_database(database_path) as database:
        assert PathIndexStore(database, SERVER).counts().items == 3


def test_several_processes_can_open_a_new_file_at_once(database_path: Path, tmp_path: Path) -> None:
    outcomes = open_in_processes(database_path, tmp_path / "go", 5)
    assert outcomes == [str(LATEST)] * 5
    with open_database(database_path) as database, database.reading() as connection:
        noted = connection.execute(text("SELECT version FROM schema_version ORDER BY version")).scalars().all()
    assert noted == [migration.version for migration in MIGRATIONS]


def test_several_processes_that_find_a_damaged_file_move_it_aside_once(database_path: Path, tmp_path: Path) -> None:
    database_path.parent.mkdir(parents=True)
    database_path.write_bytes(b"not a database at all " * 1_000)
    outcomes = open_in_processes(database_path, tmp_path / "go", 5)
    assert outcomes == [str(LATEST)] * 5
    assert [file.read_bytes()[:8] for file in damaged_files(database_path)] == [b"not a da"]


def test_a_killed_opener_leaves_no_lock_behind(database_path: Path) -> None:
    database_path.parent.mkdir(parents=True)
    command = [sys.executable, "-c", HOLD_THE_OPENING_LOCK, str(database_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        holder.wait(timeout=10)
    with open_database(database_path) as database, database.reading() as connection:
        assert version_of(connection) == LATEST


def test_an_opener_that_takes_too_long_is_reported(database_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database_path.parent.mkdir(parents=True)
    monkeypatch.setattr(sqlite_file, "_OPENING_TIMEOUT_S", 0.1)
    with sqlite_file.only_opener(database_path), pytest.raises(StoreUnavailable, match="Another process"):
        open_database(database_path)


def test_a_file_that_is_no_database_is_kept_aside_with_a_warning(
    database_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database_path.parent.mkdir(parents=True)
    rubbish = b"\x00\x01 power went away here " * 500
    database_path.write_bytes(rubbish)
    with caplog.at_level(logging.WARNING), open_database(database_path) as database:
        assert PathIndexStore(database, SERVER).counts().items == 0
    (kept,) = damaged_files(database_path)
    assert kept.read_bytes() == rubbish
    assert "store damaged" in caplog.text
    assert kept.name in caplog.text


def test_a_damaged_page_in_the_middle_is_found_at_opening(database_path: Path) -> None:
    fill(database_path, 2_000)
    content = bytearray(database_path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 3 * 4096] = b"\xa5" * (3 * 4096)
    database_path.write_bytes(content)
    with open_database(database_path) as database:
        assert PathIndexStore(database, SERVER).counts().items == 0
    (kept,) = damaged_files(database_path)
    assert kept.read_bytes() == bytes(content)


def test_the_log_of_a_damaged_file_goes_with_it(database_path: Path) -> None:
    database_path.parent.mkdir(parents=True)
    database_path.write_bytes(b"rubbish " * 1_000)
    log = database_path.with_name("scenesync.db-wal")
    log.write_bytes(b"log " * 1_000)
    with open_database(database_path):
        (kept,) = damaged_files(database_path)
        assert kept.with_name(kept.name + "-wal").read_bytes() == b"log " * 1_000


@pytest.mark.parametrize("first_sector_written", [False, True])
def test_a_file_whose_first_transaction_was_cut_short_is_new_not_damaged(
    database_path: Path, tmp_path: Path, *, first_sector_written: bool
) -> None:
    """After a power cut any sector of the file may be missing; its journal says that there was nothing before."""
    database_path.parent.mkdir(parents=True)
    at_work = tmp_path / "at-work.db"
    with closing(sqlite3.connect(at_work, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA cache_size = 5")  # so that pages go to the file before the commit
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE film (title TEXT)")
        connection.executemany("INSERT INTO film VALUES (?)", [("Harbour at dawn" * 100,)] * 200)
        content = at_work.read_bytes()
        database_path.with_name("scenesync.db-journal").write_bytes(
            at_work.with_name("at-work.db-journal").read_bytes()
        )
    assert len(content) > 100_000
    header = b"SQLite format 3\x00" if first_sector_written else bytes(16)
    database_path.write_bytes(header + content[16:])
    with open_database(database_path) as database, database.reading() as connection_to_it:
        assert version_of(connection_to_it) == LATEST
    assert damaged_files(database_path) == []


def test_two_damages_in_the_same_second_keep_both_files(database_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    database_path.parent.mkdir(parents=True)
    for content in (b"first " * 1_000, b"second " * 1_000):
        database_path.write_bytes(content)
        open_database(database_path).close()
    assert {file.read_bytes()[:6] for file in damaged_files(database_path)} == {b"first ", b"second"}


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_file_is_refused_and_not_touched(database_path: Path, *, read_only: bool) -> None:
    fill(database_path, 1)
    with closing(sqlite3.connect(database_path)) as connection, connection:
        connection.execute("INSERT INTO schema_version VALUES (?, 'from the future', 1.0)", (LATEST + 7,))
    before = database_path.read_bytes()
    opening = (
        partial(open_database, database_path, read_only=True) if read_only else partial(open_database, database_path)
    )
    with pytest.raises(StoreTooNew) as refusal:
        opening()
    assert (refusal.value.found, refusal.value.known) == (LATEST + 7, LATEST)
    assert str(LATEST + 7) in str(refusal.value)
    assert database_path.read_bytes() == before


def test_another_programs_database_is_refused_and_its_tables_stay(database_path: Path) -> None:
    database_path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database_path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.execute("INSERT INTO recipes VALUES ('soup')")
    with pytest.raises(StoreForeign, match=r"scenesync\.db"):
        open_database(database_path)
    with closing(sqlite3.connect(database_path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
        assert connection.execute("SELECT name FROM recipes").fetchall() == [("soup",)]


def test_reading_without_a_file_answers_none_and_creates_nothing(database_path: Path) -> None:
    assert open_database(database_path, read_only=True) is None
    assert not database_path.parent.exists()


def test_reading_a_closed_store_leaves_the_folder_as_it_was(database_path: Path) -> None:
    fill(database_path, 2)
    before = {file.name: file.read_bytes() for file in database_path.parent.iterdir()}
    reader = open_database(database_path, read_only=True)
    assert reader is not None
    with reader:
        assert PathIndexStore(reader, SERVER).counts().items == 2
    assert {file.name: file.read_bytes() for file in database_path.parent.iterdir()} == before


def test_reading_beside_a_writer_sees_what_is_committed(database: Database, database_path: Path) -> None:
    writing = PathIndexStore(database, SERVER)
    writing.upsert_items([film(1)])
    reader = open_database(database_path, read_only=True)
    assert reader is not None
    with reader:
        reading = PathIndexStore(reader, SERVER)
        assert reading.counts().items == 1
        writing.upsert_items([film(2)])
        assert reading.counts().items == 2
        assert reading.files_at(path_lookup(film(2).parts[0].file))[0].rating_key == "2"


def test_a_read_only_store_refuses_to_write(database: Database, database_path: Path) -> None:
    assert database.path == database_path
    reader = open_database(database_path, read_only=True)
    assert reader is not None
    with reader, pytest.raises(StoreUnavailable, match="READONLY"):
        PathIndexStore(reader, SERVER).upsert_items([film(1)])


def test_reading_a_damaged_file_reports_it_and_moves_nothing(database_path: Path) -> None:
    database_path.parent.mkdir(parents=True)
    database_path.write_bytes(b"rubbish " * 1_000)
    with pytest.raises(StoreDamaged):
        open_database(database_path, read_only=True)
    assert [file.name for file in database_path.parent.iterdir()] == ["scenesync.db"]


def test_reading_a_file_that_was_never_migrated_answers_none(database_path: Path) -> None:
    database_path.parent.mkdir(parents=True)
    database_path.touch()
    assert open_database(database_path, read_only=True) is None
    assert database_path.read_bytes() == b""


def test_a_folder_in_the_place_of_the_file_is_reported(database_path: Path) -> None:
    database_path.mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match=r"scenesync\.db"):
        open_database(database_path)


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreUnavailable, match="folder"):
        open_database(tmp_path / "data" / "scenesync.db")


def test_on_a_network_share_there_is_no_write_ahead_log(database_path: Path) -> None:
    with open_database(database_path) as database:
        Memory(database).note("kept", "from the time with a log")
    with open_database(database_path, journal="truncate") as database:
        memory = Memory(database)
        assert memory.recall("kept") == "from the time with a log"
        memory.note("kept", "without a log")
        with database.transaction(durable=False) as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "truncate"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert not database_path.with_name("scenesync.db-wal").exists()
    with open_database(database_path) as database:
        assert Memory(database).recall("kept") == "without a log"


def test_every_look_at_a_store_that_is_only_read_begins_with_care(
    database: Database, database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CircuitStore(database, "plex").update(circuit.closed)
    begun: list[sqlite3.Connection] = []
    begin = reading.begin

    def count_and_begin(connection: sqlite3.Connection) -> None:
        begun.append(connection)
        begin(connection)

    with open_database(database_path, read_only=True) as looked_at:
        assert looked_at is not None
        monkeypatch.setattr(reading, "begin", count_and_begin)
        assert CircuitStore(looked_at, "plex").read().generation == 1
        assert Memory(looked_at).recall("unknown") is None
    assert len(begun) == 2
