"""Ask Plex to scan the folders of files that it does not have yet (``trigger_plex_scan``)."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.domain.paths import map_path
from scenesync.domain.scans import ScanPlan
from scenesync.plex.exceptions import PlexNotFound
from scenesync.worker.finding.library_index import choose_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.domain.item import Library
    from scenesync.domain.outcome import Attempt
    from scenesync.domain.paths import PathRule
    from scenesync.domain.scene import SceneFile

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
WAIT_AFTER_FAILURE_S: Final = 10.0
LIBRARIES_KNOWN_FOR_S: Final = 600.0


class ScanningServer(Protocol):
    """Plex, as far as it scans folders."""

    def libraries(self) -> Sequence[Library]:
        """Return the movie libraries."""
        ...

    def scan_folder(self, library_key: str, folder: str) -> None:
        """Ask for a scan of one folder."""
        ...


class ScanRequests:
    """``note`` observes attempts, from any thread; ``run`` asks, in a thread of its own.

    ``files_of`` returns the files of a scene, as Stash calls them. Only the first is looked at: it is the one whose
    absence was noticed.
    """

    def __init__(
        self,
        server: ScanningServer,
        files_of: Callable[[int], Sequence[SceneFile]],
        path_map: Sequence[PathRule],
        wanted_libraries: Sequence[str],
    ) -> None:
        self._server = server
        self._files_of = files_of
        self._path_map = path_map
        self._wanted = wanted_libraries
        self._lock = threading.Lock()
        self._missing: dict[int, None] = {}
        self._plan = ScanPlan()
        self._libraries: Sequence[Library] = ()
        self._libraries_read_at: float | None = None

    def note(self, attempt: Attempt) -> None:
        """Hear of an attempt; one that did not find its file in Plex is a reason to scan."""
        if attempt.error_type == PlexNotFound.__name__:
            with self._lock:
                self._missing[attempt.scene_id] = None

    def run(self, end: threading.Event) -> None:
        """Ask for what is due until ``end``; while Plex cannot be asked, it waits."""
        while not end.wait(LOOK_EVERY_S):
            try:
                self.ask()
            except TransientError as error:
                log.debug("scans are asked for later: %s", error)
                end.wait(WAIT_AFTER_FAILURE_S)

    def ask(self) -> None:
        """Ask for the scan that is due, if one is. Raises TransientError."""
        self._take_in_missing()
        scan = self._plan.take_due(time.monotonic())
        if scan is None:
            return
        try:
            self._server.scan_folder(scan.library_key, scan.folder)
        except TransientError:
            self._plan.put_back(scan, time.monotonic())
            raise
        except PermanentError as error:
            log.warning("plex does not scan when asked to (trigger_plex_scan): %s", error)
        else:
            log.info("asked plex to scan a folder path=%s", scan.folder)

    def _take_in_missing(self) -> None:
        with self._lock:
            missing = tuple(self._missing)
        if not missing:
            return
        libraries = self._known_libraries()
        for scene_id in missing:
            for file in self._files_of(scene_id)[:1]:
                if not self._plan.add(map_path(file.path, self._path_map), libraries, time.monotonic()):
                    log.debug("no library of plex covers the folder of scene=%d", scene_id)
        with self._lock:
            for scene_id in missing:
                self._missing.pop(scene_id, None)

    def _known_libraries(self) -> Sequence[Library]:
        now = time.monotonic()
        if self._libraries_read_at is None or now - self._libraries_read_at >= LIBRARIES_KNOWN_FOR_S:
            self._libraries = choose_libraries(self._server.libraries(), self._wanted)
            self._libraries_read_at = now
        return self._libraries
