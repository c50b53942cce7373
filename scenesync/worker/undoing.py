"""Put back what Plex showed before SceneSync's edits, by the same safe way as every edit.

Held first, then read, decided (``domain.undo``), noted, written, and proven by reading back: after a crash at any point
the scene is left alone by the worker, and undoing it once more goes on from what is there.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.diff import Baseline, Edit, FieldChange, ImageBaseline
from scenesync.domain.errors import LeaseLost, PermanentError, TransientError
from scenesync.domain.fields import IMAGE_FIELDS, LIST_FIELDS, SHARED_LISTS, Field
from scenesync.domain.holds import Hold, fingerprint
from scenesync.domain.journal import UNDO, JournalEntry, JournalFilter, Lock
from scenesync.domain.matching import IndexedFile, Match, Rule, plays
from scenesync.domain.paths import same_path
from scenesync.domain.undo import FieldUndo, selected_key, shows_what_was_synced, undo_edit, undo_item
from scenesync.plex.exceptions import PlexServerDown, PlexUnauthorized
from scenesync.worker.images import ImageBaselines
from scenesync.worker.proof import Unproven
from scenesync.worker.scene_sync import (
    STALE_AFTER_S,
    Baselines,
    Holds,
    Journal,
    SyncResult,
    WrittenItem,
    require_as_planned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scenesync.domain.fields import FieldValue
    from scenesync.domain.item import Item
    from scenesync.domain.matching import MatchResult
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.scene import Scene
    from scenesync.worker.proof import ProofDesk
    from scenesync.worker.write_limit import WriteLimit

log = logging.getLogger(__name__)

ITEM_GONE: Final = "Plex no longer has the item"
OTHER_FILE: Final = "the item plays another file now"
_SHA1: Final = re.compile(r"[0-9a-f]{40}\Z")


class History(Journal, Protocol):
    """The journal as undo reads it."""

    run_id: str

    def history(self, rating_key: str) -> Sequence[JournalEntry]:
        """Return all edits of an item, oldest first."""
        ...

    def scenes(self, chosen: JournalFilter) -> Sequence[int]:
        """Return the scenes for which any of the chosen edits was made."""
        ...

    def items_of(self, scene_id: int) -> Sequence[str]:
        """Return the items that were written for a scene."""
        ...


class AllBaselines(Baselines, ImageBaselines, Protocol):
    """What SceneSync last wrote, pictures included."""


class HoldBook(Holds, Protocol):
    """Where scenes are entered that are to be left alone."""

    def put(self, holds: Sequence[Hold]) -> None:
        """Hold scenes."""
        ...


@dataclass(frozen=True, slots=True)
class UndoneItem:
    """What undo did, or would do, to one item.

    ``refusal`` says why all of it is left alone, ``error`` what went wrong. ``remarks`` says of single fields what is
    not as it was to be.
    """

    rating_key: str
    fields: tuple[FieldUndo, ...] = ()
    refusal: str = ""
    error: str = ""
    remarks: Mapping[Field, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Say whether every chosen edit of the item is taken back."""
        return not (self.refusal or self.error or self.remarks or any(undo.refusal for undo in self.fields))


@dataclass(frozen=True, slots=True)
class UndoneScene:
    """What undo did, or would do, for one scene; ``held``: it is left alone from now on."""

    scene_id: int
    items: tuple[UndoneItem, ...]
    held: bool = False


@dataclass(slots=True, eq=False)
class _Work:
    """One item on its way: what is known of it, and what becomes of it."""

    scene_id: int
    rating_key: str
    history: Sequence[JournalEntry]
    item: Item | None = None
    file: str = ""
    fields: tuple[FieldUndo, ...] = ()
    refusal: str = ""
    error: str = ""
    remarks: dict[Field, str] = field(default_factory=dict)

    @property
    def put_back(self) -> tuple[FieldUndo, ...]:
        return tuple(undo for undo in self.fields if undo.puts_back)

    @property
    def texts(self) -> tuple[FieldUndo, ...]:
        return tuple(undo for undo in self.put_back if undo.field not in IMAGE_FIELDS)

    @property
    def pictures(self) -> tuple[FieldUndo, ...]:
        return tuple(undo for undo in self.put_back if undo.field in IMAGE_FIELDS)

    def fail(self, error: Exception | None) -> None:
        """Note what went wrong, if anything did."""
        if error is not None:
            self.error = self.error or f"{type(error).__name__}: {error}"

    def match(self) -> Match:
        """Return what the item was taken for, for the proof."""
        assert self.item is not None  # noqa: S101 - asked of works that were read
        return Match(Rule.PATH, (IndexedFile(self.rating_key, self.item.library_key, self.file),))

    def as_result(self) -> UndoneItem:
        return UndoneItem(self.rating_key, self.fields, self.refusal, self.error, self.remarks)


