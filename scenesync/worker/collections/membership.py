"""Know whose a collection is before films are put into it, and keep its name in step with Stash's.

Whether SceneSync made a collection can only be said of one that did not exist before its first member. So Plex's
collections are looked at once before a title is used for the first time, and what was found is on the disk before the
edit is sent: after a crash in between, the next look decides by who is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from scenesync.domain.collection import (
    CollectionRules,
    KnownCollection,
    OriginKind,
    Standing,
    belongs_to_us,
    describer,
    title_key,
    titled,
)
from scenesync.domain.desired import distinct_names
from scenesync.domain.diff import Baseline, ConflictPolicy, Edit
from scenesync.domain.errors import AttemptCut
from scenesync.domain.fields import Field
from scenesync.plex.exceptions import PlexPermanentError
from scenesync.worker.collections.recent_renames import UNDER_WAY_S, RecentRenames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Collection as Container
    from contextlib import AbstractContextManager

    from scenesync.domain.collection import WantedCollection
    from scenesync.domain.item import Collection, Item
    from scenesync.domain.ports import CollectionServer
    from scenesync.store.collections import CollectionStore
    from scenesync.worker.collections.order import CollectionOrder
    from scenesync.worker.collections.texts import CollectionTexts

log = logging.getLogger(__name__)

FRESH_S: Final = 10.0
"""A listing of this age still tells which collections exist: a title that a person takes meanwhile is noticed later,
by members or texts that are not SceneSync's."""


class ListBaselines(Protocol):
    """What was written to items' lists, and renaming in it."""

    def read(self, rating_key: str) -> Mapping[Field, Baseline]:
        """Return what was written to the item, field by field."""
        ...

    def together(self) -> AbstractContextManager[object]:
        """Make all that is written in the block one step."""
        ...

    def rename_in_list(self, rating_keys: Iterable[str], field: Field, old: str, new: str) -> None:
        """Let what was written as ``old`` have been written as ``new``."""
        ...


class ListJournal(Protocol):
    """The history of items' lists, and renaming in it."""

    def rename_in_list(self, rating_keys: Iterable[str], field: Field, old: str, new: str) -> None:
        """Let what was ``old`` in all edits have been ``new``."""
        ...


@dataclass(frozen=True, slots=True)
class CollectionTask:
    """Something to see to once an item's edit is proven: a collection that it entered, or one to be described anew."""

    library_key: str
    wanted: WantedCollection
    rating_key: str
    joined: bool


