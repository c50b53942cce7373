"""Write a collection's title and summary as an item's fields are written.

The least that differs, noted before it is sent, remembered as the server then shows it, and never over a person's edit
that the policy protects.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scenesync.domain.diff import Baseline, ConflictPolicy, Edit, plan_edit
from scenesync.domain.fields import Field, FieldValue, shown_as

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenesync.domain.item import Collection, Item
    from scenesync.domain.ports import MediaServer
    from scenesync.worker.books import Baselines
    from scenesync.worker.write_limit import WriteLimit

OF_NO_SCENE = 0
"""Stands for the scene in what is remembered of a collection, which belongs to many."""


@dataclass(frozen=True, slots=True)
class WritePolicy:
    """Who wins where somebody edited in Plex, field by field, and whether written fields are locked."""

    policy: ConflictPolicy = ConflictPolicy.STASH
    policies: Mapping[Field, ConflictPolicy] = field(default_factory=dict)
    lock: bool = True

    def of(self, which: Field) -> ConflictPolicy:
        """Return who wins in this field."""
        return self.policies.get(which, self.policy)


class CollectionTexts:
    """Plans, sends and remembers edits of collections."""

    def __init__(self, server: MediaServer, baselines: Baselines, policy: WritePolicy, writing: WriteLimit) -> None:
        self.policy = policy
        self._server = server
        self._baselines = baselines
        self._writing = writing

    def written(self, rating_key: str) -> Mapping[Field, FieldValue]:
        """Return what was last written to a collection."""
        return {which: known.written for which, known in self._baselines.read(rating_key).items()}

    def take_for_ours(self, collection: Collection) -> None:
        """Note that the title of a collection that came about by its members is SceneSync's, and not locked."""
        entries = {
            which: Baseline(shown, shown, locked=False)
            for which in (Field.TITLE, Field.SORT_TITLE)
            for shown in [collection.item.value(which)]
        }
        self._baselines.write(collection.item.rating_key, OF_NO_SCENE, entries)

    def drifted(self, listed: Collection) -> bool:
        """Say whether a collection seems to show other texts than it did after SceneSync last wrote them."""
        known = self._baselines.read(listed.item.rating_key)
        return any(
            entry.shown is not None and listed.item.value(which) != entry.shown for which, entry in known.items()
        )

    def plan(
        self, collection: Collection, desired: Mapping[Field, FieldValue], also_lock: tuple[Field, ...] = ()
    ) -> Edit:
        """Return the edit that makes a collection, as read in full, show ``desired``."""
        edit = plan_edit(
            collection.item,
            {which: self._server.fit(which, value) for which, value in desired.items()},
            self._baselines.read(collection.item.rating_key),
            policy=self.policy.policy,
            policies=self.policy.policies,
            lock=self.policy.lock,
        )
        return replace(edit, also_lock=also_lock, of_collection=True)

    def write(self, edit: Edit, still_ours: Callable[[], bool]) -> None:
        """Note what is about to be written, then send it."""
        entries = {
            change.field: Baseline(change.after, replaced=change.before, locked=edit.locks(change.field))
            for change in edit.changes
        }
        self._baselines.write(edit.rating_key, OF_NO_SCENE, entries)
        with self._writing.slot(still_ours):
            self._server.apply_edit(edit)

    def remember(self, edit: Edit, now: Item) -> tuple[Field, ...]:
        """Remember what a collection shows after an edit; return the fields in which Plex ignored it."""
        entries = {
            change.field: Baseline(change.after, now.value(change.field), locked=edit.locks(change.field))
            for change in edit.changes
        }
        self._baselines.write(edit.rating_key, OF_NO_SCENE, entries)
        return tuple(
            change.field
            for change in edit.changes
            if not shown_as(change.field, now.value(change.field), self._server.fit(change.field, change.after))
        )
