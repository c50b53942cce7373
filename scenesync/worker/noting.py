"""Note what is about to be written, in journal and baselines, in one step that is on the disk before anything is sent.

Without that, after a crash or a write that was carried out without an answer, our own text would pass for a person's
and stay there for ever. An edit that was noted and never sent does no harm: what a field showed before is noted too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scenesync.domain.diff import Baseline, ItemBaselines
from scenesync.domain.fields import SHARED_LISTS, Field
from scenesync.domain.journal import SYNC, JournalEntry, Lock, lock_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.domain.diff import Edit
    from scenesync.domain.item import Item
    from scenesync.domain.matching import Match
    from scenesync.worker.books import Baselines, Journal
    from scenesync.worker.collections.membership import Collections
    from scenesync.worker.sync_plan import Decided


class Notes:
    """Writes down coming edits. Every method may raise StoreError."""

    def __init__(self, baselines: Baselines, journal: Journal, collections: Collections) -> None:
        self._baselines = baselines
        self._journal = journal
        self._collections = collections

    def note(self, scene_id: int, match: Match, item: Item, edit: Edit) -> None:
        """Note one edit, and what it means for collections. Raises AttemptCut as ``Collections.noting``."""
        if edit.changes:
            known = self._baselines.read(edit.rating_key)
            with self._collections.noting(item, edit), self._baselines.together():
                self._journal.append(_entries(scene_id, item, edit, known, at=time.time(), file=file_of(match, item)))
                self._baselines.write(edit.rating_key, scene_id, _unproven_baselines(edit, known))

    def note_together(self, decided: Sequence[Decided]) -> None:
        """Note all edits of many scenes that put nothing into a collection: the disk is waited for once."""
        now = time.time()
        entries: list[JournalEntry] = []
        unproven: list[ItemBaselines] = []
        for each in decided:
            for step in each.planned:
                file = file_of(each.match, step.item)
                entries += _entries(each.scene.id, step.item, step.edit, step.known, at=now, file=file)
                baselines = _unproven_baselines(step.edit, step.known)
                unproven.append(ItemBaselines(step.edit.rating_key, each.scene.id, baselines))
        if entries:
            with self._baselines.together():
                self._journal.append(entries)
                self._baselines.write_all(unproven)


def file_of(match: Match, item: Item) -> str:
    """Return the file, as Plex sees it, for which an item was matched."""
    return next((file.path for file in match.files if file.rating_key == item.rating_key), "")


def _unproven_baselines(edit: Edit, known: Mapping[Field, Baseline]) -> Mapping[Field, Baseline]:
    entries: dict[Field, Baseline] = {}
    for change in edit.changes:
        written = change.written
        if change.field in SHARED_LISTS and change.field in known:
            # What was ours stays ours until it is proven to be gone.
            written = tuple(dict.fromkeys((*known[change.field].written, *written)))
        entries[change.field] = Baseline(written, replaced=change.before, locked=edit.locks(change.field))
    return entries


def _entries(
    scene_id: int, item: Item, edit: Edit, known: Mapping[Field, Baseline], *, at: float, file: str
) -> list[JournalEntry]:
    entries = []
    for change in edit.changes:
        baseline = known.get(change.field)
        before = lock_of(is_locked=change.field.value in item.locked, ours=baseline is not None and baseline.locked)
        after = lock_of(
            is_locked=edit.leaves_locked(change.field), ours=edit.locks(change.field) and before is not Lock.PERSON
        )
        entries.append(
            JournalEntry(
                at=at,
                scene_id=scene_id,
                rating_key=edit.rating_key,
                field=change.field,
                before=change.before,
                after=change.after,
                cause=SYNC,
                lock_before=before,
                lock_after=after,
                file=file,
            )
        )
    return entries
