"""See to SceneSync's own collections: take them into its books, give them text and picture, delete them when empty.

It happens behind the proof of the edits that concern them, many collections in one read, and costs no request where
nothing changed. What slipped through (a member that vanished from Plex, a name given by hand) is found by ``tidy``.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.collection import Standing, title_key, titled
from scenesync.domain.errors import PermanentError
from scenesync.domain.fields import Field, FieldValue
from scenesync.plex.exceptions import PlexBusy, PlexNotFound
from scenesync.worker.collections.membership import description
from scenesync.worker.collections.texts import OF_NO_SCENE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scenesync.domain.collection import KnownCollection, WantedCollection
    from scenesync.domain.diff import Edit
    from scenesync.domain.item import Collection
    from scenesync.domain.journal import JournalEntry
    from scenesync.domain.ports import CollectionServer
    from scenesync.store.collections import CollectionStore
    from scenesync.worker.artwork.images import ImageChange, ImageSync
    from scenesync.worker.collections.membership import Collections, CollectionTask
    from scenesync.worker.collections.order import CollectionOrder
    from scenesync.worker.collections.texts import CollectionTexts
    from scenesync.worker.sync_plan import SyncResult
    from scenesync.worker.write_limit import WriteLimit

log = logging.getLogger(__name__)

TIDY_EVERY_S: Final = 24 * 3600.0
TIDIED_AT: Final = "collections tidied at"


class Diary(Protocol):
    """Where it is kept when a server's collections were last looked through."""

    def recall(self, name: str, *, server_id: str = "") -> str | None:
        """Return a fact, None if it was never noted."""
        ...

    def note(self, name: str, value: str, *, server_id: str = "") -> None:
        """Remember a fact."""
        ...


