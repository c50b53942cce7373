"""Make Plex show one scene: find its items, compare, write the smallest edit, remember what was written."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scenesync.domain.blast_radius import reach_of
from scenesync.domain.departure import without_label
from scenesync.domain.diff import Baseline, Edit, plan_edit
from scenesync.domain.errors import AttemptCut, PermanentError, SceneSkipped
from scenesync.domain.fields import Field
from scenesync.domain.matching import Match
from scenesync.domain.participation import Reason
from scenesync.worker.artwork.images import ImageResult
from scenesync.worker.artwork.side_by_side import beside
from scenesync.worker.noting import Notes, file_of
from scenesync.worker.sync_plan import Decided, PlannedItem, SyncResult, WrittenItem
from scenesync.worker.wanted import Wanted
from scenesync.worker.write_limit import STALE_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from scenesync.domain.desired import Cut, DesiredFields
    from scenesync.domain.fields import FieldValue
    from scenesync.domain.holds import Hold
    from scenesync.domain.item import Item
    from scenesync.domain.matching import MatchResult
    from scenesync.domain.photos import Photo
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.scene import Scene
    from scenesync.worker.artwork.covers import Covers
    from scenesync.worker.artwork.images import ImageSync
    from scenesync.worker.artwork.photos import PhotoSync
    from scenesync.worker.books import Baselines, Holds, Journal
    from scenesync.worker.collections.membership import Collections, CollectionTask
    from scenesync.worker.finding.locator import Locator, Looked
    from scenesync.worker.finding.rivals import Rivals
    from scenesync.worker.sync_options import SyncOptions
    from scenesync.worker.unchanged import Unchanged
    from scenesync.worker.write_limit import WriteLimit


log = logging.getLogger(__name__)

_NOTHING: Final[Mapping[str, Item]] = MappingProxyType({})


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
        unchanged: Unchanged,
        photos: PhotoSync | None = None,
    ) -> None:
        self.unchanged = unchanged
        self._wanted = Wanted(server, collections, options)
        self._server = server
        self._locator = locator
        self._baselines = baselines
        self._notes = Notes(baselines, journal, collections)
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

    def foresee(self, scenes: Sequence[Scene]) -> None:
        """Look up all at once what ``left_alone`` and ``match`` ask of each scene, in a block that shares look-ups."""
        self._locator.foresee(scenes)
        self._holds.foresee([scene.id for scene in scenes])

    def look_at_all(self, scenes: Sequence[Scene]) -> Sequence[Looked]:
        """Ask the path index about each scene, for ``decide_ahead``."""
        self._locator.foresee(scenes)
        return [self._locator.look(scene) for scene in scenes]

    def read_found(self, scenes: Sequence[Scene], looks: Sequence[Looked]) -> Mapping[str, Item]:
        """Read the items that the index knows for many scenes, and then what the store knows of them."""
        items = self._locator.read_found([looked.result for looked in looks])
        self._holds.foresee([scene.id for scene in scenes])
        self._baselines.foresee(items)
        return items

    def looking_up(self) -> AbstractContextManager[object]:
        """Let what is looked up in the store in the block cost less."""
        return self._baselines.looking_up()

    @property
    def shares_edits(self) -> bool:
        """Whether equal edits of several items are to be sent as one."""
        return self._server.edits_many

    def send_together(self, decided: Sequence[Decided], still_ours: Callable[[Scene], bool]) -> Sequence[Decided]:
        """Send the equal edits of several scenes in one request; return those that were sent, with that noted.

        Those whose job was taken over are left out, and nothing is sent that rests on an old read: each of these has
        to be carried out by itself. Raises what sending raises.
        """
        with self._writing.slot(lambda: True, learns=False):
            if time.monotonic() - min(each.read_at for each in decided) > STALE_AFTER_S:
                return ()
            ours = [each for each in decided if still_ours(each.scene)]
            edits = [edit for each in ours if (edit := each.shared_edit) is not None]
            if edits:
                self._server.apply_to_all(edits)
        return [replace(each, is_sent=True) for each in ours]

    def note_together(self, decided: Sequence[Decided]) -> Sequence[Decided]:
        """Note in one step what is about to be written for simple scenes; return them with that noted."""
        self._notes.note_together(decided)
        return [replace(each, is_noted=True, ready=self._made_ready(each)) for each in decided]

    def _made_ready(self, decided: Decided) -> Mapping[str, Callable[[], None]]:
        """Make the requests that are to be sent, so that no writing thread has to while others compute beside it."""
        try:
            return {step.item.rating_key: self._server.ready(step.edit) for step in decided.planned if step.edit}
        except PermanentError:  # whoever writes meets it again, and knows whose it is
            return {}

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
        desired = self.desired(scene)
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
        covers = self._images.covers()
        with nullcontext() if items else self._fetching_ahead(scene, covers):
            decided = self.decide(scene, items)
        return self.carry_out(decided, still_ours, covers)

    def _fetching_ahead(self, scene: Scene, covers: Covers) -> AbstractContextManager[object]:
        """Ask Stash for the scene's pictures while the block asks Plex for its items."""
        images, match = self.desired(scene).images, self._locator.match(scene)
        if not images or not isinstance(match, Match) or self.left_alone(scene):
            return nullcontext()
        return beside(partial(self._images.fetch_ahead, covers, match.rating_keys, images))

    def decide(
        self,
        scene: Scene,
        items: Mapping[str, Item] = _NOTHING,
        looked: Looked | None = None,
        *,
        unrivalled: Match | None = None,
    ) -> Decided:
        """Return what is to be done, changing nothing; ``items`` were read after the index was ``looked`` into.

        ``unrivalled`` is a match of which it is known that no other scene has to do with its items.

        Raises what ``sync`` raises before its first write.
        """
        at = time.monotonic() if looked is None else looked.at
        held = self._require_not_held(scene)
        desired = self.desired(scene)
        match, planned = self._plan(scene, desired, items, looked, unrivalled)
        return Decided(scene, desired, match, planned, at, held)

    def decide_ahead(self, scene: Scene, items: Mapping[str, Item], looked: Looked) -> Decided | None:
        """Do what ``decide`` does, or return None if that would ask Stash for other scenes, one by one."""
        match = looked.result
        if not isinstance(match, Match):
            return self.decide(scene, items, looked)
        if not all(self._rivals.are_unlikely(scene, match, items[key]) for key in match.rating_keys):
            return None
        return self.decide(scene, items, looked, unrivalled=match)

    def carry_out(self, decided: Decided, still_ours: Callable[[], bool], covers: Covers | None = None) -> SyncResult:
        """Do what was decided a moment ago; as ``sync``. ``covers`` may have its pictures already."""
        scene, desired, match, planned = decided.scene, decided.desired, decided.match, decided.planned
        read_at = decided.read_at
        if decided.held is not None:
            log.info("metadata changed in Stash, no longer held scene=%d", scene.id)
            self._holds.release([scene.id])
        if self._prepare_collections(planned, desired, still_ours):
            read_at = time.monotonic()
            match, planned = self._plan(scene, desired, _NOTHING)
            decided = replace(decided, match=match, planned=planned)
            self._prepare_collections(planned, desired, still_ours)
        written: list[WrittenItem] = []
        tasks: list[CollectionTask] = []
        image_error: Exception | None = None
        for step in planned:
            write = partial(self._write_decided, decided, step, still_ours, read_at)
            edit, pictures = self._write_with_pictures(scene, match, step, desired, still_ours, covers, write)
            image_error = image_error or pictures.error
            photos, photo_error = self._photos_to_look_at(step, desired)
            image_error = image_error or photo_error
            if edit or pictures.changes or photos:
                written.append(WrittenItem(edit, pictures.changes, photos, is_shared=decided.is_sent))
            tasks.extend(self._collections.tasks(step.item, edit, desired.collections))
        if not (written or tasks or image_error):
            self.unchanged.note([decided])
        return SyncResult(match, tuple(written), image_error, tuple(tasks))

    def _write_with_pictures(
        self,
        scene: Scene,
        match: Match,
        step: PlannedItem,
        desired: DesiredFields,
        still_ours: Callable[[], bool],
        covers: Covers | None,
        write: Callable[[Edit], None],
    ) -> tuple[Edit, ImageResult]:
        """Bring the pictures up to date and write the edit; return that and what was done to the pictures.

        Both at the same time, unless the edit has to lock pictures, which has to wait until they are there.
        """
        edit = step.edit
        if not desired.images:
            write(edit)
            return edit, ImageResult()
        goes_first = self._images.has_to_go_first(step.item, desired.images)
        pictures = self._images.bring_up_to_date(
            step.item,
            scene.id,
            desired.images,
            still_ours,
            file=file_of(match, step.item),
            covers=covers,
            meanwhile=None if goes_first else partial(write, edit),
        )
        if goes_first:
            edit = replace(edit, also_lock=pictures.missing_locks)
            write(edit)
        return edit, pictures

    def _write_decided(
        self, decided: Decided, step: PlannedItem, still_ours: Callable[[], bool], read_at: float, edit: Edit
    ) -> None:
        """Note and send the edit of one item, as far as that has not been done, with the locks that it has by now."""
        to_send = replace(edit, changes=(), also_unlock=()) if decided.is_sent else edit
        if edit:
            _say_what_was_cut(decided.scene.id, edit, decided.desired.cuts)
        if to_send:
            if not decided.is_noted:
                self._notes.note(decided.scene.id, decided.match, step.item, edit)
            as_decided = not (decided.is_sent or edit.also_lock)
            send = decided.ready.get(step.item.rating_key) if as_decided else None
            self._send(step.item, to_send, still_ours, read_at, send)

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

    def left_alone(self, scene: Scene) -> str:
        """Return in one word why the scene takes no part or is held (``Reason``), "" if it is to be looked at."""
        left_out = self._options.participation.left_out(scene)
        if left_out is not None:
            return left_out.reason.value
        hold = self._holds.of_scene(scene.id)
        return Reason.HELD.value if hold is not None and hold.still_holds(scene) else ""

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

    def desired(self, scene: Scene) -> DesiredFields:
        """Return what Plex should show for the scene under the settings."""
        return self._wanted.fields(scene)

    def _plan(
        self,
        scene: Scene,
        desired: DesiredFields,
        known: Mapping[str, Item],
        looked: Looked | None = None,
        unrivalled: Match | None = None,
    ) -> tuple[Match, Sequence[PlannedItem]]:
        left_out = self._options.participation.left_out(scene)
        if left_out is not None:
            raise SceneSkipped(left_out.text, reason=left_out.reason)
        match, items = self._locator.locate(scene, known, looked)
        if match is not unrivalled:
            items = self._rivals.settle(scene, match, items)
        return match, [self._plan_item(item, desired) for item in items]

    def wanted(
        self, desired: DesiredFields, library_key: str, baselines: Mapping[Field, Baseline]
    ) -> Mapping[Field, FieldValue]:
        """Return the values that an item of this library is to show, as they can be sent."""
        return without_label(self._wanted.values(library_key, desired), self._options.gone_label, baselines)

    def _plan_item(self, item: Item, desired: DesiredFields) -> PlannedItem:
        baselines = self._baselines.read(item.rating_key)
        edit = plan_edit(
            item,
            self.wanted(desired, item.library_key, baselines),
            baselines,
            policy=self._options.policy,
            policies=self._options.policies,
            lock=self._options.lock,
        )
        return PlannedItem(item, edit, reach=reach_of(edit, baselines), known=baselines)

    def write(self, scene_id: int, match: Match, item: Item, edit: Edit, still_ours: Callable[[], bool]) -> None:
        """Note what is about to be written to an item that was read this moment, then send it."""
        read_at = time.monotonic()
        self._notes.note(scene_id, match, item, edit)
        self._send(item, edit, still_ours, read_at)

    def _send(
        self,
        item: Item,
        edit: Edit,
        still_ours: Callable[[], bool],
        read_at: float,
        ready: Callable[[], None] | None = None,
    ) -> None:
        send = ready or self._server.ready(edit)
        with self._writing.slot(still_ours):
            if time.monotonic() - read_at > STALE_AFTER_S:
                require_as_planned(self._server, item, edit)
            send()


def require_as_planned(server: MediaServer, item: Item, edit: Edit) -> None:
    """Read the item once more; raise AttemptCut if it is not any more what the edit was made for."""
    now = server.read_items([item.rating_key]).get(item.rating_key)
    if now is None or now.parts != item.parts or any(now.value(c.field) != c.before for c in edit.changes):
        raise AttemptCut("The item changed in Plex while its edit waited for others; it is looked at again.")


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
