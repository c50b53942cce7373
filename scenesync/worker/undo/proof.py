"""Prove what undo wrote by reading it back, put lists in order, and make the baselines what is there now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scenesync.domain.diff import Baseline, Edit, FieldChange, ImageBaseline
from scenesync.domain.fields import LIST_FIELDS, SHARED_LISTS
from scenesync.domain.journal import Lock
from scenesync.domain.undo import selected_key
from scenesync.worker.proof import Unproven
from scenesync.worker.sync_plan import SyncResult, WrittenItem
from scenesync.worker.undo.work import told_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.domain.fields import Field, FieldValue
    from scenesync.domain.item import Item
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.undo import FieldUndo
    from scenesync.worker.proof import ProofDesk
    from scenesync.worker.undo.work import AllBaselines, History, Work
    from scenesync.worker.write_limit import WriteLimit

ITEM_VANISHED: Final = "the item vanished before the undo could be proven"
_SHA1: Final = re.compile(r"[0-9a-f]{40}\Z")


class UndoProof:
    """The second half of an undo: everything after the write."""

    def __init__(
        self, server: MediaServer, journal: History, baselines: AllBaselines, proofs: ProofDesk, writing: WriteLimit
    ) -> None:
        self._server = server
        self._journal = journal
        self._baselines = baselines
        self._proofs = proofs
        self._writing = writing

    def prove(self, works: Sequence[Work], still_ours: Callable[[], bool], stop: threading.Event) -> None:
        """Read back what was written, put lists in order that came out otherwise, and remember what is shown."""
        self._read_back([(work, work.edit) for work in works if work.edit], still_ours, stop)
        written = [work for work in works if not work.error]
        items = self._server.read_items([work.rating_key for work in written]) if written else {}
        jumbled = [work for work in written if work.rating_key in items and _jumbled(work, items[work.rating_key])]
        if jumbled:
            self._put_in_order(jumbled, items, still_ours, stop)
            items = {**items, **self._server.read_items([work.rating_key for work in jumbled])}
        for work in written:
            item = items.get(work.rating_key)
            if item is None:
                work.error = work.error or ITEM_VANISHED
            elif not work.error:
                with told_of(work.fail):
                    self._remember(work, item)

    def _read_back(
        self, edits: Sequence[tuple[Work, Edit]], still_ours: Callable[[], bool], stop: threading.Event
    ) -> None:
        for work, edit in edits:
            result = SyncResult(work.match(), (WrittenItem(edit),))
            self._proofs.add(Unproven(work.scene_id, result, on_settled=work.fail, still_ours=still_ours))
        self._proofs.check(stop)

    def _put_in_order(
        self, works: Sequence[Work], items: Mapping[str, Item], still_ours: Callable[[], bool], stop: threading.Event
    ) -> None:
        """Take the names off and put them on again, where a server adds names behind those that it has."""
        edits: list[tuple[Work, Edit]] = []
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
            with told_of(work.fail):
                for changes in (off, on):
                    edit = Edit(item.rating_key, item.library_key, changes, lock=False, locked_before=kept)
                    with self._writing.slot(still_ours):
                        self._server.apply_edit(edit)
                edits.append((work, edit))
        self._read_back(edits, still_ours, stop)

    def _remember(self, work: Work, item: Item) -> None:
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
            self._journal.note_shown({work.rating_key: otherwise})
            for undo in work.pictures:
                note_picture(self._baselines, work, undo, shown=str(item.value(undo.field)))
        for each, value in otherwise.items():
            work.remarks.setdefault(each, f"Plex shows it otherwise: {_text(value)}")
        for undo in work.pictures:
            if undo.changes_value:
                selected = selected_key(self._server.uploaded_images(work.rating_key, undo.field))
                if selected != undo.target:
                    work.remarks.setdefault(undo.field, f"Plex has another picture selected: {selected or 'none'}")
        for undo in work.put_back:
            if (undo.field.value in item.locked) is (undo.lock is Lock.NONE):
                work.remarks.setdefault(undo.field, "Plex did not change its lock")


def note_picture(baselines: AllBaselines, work: Work, undo: FieldUndo, *, shown: str) -> None:
    """Remember the picture that undo selects, and under which path it is served ("": not proven yet, or none)."""
    found = _SHA1.search(str(undo.target))
    entry = ImageBaseline(found.group() if found else "", shown)
    baselines.write_image(work.rating_key, work.scene_id, undo.field, entry)


def _jumbled(work: Work, item: Item) -> list[FieldUndo]:
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
