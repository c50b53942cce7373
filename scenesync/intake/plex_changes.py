"""Heed what Plex announces: the index stays fresh, waiting jobs wake, and a person's edit in Plex is noticed.

Everything here would be found without it too, later: by the next refresh of the index, and by the reconciliation.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.brake import Brake
from scenesync.domain.errors import PermanentError, TransientError
from scenesync.domain.fields import Field
from scenesync.domain.foreign_edit import foreign_fields
from scenesync.domain.job import PRIORITY_BULK, PRIORITY_PERSON, scene_job
from scenesync.domain.paths import name_key
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from scenesync.domain.diff import Baseline, ImageBaseline
    from scenesync.domain.item import Item
    from scenesync.domain.matching import IndexedFile
    from scenesync.intake.announced import Announced
    from scenesync.intake.selection import BulkQueue

log = logging.getLogger(__name__)

ITEMS_PER_READ: Final = 50
READS_PER_LOOK: Final = 2
"""When Plex scans ten thousand files, they are read fifty at a time, a few requests a second at most."""
URGENT_AT_MOST: Final = 20
"""So many items at a time are what a person edits; more are the work of a task, which must not overtake anybody."""
PUT_BACK_TIMES, PUT_BACK_WITHIN_S = 3, 3600.0
GONE_REMEMBERED: Final = 10_000
_PICTURES: Final = (Field.POSTER, Field.BACKGROUND)


class ItemReader(Protocol):
    """Plex, as far as items are read from it."""

    def read_items(self, rating_keys: Sequence[str]) -> Mapping[str, Item]:
        """Read items in full, in one request; those that no longer exist are not in the answer."""
        ...


class Index(Protocol):
    """The path index of the libraries in use."""

    @property
    def library_keys(self) -> frozenset[str]:
        """The libraries in use."""
        ...

    def take_over(self, items: Iterable[Item]) -> frozenset[str]:
        """Hold some items as they were just read; return the name keys of their new and moved files."""
        ...

    def refresh_after_miss(self, looked_at: float) -> bool:
        """Bring the whole index up to date unless that was done a moment ago; say whether it is newer than that."""
        ...

    def files_of(self, rating_key: str) -> Sequence[IndexedFile]:
        """Return the files of an item."""
        ...

    def files_named(self, key: str) -> Sequence[IndexedFile]:
        """Return the files with this name key."""
        ...

    def forget_item(self, rating_key: str, paths: Iterable[str]) -> None:
        """Drop an item that Plex no longer has."""
        ...


class WhatWasWritten(Protocol):
    """What SceneSync left in each item, and for which scenes."""

    def read(self, rating_key: str) -> Mapping[Field, Baseline]:
        """Return what was written to the item."""
        ...

    def read_image(self, rating_key: str, field: Field) -> ImageBaseline | None:
        """Return the picture that was last put there."""
        ...

    def scenes_of(self, rating_key: str) -> frozenset[int]:
        """Return the scenes for which something was written to it."""
        ...


class PlexChanges:
    """Looks at what was announced. For one thread; what raises leaves the rest for the next look.

    A scene whose item somebody changed is enqueued, and the conflict policy decides; but the same item only
    PUT_BACK_TIMES within an hour, so that another tool that wants something else there is not fought for ever.
    """

    def __init__(
        self, announced: Announced, reader: ItemReader, index: Index, written: WhatWasWritten, queue: BulkQueue
    ) -> None:
        self._announced = announced
        self._reader = reader
        self._index = index
        self._written = written
        self._queue = queue
        self._brake = Brake(PUT_BACK_TIMES, PUT_BACK_WITHIN_S)
        self._due: set[int] = set()
        """Scenes that the queue has yet to take: the brake has counted them and may not let them through again."""
        self._homeless: OrderedDict[str, frozenset[int]] = OrderedDict()
        """The scenes whose items vanished, by the names of their files: a rescan may give these files new items."""

    def look(self) -> None:
        """Look at what is ripe. Raises what Plex, the store and the queue raise."""
        self.look_at_answered()
        for _ in range(READS_PER_LOOK):
            keys = self._announced.take_unanswered(ITEMS_PER_READ)
            if not keys:
                return
            log.debug("reading announced items=%d", len(keys))
            with self._announced_again_if_it_fails(keys):
                items = self._reader.read_items(keys)
                self._heed({key: items.get(key) for key in keys})

    def look_at_answered(self) -> None:
        """Look at what was read for other reasons, without any request. Raises what the store and the queue raise."""
        answered = self._announced.take_answered()
        if answered:
            log.debug("announced items were read meanwhile items=%d", len(answered))
        with self._announced_again_if_it_fails(answered):
            self._heed(answered)

    @contextmanager
    def _announced_again_if_it_fails(self, keys: Collection[str]) -> Iterator[None]:
        try:
            yield
        except (TransientError, PermanentError, QueueError, StoreError):
            self._announced.add(keys)
            raise

    def refresh(self, since: float) -> bool:
        """Make sure that the index is newer than ``since`` (monotonic); False if it is too soon to ask Plex again."""
        return self._index.refresh_after_miss(since)

    def _heed(self, found: Mapping[str, Item | None]) -> None:
        if not found:
            return
        gone = [key for key, item in found.items() if item is None]
        there = [item for item in found.values() if item is not None and item.library_key in self._index.library_keys]
        scenes = {scene_id for key in gone for scene_id in self._forget(key)}
        new_names = self._index.take_over(there)
        scenes |= {scene_id for name in new_names for scene_id in self._homeless.pop(name, frozenset())}
        scenes |= {scene_id for item in there for scene_id in self._scenes_to_look_at(item)}
        if gone or new_names or scenes:
            log.info(
                "heard from plex items=%d gone=%d new_files=%d scenes_to_look_at=%d",
                *(len(found), len(gone), len(new_names), len(scenes)),
            )
        self._due |= scenes
        if self._due:
            priority = PRIORITY_PERSON if len(self._due) <= URGENT_AT_MOST else PRIORITY_BULK
            jobs = [scene_job(each, time.time(), look=True) for each in sorted(self._due)]
            self._queue.put_many(jobs, priority=priority)
            self._due.clear()

    def _forget(self, rating_key: str) -> frozenset[int]:
        """Drop an item; return its scenes if another item has its files by now, else remember them."""
        files = self._index.files_of(rating_key)
        self._index.forget_item(rating_key, [file.path for file in files])
        scenes = self._written.scenes_of(rating_key)
        names = {name_key(file.path) for file in files} if scenes else frozenset()
        if any(self._index.files_named(name) for name in names):
            return scenes
        for name in names:
            self._homeless[name] = self._homeless.pop(name, frozenset()) | scenes
            while len(self._homeless) > GONE_REMEMBERED:
                self._homeless.popitem(last=False)
        return frozenset()

    def _scenes_to_look_at(self, item: Item) -> frozenset[int]:
        """Return the scenes of an item that no longer shows what SceneSync left there, as far as the brake allows."""
        images = {field: image for field in _PICTURES if (image := self._written.read_image(item.rating_key, field))}
        fields = foreign_fields(item, self._written.read(item.rating_key), images)
        if not fields:
            return frozenset()
        names = ",".join(field.value for field in fields)
        if self._brake.lets_through(item.rating_key, time.monotonic()):
            log.info("changed in plex item=%s fields=%s", item.rating_key, names)
            return self._written.scenes_of(item.rating_key)
        if self._brake.refused_anew(item.rating_key):
            log.warning(
                "changed in plex again and again, left alone for now; another tool at work? item=%s fields=%s",
                *(item.rating_key, names),
            )
        return frozenset()
