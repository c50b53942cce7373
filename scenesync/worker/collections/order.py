"""Sort a group's collection by the scenes' places in the group, once Stash has any."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scenesync.domain.collection_order import moves
from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.errors import PermanentError
from scenesync.domain.fields import Field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.domain.collection import KnownCollection, WantedCollection
    from scenesync.domain.item import Collection
    from scenesync.domain.ports import CollectionServer
    from scenesync.store.collections import CollectionStore
    from scenesync.worker.collections.texts import WritePolicy
    from scenesync.worker.write_limit import WriteLimit

log = logging.getLogger(__name__)

BY_HAND: Final = "2"
_UNTOUCHED: Final = frozenset({"", "0"})
"""What Plex shows for a collection that is sorted by release, as all are at first (facts/plex.md 5)."""


class CollectionOrder:
    """Arranges the members of SceneSync's own collections of groups."""

    def __init__(
        self, server: CollectionServer, store: CollectionStore, policy: WritePolicy, writing: WriteLimit
    ) -> None:
        self._server = server
        self._store = store
        self._policy = policy
        self._writing = writing

    def is_due(self, known: KnownCollection, wanted: WantedCollection, rating_key: str) -> bool:
        """Say whether an item has another place in the group than the last time, or any for the first time."""
        return self._store.place_of(known.library_key, wanted.origin.id, rating_key) != wanted.place

    def arrange(
        self,
        known: KnownCollection,
        group_id: int,
        places: Mapping[str, int | None],
        found: Collection | None,
        still_ours: Callable[[], bool],
    ) -> None:
        """Let items stand at their places, and remember these; ``found`` is the collection, if it was just read.

        Where a person's edits win, only these items are moved, and a collection that a person sorts is left alone.
        """
        before = self._store.places(known.library_key, group_id)
        now = {key: place for key, place in {**before, **places}.items() if place is not None}
        try:
            if now and (before or self._sorted_by_hand(known, found, still_ours)):
                movable = None if self._policy.of(Field.COLLECTIONS) is ConflictPolicy.STASH else frozenset(places)
                self._move(known, self._server.members(known.rating_key), now, movable, still_ours)
        except PermanentError as error:
            # No reason to give a scene up; it is tried again when the place of any changes.
            log.warning("collection not sorted library=%s title=%r: %s", known.library_key, known.title, error)
        self._store.put_places(known.library_key, group_id, places)

    def _sorted_by_hand(self, known: KnownCollection, found: Collection | None, still_ours: Callable[[], bool]) -> bool:
        """Let Plex show the members in the order that they are given; say whether it does."""
        collection = found or self._server.read([known.rating_key]).get(known.rating_key)
        if collection is None:
            return False
        if collection.sort == BY_HAND:
            return True
        if collection.sort not in _UNTOUCHED and self._policy.of(Field.COLLECTIONS) is not ConflictPolicy.STASH:
            return False
        with self._writing.slot(still_ours):
            self._server.sort_by_hand(known.rating_key)
        return True

    def _move(
        self,
        known: KnownCollection,
        members: Sequence[str],
        places: Mapping[str, int],
        movable: frozenset[str] | None,
        still_ours: Callable[[], bool],
    ) -> None:
        steps = moves(members, places, movable)
        for step in steps:
            with self._writing.slot(still_ours):
                self._server.move(known.rating_key, step.rating_key, after=step.after)
        if steps:
            log.info("collection sorted library=%s title=%r moves=%d", known.library_key, known.title, len(steps))
