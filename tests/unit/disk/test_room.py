from __future__ import annotations

import errno
import sqlite3
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

from scenesync.disk import room
from scenesync.queue.errors import QueueDiskFailed, QueueDiskFull, QueueUnwritable, translate
from scenesync.queue.errors import from_os as queue_error
from scenesync.store.errors import StoreDiskFull, StoreUnavailable, translated
from scenesync.store.errors import from_os as store_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - what shutil returns


@pytest.fixture
def leave_free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let every disk have so many bytes left of eight million."""

    def leave(free: int) -> None:
        monkeypatch.setattr(room.shutil, "disk_usage", lambda _: Usage(8_000_000, 8_000_000 - free, free))

    return leave


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_TEST"
    return error


def test_the_message_names_the_disk_what_it_has_and_what_to_do(
    tmp_path: Path, leave_free: Callable[[int], None]
) -> None:
    leave_free(12_345)
    mount = next(place for place in [tmp_path, *tmp_path.parents] if place.is_mount())
    text = room.no_room(tmp_path / "not" / "there yet")
    assert text.startswith(f"No room left on the disk mounted at {mount} (0.0 of 8.0 MB free), which holds {tmp_path}")
    assert "Free some" in text


@pytest.mark.parametrize(("free", "full"), [(0, True), (100_000, True), (10_000_000, False)])
def test_a_disk_without_room_for_sqlite_to_open_a_file_is_full(
    tmp_path: Path,
    leave_free: Callable[[int], None],
    free: int,
    full: bool,  # noqa: FBT001 - parametrised
) -> None:
    leave_free(free)
    assert room.is_full(tmp_path / "queue") is full


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR | 19 << 8, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL])
def test_what_sqlite_calls_an_io_error_on_a_full_disk_is_called_a_full_disk(
    tmp_path: Path, leave_free: Callable[[int], None], code: int
) -> None:
    leave_free(0)
    assert isinstance(translate(sqlite_error(code), str(tmp_path)), QueueDiskFull)
    assert isinstance(translated(sqlite_error(code), tmp_path / "scenesync.db"), StoreDiskFull)


def test_an_io_error_with_room_left_is_the_disks(tmp_path: Path, leave_free: Callable[[int], None]) -> None:
    leave_free(5_000_000)
    assert isinstance(translate(sqlite_error(sqlite3.SQLITE_IOERR), str(tmp_path)), QueueDiskFailed)
    meaning = translated(sqlite_error(sqlite3.SQLITE_IOERR), tmp_path / "scenesync.db")
    assert type(meaning) is StoreUnavailable


def test_what_the_system_says_of_a_full_disk_is_said_plainly(tmp_path: Path, leave_free: Callable[[int], None]) -> None:
    leave_free(0)
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "hook.new"))
    assert room.explained(full) == room.no_room(tmp_path / "hook.new")
    assert room.explained(PermissionError(errno.EACCES, "Permission denied", "x")) == "x: Permission denied."
    assert room.explained(ValueError()) == "ValueError"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_refusal_for_want_of_room_is_told_from_one_for_want_of_rights(tmp_path: Path, number: int) -> None:
    full, refused = OSError(number, "no room"), PermissionError(errno.EACCES, "Permission denied")
    assert isinstance(queue_error(full, str(tmp_path)), QueueDiskFull)
    assert isinstance(queue_error(refused, str(tmp_path)), QueueUnwritable)
    assert isinstance(store_error(full, tmp_path, "cannot be made"), StoreDiskFull)
    assert str(store_error(refused, tmp_path, "It cannot be made")) == "It cannot be made: Permission denied."
