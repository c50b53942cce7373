"""What may be on a disk after the power was cut, given everything that was written to it and what was synced.

Content: what was written to a file before its last sync is there. Each write after it is there, or not, or in part
(any of its 512-byte sectors), and so is each change of its size, independently of each other: disks reorder.
Names: making, renaming and removing a file is certain once its folder was synced; of what came after that, some first
part is there, since file systems keep the order of names. A file's own sync does not save its name.
Limits: folders are taken to be there as soon as they are made (ext4, XFS and btrfs put them on the disk with the first
synced file in them); bytes outside of what was written are not touched; the disk does not lie about a sync.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from power_cut_recording import Create, Remove, Rename, Resize, SyncBegun, SyncEnded, Write

if TYPE_CHECKING:
    from power_cut_recording import Step

SECTOR_BYTES: Final = 512
_PASSING: Final = ("-shm",)
"""Shared memory of live processes: nobody syncs it."""


def dice(*names: object) -> random.Random:
    """Return a source of chance, always the same for the same names."""
    return random.Random(" ".join(map(str, names)))  # noqa: S311 - repeatable, not secret


@dataclass(slots=True, eq=False)
class _Content:
    """A file without its name: what is on the disk for certain, and what was done since."""

    certain: bytearray = field(default_factory=bytearray)
    since: list[Write | Resize] = field(default_factory=list)
    size_bytes: int = 0
    settled: int = 0

    def note(self, change: Write | Resize) -> None:
        if isinstance(change, Write):
            offset = self.size_bytes if change.offset is None else change.offset
            change = Write(change.path, change.data, offset)
            self.size_bytes = max(self.size_bytes, offset + len(change.data))
        else:
            self.size_bytes = change.size_bytes
        self.since.append(change)

    @property
    def noted(self) -> int:
        return self.settled + len(self.since)

    def settle(self, until: int) -> None:
        ready = max(0, until - self.settled)  # syncs of two threads may overlap
        for change in self.since[:ready]:
            _apply(self.certain, change)
        del self.since[:ready]
        self.settled += ready

    def after_a_cut(self, rng: random.Random, fate: _Fate) -> bytes:
        content = bytearray(self.certain)
        for change in self.since:
            if rng.random() < fate.kept:
                _apply(content, change)
            elif isinstance(change, Write) and rng.random() < fate.torn:
                _tear(content, change, rng)
        return bytes(content)


_Change = tuple[tuple[str, _Content | None], ...]
"""Names that change in one step, each with what it stands for from then on."""


@dataclass(slots=True)
class _Folder:
    """Changes of names that are not certain yet."""

    since: list[_Change] = field(default_factory=list)
    settled: int = 0

    @property
    def noted(self) -> int:
        return self.settled + len(self.since)

    def settle(self, until: int, names: dict[str, _Content]) -> None:
        ready = max(0, until - self.settled)
        _rename(names, self.since[:ready])
        del self.since[:ready]
        self.settled += ready


@dataclass(frozen=True, slots=True)
class _Fate:
    """How likely an unsynced change is kept, and one that is not kept is torn instead of dropped."""

    kept: float
    torn: float


_FATES: Final = (_Fate(0.0, 0.0), _Fate(1.0, 0.0), _Fate(0.5, 0.0), _Fate(0.5, 0.5), _Fate(0.9, 0.5), _Fate(0.1, 0.9))


class Disk:
    """A folder tree as far as it was written, told step by step."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, _Content] = {}
        self._certain: dict[str, _Content] = {}
        self._folders: dict[str, _Folder] = {}
        self._syncing: dict[int, int] = {}

    def note(self, step: Step) -> None:
        """Do the next step."""
        match step:
            case Write(path=path) | Resize(path=path) if not path.endswith(_PASSING):
                self._names[path].note(step)
            case SyncBegun():
                self._sync_begun(step)
            case SyncEnded():
                self._sync_ended(step)
            case Create(path=path, empty=empty) if not path.endswith(_PASSING):
                if path not in self._names:
                    self._name((path, _Content()))
                elif empty:
                    self._names[path].note(Resize(path, 0))
            case Rename(path=path, target=target):
                self._name((target, self._names[path]), (path, None))
            case Remove(path=path) if path in self._names:
                self._name((path, None))
            case _:  # of no consequence for the disk
                pass

    def after_a_cut(self, rng: random.Random) -> dict[Path, bytes]:
        """Return files as they may be found, by their paths relative to the root."""
        fate = rng.choice(_FATES)
        names = dict(self._certain)
        for folder in self._folders.values():
            changes = len(folder.since)
            _rename(names, folder.since[: rng.choice((0, changes, rng.randint(0, changes)))])
        return {Path(path).relative_to(self._root): content.after_a_cut(rng, fate) for path, content in names.items()}

    def unsynced(self) -> int:
        """Return how many changes are not certain."""
        kinds = (*self._names.values(), *self._folders.values())
        return sum(len(kind.since) for kind in kinds)

    def _sync_begun(self, step: SyncBegun) -> None:
        kind = self._names.get(step.path) or self._folders.get(step.path)
        self._syncing[step.number] = 0 if kind is None else kind.noted

    def _sync_ended(self, step: SyncEnded) -> None:
        until = self._syncing.pop(step.number)
        if (content := self._names.get(step.path)) is not None:
            content.settle(until)
        elif (folder := self._folders.get(step.path)) is not None:
            folder.settle(until, self._certain)

    def _name(self, *change: tuple[str, _Content | None]) -> None:
        _rename(self._names, [change])
        self._folders.setdefault(str(Path(change[0][0]).parent), _Folder()).since.append(change)


def _rename(names: dict[str, _Content], changes: list[_Change]) -> None:
    for path, content in (pair for change in changes for pair in change):
        if content is None:
            names.pop(path, None)
        else:
            names[path] = content


def _apply(content: bytearray, change: Write | Resize) -> None:
    if isinstance(change, Write):
        assert change.offset is not None
        _put(content, change.offset, change.data)
    elif change.size_bytes < len(content):
        del content[change.size_bytes :]
    else:
        content.extend(bytes(change.size_bytes - len(content)))


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _tear(content: bytearray, write: Write, rng: random.Random) -> None:
    assert write.offset is not None
    end = write.offset + len(write.data)
    place = write.offset
    while place < end:
        until = min(end, (place // SECTOR_BYTES + 1) * SECTOR_BYTES)
        if rng.random() < 0.5:
            _put(content, place, write.data[place - write.offset : until - write.offset])
        place = until
