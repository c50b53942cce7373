"""Make Plex show one scene: find its items, compare, write the smallest edit, remember what was written."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.blast_radius import NOWHERE, Reach, reach_of
from scenesync.domain.departure import without_label
from scenesync.domain.desired import DEFAULT_FIELDS, DEFAULT_RULES, DesiredFields, desired_fields
from scenesync.domain.diff import Baseline, ConflictPolicy, Edit, plan_edit
from scenesync.domain.errors import AttemptCut, SceneSkipped
from scenesync.domain.fields import SHARED_LISTS, Field
from scenesync.domain.journal import SYNC, JournalEntry, Lock, lock_of
from scenesync.domain.participation import EVERYBODY, Participation, Reason
from scenesync.worker.write_limit import STALE_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from scenesync.domain.desired import Cut
    from scenesync.domain.field_rules import FieldRules
    from scenesync.domain.fields import FieldValue
    from scenesync.domain.holds import Hold
    from scenesync.domain.item import Item
    from scenesync.domain.matching import Match, MatchResult
    from scenesync.domain.photos import Photo
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.scene import Scene
    from scenesync.worker.collections import Collections, CollectionTask
    from scenesync.worker.images import ImageChange, ImageSync
    from scenesync.worker.locator import Locator
    from scenesync.worker.photos import PhotoSync
    from scenesync.worker.rivals import Rivals
    from scenesync.worker.write_limit import WriteLimit


log = logging.getLogger(__name__)

_NOTHING: Final[Mapping[str, Item]] = MappingProxyType({})


class Baselines(Protocol):
    """Where it is kept what SceneSync last wrote."""

    def read(self, rating_key: str) -> Mapping[Field, Baseline]:
        """Return what was written to the item, field by field."""
        ...

    def write(self, rating_key: str, scene_id: int, entries: Mapping[Field, Baseline]) -> None:
        """Remember what was written."""
        ...

    def together(self) -> AbstractContextManager[object]:
        """Make all that is written in the block one step: baselines and journal wait for the disk once."""
        ...


class Journal(Protocol):
    """The history of edits."""

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Keep the entries."""
        ...

    def note_shown(self, rating_key: str, shown: Mapping[Field, FieldValue]) -> None:
        """Note how the server shows what was last written to these fields of an item."""
        ...


class Holds(Protocol):
    """Which scenes are left alone since they were undone."""

    def of_scene(self, scene_id: int) -> Hold | None:
        """Return the scene's hold, None if it is not held."""
        ...

    def release(self, scene_ids: Iterable[int]) -> None:
        """Let scenes be synced again."""
        ...


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """The settings that decide what is written; ``policies`` has the fields with a policy of their own."""

    enabled: frozenset[Field] = DEFAULT_FIELDS
    policy: ConflictPolicy = ConflictPolicy.STASH
    policies: Mapping[Field, ConflictPolicy] = dataclass_field(default_factory=dict)
    lock: bool = True
    rules: FieldRules = DEFAULT_RULES
    participation: Participation = EVERYBODY
    gone_label: str = ""
    """The label of items whose scene was deleted ("": they get none); it goes when an item has a scene again."""


