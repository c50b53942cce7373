"""Join the parts that keep collections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.store.collections import CollectionStore
from scenesync.store.memory import Memory
from scenesync.worker.collections.membership import Collections
from scenesync.worker.collections.order import CollectionOrder
from scenesync.worker.collections.texts import CollectionTexts, WritePolicy
from scenesync.worker.collections.upkeep import CollectionUpkeep

if TYPE_CHECKING:
    from scenesync.domain.item import ServerIdentity
    from scenesync.plex.client import PlexClient
    from scenesync.store.baselines import BaselineStore
    from scenesync.store.database import Database
    from scenesync.store.journal import JournalStore
    from scenesync.worker.artwork.images import ImageSync
    from scenesync.worker.sync_options import SyncOptions
    from scenesync.worker.write_limit import WriteLimit


def keepers_of_collections(
    plex: PlexClient,
    database: Database,
    identity: ServerIdentity,
    baselines: BaselineStore,
    journal: JournalStore,
    images: ImageSync,
    options: SyncOptions,
    writing: WriteLimit,
) -> tuple[Collections, CollectionUpkeep]:
    """Return what knows whose the collections are, and what sees to SceneSync's own."""
    server_id = identity.machine_identifier
    store = CollectionStore(database, server_id)
    policy = WritePolicy(options.policy, options.policies, lock=options.lock)
    texts = CollectionTexts(plex, baselines, policy, writing)
    order = CollectionOrder(plex.collections, store, policy, writing)
    collections = Collections(plex.collections, store, baselines, journal, texts, order, options.rules.collections)
    upkeep = CollectionUpkeep(
        plex.collections, collections, store, texts, images, order, writing, Memory(database), server_id
    )
    return collections, upkeep
