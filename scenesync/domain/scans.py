"""Which folders Plex should be asked to scan, and when: few requests, whatever is imported. Pure: told the time.

Plex queues a scan and says nothing of its end, and the second of two that follow each other closely may get lost
(facts/plex.md 6.1). So a folder waits until no more of its files come, scans keep their distance, and many folders
become the one above them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.paths import is_windows_path, lies_in, segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.domain.item import Library

QUIET_S: Final = 3.0
LONGEST_WAIT_S: Final = 30.0
APART_S: Final = 10.0
"""Six a minute at most."""
SAME_AGAIN_S: Final = 300.0
"""A folder that was asked for a moment ago is not asked for again: its files may still be in the queue of the scan."""
FOLDERS_ONE_BY_ONE: Final = 10


@dataclass(frozen=True, slots=True)
class Scan:
    """A folder to scan, as Plex calls it, and the library that covers it."""

    library_key: str
    folder: str


@dataclass(slots=True)
class _Wish:
    root: str
    first_at: float
    last_at: float


class ScanPlan:
    """The folders that wait. ``now`` is seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._wishes: dict[Scan, _Wish] = {}
        self._asked_at: dict[Scan, float] = {}
        self._last_at: float | None = None

    def add(self, file: str, libraries: Sequence[Library], now: float) -> bool:
        """Wish for a scan of the folder of a file, as Plex calls it; False if no library covers it."""
        folder = folder_of(file)
        found = _covering(folder, libraries)
        if found is None:
            return False
        library, root = found
        scan = Scan(library.key, folder)
        if now - self._asked_at.get(scan, now - SAME_AGAIN_S) >= SAME_AGAIN_S:
            wish = self._wishes.setdefault(scan, _Wish(root, now, now))
            wish.last_at = now
        return True

    def take_due(self, now: float) -> Scan | None:
        """Take out the next scan to ask for, None if there is none yet."""
        if self._last_at is not None and now - self._last_at < APART_S:
            return None
        scan = next((scan for scan, wish in self._wishes.items() if _is_ripe(wish, now)), None)
        if scan is None:
            return None
        together = [other for other in self._wishes if other.library_key == scan.library_key]
        chosen = scan if len(together) <= FOLDERS_ONE_BY_ONE else self._above(together)
        covered = [other for other in together if lies_in(other.folder, chosen.folder)]
        for each in (*covered, chosen):
            self._wishes.pop(each, None)
            self._asked_at[each] = now
        self._asked_at = {each: at for each, at in self._asked_at.items() if now - at < SAME_AGAIN_S}
        self._last_at = now
        return chosen

    def put_back(self, scan: Scan, now: float) -> None:
        """Let a scan wait again that Plex could not be asked for."""
        self._asked_at.pop(scan, None)
        self._wishes.setdefault(scan, _Wish(scan.folder, now, now))

    def _above(self, scans: Sequence[Scan]) -> Scan:
        """Return the lowest folder above as many folders as share the root of the one that waited longest."""
        first = min(scans, key=lambda scan: self._wishes[scan].first_at)
        root = self._wishes[first].root
        folder = common_folder([scan.folder for scan in scans if lies_in(scan.folder, root)])
        return Scan(first.library_key, folder if lies_in(folder, root) else root)


def folder_of(file: str) -> str:
    """Return the folder that a file is in, "" if its path names none."""
    end = max(file.rfind("/"), file.rfind("\\") if is_windows_path(file) else -1)
    return file[:end]


def common_folder(folders: Sequence[str]) -> str:
    """Return the lowest folder that all of them lie in, in the spelling of the first, "" if there is none."""
    first = folders[0]
    while first and not all(lies_in(folder, first) for folder in folders):
        first = folder_of(first)
    return first


def _covering(folder: str, libraries: Sequence[Library]) -> tuple[Library, str] | None:
    """Return the library and its root with the longest path that a folder lies in."""
    roots = [(library, root) for library in libraries for root in library.roots if folder and lies_in(folder, root)]
    return max(roots, key=lambda pair: len(segments(pair[1])), default=None)


def _is_ripe(wish: _Wish, now: float) -> bool:
    return now - wish.last_at >= QUIET_S or now - wish.first_at >= LONGEST_WAIT_S