def _always() -> bool:
    return True


class Undoing:
    """Undoes edits of one Plex server. Not for several threads at once: it has a proof desk of its own.

    ``match`` asks the path index which items play a scene.
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
        self._proofs = proofs
        self._writing = writing

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
            UndoneScene(scene_id, _results(works, scene_id), held=self._would_hold(scene_id, scenes, works))
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
        works = self._works(scene_ids, chosen)
        concerned = [scene_id for scene_id in scene_ids if any(work.scene_id == scene_id for work in works)]
        held_before = {scene_id for scene_id in concerned if self._holds.of_scene(scene_id) is not None}
        self._hold(concerned, scenes)
        if once_held is not None:
            once_held(concerned)
        self._decide(works, scenes, chosen, force=force)
        to_do = [work for work in works if work.put_back]
        for work in to_do:
            self._write(work, still_ours)
        self._prove(to_do, still_ours, stop or threading.Event())
        undone = []
        for scene_id in scene_ids:
            held = self._would_hold(scene_id, scenes, works, was_held=scene_id in held_before)
            if scene_id in concerned and not held:
                self._holds.release([scene_id])
            undone.append(UndoneScene(scene_id, _results(works, scene_id), held=held))
        return undone

    # -- reading and deciding ----------------------------------------------------------------------------------------

    def _works(self, scene_ids: Iterable[int], chosen: JournalFilter) -> list[_Work]:
        """Return the items that the chosen edits were made to, each once, whichever scenes they were made for."""
        works: dict[str, _Work] = {}
        for scene_id in scene_ids:
            for key in self._journal.items_of(scene_id):
                history = [] if key in works else self._journal.history(key)
                if any(chosen.takes(entry) and entry.scene_id == scene_id for entry in history):
                    works[key] = _Work(scene_id, key, history)
        return list(works.values())

    def _decide(
        self, works: Sequence[_Work], scenes: Mapping[int, Scene], chosen: JournalFilter, *, force: bool
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
            pictures = dict.fromkeys(
                entry.field for entry in work.history if entry.field in IMAGE_FIELDS and chosen.takes(entry)
            )
            work.fields = undo_item(
                work.item,
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

    def _hold(self, scene_ids: Sequence[int], scenes: Mapping[int, Scene]) -> None:
        now = time.time()
        self._holds.put(
            [
                Hold(scene_id, fingerprint(scenes[scene_id]), now, self._journal.run_id)
                for scene_id in scene_ids
                if scene_id in scenes
            ]
        )

    def _would_hold(
        self, scene_id: int, scenes: Mapping[int, Scene], works: Sequence[_Work], *, was_held: bool = False
    ) -> bool:
        """Say whether the scene is to be left alone from now on: not if nothing was undone, or it shows Stash again."""
        mine = [work for work in works if work.scene_id == scene_id]
        if scene_id not in scenes or not mine:
            return was_held
        put_back = [work for work in mine if work.put_back]
        if put_back:
            return not all(shows_what_was_synced(work.fields, work.history) for work in put_back)
        return was_held or all(work.as_result().is_complete for work in mine)

    # -- writing -----------------------------------------------------------------------------------------------------

    def _write(self, work: _Work, still_ours: Callable[[], bool]) -> None:
        """Note what is about to be written, then send it: pictures first, since selecting one locks its field."""
        assert work.item is not None  # noqa: S101 - only what was read has anything to put back
        edit = undo_edit(work.item, work.put_back)
        self._note(work)
        try:
            for undo in work.pictures:
                if undo.changes_value:
                    self._show_picture(work.rating_key, undo, still_ours)
            if edit:
                with self._writing.slot(still_ours) as waited_s:
                    if waited_s > STALE_AFTER_S:
                        require_as_planned(self._server, work.item, edit)
                    self._server.apply_edit(edit)
        except (PlexServerDown, PlexUnauthorized, LeaseLost):
            raise
        except (TransientError, PermanentError) as error:
            work.fail(error)

    def _note(self, work: _Work) -> None:
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
                self._note_picture(work, undo, shown="")

    def _note_picture(self, work: _Work, undo: FieldUndo, *, shown: str) -> None:
        found = _SHA1.search(str(undo.target))
        self._baselines.write_image(
            work.rating_key, work.scene_id, undo.field, ImageBaseline(found.group() if found else "", shown)
        )

    def _show_picture(self, rating_key: str, undo: FieldUndo, still_ours: Callable[[], bool]) -> None:
        with self._writing.slot(still_ours):
            if undo.target:
                self._server.select_image(rating_key, undo.field, str(undo.target))
            else:
                self._server.remove_image(rating_key, undo.field)

    # -- proving -----------------------------------------------------------------------------------------------------

    def _prove(self, works: Sequence[_Work], still_ours: Callable[[], bool], stop: threading.Event) -> None:
        """Read back what was written, put lists in order that came out otherwise, and remember what is shown."""
        edits = [(work, undo_edit(work.item, work.put_back)) for work in works if work.item and not work.error]
        self._read_back([(work, edit) for work, edit in edits if edit], still_ours, stop)
        written = [work for work in works if not work.error]
        items = self._server.read_items([work.rating_key for work in written]) if written else {}
        jumbled = [work for work in written if work.rating_key in items and _jumbled(work, items[work.rating_key])]
        if jumbled:
            self._put_in_order(jumbled, items, still_ours, stop)
            items = {**items, **self._server.read_items([work.rating_key for work in jumbled])}
        for work in written:
            item = items.get(work.rating_key)
            if item is None:
                work.error = work.error or ITEM_GONE
            else:
                self._remember(work, item)

    def _read_back(
        self, edits: Sequence[tuple[_Work, Edit]], still_ours: Callable[[], bool], stop: threading.Event
    ) -> None:
        for work, edit in edits:
            result = SyncResult(work.match(), (WrittenItem(edit),))
            self._proofs.add(Unproven(work.scene_id, result, on_settled=work.fail, still_ours=still_ours))
        self._proofs.check(stop)

    def _put_in_order(
        self, works: Sequence[_Work], items: Mapping[str, Item], still_ours: Callable[[], bool], stop: threading.Event
    ) -> None:
        """Take the names off and put them on again, where a server adds names behind those that it has."""
        edits: list[tuple[_Work, Edit]] = []
        for work in works:
            item = items[work.rating_key]
            lists = _jumbled(work, item)
            kept = frozenset(item.locked)
            off = tuple(FieldChange(undo.field, item.value(undo.field), ()) for undo in lists)
            on = tuple(FieldChange(undo.field, (), undo.target) for undo in lists)
            # Empty in between is what the baseline calls "replaced": a crash then leaves nothing that looks a person's.
            self._baselines.write(
                work.rating_key,
                work.scene_id,
                {undo.field: Baseline(undo.kept, replaced=(), locked=undo.lock is Lock.OURS) for undo in lists},
            )
            try:
                for changes in (off, on):
                    edit = Edit(item.rating_key, item.library_key, changes, lock=False, locked_before=kept)
                    with self._writing.slot(still_ours):
                        self._server.apply_edit(edit)
                edits.append((work, edit))
            except (PlexServerDown, PlexUnauthorized, LeaseLost):
                raise
            except (TransientError, PermanentError) as error:
                work.fail(error)
        self._read_back(edits, still_ours, stop)

    def _remember(self, work: _Work, item: Item) -> None:
        """Make the baselines what undo wrote, and note what is not as it was to be."""
        shown: dict[Field, FieldValue] = {undo.field: item.value(undo.field) for undo in work.texts}
        with self._baselines.together():
            self._baselines.write(
                work.rating_key,
                work.scene_id,
                {
                    undo.field: Baseline(undo.kept, shown[undo.field], locked=undo.lock is Lock.OURS)
                    for undo in work.texts
                },
            )
            otherwise = {undo.field: shown[undo.field] for undo in work.texts if shown[undo.field] != undo.target}
            self._journal.note_shown(work.rating_key, otherwise)
            for undo in work.pictures:
                self._note_picture(work, undo, shown=str(item.value(undo.field)))
        work.remarks.update({each: f"Plex shows it otherwise: {_text(value)}" for each, value in otherwise.items()})
        for undo in work.pictures:
            if undo.changes_value:
                selected = selected_key(self._server.uploaded_images(work.rating_key, undo.field))
                if selected != undo.target:
                    work.remarks[undo.field] = f"Plex has another picture selected: {selected or 'none'}"
        for undo in work.put_back:
            if (undo.field.value in item.locked) is (undo.lock is Lock.NONE):
                work.remarks.setdefault(undo.field, "Plex did not change its lock")


def _results(works: Sequence[_Work], scene_id: int) -> tuple[UndoneItem, ...]:
    return tuple(work.as_result() for work in works if work.scene_id == scene_id)


def _entry(work: _Work, undo: FieldUndo, *, at: float) -> JournalEntry:
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


def _jumbled(work: _Work, item: Item) -> list[FieldUndo]:
    """Return the lists that have the right names in the wrong order; shared ones have no order that matters."""
    return [
        undo
        for undo in work.texts
        if undo.field in LIST_FIELDS - SHARED_LISTS
        and _folded(item.value(undo.field)) != _folded(undo.target)
        and sorted(_folded(item.value(undo.field))) == sorted(_folded(undo.target))
    ]


def _folded(names: FieldValue) -> list[str]:
    return [name.casefold() for name in names]


def _text(value: FieldValue) -> str:
    return value or "(empty)" if isinstance(value, str) else ", ".join(value) or "(none)"
