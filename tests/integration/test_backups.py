"""Backups: whole or not there, of one moment, made beside the work, and gone back to without losing what waits."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import run_command

from scenesync.app.backup import making
from scenesync.app.backup.archive import QUEUE, SPOOL, STATE, extract, read_contents
from scenesync.app.backup.errors import BackupError, BackupUnusable, NothingToBackUp, RestoreRefused
from scenesync.app.backup.keeping import Kind, kept_in
from scenesync.app.backup.making import LOCK, SCRATCH, back_up
from scenesync.app.backup.restoring import restore
from scenesync.app.data_directory import database_file, queue_folder, worker_lock
from scenesync.app.opening import open_queue, open_state
from scenesync.app.running.background import RoundOver
from scenesync.app.settings import Settings
from scenesync.app.telling.memo import FACT as TOLD
from scenesync.app.telling.memo import Memo
from scenesync.disk import copying
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import scene_job
from scenesync.domain.news import Kind as MessageKind
from scenesync.domain.news import Message, Told
from scenesync.domain.news import State as MessageState
from scenesync.domain.outbox import Parcel
from scenesync.intake.polling import FACT as POLL_CURSOR
from scenesync.queue import spool
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.schema import FILE_NAME
from scenesync.store.database import open_database
from scenesync.store.errors import StoreError, StoreUnavailable
from scenesync.store.memory import Memory
from scenesync.store.migrations import MIGRATIONS
from scenesync.store.outages import OutageStore
from scenesync.store.pauses import Pause, PauseStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.integration

LATEST = MIGRATIONS[-1].version
SOMEBODY = 1000
OLD_DATABASES = Path(__file__).parents[1] / "unit/store/old_databases"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def remember(settings: Settings, **facts: str) -> None:
    with open_state(settings) as database:
        for name, value in facts.items():
            Memory(database).note(name, value)


def recalled(settings: Settings, name: str) -> str | None:
    with open_state(settings) as database:
        return Memory(database).recall(name)


def enqueue(settings: Settings, *scene_ids: int, at: float | None = None, **data: Any) -> None:
    with open_queue(settings) as queue:
        for scene_id in scene_ids:
            queue.put_job(scene_job(scene_id, now=time.time() if at is None else at, data=data))


def waiting(settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    with open_queue(settings) as queue:
        found = queue.list_pending(1000)
    assert len({each.job["job_key"] for each in found}) == len(found), "one job a scene"
    return {each.job["job_key"]: each.job for each in found}


def unpacked(backup: Path, name: str, folder: Path) -> sqlite3.Connection:
    target = folder / f"unpacked-{name}"
    target.unlink(missing_ok=True)
    extract(backup, read_contents(backup), name, target)
    return sqlite3.connect(target)


def test_a_backup_is_of_one_moment_although_everybody_goes_on_writing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGES_AT_ONCE", 2)
    remember(settings, left="0", right="0")
    enqueue(settings, 1)
    written = 0
    with open_state(settings) as database, open_queue(settings) as queue:
        memory = Memory(database)

        def others_write() -> None:
            nonlocal written
            written += 1
            with database.transaction():
                memory.note("left", str(written))
                memory.note(f"filling {written}", "x" * 5000)
                memory.note("right", str(written))
            queue.put_job(scene_job(100 + written, now=time.time()))

        made = back_up(settings, go_on=others_write)
        assert memory.recall("right") == str(written)
    assert written > 20
    with closing(unpacked(made.path, STATE, tmp_path)) as state:
        assert state.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        facts = dict(state.execute("SELECT name, value FROM fact").fetchall())
        assert facts["left"] == facts["right"]
        assert int(facts["left"]) < written
    with closing(unpacked(made.path, QUEUE, tmp_path)) as queue_copy:
        assert queue_copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert queue_copy.execute("SELECT COUNT(*) FROM ack_queue_default").fetchone() == (1,)


def test_its_name_has_the_time_in_utc_and_the_version_of_the_store(settings: Settings) -> None:
    remember(settings, something="1")
    made = back_up(settings)
    stamp = time.strftime("%Y%m%dT%H%M", time.gmtime(made.contents.made_at))
    assert re.fullmatch(rf"scenesync-{stamp}\d\dZ-v{LATEST}\.zip", made.path.name)
    assert made.path.parent == settings.data_dir / "backups"
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in made.path.parent.iterdir()) == [made.path.name]


def test_without_anything_to_back_up_that_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "nowhere", backup_dir=tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    with pytest.raises(NothingToBackUp, match="nothing to back up"):
        back_up(settings)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_damaged_store_is_not_passed_off_as_a_backup(settings: Settings) -> None:
    remember(settings, **{f"fact {number}": "x" * 3000 for number in range(50)})
    file = database_file(settings.data_dir)
    with file.open("r+b") as disk:
        disk.seek(4096 * 3)
        disk.write(b"\xff" * 4096 * 20)
    with pytest.raises(StoreError, match="damaged"):
        back_up(settings)
    assert list((settings.data_dir / "backups").iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from scenesync.app.backup import making
from scenesync.app.settings import Settings
from scenesync.disk import copying

copying.PAGES_AT_ONCE = 8
settings = Settings(data_dir=sys.argv[1])

def killed_at(instant):
    calls = 0
    def go_on():
        nonlocal calls
        calls += 1
        if calls == instant:
            os.kill(os.getpid(), signal.SIGKILL)
    return go_on

def last_instant(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

survived = []
for instant in range(1, 40):
    child = os.fork()
    if child == 0:
        making.back_up(settings, go_on=killed_at(instant))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        survived.append(instant)
        break
child = os.fork()
if child == 0:
    Path.rename = last_instant
    making.back_up(settings)
    os._exit(0)
os.waitpid(child, 0)
print(instant)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_9_at_any_instant_leaves_nothing_that_looks_like_a_backup(settings: Settings) -> None:
    remember(settings, **{f"fact {number}": "x" * 3000 for number in range(50)})
    enqueue(settings, 1, 2)
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.data_dir)], check=True, capture_output=True, text=True, timeout=60
    )
    instants = int(ran.stdout)
    assert 5 < instants < 39, "killed at each instant, until one lived"
    folder = settings.data_dir / "backups"
    survivors = kept_in(folder)
    assert len(survivors) == 1, "the one that was not killed"
    assert read_contents(survivors[0].path).waiting == 2
    assert [path.name for path in folder.iterdir() if path.name.startswith(SCRATCH)], "what the killed ones left"
    back_up(settings)
    assert not [path.name for path in folder.iterdir() if path.name.startswith(SCRATCH)]


def test_one_that_is_given_up_leaves_nothing(settings: Settings) -> None:
    remember(settings, something="1")

    class GivenUpError(Exception):
        pass

    def give_up() -> None:
        raise GivenUpError

    with pytest.raises(GivenUpError):
        back_up(settings, go_on=give_up)
    assert list((settings.data_dir / "backups").iterdir()) == []


def test_two_at_a_time_are_made_one_after_the_other(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "WAIT_FOR_ANOTHER_S", 0.05)
    remember(settings, something="1")

    def another() -> None:
        with pytest.raises(BackupError, match="Another backup is being made"):
            back_up(settings)

    back_up(settings, go_on=another)
    assert len(kept_in(settings.data_dir / "backups")) == 1
    assert not (settings.data_dir / "backups" / LOCK).exists()


def test_the_oldest_beyond_what_is_kept_go_and_other_files_stay(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", backup_keep=2)
    remember(settings, something="1")
    folder = settings.data_dir / "backups"
    folder.mkdir()
    old = [folder / f"scenesync-2024010{day}T000000Z-v3.zip" for day in range(1, 5)]
    before = [folder / f"scenesync-2023010{day}T000000Z-v2-before-migration.zip" for day in range(1, 4)]
    others = [folder / "scenesync-holiday.zip", folder / "scenesync-20240101T000000Z-v3.zip.txt"]
    for path in (*old, *before, *others):
        path.write_bytes(b"")
    made = back_up(settings)
    assert sorted(made.dropped) == sorted([*old[:3], before[0]])
    assert sorted(folder.iterdir()) == sorted([made.path, old[3], *before[1:], *others])


def test_a_folder_that_takes_no_file_is_named_without_the_names_of_our_own_files(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    (folder / LOCK).mkdir(parents=True)  # no file can be made in its place, for whoever asks
    with pytest.raises(BackupError) as refused:
        back_up(settings, to=folder)
    assert str(refused.value).startswith(f"No backup can be written into {folder} (")
    assert LOCK not in str(refused.value)


def test_with_to_nothing_is_deleted(settings: Settings, tmp_path: Path) -> None:
    remember(settings, something="1")
    there = tmp_path / "usb"
    made = [back_up(settings, to=there) for _ in range(settings.backup_keep + 1)]
    assert {each.path for each in made} == set(there.iterdir())


def test_a_restore_brings_back_the_state_and_keeps_what_was_there(settings: Settings) -> None:
    remember(settings, colour="red", **{POLL_CURSOR: "a place in time"})
    backup = back_up(settings).path
    remember(settings, colour="blue")
    done = restore(settings, backup)
    assert recalled(settings, "colour") == "red"
    assert not recalled(settings, POLL_CURSOR), "so that the next start compares everything"
    assert done.kept is not None
    with closing(sqlite3.connect(done.kept)) as former:
        assert former.execute("SELECT value FROM fact WHERE name = 'colour'").fetchone() == ("blue",)
    assert not list(settings.data_dir.glob(".scenesync-restore-*"))
    restore(settings, backup)
    assert recalled(settings, "colour") == "red"
    assert len(list(settings.data_dir.glob("scenesync.db.replaced-*"))) == 2


def test_events_that_wait_now_outlive_the_restore_of_an_older_queue(settings: Settings) -> None:
    long_ago = time.time() - 1000
    remember(settings, something="1")
    enqueue(settings, 1, 2, at=long_ago, title="as it was")
    with open_queue(settings) as queue:
        DeadLetterStore(queue).add(
            DeadLetter(
                job={**scene_job(3, now=long_ago), "retry_count": 5},
                error_type="PlexBusy",
                message="busy",
                traceback="",
                attempts=5,
                failed_at=long_ago,
                advice="",
            )
        )
    backup = back_up(settings).path
    with open_queue(settings) as queue:  # scene 1 gets done, scene 2 changes once more, scene 4 is new
        done = queue.claim()[0]
        queue.complete(done)
    enqueue(settings, 2, 4, title="as it is")
    restored = restore(settings, backup)
    now = waiting(settings)
    assert sorted(now) == ["scene_1", "scene_2", "scene_3", "scene_4"]
    assert now["scene_2"]["data"]["title"] == "as it is"
    assert "retry_count" not in now["scene_3"], "what was given up gets one more look"
    assert (restored.jobs.created, restored.jobs.merged) == (2, 1)
    again = restore(settings, backup)
    assert (again.jobs.created, again.jobs.merged) == (0, 3)
    assert sorted(waiting(settings)) == sorted(now)


def test_events_beside_the_queue_are_in_the_backup_too(settings: Settings, tmp_path: Path) -> None:
    remember(settings, something="1")
    enqueue(settings, 1)
    spool.write_event(str(queue_folder(settings.data_dir)), json.dumps(scene_job(7, now=time.time())).encode())
    made = back_up(settings)
    assert made.contents.waiting == 2
    assert SPOOL in made.contents.members
    elsewhere = Settings(data_dir=tmp_path / "other machine")
    restore(elsewhere, made.path)
    assert sorted(waiting(elsewhere)) == ["scene_1", "scene_7"]


def test_a_backup_of_an_older_version_is_brought_to_todays(settings: Settings) -> None:
    old_store(settings)
    backup = back_up(settings).path
    assert "-v7" in backup.name
    restore(settings, backup)
    with closing(sqlite3.connect(database_file(settings.data_dir))) as state:
        assert state.execute("SELECT MAX(version) FROM schema_version").fetchone() == (LATEST,)


def old_store(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True)
    with closing(sqlite3.connect(database_file(settings.data_dir))) as old:
        old.executescript((OLD_DATABASES / "version_7.sql").read_text(encoding="utf-8"))


def test_before_a_migration_the_store_is_backed_up_as_it_was(settings: Settings) -> None:
    old_store(settings)
    open_state(settings).close()
    (kept,) = kept_in(settings.data_dir / "backups")
    assert kept.kind is Kind.BEFORE_MIGRATION
    assert "-v7-before-migration" in kept.path.name
    assert read_contents(kept.path).store_version == 7
    open_state(settings).close()
    assert len(kept_in(settings.data_dir / "backups")) == 1, "only before a migration"


def version_of(settings: Settings) -> int:
    with closing(sqlite3.connect(database_file(settings.data_dir))) as state:
        found: int = state.execute("SELECT MAX(version) FROM schema_version").fetchone()[0]
    return found


def test_a_migration_backs_up_the_state_alone_and_asks_nothing_of_the_queue(settings: Settings) -> None:
    old_store(settings)
    queue_folder(settings.data_dir).mkdir()
    (queue_folder(settings.data_dir) / FILE_NAME).write_bytes(b"no database at all" * 1000)
    open_state(settings).close()
    (kept,) = kept_in(settings.data_dir / "backups")
    assert read_contents(kept.path).members.keys() == {STATE}
    assert version_of(settings) == LATEST
    restore(settings, kept.path)


@pytest.mark.parametrize("there", ["nothing", "a file"])
def test_a_backup_that_cannot_be_made_never_keeps_the_daemon_from_starting(
    tmp_path: Path, there: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "kept"
    if there == "a file":
        folder.touch()
    settings = Settings(data_dir=tmp_path / "data", backup_dir=folder)
    old_store(settings)
    open_state(settings).close()
    assert version_of(settings) == LATEST
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "migrated without a backup" in warning
    assert "not mounted" in warning


def test_on_a_disk_without_locks_the_daemon_starts_all_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*_arguments: object) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    old_store(settings)
    monkeypatch.setattr(making.KernelLock, "acquire", no_locks)
    making.back_up_before_migration(settings, 7)
    assert "migrated without a backup" in caplog.text


def test_a_state_with_an_unsound_index_is_kept_as_it_is_marked_and_migrated(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    old_store(settings)
    with closing(sqlite3.connect(database_file(settings.data_dir), isolation_level=None)) as old:
        old.execute("CREATE TABLE extra (number INTEGER)")
        old.execute("INSERT INTO extra VALUES (1), (2)")
        old.execute("CREATE INDEX extra_number ON extra (number) WHERE number > 1")
        old.execute("PRAGMA writable_schema=ON")
        old.execute("UPDATE sqlite_master SET sql = replace(sql, '> 1', '> 0') WHERE name = 'extra_number'")
    making.back_up_before_migration(settings, 7)
    (kept,) = kept_in(settings.data_dir / "backups")
    assert "extra_number" in read_contents(kept.path).unsound
    assert "as damaged" in caplog.text
    with pytest.raises(BackupError, match="damaged"):
        back_up(settings)
    open_state(settings).close()
    assert version_of(settings) == LATEST
    assert "damaged in part" in "\n".join(restore(settings, kept.path).as_lines())


def test_with_the_clock_set_back_a_new_backup_stays_and_the_oldest_others_go(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", backup_keep=2)
    remember(settings, something="1")
    folder = settings.data_dir / "backups"
    folder.mkdir()
    ahead = [folder / f"scenesync-2999010{day}T000000Z-v3.zip" for day in (1, 2)]
    for path in ahead:
        path.write_bytes(b"")
    made = back_up(settings)
    assert made.size_bytes == made.path.stat().st_size
    assert made.dropped == [ahead[0]]
    assert sorted(folder.iterdir()) == sorted([made.path, ahead[1]])


def test_an_older_one_that_cannot_be_deleted_is_only_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data_dir=tmp_path / "data", backup_keep=1)
    remember(settings, something="1")
    in_the_way = settings.data_dir / "backups" / "scenesync-20240101T000000Z-v3.zip"
    in_the_way.mkdir(parents=True)  # unlink refuses a folder, whoever asks
    made = back_up(settings)
    assert made.path.is_file()
    assert made.dropped == []
    assert "cannot be deleted" in caplog.text


def test_a_backup_dir_that_is_not_there_is_never_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", backup_dir=tmp_path / "mount")
    remember(settings, something="1")
    with pytest.raises(BackupError, match=r"backup_dir .*not mounted"):
        back_up(settings)
    assert not (tmp_path / "mount").exists()


def test_the_check_of_the_copy_holds_no_view_of_the_source(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(settings, something="1")
    busy = []

    def checked(*_arguments: object) -> None:
        with closing(sqlite3.connect(database_file(settings.data_dir), isolation_level=None)) as writer:
            writer.execute("UPDATE fact SET value = '2'")
            writer.execute("PRAGMA busy_timeout=50")
            busy.append(writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])

    monkeypatch.setattr(copying, "require_sound", checked)
    with open_state(settings):
        copying.copy_database(database_file(settings.data_dir), settings.data_dir / "copy.db", lambda: None)
    assert busy == [0], "the log could be emptied"


def test_the_check_of_the_copy_can_be_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(settings, something="1")
    monkeypatch.setattr(copying, "STEPS_AT_ONCE", 1)
    file = database_file(settings.data_dir)

    def give_up() -> None:
        raise RoundOver

    with closing(sqlite3.connect(file)) as connection, pytest.raises(RoundOver):
        copying.require_sound(connection, give_up)


def test_what_went_wrong_when_the_backup_was_made_is_over_after_a_restore(settings: Settings) -> None:
    with open_state(settings) as database:
        OutageStore(database).begin("plex", "gone", at=1000.0, jobs_waiting=1)
        PauseStore(database).begin(Pause("stash", 1000.0, "StashUnauthorized", "no key"))
        message = Message(MessageKind.OUTAGE, MessageState.PROBLEM, "plex", "Plex is down", "for hours", 1000.0)
        waiting = Parcel("id", "webhook", message, 1000.0, 1000.0)
        Memory(database).note(TOLD, Memo(Told(outages={"plex": 1000.0}), (waiting,)).to_text())
    made = back_up(settings)
    restore(settings, made.path)
    with open_state(settings) as database:
        (outage,) = OutageStore(database).latest(10)
        assert outage.ended_at == made.contents.made_at
        assert PauseStore(database).read() == ()
        assert Memo.from_text(Memory(database).recall(TOLD)) == Memo()


def test_nothing_is_restored_while_the_daemon_works(settings: Settings) -> None:
    remember(settings, colour="red")
    backup = back_up(settings).path
    remember(settings, colour="blue")
    lock = worker_lock(settings.data_dir)
    assert lock.acquire()
    try:
        with pytest.raises(RestoreRefused, match="end the daemon first"):
            restore(settings, backup)
    finally:
        lock.release()
    assert recalled(settings, "colour") == "blue"


def test_nothing_is_restored_while_a_command_has_the_store_open(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenesync.store.replacing.PATIENCE_S", 0.05)
    remember(settings, colour="red")
    backup = back_up(settings).path
    with open_state(settings) as database:
        Memory(database).note("colour", "blue")
        with pytest.raises(StoreUnavailable, match=r"has scenesync\.db open"):
            restore(settings, backup)
        assert Memory(database).recall("colour") == "blue"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root, to give files away")
def test_what_root_restores_belongs_to_whoever_has_the_data_directory(settings: Settings, tmp_path: Path) -> None:
    remember(settings, colour="red")
    enqueue(settings, 1)
    backup = back_up(settings).path
    elsewhere = Settings(data_dir=tmp_path / "of somebody else")
    elsewhere.data_dir.mkdir()
    os.chown(elsewhere.data_dir, SOMEBODY, SOMEBODY)
    restore(elsewhere, backup)
    assert {path.name: path.stat().st_uid for path in elsewhere.data_dir.rglob("*") if path.stat().st_uid == 0} == {}
    assert database_file(elsewhere.data_dir).stat().st_uid == SOMEBODY


def test_a_damaged_store_makes_way_for_the_backup_and_is_kept(settings: Settings) -> None:
    remember(settings, colour="red")
    backup = back_up(settings).path
    file = database_file(settings.data_dir)
    file.write_bytes(b"no database at all" * 1000)
    done = restore(settings, backup)
    assert recalled(settings, "colour") == "red"
    assert done.kept is not None
    assert done.kept.read_bytes().startswith(b"no database")


def rewritten(backup: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Return a copy of a backup whose note of contents says something else."""
    with zipfile.ZipFile(backup) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            data = source.read(name)
            if name == "backup.json":
                note = json.loads(data)
                change(note)
                data = json.dumps(note).encode()
            copy.writestr(name, data)
    return target


