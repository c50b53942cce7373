"""Put back what Plex showed before SceneSync's edits, by the same safe way as every edit.

Held first, then read, decided (``domain.undo``), noted, written, and proven by reading back: after a crash at any point
the scene is left alone by the worker, and undoing it once more goes on from what is there.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from scenesync.domain.diff import Baseline
from scenesync.domain.fields import IMAGE_FIELDS, SHARED_LISTS
from scenesync.domain.holds import Hold, fingerprint
from scenesync.domain.journal import UNDO, JournalEntry, JournalFilter, Lock
from scenesync.domain.matching import Match, plays
from scenesync.domain.paths import same_path
from scenesync.domain.undo import FieldUndo, shows_what_was_synced, undo_edit, undo_item
from scenesync.worker.scene_sync import require_as_planned
from scenesync.worker.undo.proof import UndoProof, note_picture
from scenesync.worker.undo.work import UndoneItem, UndoneScene, Work, told_of
from scenesync.worker.write_limit import STALE_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scenesync.domain.item import Item
    from scenesync.domain.matching import MatchResult
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.scene import Scene
    from scenesync.worker.proof import ProofDesk
    from scenesync.worker.undo.work import AllBaselines, History, HoldBook
    from scenesync.worker.write_limit import WriteLimit

log = logging.getLogger(__name__)

ITEM_GONE: Final = "Plex no longer has the item"
OTHER_FILE: Final = "the item plays another file now"


def _always() -> bool:
    return True


class Undoing:
    """Undoes edits of one Plex server, for one caller at a time: others wait.

    ``match`` asks the path index which items play a scene; ``proofs`` is a desk of its own, not the worker's.
    """

    def __init__(
        self,
        server: MediaServer,
        journal: History,
        baselines: AllBaselines,
        holds: HoldBook,
        match: Callable[[Scene], MatchResult],
        proofs: ProofDesk,
        writing: WriteLimit,
    ) -> None:
        self._server = server
        self._journal = journal
        self._baselines = baselines
        self._holds = holds
        self._match = match
        self._writing = writing
        self._proof = UndoProof(server, journal, baselines, proofs, writing)
        self._one_at_a_time = threading.Lock()

    def scenes(self, chosen: JournalFilter) -> Sequence[int]:
        """Return the scenes for which any of the chosen edits was made, in the order of their ids."""
        return self._journal.scenes(chosen)

    def undo_scene(
        self,
        scene_id: int,
        scene: Scene | None = None,
        *,
        force: bool = False,
        still_ours: Callable[[], bool] = _always,
        stop: threading.Event | None = None,
    ) -> UndoneScene:
        """Undo all edits made for one scene; ``scene`` is None if Stash no longer has it, which needs no hold.

        Raises LeaseLost, and PlexServerDown and PlexUnauthorized like ``undo``.
        """
        scenes = {} if scene is None else {scene_id: scene}
        chosen = JournalFilter(scene_ids=(scene_id,))
        (undone,) = self.undo([scene_id], scenes, chosen, force=force, still_ours=still_ours, stop=stop)
        return undone

    def plan(
        self, scene_ids: Sequence[int], scenes: Mapping[int, Scene], chosen: JournalFilter, *, force: bool = False
    ) -> Sequence[UndoneScene]:
        """Return what ``undo`` would do, writing nothing. Raises what reading raises."""
        works = self._works(scene_ids, chosen)
        self._decide(works, scenes, chosen, force=force)
        return [
            UndoneScene(
                scene_id,
                _results(works, scene_id),
                held=self._would_hold(scene_id, scenes, works, was_held=self._holds.of_scene(scene_id) is not None),
            )
            for scene_id in scene_ids
        ]

    def undo(
        self,
        scene_ids: Sequence[int],
        scenes: Mapping[int, Scene],
        chosen: JournalFilter,
        *,
        force: bool = False,
        still_ours: Callable[[], bool] = _always,
        once_held: Callable[[Sequence[int]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Sequence[UndoneScene]:
        """Undo the ``chosen`` edits of some scenes (50 at a time make the fewest requests); return what was done.

        ``scenes`` has those that Stash still knows. ``once_held`` is called when they are held and before anything is
        read, to wait for work on them that had begun by then. What goes wrong with one item is told of that item; an
        outage and a refused token are raised.
        """
        with self._one_at_a_time:
            return self._undo(scene_ids, scenes, chosen, force, still_ours, once_held, stop or threading.Event())

    def _undo(
        self,
        scene_ids: Sequence[int],
        scenes: Mapping[int, Scene],
        chosen: JournalFilter,
        force: bool,  # noqa: FBT001 - ``undo`` has it by name
        still_ours: Callable[[], bool],
        once_held: Callable[[Sequence[int]], None] | None,
        stop: threading.Event,
    ) -> Sequence[UndoneScene]:
        about = {work.scene_id for work in self._works(scene_ids, chosen)}
        concerned = [scene_id for scene_id in scene_ids if scene_id in about]
        held_before = {scene_id for scene_id in concerned if self._holds.of_scene(scene_id) is not None}
        self._hold_until_still(concerned, scenes, once_held)
        works = self._works(concerned, chosen)  # with what was written while it waited
        self._decide(works, scenes, chosen, force=force)
        to_do = [work for work in works if work.put_back]
        for work in to_do:
            log.info(
                "undoing scene=%d item=%s fields=%s",
                *(work.scene_id, work.rating_key, ",".join(undo.field.value for undo in work.put_back)),
            )
            self._write(work, still_ours)
        self._proof.prove(to_do, still_ours, stop)
        undone = []
        for scene_id in scene_ids:
            held = self._would_hold(scene_id, scenes, works, was_held=scene_id in held_before)
            if scene_id in concerned and not held:
                self._holds.release([scene_id])
            undone.append(UndoneScene(scene_id, _results(works, scene_id), held=held))
        return undone

    # -- reading and deciding ----------------------------------------------------------------------------------------

    def _works(self, scene_ids: Iterable[int], chosen: JournalFilter) -> list[Work]:
        """Return the items that the chosen edits were made to, each once, whichever scenes they were made for."""
        works: dict[str, Work] = {}
        for scene_id in scene_ids:
            for key in self._journal.items_of(scene_id):
                history = [] if key in works else self._journal.history(key)
                if any(chosen.takes(entry) and entry.scene_id == scene_id for entry in history):
                    works[key] = Work(scene_id, key, history)
        return list(works.values())

    def _decide(
        self, works: Sequence[Work], scenes: Mapping[int, Scene], chosen: JournalFilter, *, force: bool
    ) -> None:
        items = self._server.read_items([work.rating_key for work in works]) if works else {}
        for work in works:
            work.item = items.get(work.rating_key)
            if work.item is None:
                work.refusal = ITEM_GONE
                continue
            work.file = self._file_played(work.item, work.history, scenes.get(work.scene_id))
            if not work.file:
                work.refusal = OTHER_FILE
                continue
            with told_of(work.fail):
                work.fields = self._fields(work, work.item, chosen, force=force)

    def _fields(self, work: Work, item: Item, chosen: JournalFilter, *, force: bool) -> tuple[FieldUndo, ...]:
        pictures = dict.fromkeys(
            entry.field for entry in work.history if entry.field in IMAGE_FIELDS and chosen.takes(entry)
        )
        return undo_item(
            item,
            work.history,
            chosen,
            self._baselines.read(work.rating_key),
            {each: self._server.uploaded_images(work.rating_key, each) for each in pictures},
            force=force,
        )

    def _file_played(self, item: Item, history: Sequence[JournalEntry], scene: Scene | None) -> str:
        """Return the file by which the item is known to be the one that was edited, "" if it may be another film.

        After a rename, which the item outlives, the scene's own match tells.
        """
        noted = {entry.file for entry in history if entry.file}
        for part in item.parts:
            if any(same_path(part.file, path) for path in noted):
                return part.file
        match = self._match(scene) if scene is not None else None
        if isinstance(match, Match) and item.rating_key in match.rating_keys and plays(item, match):
            return next(file.path for file in match.files if file.rating_key == item.rating_key)
        return ""

    # -- holding -----------------------------------------------------------------------------------------------------

    def _hold_until_still(
        self,
        scene_ids: Sequence[int],
        scenes: Mapping[int, Scene],
        once_held: Callable[[Sequence[int]], None] | None,
    ) -> None:
        """Hold scenes and wait until nobody works on them any more.

        Work that had begun before may end a hold, since it knows an older state of the scene: then once more.
        """
        loose: Sequence[int] = [scene_id for scene_id in scene_ids if scene_id in scenes]
        self._hold(loose, scenes)
        while once_held is not None and scene_ids:
            once_held(scene_ids)
            loose = [each for each in loose if self._holds.of_scene(each) is None]
            if not loose:
                return
            self._hold(loose, scenes)

    def _hold(self, scene_ids: Sequence[int], scenes: Mapping[int, Scene]) -> None:
        now = time.time()
        self._holds.put(
            [Hold(scene_id, fingerprint(scenes[scene_id]), now, self._journal.run_id) for scene_id in scene_ids]
        )

    def _would_hold(self, scene_id: int, scenes: Mapping[int, Scene], works: Sequence[Work], *, was_held: bool) -> bool:
        """Say whether the scene is to be left alone from now on: not if nothing was undone, or it shows Stash again."""
        mine = [work for work in works if work.scene_id == scene_id]
        if scene_id not in scenes or not mine:
            return was_held
        put_back = [work for work in mine if work.put_back]
        if put_back:
            return not all(shows_what_was_synced(work.fields, work.history) for work in put_back)
        return was_held or all(work.as_result().is_complete for work in mine)

    # -- writing -----------------------------------------------------------------------------------------------------

    def _write(self, work: Work, still_ours: Callable[[], bool]) -> None:
        """Note what is about to be written, then send it: pictures first, since selecting one locks its field.

        A picture that cannot be put back does not keep the texts from it.
        """
        assert work.item is not None  # noqa: S101 - only what was read has anything to put back
        self._note(work)
        for undo in work.pictures:
            if undo.changes_value:
                with told_of(partial(work.remark, undo.field)):
                    self._show_picture(work.rating_key, undo, still_ours)
        edit = undo_edit(work.item, [undo for undo in work.put_back if undo.field not in work.remarks])
        with told_of(work.fail):
            if edit:
                with self._writing.slot(still_ours) as waited_s:
                    if waited_s > STALE_AFTER_S:
                        require_as_planned(self._server, work.item, edit)
                    self._server.apply_edit(edit)
            work.edit = edit

    def _note(self, work: Work) -> None:
        known = self._baselines.read(work.rating_key)
        now = time.time()
        with self._baselines.together():
            self._journal.append([_entry(work, undo, at=now) for undo in work.put_back])
            self._baselines.write(
                work.rating_key,
                work.scene_id,
                {undo.field: _unproven(undo, known.get(undo.field)) for undo in work.texts if undo.changes_value},
            )
            for undo in work.pictures:
                note_picture(self._baselines, work, undo, shown="")

    def _show_picture(self, rating_key: str, undo: FieldUndo, still_ours: Callable[[], bool]) -> None:
        with self._writing.slot(still_ours):
            if undo.target:
                self._server.select_image(rating_key, undo.field, str(undo.target))
            else:
                self._server.remove_image(rating_key, undo.field)


def _results(works: Sequence[Work], scene_id: int) -> tuple[UndoneItem, ...]:
    return tuple(work.as_result() for work in works if work.scene_id == scene_id)


def _entry(work: Work, undo: FieldUndo, *, at: float) -> JournalEntry:
    return JournalEntry(
        at=at,
        scene_id=work.scene_id,
        rating_key=work.rating_key,
        field=undo.field,
        before=undo.shown,
        after=undo.target,
        cause=UNDO,
        lock_before=undo.lock_shown,
        lock_after=undo.lock,
        file=work.file,
    )


def _unproven(undo: FieldUndo, known: Baseline | None) -> Baseline:
    written = undo.kept
    if undo.field in SHARED_LISTS and known is not None:
        # What was ours stays ours until it is proven to be gone.
        written = tuple(dict.fromkeys((*known.written, *written)))
    return Baseline(written, replaced=undo.shown, locked=undo.lock is Lock.OURS)