class Collections:
    """What is known of collections, held against what Plex lists. Thread-safe; ``lock`` guards whose they are."""

    def __init__(
        self,
        server: CollectionServer,
        store: CollectionStore,
        baselines: ListBaselines,
        journal: ListJournal,
        texts: CollectionTexts,
        order: CollectionOrder,
        rules: CollectionRules,
    ) -> None:
        self.lock = threading.RLock()
        self.rules = rules
        self.renames = RecentRenames()
        self._server = server
        self._store = store
        self._baselines = baselines
        self._journal = journal
        self._texts = texts
        self._order = order
        self._listed: dict[str, tuple[float, Sequence[Collection]]] = {}
        self._intended: set[tuple[str, str]] = set()
        self._entering: dict[tuple[str, str], dict[str, float]] = {}

    # -- planning ------------------------------------------------------------------------------------------------------

    def names(self, library_key: str, wanted: Sequence[WantedCollection]) -> tuple[str, ...]:
        """Return what the wanted collections are called in this library."""
        known = ((each, self.known(library_key, each)) for each in wanted)
        return distinct_names(found.title if found is not None else each.title for each, found in known)

    def known(self, library_key: str, wanted: WantedCollection) -> KnownCollection | None:
        """Return what is known of a wanted collection: under the name that a person gave it, if that stays.

        What is wanted by an older state of its studio, group or tag than the collection has is the collection as it is.
        """
        link = self._store.link_of(library_key, wanted.origin)
        if link is not None and link.key != wanted.key:
            found = self._store.find(library_key, link.key)
            if found is not None and (found.keeps_title or link.changed_at > wanted.changed_at):
                return found
        return self._store.find(library_key, wanted.key)

    def tasks(self, item: Item, edit: Edit, wanted: Sequence[WantedCollection]) -> tuple[CollectionTask, ...]:
        """Return what is to be seen to after an edit; nothing where all collections are as they should be."""
        joined = frozenset(map(title_key, _added(edit)))
        found = []
        for each in wanted:
            known = self.known(item.library_key, each)
            if known is not None and (known.key in joined or self.is_due(known, each, item.rating_key)):
                found.append(CollectionTask(item.library_key, each, item.rating_key, joined=known.key in joined))
        return tuple(found)

    def is_due(self, known: KnownCollection, wanted: WantedCollection, rating_key: str) -> bool:
        """Say whether an item's collection is to be seen to, although the item is in it."""
        if known.standing is Standing.INTENDED:
            return True
        if not known.is_ours:
            return False
        if known.described != description(wanted, self.rules) and self.describes(known, wanted):
            return True
        return self.is_placed(known, wanted) and self._order.is_due(known, wanted, rating_key)

    def is_placed(self, known: KnownCollection, wanted: WantedCollection) -> bool:
        """Say whether members of the collection stand where this group has them."""
        is_group = wanted.origin.kind is OriginKind.GROUP
        return self.rules.order and is_group and known.is_ours and self.describes(known, wanted)

    def describes(self, known: KnownCollection, wanted: WantedCollection) -> bool:
        """Say whether it is this studio, group or tag that says what the collection looks like."""
        first = describer(self._store.links(known.library_key, known.key))
        return first is None or wanted.origin.rank <= first.rank

    # -- before an edit ------------------------------------------------------------------------------------------------

    def prepare(
        self, item: Item, edit: Edit, wanted: Sequence[WantedCollection], still_ours: Callable[[], bool]
    ) -> bool:
        """Make sure whose the collections are that the edit puts the item into, and note those that it will make.

        Says whether something came out by which the edit is no longer the right one: a collection was renamed, by
        SceneSync now or by a person before, or is spelt otherwise in Plex.
        """
        added = _added(edit)
        keys = frozenset(map(title_key, added))
        concerned = [each for each in wanted if self._is_concerned(item.library_key, each, keys)]
        if not concerned:
            return False
        moved = False
        with self.lock:
            for each in concerned:
                if self._follow_rename(item.library_key, each, still_ours):
                    moved = True
                elif self._enters(item.library_key, each, keys):
                    moved = self._make_sure(item, each, added, still_ours) or moved
        return moved

    def _make_sure(
        self, item: Item, wanted: WantedCollection, added: Container[str], still_ours: Callable[[], bool]
    ) -> bool:
        """Know whose a collection is that an item is about to enter; say whether to look at the item again first."""
        known = self.known(item.library_key, wanted)
        if known is not None and known.is_ours and self._was_in(item, known) and self._look_for(known, still_ours):
            return True
        known = self._met(item.library_key, wanted)
        self._link(item.library_key, wanted, known)
        return known.title not in added

    def _is_concerned(self, library_key: str, wanted: WantedCollection, keys: frozenset[str]) -> bool:
        """Say whether an edit enters the collection, or its studio, group or tag was renamed."""
        return self._enters(library_key, wanted, keys) or self.renamed_from(library_key, wanted) is not None

    def _enters(self, library_key: str, wanted: WantedCollection, keys: frozenset[str]) -> bool:
        known = self.known(library_key, wanted)
        return (known.key if known is not None else wanted.key) in keys

    def _met(self, library_key: str, wanted: WantedCollection) -> KnownCollection:
        """Return what is known of a wanted collection, having looked whether there is one if nothing is."""
        known = self.known(library_key, wanted)
        if known is None or (known.standing is Standing.INTENDED and (library_key, known.key) not in self._intended):
            known = self._meet(library_key, wanted)
        return known

    def _was_in(self, item: Item, known: KnownCollection) -> bool:
        """Say whether SceneSync saw the item in the collection that it is to enter now: then something happened."""
        entry = self._baselines.read(item.rating_key).get(Field.COLLECTIONS)
        return entry is not None and entry.shown is not None and known.key in map(title_key, entry.written)

    def _meet(self, library_key: str, wanted: WantedCollection) -> KnownCollection:
        """Find out whether there is a collection of a title that is about to be used, and note the answer."""
        self.renames.forget(library_key, wanted.key)
        found = titled(self.listed(library_key), wanted.key)
        if not found:
            known = KnownCollection(library_key, wanted.title, Standing.INTENDED)
            self._intended.add((library_key, known.key))
        else:
            before = self._store.find(library_key, wanted.key)
            # What an earlier run intended may have come about, if this is not a person's.
            known = self.adopted(before, self.in_full(found)) if before else _foreign(library_key, found[0])
        self._store.put(known)
        return known

    def _link(self, library_key: str, wanted: WantedCollection, known: KnownCollection) -> None:
        link = self._store.link_of(library_key, wanted.origin)
        if link is None or link.key != known.key or link.changed_at < wanted.changed_at:
            self._store.link(library_key, wanted, known.key)

    @contextlib.contextmanager
    def noting(self, item: Item, edit: Edit) -> Iterator[None]:
        """Hold the block, which notes an edit, together with what is noted of the collections that it is about.

        Raises AttemptCut if a collection that the item is to be in was renamed, or deleted as it was empty, a moment
        ago: a film that is put into one of the old name makes it anew.
        """
        added = _added(edit)
        if not added and not _removed(edit):
            yield
            return
        with self.lock:
            if self.renames.as_called_now(edit) is not edit:
                raise AttemptCut("A collection was renamed a moment ago; the scene is looked at again.")
            for name in added:
                self._enter(item, name)
            yield
            self.note_left(edit)

    def note_left(self, edit: Edit) -> None:
        """Note of SceneSync's collections that an edit takes an item out of: nothing may be in them any more."""
        for name in _removed(edit):
            with self.lock:
                known = self._store.find(edit.library_key, title_key(name))
                if known is not None and known.is_ours and not known.may_be_empty:
                    self._store.put(replace(known, may_be_empty=True))

    def _enter(self, item: Item, name: str) -> None:
        key = (item.library_key, title_key(name))
        if self._store.find(*key) is None:
            raise AttemptCut(f"The collection {name!r} was deleted a moment ago; the scene is looked at again.")
        self._entering.setdefault(key, {})[item.rating_key] = time.monotonic()

    def entered(self, task: CollectionTask, known: KnownCollection) -> None:
        """Note that an item was seen in its collection."""
        with self.lock:
            self._entering.get((task.library_key, known.key), {}).pop(task.rating_key, None)

    def is_being_entered(self, known: KnownCollection) -> bool:
        """Say whether an edit is under way that puts an item into the collection, however empty it looks."""
        since = time.monotonic() - UNDER_WAY_S
        return any(at > since for at in self._entering.get((known.library_key, known.key), {}).values())

    # -- what Plex has -------------------------------------------------------------------------------------------------

    def listed(self, library_key: str, *, max_age_s: float = FRESH_S) -> Sequence[Collection]:
        """Return the collections that a library has, as they were listed at most ``max_age_s`` ago."""
        with self.lock:
            at, found = self._listed.get(library_key, (0.0, ()))
            if not at or time.monotonic() - at > max_age_s:
                at = time.monotonic()
                found = self._server.of_library(library_key)
                self._listed[library_key] = (at, found)
            return found

    def in_full(self, found: Sequence[Collection]) -> Sequence[Collection]:
        """Return listed collections as read in full; one that vanished meanwhile as it was listed."""
        full = self._server.read([each.item.rating_key for each in found])
        return [full.get(each.item.rating_key, each) for each in found]

    def adopted(
        self, known: KnownCollection, found: Sequence[Collection], seen_in_it: frozenset[str] = frozenset()
    ) -> KnownCollection:
        """Return whose a collection turned out to be that was not there before SceneSync was about to make it.

        ``found`` has the collections of its title, as read in full; ``seen_in_it`` items that are in it for sure, put
        there by SceneSync.
        """
        collection = found[0]
        members: Iterable[str] = seen_in_it
        if not seen_in_it or collection.member_count != len(seen_in_it):
            members = self._server.members(collection.item.rating_key)
        members = frozenset(members)
        ours = {key for key in members if self._put_there(key, known.key)}
        if len(found) > 1 or not belongs_to_us(collection, members, ours):
            log.info("collection is a person's library=%s title=%r", known.library_key, known.title)
            return _foreign(known.library_key, collection)
        self._intended.discard((known.library_key, known.key))
        self._texts.take_for_ours(collection)
        return replace(
            known, title=collection.title, standing=Standing.OURS, rating_key=collection.item.rating_key, described=""
        )

    def _put_there(self, rating_key: str, key: str) -> bool:
        entry = self._baselines.read(rating_key).get(Field.COLLECTIONS)
        return entry is not None and key in map(title_key, entry.written)

    def _look_for(self, known: KnownCollection, still_ours: Callable[[], bool]) -> bool:
        """Find out why an item is not in a collection of SceneSync's any more; say whether to look at the item again.

        If the collection is gone it is forgotten; if a person renamed it, the policy says whose name it has. Else the
        item may have been read before SceneSync itself renamed it.
        """
        listed = next((each for each in self.listed(known.library_key) if _is(each, known)), None)
        if listed is None:
            self._store.forget(known)
            return False
        self.follow_person(known, listed, still_ours)
        return True

    def follow_person(self, known: KnownCollection, listed: Collection, still_ours: Callable[[], bool]) -> bool:
        """Deal with another name that a person gave to a collection of SceneSync's; say whether there is one."""
        if title_key(listed.title) == known.key:
            return False
        return self._retitle(known, known.title, still_ours)

    # -- renaming ------------------------------------------------------------------------------------------------------

    def _follow_rename(self, library_key: str, wanted: WantedCollection, still_ours: Callable[[], bool]) -> bool:
        """Rename a collection in place if its studio, group or tag was renamed: whoever is in it stays in it."""
        known = self.renamed_from(library_key, wanted)
        if known is None:
            return False
        taken = [each for each in titled(self.listed(library_key), wanted.key) if not _is(each, known)]
        if taken or self._store.find(library_key, wanted.key) is not None:
            return False  # the members move there one by one
        done = self._retitle(known, wanted.title, still_ours)
        if done:
            self._store.link(library_key, wanted, wanted.key)
        return done

    def renamed_from(self, library_key: str, wanted: WantedCollection) -> KnownCollection | None:
        """Return SceneSync's collection that a studio, group or tag alone has under a name which it had before."""
        link = self._store.link_of(library_key, wanted.origin)
        if link is None or link.key == wanted.key or link.changed_at > wanted.changed_at:
            return None
        known = self._store.find(library_key, link.key)
        if known is None or not known.is_ours or known.keeps_title or len(self._store.links(library_key, link.key)) > 1:
            return None
        return known

    def _retitle(self, known: KnownCollection, title: str, still_ours: Callable[[], bool]) -> bool:
        """Give a collection of SceneSync's this title; if the policy says so, know it by the one that a person gave it.

        Says whether it is known by another title, or shown under one, than before.
        """
        collection = self._server.read([known.rating_key]).get(known.rating_key)
        if collection is None:
            self._store.forget(known)
            return False
        if (otherwise := self._as_it_is_called(known, collection, title)) is not None:
            if otherwise.keeps_title:
                self._texts.take_for_ours(collection)
            self._renamed(known, otherwise)
            return True
        edit = self._texts.plan(collection, {Field.TITLE: title, Field.SORT_TITLE: title})
        if not edit.changes:
            return False  # a person's title or lock that the policy protects
        try:
            self._texts.write(edit, still_ours)
        except PlexPermanentError as error:
            # 409: somebody was faster with that title.
            log.warning("collection not renamed library=%s title=%r: %s", known.library_key, title, error)
            return False
        self._listed.pop(known.library_key, None)
        now = self._server.read([known.rating_key]).get(known.rating_key)
        if now is None or self._texts.remember(edit, now.item) or title_key(now.title) != title_key(title):
            return False
        log.info("collection renamed library=%s from=%r to=%r", known.library_key, collection.title, title)
        self._renamed(known, replace(known, title=now.title))
        return True

    def _as_it_is_called(self, known: KnownCollection, found: Collection, title: str) -> KnownCollection | None:
        """Return a collection under the title that it shows if that is to stay, None if it is to get ``title``."""
        if title_key(found.title) == known.key:
            return None
        if title_key(found.title) == title_key(title):
            return replace(known, title=found.title)  # by an attempt that never heard of its success
        if self._texts.policy.of(Field.TITLE) is ConflictPolicy.STASH:
            return None
        return replace(known, title=found.title, keeps_title=True)

    def _renamed(self, old: KnownCollection, new: KnownCollection) -> None:
        """Know a collection that has another title now under that, and its members as members of it."""
        members = self._server.members(new.rating_key)
        with self._baselines.together():
            self._store.rename(old, new)
            self._baselines.rename_in_list(members, Field.COLLECTIONS, old.title, new.title)
            # Undo then knows the item's membership for what SceneSync put there, and takes it out of this collection.
            self._journal.rename_in_list(members, Field.COLLECTIONS, old.title, new.title)
        self.renames.note(old, new)


def description(wanted: WantedCollection, rules: CollectionRules) -> str:
    """Return what stands for all that makes a collection look as wanted; another text when any of it changes."""
    # The address has the time of the last change behind it, and before it where Stash is, which says nothing.
    image = urlsplit(wanted.image_url)._replace(scheme="", netloc="").geturl() if rules.poster else ""
    facts = (wanted.title, wanted.summary if rules.summary else "", image)
    return hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()[:32]


def _is(listed: Collection, known: KnownCollection) -> bool:
    return listed.item.rating_key == known.rating_key


def _foreign(library_key: str, found: Collection) -> KnownCollection:
    return KnownCollection(library_key, found.title, Standing.FOREIGN, found.item.rating_key)


def _added(edit: Edit) -> tuple[str, ...]:
    change = next((each for each in edit.changes if each.field is Field.COLLECTIONS), None)
    if change is None:
        return ()
    before = {name.casefold() for name in change.before}
    return tuple(name for name in change.after if name.casefold() not in before)


def _removed(edit: Edit) -> tuple[str, ...]:
    return tuple(name for each in edit.changes if each.field is Field.COLLECTIONS for name in each.removed)