def flagged(archive: bytes) -> bytes:
    """Return it with a directory that says of each member that it is encrypted."""
    changed, entry = bytearray(archive), archive.find(b"PK\x01\x02")
    while entry >= 0:
        changed[entry + 8] |= 1
        entry = archive.find(b"PK\x01\x02", entry + 4)
    return bytes(changed)


def test_what_is_no_backup_of_ours_changes_nothing_and_is_told_apart(settings: Settings, tmp_path: Path) -> None:
    remember(settings, colour="red", **{f"fact {number}": "x" * 3000 for number in range(50)})
    backup = back_up(settings).path
    remember(settings, colour="blue")
    text = tmp_path / "text.zip"
    text.write_text("holiday plans", encoding="utf-8")
    photos = tmp_path / "photos.zip"
    with zipfile.ZipFile(photos, "w") as archive:
        archive.writestr("beach.txt", "sand")
    half = tmp_path / "half.zip"
    half.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
    flipped = tmp_path / "flipped.zip"
    data = bytearray(backup.read_bytes())
    data[len(data) // 3] ^= 0xFF
    flipped.write_bytes(data)
    newer = rewritten(backup, tmp_path / "newer.zip", lambda note: note.update(store_version=LATEST + 1))
    newer_form = rewritten(backup, tmp_path / "form.zip", lambda note: note.update(format_version=2))
    newer_queue = rewritten(backup, tmp_path / "queue.zip", lambda note: note.update(queue_version=99))
    empty = rewritten(backup, tmp_path / "empty.zip", lambda note: note.update(members={}))
    unknown = rewritten(backup, tmp_path / "unknown.zip", lambda note: note.pop("waiting"))
    locked = tmp_path / "locked.zip"
    locked.write_bytes(flagged(backup.read_bytes()))
    lzma = tmp_path / "lzma.zip"
    with zipfile.ZipFile(backup) as source, zipfile.ZipFile(lzma, "w", zipfile.ZIP_LZMA) as copy:
        for name in source.namelist():
            copy.writestr(name, source.read(name))
    odd = rewritten(backup, tmp_path / "odd.zip", lambda note: note.update(store_version="fifteen"))
    listed = rewritten(backup, tmp_path / "listed.zip", lambda note: note.update(members=["scenesync.db"]))
    for path, words in {
        locked: "no backup of SceneSync",
        lzma: "no backup of SceneSync",
        odd: "not complete",
        listed: "not complete",
        text: "no backup of SceneSync",
        photos: "no backup of SceneSync",
        half: "only a part of one",
        flipped: "damaged",
        newer: rf"version {LATEST + 1}, this SceneSync knows versions up to {LATEST}.*Update SceneSync",
        newer_form: "newer SceneSync",
        newer_queue: "its queue has version 99",
        empty: "neither a state store nor a queue",
        unknown: "not complete",
    }.items():
        with pytest.raises(BackupUnusable, match=words) as raised:
            restore(settings, path)
        assert "Nothing was changed" in str(raised.value)
    assert recalled(settings, "colour") == "blue"
    assert not list(settings.data_dir.glob("*.replaced-*"))


def test_the_commands_say_what_they_did_and_what_happens_next(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(settings, colour="red")
    enqueue(settings, 5)
    where = ("--data-dir", str(settings.data_dir))
    plain = run_command(capsys, *where, "backup")
    assert plain.exit_code == 0
    assert f"state store version {LATEST}, 1 jobs, 0 dead letters" in plain.stdout
    made = run_command(capsys, *where, "backup", "--to", str(tmp_path / "usb"), "--json")
    document = json.loads(made.stdout)
    assert Path(document["file"]).parent == tmp_path / "usb"
    assert (document["store_version"], document["waiting"], document["dropped"]) == (LATEST, 1, [])
    remember(settings, colour="blue")
    assert run_command(capsys, *where, "restore", document["file"]).exit_code == 2, "nobody there to ask"
    assert recalled(settings, "colour") == "blue"
    restored = run_command(capsys, *where, "restore", document["file"], "--yes")
    assert restored.exit_code == 0
    assert "kept as" in restored.stdout
    assert "reconcile --scope all" in restored.stdout
    assert recalled(settings, "colour") == "red"
    told = json.loads(run_command(capsys, *where, "restore", document["file"], "--yes", "--json").stdout)
    assert told["jobs_merged"] == 1
    assert Path(told["kept"]).exists()
    shutil.copyfile(database_file(settings.data_dir), tmp_path / "bare.db")
    assert run_command(capsys, *where, "restore", str(tmp_path / "bare.db"), "--yes").exit_code == 1


def test_a_restored_store_opens_like_any_other(settings: Settings) -> None:
    remember(settings, colour="red")
    restore(settings, back_up(settings).path)
    database = open_database(database_file(settings.data_dir), read_only=True)
    assert database is not None
    database.close()
