"""Scans that were asked for: queued at once, carried out a little later (facts/plex.md 6.1)."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.catalogue import Catalogue
from scenesync.simulators.plex.model import PlexLibrary
from scenesync.simulators.plex.writing import sees


@dataclass(slots=True, eq=False)
class Scans:
    """The scans of one server, on its loop."""

    catalogue: Catalogue
    guard: threading.RLock
    behaviour: Callable[[], PlexBehaviour]
    announce: Callable[[str], None]
    """Tells listeners about the scan of a library of this title."""
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def schedule(self, library: PlexLibrary, folder: str | None) -> None:
        """Queue a scan of one folder, or of all."""
        if library.scans_queued and self.behaviour().second_scan_is_lost:
            return
        library.scans_queued += 1
        task = asyncio.get_running_loop().create_task(self._scan_later(library, folder))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _scan_later(self, library: PlexLibrary, folder: str | None) -> None:
        try:
            await asyncio.sleep(self.behaviour().scan_delay_s)
            with self.guard:
                self.catalogue.take_scanned(
                    library, lambda found: found.appears_after_scan and sees(folder, found.file)
                )
        finally:
            library.scans_queued -= 1
        self.announce(library.title)
