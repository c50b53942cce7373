"""When a backup is due, and what the daemon's routine makes of it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from scenesync.app.backup.check import check_backups
from scenesync.app.backup.keeping import Kind, kept_in, name_for
from scenesync.app.backup.schedule import AGAIN_AFTER_S, FIRST_AFTER_S, backup_routine, due_after_s, latest_backup
from scenesync.app.configuration.values import BackupInterval
from scenesync.app.doctor.finding import Verdict
from scenesync.app.opening import open_state
from scenesync.app.running.background import Routine, beside
from scenesync.app.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("latest", "now", "due"),
    [
        (None, 1000.0, FIRST_AFTER_S),
        (1000.0, 1000.0, DAY_S),
        (1000.0, 1000.0 + DAY_S / 4, DAY_S * 3 / 4),
        (1000.0, 1000.0 + DAY_S * 9, 0.0),
        (5 * DAY_S, 1000.0, DAY_S),  # the clock was set back
    ],
)
def test_a_backup_is_due_one_interval_after_the_latest(latest: float | None, now: float, due: float) -> None:
    assert due_after_s(latest, DAY_S, now) == due


def test_backups_before_migrations_do_not_put_off_ordinary_ones(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert latest_backup(settings) is None
    folder = tmp_path / "backups"
    folder.mkdir()
    name_for(folder, 2_000_000.0, 3, Kind.BEFORE_MIGRATION).touch()
    assert latest_backup(settings) is None
    name_for(folder, 1_000_000.0, 3, Kind.ORDINARY).touch()
    name_for(folder, 1_000_000.0, 3, Kind.ORDINARY).touch()  # in the same second
    assert latest_backup(settings) == 1_000_000.0
    assert len(kept_in(folder)) == 3


def test_the_routine_makes_one_when_it_is_due_and_tells_when_the_next_is(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, backup_interval=BackupInterval.DAILY)
    open_state(settings).close()
    folder = tmp_path / "backups"
    folder.mkdir()
    name_for(folder, time.time() - 2 * DAY_S, 3, Kind.ORDINARY).touch()
    routine = backup_routine(settings)
    with beside(routine.name, routine, threading.Event()):
        deadline = time.monotonic() + 10
        while (routine.next_at or 0) < time.time() + DAY_S / 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert routine.last_error == ""
    assert routine.next_at == pytest.approx(time.time() + DAY_S, abs=30)
    assert len(kept_in(folder)) == 2


def test_the_setting_never_makes_none_by_itself_but_somebody_may(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, backup_interval=BackupInterval.NEVER)
    open_state(settings).close()
    routine = backup_routine(settings)
    routine(threading.Event())
    assert routine.last_started_at is None
    assert routine.next_at is None
    routine.run()
    assert len(kept_in(tmp_path / "backups")) == 1


def test_a_routine_that_begins_later_can_be_told_to_begin_at_once() -> None:
    done = threading.Event()
    routine = Routine("sample", "Sample", 1000.0, done.set, first_after_s=lambda: 500.0)
    with beside("sample", routine, threading.Event()):
        assert not done.wait(0.2)
        assert routine.next_at == pytest.approx(time.time() + 500, abs=30)
        routine.run_soon()
        assert done.wait(5)


def test_the_doctor_says_how_old_the_latest_is_and_what_keeps_others_from_being_made(tmp_path: Path) -> None:
    weekly = Settings(data_dir=tmp_path)
    assert check_backups(weekly).verdict is Verdict.OK
    assert check_backups(weekly).finding == "none yet; a daemon makes one weekly"
    never = check_backups(Settings(data_dir=tmp_path, backup_interval=BackupInterval.NEVER))
    assert (never.verdict, never.cure) == (Verdict.WARNING, "Run `scenesync backup`.")
    folder = tmp_path / "backups"
    folder.mkdir()
    name_for(folder, time.time() - 2 * DAY_S, 3, Kind.ORDINARY).touch()
    assert check_backups(weekly).finding == f"1 in {folder}, the latest 2.0 d old"


def test_the_doctor_warns_of_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    found = check_backups(Settings(data_dir=tmp_path, backup_dir=tmp_path / "a file"))
    assert found.verdict is Verdict.WARNING
    assert "backup_dir" in found.cure


def test_the_doctor_warns_of_a_backup_dir_that_is_not_mounted(tmp_path: Path) -> None:
    found = check_backups(Settings(data_dir=tmp_path, backup_dir=tmp_path / "mount"))
    assert found.verdict is Verdict.WARNING
    assert "Mount its disk" in found.cure


def test_after_a_failure_the_next_backup_is_due_within_an_hour(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", backup_dir=tmp_path / "mount")
    open_state(settings).close()
    routine = backup_routine(settings)
    with beside(routine.name, routine, threading.Event()):
        routine.run_soon()
        deadline = time.monotonic() + 10
        while (routine.next_at or 0) < time.time() + FIRST_AFTER_S + 60 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "backup_dir" in routine.last_error
    assert routine.next_at == pytest.approx(time.time() + AGAIN_AFTER_S, abs=30)


def test_the_end_of_the_round_gives_a_backup_up_and_leaves_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data_dir=tmp_path)
    open_state(settings).close()
    routine, end = backup_routine(settings), threading.Event()
    end.set()
    routine(end)
    routine.run()
    assert list((tmp_path / "backups").iterdir()) == []
    assert routine.last_error == ""
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
