"""Who works on the queue, and what of this machine's events is not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scenesync.app.data_directory import queue_folder
from scenesync.app.distributed.loading import engines, shared_address
from scenesync.queue.forwarding.outbox import read_outbox

if TYPE_CHECKING:
    from scenesync.app.settings import Settings
    from scenesync.domain.ports import Fleet

Engine = Literal["embedded", "postgresql"]


@dataclass(frozen=True, slots=True)
class FleetStanding:
    """What keeps the queue, how many workers live, and which node is elected ("" for none, or where there is but one).

    ``outbox`` counts this machine's events that are not in the database yet; the oldest has waited ``outbox_oldest_s``.
    ``trouble`` is why the database could not be looked into; then nothing is known of the rest.
    """

    engine: Engine = "embedded"
    workers: int = 0
    leader: str = ""
    outbox: int = 0
    outbox_oldest_s: float | None = None
    trouble: str = ""


def read_fleet(settings: Settings, *, running: bool) -> FleetStanding:
    """Look, and change nothing; ``running`` says whether a daemon works on this machine. Raises QueueError."""
    if (address := shared_address(settings)) is None:
        return FleetStanding(workers=int(running))
    workers, leader = engines().read_fleet(*address)
    return _shared(settings, workers, leader)


def fleet_now(settings: Settings, fleet: Fleet) -> FleetStanding:
    """Return what a process that works on the queue knows. Raises QueueError."""
    if settings.database_url is None:
        return FleetStanding(workers=1)
    return _shared(settings, fleet.size(), fleet.leader())


def fleet_unseen(settings: Settings, trouble: str) -> FleetStanding:
    """Return what is known on this machine while the database cannot be looked into. Raises QueueError."""
    return _shared(settings, 0, None, trouble)


def _shared(settings: Settings, workers: int, leader: str | None, trouble: str = "") -> FleetStanding:
    here = read_outbox(queue_folder(settings.data_dir))
    return FleetStanding("postgresql", workers, leader or "", here.waiting, here.oldest_s, trouble)
