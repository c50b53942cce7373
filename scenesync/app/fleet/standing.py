"""Who works on the queue, and what of this machine's events is not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scenesync.app.data_directory import queue_folder
from scenesync.app.distributed.loading import engines
from scenesync.queue.forwarding.outbox import read_outbox

if TYPE_CHECKING:
    from scenesync.app.settings import Settings
    from scenesync.domain.ports import Fleet

Engine = Literal["embedded", "postgresql"]


@dataclass(frozen=True, slots=True)
class FleetStanding:
    """What keeps the queue, how many workers live, and which node is elected ("" for none, or where there is but one).

    ``outbox`` counts this machine's events that are not in the database yet; the oldest has waited ``outbox_oldest_s``.
    """

    engine: Engine = "embedded"
    workers: int = 0
    leader: str = ""
    outbox: int = 0
    outbox_oldest_s: float | None = None


def read_fleet(settings: Settings, *, running: bool) -> FleetStanding:
    """Look, and change nothing; ``running`` says whether a daemon works on this machine. Raises QueueError."""
    if settings.database_url is None:
        return FleetStanding(workers=int(running))
    workers, leader = engines().read_fleet(settings.database_url.get_secret_value(), settings.database_schema)
    return _shared(settings, workers, leader)


def fleet_now(settings: Settings, fleet: Fleet) -> FleetStanding:
    """Return what a process that works on the queue knows. Raises QueueError."""
    if settings.database_url is None:
        return FleetStanding(workers=1)
    return _shared(settings, fleet.size(), fleet.leader())


def _shared(settings: Settings, workers: int, leader: str | None) -> FleetStanding:
    here = read_outbox(queue_folder(settings.data_dir))
    return FleetStanding("postgresql", workers, leader or "", here.waiting, here.oldest_s)
