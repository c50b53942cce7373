"""What is done about scenes that Stash no longer has: deleted, or merged into another one without a word.

An item is changed only if SceneSync wrote to it for this very scene, it still plays the scene's file, and no living
scene claims it. Who has the files of a scene that vanished is looked at instead.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.departure import OnDestroy, label_edit, unlock_edit, unlocked
from scenesync.domain.errors import AmbiguousMatch, TransientError
from scenesync.domain.fields import IMAGE_FIELDS
from scenesync.domain.job import DECIDED, DESTROY
from scenesync.domain.matching import Rule
from scenesync.domain.paths import file_name, path_key
from scenesync.domain.scene import Scene, SceneFile
from scenesync.plex.exceptions import PlexNotFound
from scenesync.worker.sync_plan import SyncResult, WrittenItem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from scenesync.domain.diff import Baseline, Edit, ImageBaseline
    from scenesync.domain.fields import Field
    from scenesync.domain.item import Item
    from scenesync.domain.job import Job
    from scenesync.domain.showing import SceneTrace
    from scenesync.worker.books import Holds
    from scenesync.worker.finding.locator import Locator
    from scenesync.worker.finding.rivals import Rivals, SceneFinder
    from scenesync.worker.scene_sync import SceneSync
    from scenesync.worker.undo.work import UndoneScene

log = logging.getLogger(__name__)

EXACT: Final = frozenset({Rule.PIN, Rule.PATH})


class Traces(Protocol):
    """What is remembered of scenes."""

    def read(self, scene_id: int) -> SceneTrace | None:
        """Return what is remembered of a scene."""
        ...

    def forget(self, scene_id: int) -> None:
        """Drop what is remembered of a scene."""
        ...


class Baselines(Protocol):
    """What SceneSync last wrote, and for whom."""

    def items_of(self, scene_id: int) -> Collection[str]:
        """Return the items to which something was last written for the scene."""
        ...

    def read(self, rating_key: str) -> Mapping[Field, Baseline]:
        """Return what was written to the item, field by field."""
        ...

    def read_image(self, rating_key: str, field: Field) -> ImageBaseline | None:
        """Return the picture that was last put there."""
        ...

    def write(self, rating_key: str, scene_id: int, entries: Mapping[Field, Baseline]) -> None:
        """Remember what was written."""
        ...

    def together(self) -> AbstractContextManager[object]:
        """Make all that is written in the block one step."""
        ...


class Restorer(Protocol):
    """What takes edits back (``worker.undoing``)."""

    def undo_scene(self, scene_id: int, scene: None = None, *, still_ours: Callable[[], bool] = ...) -> UndoneScene:
        """Undo all edits for a scene that Stash no longer has, prove it, and tell of each item what became of it."""
        ...


class MassDeletions(Protocol):
    """Knows whether a scene is gone together with so many others that a person has to decide."""

    def is_stopped(self, scene_id: int) -> bool:
        """Say whether the scene waits for a person already."""
        ...

    def stops(self, scene_id: int) -> bool:
        """Say whether it is one of too many, which then wait for a person."""
        ...

    def parted_with(self, scene_id: int) -> None:
        """Take note that its item was changed without a question."""
        ...


class Departures:
    """Parts with scenes as ``policy`` says; ``pick_up`` enqueues living scenes that are to be looked at."""

    def __init__(
        self,
        policy: OnDestroy,
        label: str,
        *,
        traces: Traces,
        holds: Holds,
        baselines: Baselines,
        locator: Locator,
        rivals: Rivals,
        finder: SceneFinder,
        scene_sync: SceneSync,
        restorer: Restorer,
        pick_up: Callable[[Sequence[int]], object],
        mass_deletions: MassDeletions,
    ) -> None:
        self._policy = policy
        self._label = label
        self._traces = traces
        self._holds = holds
        self._baselines = baselines
        self._locator = locator
        self._rivals = rivals
        self._finder = finder
        self._scene_sync = scene_sync
        self._restorer = restorer
        self._pick_up = pick_up
        self._mass_deletions = mass_deletions

    def part_with(self, scene_id: int, job: Job, still_ours: Callable[[], bool]) -> SyncResult | None:
        """Do what is to be done in Plex; return what was written, to be proven and concluded, None if nothing was.

        Baselines stay: what Plex shows is still our text, and no person's edit to whoever gets the file next. Pins
        stay: they belong to files. Raises what the requests and the store raise.
        """
        files = self._files_of(scene_id, job)
        may_change = self._policy is not OnDestroy.KEEP and bool(files and self._baselines.items_of(scene_id))
        if self._waits_for_a_person(scene_id, job, may_change=may_change):
            log.info("scene is gone with many others, which waits for a decision scene=%d", scene_id)
            return None  # and nothing is forgotten: they may come back
        successors: set[int] = set()
        if job.get("update_type") != DESTROY:  # it vanished without a word, so it may have been merged
            successors.update(self._heirs(scene_id, files))
        result = None
        if may_change:
            result = self._change_items(Scene(scene_id, files=files), successors, still_ours)
        if successors:
            log.info("scene is gone, looking at who has its files scene=%d successors=%s", scene_id, successors)
            self._pick_up(sorted(successors))
        elif may_change and not job.get(DECIDED):
            self._mass_deletions.parted_with(scene_id)
        if result is None:
            self._forget(scene_id)
        return result

    def _waits_for_a_person(self, scene_id: int, job: Job, *, may_change: bool) -> bool:
        if job.get(DECIDED) or (job.get("update_type") == DESTROY and not may_change):
            return False
        return self._mass_deletions.is_stopped(scene_id) or (may_change and self._mass_deletions.stops(scene_id))

    def conclude(self, scene_id: int, result: SyncResult) -> None:
        """Remember what is proven: locks that are off are no longer ours. Raises StoreError."""
        with self._baselines.together():
            for written in result.written:
                key = written.edit.rating_key
                self._baselines.write(key, scene_id, unlocked(written.edit, self._baselines.read(key)))
        self._forget(scene_id)

    def _forget(self, scene_id: int) -> None:
        """Drop what says something of the scene alone: what it showed, and that it is left alone."""
        with self._baselines.together():
            self._traces.forget(scene_id)
            self._holds.release([scene_id])

    def _files_of(self, scene_id: int, job: Job) -> tuple[SceneFile, ...]:
        """Return the files that the scene had: those that were remembered, and the one that its deletion named."""
        trace = self._traces.read(scene_id)
        files = trace.files if trace is not None else ()
        data = job.get("data")
        path = data.get("path") if isinstance(data, dict) else None
        if not isinstance(path, str) or not path or path_key(path) in {path_key(file.path) for file in files}:
            return files
        return (*files, SceneFile(path))

    def _heirs(self, scene_id: int, files: Sequence[SceneFile]) -> Iterator[int]:
        """Yield the scenes that have this scene's files now."""
        if not files:
            return
        paths = {path_key(file.path) for file in files}
        for scene in self._finder.scenes_with_files_named([file_name(file.path) for file in files]):
            if scene.id != scene_id and not paths.isdisjoint(path_key(file.path) for file in scene.files):
                yield scene.id

    def _change_items(self, ghost: Scene, living: set[int], still_ours: Callable[[], bool]) -> SyncResult | None:
        """Write to the items that were the scene's alone; add to ``living`` the scenes that now claim the others."""
        try:
            match, items = self._locator.locate(ghost)
        except (PlexNotFound, AmbiguousMatch) as error:
            log.info("nothing in Plex is surely that of a scene that is gone scene=%d: %s", ghost.id, error)
            return None
        items = [item for item in items if not self._rivals.is_another_stashs(item)]
        if self._policy is OnDestroy.RESTORE:
            for item in items:
                living.update(self._rivals.claimants(ghost, item))
            if items and not living:
                self._restore(ghost.id, still_ours)
            return None
        written: list[WrittenItem] = []
        for item in items:
            if match.rule not in EXACT and item.rating_key not in self._baselines.items_of(ghost.id):
                continue
            claimants = self._rivals.claimants(ghost, item)
            living.update(claimants)
            edit = self._edit(item)
            if edit and not claimants:
                self._scene_sync.write(ghost.id, match, item, edit, still_ours)
                written.append(WrittenItem(edit))
        return SyncResult(match, tuple(written)) if written else None

    def _restore(self, scene_id: int, still_ours: Callable[[], bool]) -> None:
        """Undo what was written for the scene, each item as far as it still plays its file and nobody edited it since.

        Raises TransientError if it did not get through to an item; what is back by then is not written again.
        """
        undone = self._restorer.undo_scene(scene_id, still_ours=still_ours)
        log.info("scene is gone, its edits are undone scene=%d items=%d", scene_id, len(undone.items))
        for item in undone.items:
            if item.error:
                raise TransientError(
                    f"Item {item.rating_key} of deleted scene {scene_id} is not restored: {item.error}"
                )

    def _edit(self, item: Item) -> Edit:
        baselines = self._baselines.read(item.rating_key)
        if self._policy is OnDestroy.LABEL:
            return label_edit(item, self._label, baselines)
        pictures = {field: self._baselines.read_image(item.rating_key, field) for field in IMAGE_FIELDS}
        return unlock_edit(item, baselines, {field: ours for field, ours in pictures.items() if ours is not None})
