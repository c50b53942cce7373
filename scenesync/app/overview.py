"""The state of an installation as ``status`` shows it: read only, no server asked, nothing made or migrated."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final

from scenesync.app.data_directory import LOCK_FILE
from scenesync.app.fleet.standing import FleetStanding, fleet_unseen, read_fleet
from scenesync.app.opening import queue_figures, read_state
from scenesync.app.running.looked import LISTENING, Listening, looked_at
from scenesync.domain import circuit as circuits
from scenesync.domain.circuit import LIMITS_WHILE_PROBED
from scenesync.queue.errors import QueueUnreachable
from scenesync.queue.file_lock import held_elsewhere
from scenesync.queue.records import QueueSnapshot
from scenesync.store.attempts import AttemptStore
from scenesync.store.automatic_runs import AutomaticRunStore, StoppedRun
from scenesync.store.circuits import CircuitStore
from scenesync.store.errors import StoreUnavailable
from scenesync.store.holds import count_held
from scenesync.store.memory import Memory
from scenesync.store.outages import OutageStore
from scenesync.store.pauses import PauseStore
from scenesync.store.reconciliations import Reconciliation, latest_reconciliation
from scenesync.store.service_state import PLEX_NOTIFICATIONS, UNKNOWN, ServiceStateStore
from scenesync.worker.availability.health import PLEX, SERVICES, STASH
from scenesync.worker.availability.reliability import WINDOW_S, Reliability, reliability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.app.settings import Settings
    from scenesync.store.database import Database
    from scenesync.store.outages import Outage
    from scenesync.store.pauses import Pause

RATES_OVER_S = 3600.0
OUTAGES_SHOWN = 5
NO_TABLES: Final = (
    "the database has no tables of SceneSync yet. `scenesync db upgrade` makes them, and so does the first "
    "`scenesync run`; `scenesync migrate` moves there what is in the data directory."
)


@dataclass(frozen=True, slots=True)
class Overview:
    """How things stand. ``plex`` and ``stash`` are up, down or unknown; ``rates`` counts outcomes of the last hour.

    ``plex_notifications`` says whether the daemon that runs hears what Plex announces: up, down, off, or unknown.
    ``held`` counts the scenes that are left alone since they were undone. ``reconciliation`` is the latest comparison
    of both libraries, with an end or without. ``stash_looked_at`` (epoch seconds) is when changes were last looked
    for in Stash, None if never; ``stash_news`` says whether Stash's own are heard.
    ``reliability`` looks at the last 30 days of each server, or what of them is known. ``paused`` is why work waits for
    a person, None if it does not. ``fleet`` says who works on the queue.
    """

    queue: QueueSnapshot
    daemon_running: bool
    plex: str = "unknown"
    stash: str = "unknown"
    plex_notifications: str = "unknown"
    circuit: str = "closed"
    paused: Pause | None = None
    rates: Mapping[str, int] = field(default_factory=dict)
    outages: Sequence[Outage] = ()
    stopped_runs: Sequence[StoppedRun] = ()
    held: int = 0
    reconciliation: Reconciliation | None = None
    stash_looked_at: float | None = None
    stash_news: Listening | None = None
    reliability: Mapping[str, Reliability] = field(default_factory=lambda: dict.fromkeys(SERVICES, Reliability()))
    fleet: FleetStanding = field(default_factory=FleetStanding)

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            **asdict(self.queue),
            "oldest_pending_s": self.queue.oldest_pending_s or 0,
            "daemon_running": self.daemon_running,
            "paused": None if self.paused is None else asdict(self.paused),
            "circuit": self.circuit,
            "plex": self.plex,
            "stash": self.stash,
            "plex_notifications": self.plex_notifications,
            "last_hour": dict(self.rates),
            "outages": [{**asdict(outage), "duration_s": outage.duration_s} for outage in self.outages],
            "stopped_runs": [run.as_document() for run in self.stopped_runs],
            "held": self.held,
            "reconciliation": None if self.reconciliation is None else self.reconciliation.as_document(),
            "stash_looked_at": self.stash_looked_at,
            "stash_news": None if self.stash_news is None else asdict(self.stash_news),
            "reliability": {service: _document(figures) for service, figures in self.reliability.items()},
            "fleet": asdict(self.fleet),
        }


def read_overview(settings: Settings, *, outages_shown: int = OUTAGES_SHOWN) -> Overview:
    """Read the state of an installation; zeros and unknowns where there is nothing yet.

    Of the outages the latest ``outages_shown`` are told. Of a database that is away nothing is known but that. Raises
    QueueError, StoreError.
    """
    try:
        return _read_overview(settings, outages_shown)
    except (QueueUnreachable, StoreUnavailable) as error:
        if settings.database_url is None:
            raise
        fleet = fleet_unseen(settings, str(error))
        waiting = QueueSnapshot(
            pending=fleet.outbox, due=fleet.outbox, spooled=fleet.outbox, oldest_pending_s=fleet.outbox_oldest_s
        )
        return Overview(waiting, held_elsewhere(settings.data_dir / LOCK_FILE), fleet=fleet)


def _read_overview(settings: Settings, outages_shown: int) -> Overview:
    queue = queue_figures(settings)
    running = held_elsewhere(settings.data_dir / LOCK_FILE)
    fleet = read_fleet(settings, running=running)
    database = read_state(settings)
    if database is None:
        no_tables = settings.database_url is not None
        return Overview(queue, running, fleet=replace(fleet, trouble=NO_TABLES) if no_tables else fleet)
    with database:
        return overview_of(database, queue, fleet, running=running, outages_shown=outages_shown)


def overview_of(
    database: Database,
    queue: QueueSnapshot,
    fleet: FleetStanding,
    *,
    running: bool,
    outages_shown: int = OUTAGES_SHOWN,
) -> Overview:
    """Return the state as an open database and a look at the queue tell it. Raises StoreError."""
    now = time.time()
    outages, memory = OutageStore(database), Memory(database)
    states = {service: ServiceStateStore(database).read(service) for service in SERVICES}
    circuit = circuits.at(CircuitStore(database, PLEX).read(), LIMITS_WHILE_PROBED, now)
    return Overview(
        queue,
        running,
        plex=states[PLEX].reachability,
        stash=states[STASH].reachability,
        plex_notifications=_hearing(database) if running else UNKNOWN,
        paused=next(iter(PauseStore(database).read()), None),
        circuit=circuit.state.value,
        rates=AttemptStore(database).outcomes_since(now - RATES_OVER_S),
        outages=outages.latest(outages_shown),
        stopped_runs=AutomaticRunStore(database).stopped(),
        held=count_held(database),
        reconciliation=latest_reconciliation(database),
        stash_looked_at=looked_at(memory),
        stash_news=Listening.from_text(memory.recall(LISTENING)),
        reliability={
            service: reliability(
                outages.of_service(service, since=now - WINDOW_S), now=now, known_since=state.known_since
            )
            for service, state in states.items()
        },
        fleet=fleet,
    )


def _hearing(database: Database) -> str:
    """Return whether the daemon that runs hears what Plex announces: up, down, off or unknown."""
    return ServiceStateStore(database).read(PLEX_NOTIFICATIONS).reachability


def _document(figures: Reliability) -> dict[str, object]:
    return {
        "mttr_s": figures.mttr_s,
        "mtbf_s": figures.mtbf_s,
        "availability": figures.availability,
        "outages_30d": figures.outages,
        "observed_s": figures.observed_s,
    }
