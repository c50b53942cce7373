"""Build the parts of one installation from its settings; the only place that joins them."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.app.clients import (
    NOBODY,
    RequestListeners,
    keep_schema,
    open_stash_client,
    plex_client,
    stash_client,
)
from scenesync.app.collection_parts import keepers_of_collections
from scenesync.app.configuration.fields import conflict_policies, enabled_fields, field_rules, photo_policy
from scenesync.app.data_directory import PLANS_FOLDER, make_data_dir
from scenesync.app.doctor.photo_settings import photo_address, why_photos_cannot_work
from scenesync.app.fleet.sharing import shared_breaker, shared_pacing
from scenesync.app.opening import open_state, queue_at
from scenesync.app.routes.elders import Elders, elders_of
from scenesync.app.running.guarded_runs import GoneScenes, GuardedScenes, PolledScenes
from scenesync.app.running.stash_looks import StashLooks
from scenesync.app.settings import participation, require_plex
from scenesync.domain.blast_radius import BlastLimits
from scenesync.domain.departure import OnDestroy
from scenesync.domain.job import scene_job
from scenesync.domain.proven import settings_mark
from scenesync.domain.showing import Showing
from scenesync.intake.entity_poll import EntityPoll, ReadVersions
from scenesync.intake.fan_out import FanOut
from scenesync.intake.polling import Poll
from scenesync.pictures.posters import PictureMaker
from scenesync.plex import dialect
from scenesync.reconciliation.automatic_run import Judge
from scenesync.stash.queries import Extras
from scenesync.store.attempts import AttemptStore
from scenesync.store.automatic_runs import AutomaticRunStore
from scenesync.store.baselines import BaselineStore
from scenesync.store.holds import HoldStore
from scenesync.store.journal import JournalStore
from scenesync.store.memory import Memory
from scenesync.store.outages import OutageStore
from scenesync.store.path_index import PathIndexStore
from scenesync.store.pauses import PauseStore
from scenesync.store.photos import PhotoStore
from scenesync.store.pins import PinStore
from scenesync.store.proofs import ProofStore
from scenesync.store.scene_states import SceneStateStore
from scenesync.store.service_state import ServiceStateStore
from scenesync.store.traces import TraceStore
from scenesync.worker.artwork.images import ImageSync
from scenesync.worker.artwork.photos import PhotoSettings, PhotoSync
from scenesync.worker.availability.gate import Gate
from scenesync.worker.availability.health import PLEX, STASH, HealthRecorder
from scenesync.worker.availability.plex_connection import PlexConnection, PlexSession
from scenesync.worker.availability.stash_connection import StashConnection
from scenesync.worker.collections.upkeep import NoJournal
from scenesync.worker.departures import Departures
from scenesync.worker.fan_out_steps import SceneMemory
from scenesync.worker.finding.library_index import LibraryIndex
from scenesync.worker.finding.locator import Locator
from scenesync.worker.finding.rivals import Rivals
from scenesync.worker.loop import LoopLimits, WorkLoop
from scenesync.worker.processor import SyncWorker
from scenesync.worker.proof import ProofDesk
from scenesync.worker.scene_sync import SceneSync
from scenesync.worker.sync_options import SyncOptions
from scenesync.worker.unchanged import Unchanged
from scenesync.worker.undo.undoing import Undoing
from scenesync.worker.wanted import Wanted
from scenesync.worker.write_limit import ReadLimit, WriteLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from scenesync.app.settings import Settings
    from scenesync.domain.item import ServerIdentity
    from scenesync.domain.outcome import Attempt
    from scenesync.intake.stash_activity import StashActivity
    from scenesync.plex.client import PlexClient
    from scenesync.queue.port import Letters, Queue
    from scenesync.stash.client import StashClient
    from scenesync.store.database import Database
    from scenesync.worker.artwork.images import PictureJournal

log = logging.getLogger(__name__)

ATTEMPTS_IN_A_LETTER: Final = 20


def sync_options(settings: Settings) -> SyncOptions:
    """Return what the settings say about what is written."""
    return SyncOptions(
        enabled=enabled_fields(settings),
        policy=settings.conflict_policy,
        policies=conflict_policies(settings),
        lock=settings.lock_fields,
        rules=field_rules(settings),
        participation=participation(settings),
        gone_label=settings.destroyed_label if settings.on_destroy is OnDestroy.LABEL else "",
    )


def blast_limits(settings: Settings) -> BlastLimits:
    """Return what runs may do that nobody asked for."""
    return BlastLimits(settings.max_change_percent, settings.max_change_items, settings.max_cleared_fields)


def mark_of(settings: Settings, options: SyncOptions) -> str:
    """Return what differs when a setting does that decides what an item is sent, beyond the values that are wanted."""
    return settings_mark(
        policy=options.policy,
        policies=sorted(options.policies.items()),
        lock=options.lock,
        gone_label=options.gone_label,
        poster_fit=settings.poster_fit,
        photos=(settings.sync_performer_photos, photo_policy(settings), settings.stash_url_for_plex),
    )


def showing_of(settings: Settings) -> Showing:
    """Return which changes of performers, studios, tags and groups the settings let show in Plex."""
    return Showing(enabled_fields(settings), field_rules(settings), participation(settings))


@dataclass(frozen=True, slots=True)
class Installation:
    """The open parts: stores, clients, and the settings that joined them; ``run_id`` names this run in the journal."""

    settings: Settings
    queue: Queue
    database: Database
    stash: StashClient
    plex: PlexClient
    dead_letters: Letters
    attempts: AttemptStore
    outages: OutageStore
    services: ServiceStateStore
    run_id: str
    elders: Elders = field(default_factory=Elders)
    """The routes of other Stashes to the same Plex that go before this one."""
    open_stash: StashClient | None = None
    """Stash as Plex sees it, if performers are to have photos and nothing in the settings speaks against it."""
    computing: AbstractContextManager[object] = field(default_factory=threading.RLock)
    """What a thread holds while it computes for many scenes: fetches, decides or proves."""

    def session(self, identity: ServerIdentity) -> PlexSession:
        """Return what belongs to the Plex server that answered."""
        settings, server_id = self.settings, identity.machine_identifier
        self._speak_as_learned(identity)
        options, writing = sync_options(settings), WriteLimit(settings.workers, sharers=self.queue.fleet.size)
        reading = ReadLimit(settings.workers)
        baselines = BaselineStore(self.database, server_id)
        journal = JournalStore(self.database, server_id, run_id=self.run_id)
        holds = HoldStore(self.database, server_id)
        images = self._image_sync(baselines, journal, options, writing)
        index = self._index(server_id)
        locator = self._locator(index, server_id, reading)
        elder = self.elders.stash_showing(server_id)
        rivals = Rivals(self.stash, baselines, locator.match, options.participation, elder)
        photos = self._photos(identity, writing)
        collections, upkeep = keepers_of_collections(
            self.plex,
            self.database,
            identity,
            baselines,
            journal,
            self._image_sync(baselines, NoJournal(), options, writing),
            options,
            writing,
        )
        unchanged = Unchanged(
            ProofStore(self.database, server_id),
            index,
            locator.match,
            Wanted(self.plex, collections, options),
            options.participation,
            holds,
            baselines,
            collections,
            mark_of(settings, options),
        )
        scene_sync = SceneSync(
            self.plex,
            locator,
            baselines,
            journal,
            images,
            options,
            writing,
            rivals,
            holds,
            collections,
            unchanged,
            photos,
        )
        proofs_of_undo = ProofDesk(self.plex, baselines, journal, images, upkeep, writing)
        undoing = Undoing(self.plex, journal, baselines, holds, locator.match, proofs_of_undo, writing)
        departures = Departures(
            settings.on_destroy,
            settings.destroyed_label,
            traces=TraceStore(self.database),
            holds=holds,
            baselines=baselines,
            locator=locator,
            rivals=rivals,
            finder=self.stash,
            scene_sync=scene_sync,
            restorer=undoing,
            pick_up=lambda scene_ids: self.queue.put_many(scene_job(each, time.time()) for each in scene_ids),
            mass_deletions=self._gone_scenes(),
        )
        proofs = ProofDesk(self.plex, baselines, journal, images, upkeep, writing, photos, reading, self.computing)
        return PlexSession(identity, index, scene_sync, proofs, departures, undoing, upkeep)

    def _index(self, server_id: str) -> LibraryIndex:
        return LibraryIndex(
            self.plex,
            PathIndexStore(self.database, server_id),
            wanted_libraries=self.settings.plex_libraries,
            on_new_files=self.queue.wake_for_files,
            kept_by_another=self.queue.fleet.somebody_else_leads,
        )

    def _locator(self, index: LibraryIndex, server_id: str, reading: ReadLimit) -> Locator:
        settings, pins = self.settings, PinStore(self.database, server_id)
        return Locator(self.plex, index, settings.path_map, strict=settings.strict_matching, pins=pins, reading=reading)

    def _photos(self, identity: ServerIdentity, writing: WriteLimit) -> PhotoSync | None:
        """Return what gives actors their photos, None if it is off or cannot work."""
        settings = self.settings
        if self.open_stash is None:
            return None
        return PhotoSync(
            self.open_stash,
            self.plex,
            PhotoStore(self.database, identity.machine_identifier),
            PhotoSettings(photo_address(settings), photo_policy(settings)),
            writing,
        )

    def judge(self, session: PlexSession) -> Judge:
        """Return what stops runs that nobody asked for before they change too much."""
        settings, server_id = self.settings, session.identity.machine_identifier
        index = PathIndexStore(self.database, server_id)
        return Judge(
            AutomaticRunStore(self.database),
            session.scene_sync,
            self.stash,
            self.queue,
            limits=blast_limits(settings),
            fields=len(enabled_fields(settings)),
            all_items=lambda: index.counts().items,
            plans=settings.data_dir / PLANS_FOLDER,
            server_id=server_id,
        )

    def _image_sync(
        self, baselines: BaselineStore, journal: PictureJournal, options: SyncOptions, writing: WriteLimit
    ) -> ImageSync:
        return ImageSync(
            self.stash,
            self.plex,
            baselines,
            journal,
            PictureMaker(self.settings.poster_fit),
            policy=options.policy,
            policies=options.policies,
            lock=options.lock,
            writing=writing,
        )

    def _speak_as_learned(self, identity: ServerIdentity) -> None:
        """Go on with what was learned about this server, and keep what will be."""
        memory, server_id = Memory(self.database), identity.machine_identifier
        name = f"dialect of {identity.version}"
        known = dialect.from_text(memory.recall(name, server_id=server_id))
        self.plex.remember_with(None)
        self.plex.adopt(lambda _: known)
        self.plex.remember_with(lambda learned: memory.note(name, dialect.to_text(learned), server_id=server_id))

    def work_loop(
        self,
        limits: LoopLimits,
        observers: Sequence[Callable[[Attempt], None]] = (),
        *,
        unreachable_for_s: float | None = None,
        on_turn: Callable[[], None] | None = None,
        bulk_waits: Callable[[], bool] = lambda: False,
    ) -> WorkLoop:
        """Return the loop that works the queue off; ``unreachable_for_s`` is as in ``Gate``, the rest in the loop."""
        pauses = PauseStore(self.database)
        health = HealthRecorder(self.services, self.outages, pauses, self.queue)
        fleet = self.queue.fleet
        breaker = shared_breaker(self.database, fleet, PLEX)
        worker = SyncWorker(
            self.queue,
            self.dead_letters,
            self.settings,
            self.settings.data_dir,
            self.settings.max_retries,
            circuit_breaker=breaker,
            skip_not_found=self.settings.skip_not_found,
            attempts_of=lambda scene_id: self.attempts.latest(scene_id, ATTEMPTS_IN_A_LETTER),
        )
        pacing = shared_pacing(self.outages, fleet, self.settings.recovery_ramp)
        connection = PlexConnection(self.plex, breaker, self.session, health=health, on_recovery=pacing.outage_ended)
        # The smallest question that is answered only by a Stash whose database works.
        stash = StashConnection(
            shared_breaker(self.database, fleet, STASH, failure_threshold=1),
            lambda: self.stash.scene_ids_after(0, 1),
            health=health,
        )
        if any(pause.service == STASH for pause in pauses.read()):
            stash.doubt()
        gate = Gate(
            connection,
            breaker,
            stash=stash,
            pacing=pacing,
            unreachable_for_s=unreachable_for_s,
            health=health,
        )
        showing, traces = showing_of(self.settings), TraceStore(self.database)
        loop = WorkLoop(
            worker,
            self.stash,
            gate,
            limits=limits,
            observers=observers,
            history=self._remember,
            fan_out=FanOut(
                self.stash,
                traces,
                showing,
                GuardedScenes(lambda: self.judge(connection.require_session())),
                ReadVersions(self.stash.entities, Memory(self.database)),
            ),
            memory=SceneMemory(traces, showing),
            on_turn=on_turn,
            bulk_waits=bulk_waits,
            keeps_collections=lambda: not fleet.somebody_else_leads(),
            computing=self.computing,
        )
        self.plex.compute_with(self.computing)
        return loop

    def _remember(self, made: Sequence[Attempt]) -> None:
        """Keep attempts, and where they leave their scenes, in one step."""
        with self.database.transaction(durable=False):
            self.attempts.add_all(made)
            SceneStateStore(self.database).note_attempts(made)

    def looks(self, session: Callable[[], PlexSession], activity: StashActivity) -> StashLooks:
        """Return what looks for changes that no hook announced; ``session`` is asked when there are many."""
        memory, traces = Memory(self.database), TraceStore(self.database)
        admission = PolledScenes(AutomaticRunStore(self.database), lambda: self.judge(session()), self._gone_scenes())
        entities = EntityPoll(
            self.stash.entities, self.stash, traces, showing_of(self.settings), memory, self.queue, admission
        )
        return StashLooks(self.stash, self._poll(admission, traces), entities, activity, memory)

    def _poll(self, admission: PolledScenes, traces: TraceStore) -> Poll:
        waiting, departing = self.queue.waiting_scenes, self.queue.departing_scenes
        return Poll(self.stash, self.queue, waiting, departing, Memory(self.database), traces, admission)

    def _gone_scenes(self) -> GoneScenes:
        return GoneScenes(
            AutomaticRunStore(self.database),
            self.queue,
            self.stash,
            TraceStore(self.database),
            Memory(self.database),
            self.queue.departing_scenes,
            limits=blast_limits(self.settings),
            plans=self.settings.data_dir / PLANS_FOLDER,
        )


@contextlib.contextmanager
def open_installation(
    settings: Settings,
    *,
    stash: StashClient | None = None,
    repairs: bool = False,
    listeners: RequestListeners = NOBODY,
) -> Iterator[Installation]:
    """Open stores and clients and close them afterwards. Raises SettingsError, QueueError, StoreError, OSError.

    ``stash`` replaces the client made from the settings; it stays open. Damaged files are moved aside only by who
    ``repairs``: who works. ``listeners`` hear of every request.
    """
    require_plex(settings)
    make_data_dir(settings.data_dir)
    with contextlib.ExitStack() as stack:
        queue = stack.enter_context(contextlib.closing(queue_at(settings, auto_resume=True, repairs=repairs)))
        database = stack.enter_context(open_state(settings, repairs=repairs))
        memory = Memory(database)
        source = stash or stack.enter_context(stash_client(settings, on_request=listeners.stash))
        keep_schema(source, memory)
        photos = settings.sync_performer_photos and not why_photos_cannot_work(settings)
        source.extras = Extras(
            tag_parents=settings.tag_parents and settings.sync_tags, photos=photos, about=settings.sync_collection
        )
        yield Installation(
            settings=settings,
            queue=queue,
            database=database,
            stash=source,
            plex=stack.enter_context(plex_client(settings, memory.client_identifier(), on_request=listeners.plex)),
            dead_letters=queue.dead_letters,
            attempts=AttemptStore(database),
            outages=OutageStore(database),
            services=ServiceStateStore(database),
            run_id=new_run_id(),
            elders=stack.enter_context(elders_of(settings)),
            open_stash=stack.enter_context(open_stash_client(settings, settings.stash_url)) if photos else None,
        )


def new_run_id() -> str:
    """Return a name for a run that people can read and type: when it began (UTC), and what no other run has."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(time.time()))}-{secrets.token_hex(2)}"
