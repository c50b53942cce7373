"""The state of an installation as ``status`` shows it: read only, no server asked, nothing made or migrated."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from scenesync.app.installation import LOCK_FILE, database_file, queue_folder
from scenesync.queue.owner_lock import held_elsewhere
from scenesync.queue.snapshot import read_snapshot
from scenesync.store.attempts import AttemptStore
from scenesync.store.database import open_database
from scenesync.store.outages import OutageStore
from scenesync.store.service_state import ServiceStateStore
from scenesync.worker.health import PLEX, STASH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scenesync.queue.records import QueueSnapshot
    from scenesync.store.outages import Outage

RATES_OVER_S = 3600.0
OUTAGES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Overview:
    """How things stand. ``plex`` and ``stash`` are up, down or unknown; ``rates`` counts outcomes of the last hour."""

    queue: QueueSnapshot
    daemon_running: bool
    plex: str = "unknown"
    stash: str = "unknown"
    circuit: str = "closed"
    rates: Mapping[str, int] = field(default_factory=dict)
    outages: Sequence[Outage] = ()

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            **asdict(self.queue),
            "oldest_pending_s": self.queue.oldest_pending_s or 0,
            "daemon_running": self.daemon_running,
            "circuit": self.circuit,
            "plex": self.plex,
            "stash": self.stash,
            "last_hour": dict(self.rates),
            "outages": [{**asdict(outage), "duration_s": outage.duration_s} for outage in self.outages],
        }


def read_overview(data_dir: Path) -> Overview:
    """Read the state of the installation in ``data_dir``; zeros and unknowns where there is nothing yet."""
    queue = read_snapshot(queue_folder(data_dir))
    running = held_elsewhere(data_dir / LOCK_FILE)
    database = open_database(database_file(data_dir), read_only=True)
    if database is None:
        return Overview(queue, running)
    with database:
        services = ServiceStateStore(database)
        plex, stash = services.read(PLEX), services.read(STASH)
        return Overview(
            queue,
            running,
            plex=plex.reachability,
            stash=stash.reachability,
            circuit=plex.circuit,
            rates=AttemptStore(database).outcomes_since(time.time() - RATES_OVER_S),
            outages=OutageStore(database).latest(OUTAGES_SHOWN),
        )