class NoJournal:
    """Notes nothing: a collection that SceneSync made is not put back, it ends when nothing is in it."""

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Keep none of the entries."""


@dataclass(frozen=True, slots=True)
class _Described:
    """What was sent to one collection, to be looked at once more."""

    known: KnownCollection
    wanted: WantedCollection
    edit: Edit
    pictures: tuple[ImageChange, ...]
    picture_failed: bool


class CollectionUpkeep:
    """Works for one thread at a time per call; ``tend`` and ``tidy`` may run side by side."""

    def __init__(
        self,
        server: CollectionServer,
        collections: Collections,
        store: CollectionStore,
        texts: CollectionTexts,
        images: ImageSync,
        order: CollectionOrder,
        writing: WriteLimit,
        diary: Diary,
        server_id: str,
    ) -> None:
        self._server = server
        self._collections = collections
        self._store = store
        self._texts = texts
        self._images = images
        self._order = order
        self._writing = writing
        self._diary = diary
        self._server_id = server_id

    # -- behind the proof of edits -------------------------------------------------------------------------------------

    def tend(self, tasks: Sequence[CollectionTask], edits: Iterable[Edit], still_ours: Callable[[], bool]) -> None:
        """See to the collections that proven ``edits`` are about, and to those that a member left.

        Raises TransientError, LeaseLost among them: the same is then to be done again. What Plex refuses for good is
        only told, since a scene is in sync without it.
        """
        for edit in edits:
            self._collections.note_left(edit)
        found = self._adopt(tasks)
        due = self._due(tasks)
        left = self._store.with_a_member_gone()
        wanted = [known.rating_key for known in (*(known for known, _ in due), *left)]
        found |= self._server.read([key for key in wanted if key not in found])
        described = [
            step
            for known, wanted in due
            if (step := self._describe(known, wanted, found.get(known.rating_key), still_ours)) is not None
        ]
        self._confirm(described, still_ours)
        self._arrange(tasks, found, still_ours)
        for known in left:
            self._delete_if_empty(known, found.get(known.rating_key), still_ours)

    def as_called_now(self, result: SyncResult) -> SyncResult:
        """Return what was written for a scene, with the names that its collections have got since."""
        edits = [self._collections.renames.as_called_now(written.edit) for written in result.written]
        if all(edit is written.edit for edit, written in zip(edits, result.written, strict=True)):
            return result
        renamed = (replace(written, edit=edit) for edit, written in zip(edits, result.written, strict=True))
        return replace(result, written=tuple(renamed))

    def _adopt(self, tasks: Iterable[CollectionTask]) -> dict[str, Collection]:
        """Find out what became of collections that were to come about; return what was read of them in full."""
        seen: dict[KnownCollection, set[str]] = defaultdict(set)
        for task in tasks:
            known = self._collections.known(task.library_key, task.wanted)
            if known is None:
                continue
            if task.joined:
                self._collections.entered(task, known)
            if known.standing is Standing.INTENDED:
                seen[known] |= {task.rating_key} if task.joined else set()
        with self._collections.lock:
            listed = {key: self._collections.listed(key, max_age_s=0) for key in {each.library_key for each in seen}}
            found = {known: titled(listed[known.library_key], known.key) for known in seen}
            everything = self._collections.in_full([each for same in found.values() for each in same])
            read = {each.item.rating_key: each for each in everything}
            for known, same in found.items():
                if same:
                    full = [read[each.item.rating_key] for each in same]
                    self._store.put(self._collections.adopted(known, full, frozenset(seen[known])))
        return read

    def _due(self, tasks: Iterable[CollectionTask]) -> list[tuple[KnownCollection, WantedCollection]]:
        due: dict[tuple[str, str], tuple[KnownCollection, WantedCollection]] = {}
        for task in tasks:
            known = self._collections.known(task.library_key, task.wanted)
            if (
                known is not None
                and known.is_ours
                and known.described != description(task.wanted, self._collections.rules)
                and self._collections.describes(known, task.wanted)
                and not self._is_older(task)
            ):
                due[known.library_key, known.key] = known, task.wanted
        return list(due.values())

    def _is_older(self, task: CollectionTask) -> bool:
        """Say whether the collection was described already by a newer state of its studio, group or tag."""
        link = self._store.link_of(task.library_key, task.wanted.origin)
        return link is not None and link.changed_at > task.wanted.changed_at

    # -- text and picture ----------------------------------------------------------------------------------------------

    def _describe(
        self, known: KnownCollection, wanted: WantedCollection, found: Collection | None, still_ours: Callable[[], bool]
    ) -> _Described | None:
        """Send what differs; None if the collection is gone or called otherwise, which the next tidying deals with."""
        if found is None or title_key(found.title) != known.key:
            return None
        pictures: tuple[ImageChange, ...] = ()
        missing_locks: tuple[Field, ...] = ()
        failure: Exception | None = None
        if self._collections.rules.poster and wanted.image_url:
            # Before the text, as with items: an upload onto a locked poster may be ignored (facts/plex.md 4).
            sent = self._images.bring_up_to_date(found.item, OF_NO_SCENE, {Field.POSTER: wanted.image_url}, still_ours)
            pictures, missing_locks, failure = sent.changes, sent.missing_locks, sent.error
        if failure is not None:
            log.warning("picture of collection %r not sent: %s", known.title, failure)
        edit = self._texts.plan(found, self._wanted_texts(known, wanted), missing_locks)
        if edit:
            try:
                self._texts.write(edit, still_ours)
            except PermanentError as error:
                log.warning("collection %r not described: %s", known.title, error)
        return _Described(known, wanted, edit, pictures, picture_failed=failure is not None)

    def _wanted_texts(self, known: KnownCollection, wanted: WantedCollection) -> Mapping[Field, FieldValue]:
        texts: dict[Field, FieldValue] = {}
        if not known.keeps_title:
            texts[Field.TITLE] = texts[Field.SORT_TITLE] = wanted.title
        written = self._texts.written(known.rating_key)
        if self._collections.rules.summary and (wanted.summary or written.get(Field.SUMMARY)):
            # Most tags have no description: what a person wrote there instead is not to be emptied.
            texts[Field.SUMMARY] = wanted.summary
        return texts

    def _confirm(self, described: Sequence[_Described], still_ours: Callable[[], bool]) -> None:
        """Look at what was sent to, in one read, and remember how it is shown."""
        now = self._server.read([step.known.rating_key for step in described if step.edit or step.pictures])
        for step in described:
            known, shown = step.known, now.get(step.known.rating_key)
            picture_failed = step.picture_failed
            if shown is not None:
                picture_failed = not self._confirm_pictures(step, shown, still_ours) or picture_failed
                ignored = self._texts.remember(step.edit, shown.item)
                if ignored:
                    log.warning("collection %r: Plex ignored the edit of %s", known.title, ", ".join(ignored))
                known = replace(known, title=shown.title)
            if not picture_failed:
                known = replace(known, described=description(step.wanted, self._collections.rules))
            self._store.put(known)
            self._store.link(known.library_key, step.wanted, known.key)

    def _confirm_pictures(self, step: _Described, shown: Collection, still_ours: Callable[[], bool]) -> bool:
        """Say whether Plex shows the pictures that were sent; if not they are sent again with the next scene."""
        try:
            for change in step.pictures:
                self._images.confirm(shown.item, OF_NO_SCENE, change, still_ours)
        except (PlexBusy, PermanentError) as error:
            log.warning("picture of collection %r not kept: %s", step.known.title, error)
            return False
        return True

    def _arrange(
        self, tasks: Iterable[CollectionTask], found: Mapping[str, Collection], still_ours: Callable[[], bool]
    ) -> None:
        """Let items that entered a group's collection, or were given another place in the group, stand there."""
        placed: dict[tuple[KnownCollection, int], dict[str, int | None]] = defaultdict(dict)
        for task in tasks:
            known, wanted = self._collections.known(task.library_key, task.wanted), task.wanted
            if known is None or not self._collections.is_placed(known, wanted):
                continue
            if task.joined or self._order.is_due(known, wanted, task.rating_key):
                placed[known, wanted.origin.id][task.rating_key] = wanted.place
        for (known, group_id), places in placed.items():
            self._order.arrange(known, group_id, places, found.get(known.rating_key), still_ours)

    # -- deleting ------------------------------------------------------------------------------------------------------

    def _delete_if_empty(
        self, known: KnownCollection, found: Collection | None, still_ours: Callable[[], bool]
    ) -> None:
        """Delete a collection of SceneSync's if Plex says that nothing is in it, asked right before.

        What a person puts into it in the moment between that answer and the request loses the collection, nothing else.
        """
        if found is None:
            self._store.forget(known)
            return
        if title_key(found.title) != known.key or found.member_count:
            self._store.put(replace(known, may_be_empty=False))
            return
        with self._collections.lock:
            if self._collections.is_being_entered(known):
                return
            if self._has_members(known):
                self._store.put(replace(known, may_be_empty=False))
                return
            try:
                with self._writing.slot(still_ours):
                    self._server.delete(known.rating_key)
            except PermanentError as error:
                log.warning("empty collection %r not deleted: %s", known.title, error)
                self._store.put(replace(known, may_be_empty=False))  # tidying tries once more, not every scene
                return
            self._store.forget(known)
        log.info("empty collection deleted library=%s title=%r", known.library_key, known.title)

    def _has_members(self, known: KnownCollection) -> bool:
        try:
            return bool(self._server.members(known.rating_key))
        except PlexNotFound:
            return False

    # -- tidying -------------------------------------------------------------------------------------------------------

    def tidy_if_due(self, still_ours: Callable[[], bool]) -> None:
        """Tidy once a day, whichever process does."""
        text = self._diary.recall(TIDIED_AT, server_id=self._server_id)
        now = time.time()
        # A clock that was set back makes the last time look like the future: do it then, too.
        if text is not None and 0 <= now - float(text) < TIDY_EVERY_S:
            return
        self.tidy(still_ours)
        self._diary.note(TIDIED_AT, repr(now), server_id=self._server_id)

    def tidy(self, still_ours: Callable[[], bool]) -> None:
        """Hold what is known against what Plex lists, one request for each library with collections of SceneSync's.

        Deletes its empty ones, forgets what is gone, and puts right texts that somebody changed, as the policy says.
        """
        by_library: dict[str, list[KnownCollection]] = defaultdict(list)
        for known in self._store.all():
            by_library[known.library_key].append(known)
        for library_key, all_known in by_library.items():
            with self._collections.lock:
                try:
                    listed = self._collections.listed(library_key, max_age_s=0)
                except PlexNotFound:  # a library that was deleted took its collections with it
                    listed = ()
            for known in all_known:
                try:
                    self._hold_against(known, listed, still_ours)
                except PermanentError as error:
                    log.warning("collection %r not tidied: %s", known.title, error)

    def _hold_against(
        self, known: KnownCollection, listed: Sequence[Collection], still_ours: Callable[[], bool]
    ) -> None:
        match known.standing:
            case Standing.FOREIGN:
                if not titled(listed, known.key):
                    self._store.forget(known)  # the next one of this title may be SceneSync's
            case Standing.INTENDED:
                self._settle_intention(known, listed)
            case Standing.OURS:
                found = next((each for each in listed if each.item.rating_key == known.rating_key), None)
                if found is None:
                    self._store.forget(known)
                else:
                    self._look_after(known, found, still_ours)

    def _settle_intention(self, known: KnownCollection, listed: Sequence[Collection]) -> None:
        with self._collections.lock:
            if self._collections.is_being_entered(known):
                return
            found = titled(listed, known.key)
            if found:
                self._store.put(self._collections.adopted(known, self._collections.in_full(found)))
            else:
                self._store.forget(known)

    def _look_after(self, known: KnownCollection, found: Collection, still_ours: Callable[[], bool]) -> None:
        with self._collections.lock:
            if self._collections.follow_person(known, found, still_ours):
                return
        if found.member_count == 0:
            self._delete_if_empty(known, found, still_ours)
        elif self._texts.drifted(found):
            self._mend(known, still_ours)

    def _mend(self, known: KnownCollection, still_ours: Callable[[], bool]) -> None:
        """Write once more what was last written, where the policy says so."""
        found = self._server.read([known.rating_key]).get(known.rating_key)
        if found is None:
            return
        edit = self._texts.plan(found, self._texts.written(known.rating_key))
        if edit:
            self._texts.write(edit, still_ours)
            now = self._server.read([known.rating_key]).get(known.rating_key)
            if now is not None:
                self._texts.remember(edit, now.item)
