"""The file that a backup is: a zip with the databases and, written last, a note of what it holds, with checksums."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any, Final

from scenesync.app.backup.errors import BackupUnusable
from scenesync.disk.copying import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STATE: Final = "scenesync.db"
QUEUE: Final = "queue.db"
SPOOL: Final = "spooled.json"
"""Events that hooks had left beside the queue, as a list of jobs."""
NOTE: Final = "backup.json"
FORMAT: Final = "scenesync-backup"
FORMAT_VERSION: Final = 1

_CHUNK_BYTES: Final = 1024 * 1024
_LONGEST_NOTE_BYTES: Final = 64 * 1024
# The quickest: a store shrinks to a third with it, and to little less with the slowest.
_COMPRESSION: Final = 1
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError)
"""What reading a damaged archive raises, beside OSError."""
_NOT_PLAIN: Final = 0x1 | 0x20 | 0x40
"""Flags of members that are encrypted or patches of others (APPNOTE.TXT 4.4.4): no backup has them."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a backup."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds. ``made_at`` is in epoch seconds; versions are None for a file that it does not hold.

    ``unsound`` is what SQLite's check found wrong with the state, "" for nothing: only a backup before a migration is
    made in spite of that.
    """

    made_at: float
    kind: str
    scenesync: str
    store_version: int | None
    queue_version: int | None
    waiting: int
    dead_letters: int
    members: Mapping[str, Member] = field(default_factory=dict)
    unsound: str = ""

    def as_document(self) -> dict[str, Any]:
        """Return it as the note in the archive."""
        return {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}


def write_archive(target: Path, contents: Contents, files: Mapping[str, Path], go_on: Callable[[], None]) -> Contents:
    """Write ``files`` (by their names in it) and their note into the new file ``target``, and wait for the disk.

    Returns ``contents`` with what was written. ``go_on`` is called for each megabyte and may raise. Raises OSError.
    """
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)
    with os.fdopen(descriptor, "r+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION) as archive:
            members = {name: _add(archive, name, path, go_on) for name, path in files.items()}
            written = replace(contents, members=members)
            archive.writestr(NOTE, json.dumps(written.as_document(), indent=2))
        file.flush()
        os.fsync(file.fileno())
    return written


def _add(archive: zipfile.ZipFile, name: str, path: Path, go_on: Callable[[], None]) -> Member:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
        while chunk := source.read(_CHUNK_BYTES):
            go_on()
            digest.update(chunk)
            target.write(chunk)
            size += len(chunk)
    return Member(size, digest.hexdigest())


def read_contents(path: Path) -> Contents:
    """Return what the backup ``path`` says that it holds. Raises BackupUnusable, OSError."""
    try:
        with zipfile.ZipFile(path) as archive, _open(archive, NOTE) as file:
            note = json.loads(file.read(_LONGEST_NOTE_BYTES))
    except KeyError:
        raise BackupUnusable(path, "it is a zip file, but no backup of SceneSync") from None
    except zipfile.BadZipFile:
        raise BackupUnusable(path, "it is no backup of SceneSync, or only a part of one") from None
    except (ValueError, *_BROKEN):
        raise BackupUnusable(path, "its note of contents cannot be read") from None
    if not isinstance(note, dict) or note.get("format") != FORMAT:
        raise BackupUnusable(path, "it is a zip file, but no backup of SceneSync")
    if note.get("format_version") != FORMAT_VERSION:
        raise BackupUnusable(
            path, "a newer SceneSync made it in a form that this one does not know", "Restore it with the newer one."
        )
    try:
        return _from_note(note)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise BackupUnusable(path, "its note of contents is not complete") from None


def _open(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a member as ``write_archive`` makes them. Raises KeyError, those in ``_BROKEN``, OSError."""
    member = archive.getinfo(name)
    if member.flag_bits & _NOT_PLAIN or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile
    return archive.open(member)


def _from_note(note: Mapping[str, Any]) -> Contents:
    return Contents(
        made_at=float(note["made_at"]),
        kind=str(note["kind"]),
        scenesync=str(note["scenesync"]),
        store_version=_version(note["store_version"]),
        queue_version=_version(note["queue_version"]),
        waiting=int(note["waiting"]),
        dead_letters=int(note["dead_letters"]),
        members={name: Member(int(each["size_bytes"]), str(each["sha256"])) for name, each in note["members"].items()},
        unsound=str(note.get("unsound", "")),
    )


def _version(value: object) -> int | None:
    if value is not None and not isinstance(value, int):
        raise TypeError
    return value


def extract(path: Path, contents: Contents, name: str, target: Path) -> None:
    """Write the file ``name`` of the backup to the new file ``target``, and wait for the disk.

    Raises BackupUnusable if it is not, to the byte, what was backed up, OSError.
    """
    member = contents.members[name]
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(path) as archive, _open(archive, name) as source:
            is_whole = _copied(source, file, member)
            file.flush()
            os.fsync(file.fileno())
    except (KeyError, *_BROKEN):
        is_whole = False
    if not is_whole:
        raise BackupUnusable(path, f"{name} in it is damaged")


def _copied(source: IO[bytes], target: IO[bytes], member: Member) -> bool:
    digest, left = hashlib.sha256(), member.size_bytes
    while chunk := source.read(_CHUNK_BYTES):
        left -= len(chunk)
        if left < 0:
            return False
        digest.update(chunk)
        target.write(chunk)
    return left == 0 and digest.hexdigest() == member.sha256
