"""How much memory a real ``scenesync run`` has whose index knows a library of some size."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenesync.app.data_directory import database_file
from scenesync.intake.polling import FACT as POLL_CURSOR
from scenesync.store.database import open_database
from scenesync.store.memory import Memory
from scenesync.store.path_index import COUNT_ITEMS

if TYPE_CHECKING:
    from bench.address import Address

_LONGEST_BUILD_S: Final = 300.0
_ENDING_S: Final = 20.0
_KIB_PER_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class DaemonMemory:
    """Resident memory of the daemon: as it idles with its index, and the most that it had until then.

    ``started_s`` is until its first comparison of both libraries was over, by which its index is whole.
    """

    items: int
    idle_mib: float
    peak_mib: float
    started_s: float


def measure(stash: Address, plex: Address, data_dir: Path, items: int, *, idle_s: float = 5.0) -> DaemonMemory:
    """Run a daemon until its first comparison of both libraries is over and ``idle_s`` longer; read its memory.

    By then its index has to hold ``items``. The scenes of ``stash`` are left out by a filter, so that it is the index
    that is measured. Raises RuntimeError if the daemon ends or the index does not get whole.
    """
    with _daemon(stash, plex, data_dir) as process:
        started = time.monotonic()
        while (known := _items_at_rest(data_dir)) < items:
            if process.poll() is not None or time.monotonic() - started > _LONGEST_BUILD_S:
                raise RuntimeError(f"The daemon's index knows {known} of {items} items; exit status {process.poll()}.")
            time.sleep(0.2)
        started_s = time.monotonic() - started
        time.sleep(idle_s)
        idle, peak = resident_mib(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(_ENDING_S)
    return DaemonMemory(known, idle, peak, started_s)


def _daemon(stash: Address, plex: Address, data_dir: Path) -> subprocess.Popen[bytes]:
    settings = {
        "DATA_DIR": str(data_dir),
        "STASH_URL": stash.url,
        "PLEX_URL": plex.url,
        "PLEX_TOKEN": plex.token,
        "PATH_MAP": " => ".join(plex.path_map),
        "ONLY_PATHS": "/nowhere",
        "RECONCILE_INTERVAL": "never",
        "HTTP_PORT": "0",
        "LOG_LEVEL": "error",
    }
    environment = {**os.environ, **{f"SCENESYNC_{name}": value for name, value in settings.items()}}  # noqa: TID251 - the daemon gets our own surroundings and nothing of ours
    command = [sys.executable, "-m", "scenesync", "run"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def _items_at_rest(data_dir: Path) -> int:
    """Return how many items are known, 0 while the first comparison is under way."""
    database = open_database(database_file(data_dir), read_only=True)
    if database is None:
        return 0
    with database, database.reading() as connection:
        if not Memory(database).recall(POLL_CURSOR):
            return 0
        servers = connection.exec_driver_sql("SELECT DISTINCT server_id FROM plex_library").scalars().all()
        return sum(connection.execute(COUNT_ITEMS, {"server": each}).scalar_one() for each in servers)


def resident_mib(pid: int) -> tuple[float, float]:
    """Return what a process has in memory now, and the most that it ever had."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    now, most = (int(told[name].split()[0]) / _KIB_PER_MIB for name in ("VmRSS", "VmHWM"))
    return now, most