@dataclass(frozen=True, slots=True)
class WrittenItem:
    """What was sent to one item, so that reading back can prove it."""

    edit: Edit
    images: tuple[ImageChange, ...] = ()
    photos: tuple[Photo, ...] = ()
    """Those to look at once the item shows its actors."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What was done for a scene: the match, and what was written; nothing was written where it was right.

    ``picture_error`` is what kept a picture from being brought up to date: all else was written nevertheless.
    ``collections`` are to be seen to when that is proven.
    """

    match: Match
    written: tuple[WrittenItem, ...] = ()
    picture_error: Exception | None = None
    collections: tuple[CollectionTask, ...] = ()

    @property
    def is_done(self) -> bool:
        """Say whether nothing is left to look at in Plex."""
        return not self.written and not self.collections

    @property
    def changed_fields(self) -> tuple[str, ...]:
        """The names of all fields that were written, each once."""
        texts = (change.field.value for item in self.written for change in item.edit.changes)
        images = (change.field.value for item in self.written for change in item.images)
        photos = ["photo"] if any(item.photos for item in self.written) else []
        return tuple(dict.fromkeys((*texts, *images, *photos)))


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One item as it is, the edit that would make it right, and the pictures that would be put there.

    ``reach`` is what the edit counts for in a run that nobody asked for.
    """

    item: Item
    edit: Edit
    pictures: tuple[Field, ...] = ()
    photos: tuple[str, ...] = ()
    reach: Reach = NOWHERE


class SceneSync:
    """Carries a scene's metadata to its items, whatever state they are in."""

    def __init__(
        self,
        server: MediaServer,
        locator: Locator,
        baselines: Baselines,
        journal: Journal,
        images: ImageSync,
        options: SyncOptions,
        writing: WriteLimit,
        rivals: Rivals,
        holds: Holds,
        collections: Collections,
        photos: PhotoSync | None = None,
    ) -> None:
        self._server = server
        self._locator = locator
        self._baselines = baselines
        self._journal = journal
        self._images = images
        self._options = options
        self._writing = writing
        self._rivals = rivals
        self._holds = holds
        self._photos = photos
        self._collections = collections

    def match(self, scene: Scene) -> MatchResult:
        """Ask the path index alone; no request is made."""
        return self._locator.match(scene)

    def read_ahead(self, scenes: Sequence[Scene]) -> Mapping[str, Item]:
        """Read the items of many scenes together, for ``plan`` and ``sync``."""
        return self._locator.read_ahead(scenes)

    def plan(
        self,
        scene: Scene,
        items: Mapping[str, Item] = _NOTHING,
        *,
        with_pictures: bool = True,
        include_held: bool = False,
    ) -> tuple[Match, Sequence[PlannedItem]]:
        """Return what would be written, writing nothing; ``items`` may hold what ``read_ahead`` read.

        Without pictures Stash is not asked for them, one by one. ``include_held``: as if a person had asked for the
        scene by its id, which ends a hold. Raises what ``sync`` raises before its first write.
        """
        if not include_held:
            self._require_not_held(scene)
        desired = self._desired(scene)
        match, planned = self._plan(scene, desired, items)
        if not with_pictures:
            return match, planned
        return match, [
            replace(
                step,
                pictures=self._images.plan(step.item, scene.id, desired.images),
                photos=self._photos_due(step, desired),
            )
            for step in planned
        ]

    def sync(self, scene: Scene, still_ours: Callable[[], bool], items: Mapping[str, Item] = _NOTHING) -> SyncResult:
        """Write what differs and return what was written; ``items`` may hold what ``read_ahead`` read a moment ago.

        ``still_ours`` is asked before each write; a job that was taken over writes nothing more (LeaseLost).
        A failing image does not keep the text from being written and proven: its error is in the result.
        """
        held = self._require_not_held(scene)
        desired = self._desired(scene)
        match, planned = self._plan(scene, desired, items)
        planned_at = time.monotonic()
        if held is not None:
            log.info("metadata changed in Stash, no longer held scene=%d", scene.id)
            self._holds.release([scene.id])
        if self._prepare_collections(planned, desired, still_ours):
            match, planned = self._plan(scene, desired, _NOTHING)
            self._prepare_collections(planned, desired, still_ours)
        written: list[WrittenItem] = []
        tasks: list[CollectionTask] = []
        image_error: Exception | None = None
        for step in planned:
            # Pictures go before the text: an upload onto a locked poster may be ignored (facts/plex.md 4).
            file = file_of(match, step.item)
            pictures = self._images.bring_up_to_date(step.item, scene.id, desired.images, still_ours, file=file)
            image_error = image_error or pictures.error
            edit = replace(step.edit, also_lock=pictures.missing_locks)
            if edit:
                _say_what_was_cut(scene.id, edit, desired.cuts)
                self.write(scene.id, match, step.item, edit, still_ours, planned_at=planned_at)
            photos, photo_error = self._photos_to_look_at(step, desired)
            image_error = image_error or photo_error
            if edit or pictures.changes or photos:
                written.append(WrittenItem(edit, pictures.changes, photos))
            tasks.extend(self._collections.tasks(step.item, edit, desired.collections))
        return SyncResult(match, tuple(written), image_error, tuple(tasks))

    def _prepare_collections(
        self, planned: Sequence[PlannedItem], desired: DesiredFields, still_ours: Callable[[], bool]
    ) -> bool:
        """Make sure of the collections that items will enter; say whether that changed what is to be written."""
        moved = [
            self._collections.prepare(step.item, step.edit, desired.collections, still_ours)
            for step in planned
            if desired.collections
        ]
        return any(moved)

    def _photos_to_look_at(
        self, step: PlannedItem, desired: DesiredFields
    ) -> tuple[tuple[Photo, ...], Exception | None]:
        if self._photos is None or not desired.photos:
            return (), None
        return self._photos.to_look_at(step.item, desired.photos, _actors_after(step.edit))

    def _photos_due(self, step: PlannedItem, desired: DesiredFields) -> tuple[str, ...]:
        if self._photos is None or not desired.photos:
            return ()
        return self._photos.plan(step.item, desired.photos, _actors_after(step.edit))

    def _require_not_held(self, scene: Scene) -> Hold | None:
        """Return a hold that has run out, since the scene's metadata changed; raises SceneSkipped for one that lasts.

        A scene that a filter leaves out anyway is not looked at: that reason goes first.
        """
        hold = self._holds.of_scene(scene.id)
        if hold is not None and self._options.participation.left_out(scene) is None and hold.still_holds(scene):
            raise SceneSkipped(
                f"Scene {scene.id} was undone and is held until its metadata changes in Stash. "
                f"`scenesync sync {scene.id}` syncs it all the same.",
                reason=Reason.HELD,
            )
        return hold

    def _desired(self, scene: Scene) -> DesiredFields:
        return desired_fields(scene, self._options.enabled, self._options.rules)

    def _plan(
        self, scene: Scene, desired: DesiredFields, known: Mapping[str, Item]
    ) -> tuple[Match, Sequence[PlannedItem]]:
        left_out = self._options.participation.left_out(scene)
        if left_out is not None:
            raise SceneSkipped(left_out.text, reason=left_out.reason)
        match, items = self._locator.locate(scene, known)
        items = self._rivals.settle(scene, match, items)
        return match, [self._plan_item(item, desired) for item in items]

    def _plan_item(self, item: Item, desired: DesiredFields) -> PlannedItem:
        values = dict(desired.values)
        if desired.collections:
            values[Field.COLLECTIONS] = self._collections.names(item.library_key, desired.collections)
        baselines = self._baselines.read(item.rating_key)
        wanted = without_label(values, self._options.gone_label, baselines)
        edit = plan_edit(
            item,
            {field: self._server.fit(field, value) for field, value in wanted.items()},
            baselines,
            policy=self._options.policy,
            policies=self._options.policies,
            lock=self._options.lock,
        )
        return PlannedItem(item, edit, reach=reach_of(edit, baselines))

    def write(
        self,
        scene_id: int,
        match: Match,
        item: Item,
        edit: Edit,
        still_ours: Callable[[], bool],
        *,
        planned_at: float | None = None,
    ) -> None:
        """Note what is about to be written, then send it.

        ``planned_at`` is when the edit was made (monotonic), of an item that was read a moment before.

        Noted first: after a crash, or a write that was carried out without an answer, our own text would pass for a
        person's and stay there for ever.
        """
        if edit.changes:
            known = self._baselines.read(edit.rating_key)
            with self._collections.noting(item, edit), self._baselines.together():
                self._journal.append(_entries(scene_id, item, edit, known, at=time.time(), file=file_of(match, item)))
                self._baselines.write(edit.rating_key, scene_id, _unproven_baselines(edit, known))
        with self._writing.slot(still_ours) as waited_s:
            age_s = waited_s if planned_at is None else time.monotonic() - planned_at
            if age_s > STALE_AFTER_S:
                require_as_planned(self._server, item, edit)
            self._server.apply_edit(edit)


def require_as_planned(server: MediaServer, item: Item, edit: Edit) -> None:
    """Read the item once more; raise AttemptCut if it is not any more what the edit was made for."""
    now = server.read_items([item.rating_key]).get(item.rating_key)
    if now is None or now.parts != item.parts or any(now.value(c.field) != c.before for c in edit.changes):
        raise AttemptCut("The item changed in Plex while its edit waited for others; it is looked at again.")


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


def _actors_after(edit: Edit) -> FieldValue:
    return next((change.after for change in edit.changes if change.field is Field.ACTORS), ())


def _say_what_was_cut(scene_id: int, edit: Edit, cuts: Sequence[Cut]) -> None:
    written = {change.field for change in edit.changes}
    for cut in cuts:
        if cut.field in written:
            log.info(
                "cut to what fits scene=%d item=%s field=%s kept=%d of=%d",
                *(scene_id, edit.rating_key, cut.field.value, cut.kept, cut.of),
            )
