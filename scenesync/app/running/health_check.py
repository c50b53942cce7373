"""Is the daemon at work? For whoever restarts it if it is not: a container's health check, a monitor.

Asks no server, since restarting SceneSync mends neither Plex nor Stash, and needs no dashboard.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from scenesync.app.opening import look_into_state, queue_figures
from scenesync.app.running import switch as daemon_switch
from scenesync.app.running.heartbeat import silence_s
from scenesync.app.wording.times import span
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError
from scenesync.store.holds import count_held

if TYPE_CHECKING:
    from scenesync.app.settings import Settings

LONGEST_SILENCE_S: Final = 600.0
"""Reading a large library for the first time takes minutes, in one turn of the loop."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether all is well, why (not), and the seconds since the loop's last sign of life (None: there was none)."""

    healthy: bool
    finding: str
    silence_s: float | None = None

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return asdict(self)


def look(settings: Settings) -> Health:
    """Look whether a daemon works in the data directory, its loop turns and both stores answer; changes nothing."""
    data_dir = settings.data_dir
    try:
        silence = silence_s(data_dir)
        health = judge(running=daemon_switch.is_running(data_dir), silence_s=silence, where=str(data_dir))
        if health.healthy:
            _ask_stores(settings)
    except (QueueError, StoreError, OSError) as error:
        return Health(healthy=False, finding=str(error))
    return health


def judge(*, running: bool, silence_s: float | None, where: str) -> Health:
    """Say what a lock that is held or not, and a silence, mean together."""
    if not running:
        return Health(
            healthy=False, finding=f"no daemon works in {where} (scenesync run starts it)", silence_s=silence_s
        )
    if silence_s is None:
        return Health(healthy=False, finding="the daemon begins; its loop has not turned yet")
    if silence_s > LONGEST_SILENCE_S:
        finding = f"no sign of life for {span(silence_s)}: the daemon hangs or waits for room on its disk; see its log"
        return Health(healthy=False, finding=finding, silence_s=silence_s)
    return Health(healthy=True, finding=f"at work, last sign of life {span(silence_s)} ago", silence_s=silence_s)


def _ask_stores(settings: Settings) -> None:
    """Ask both stores for a little. Raises QueueError, StoreError, OSError."""
    queue_figures(settings)
    look_into_state(settings, count_held, otherwise=0)
