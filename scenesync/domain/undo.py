"""Decide what undo does to each field: what it goes back to, whose its lock is then, and what is refused. Pure.

A field goes back to what it showed before the first of the chosen edits, unless it no longer shows what SceneSync left
there: then a newer edit of a person, or of SceneSync itself outside the choice, would be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scenesync.domain.diff import Edit, FieldChange, arrived_in_part
from scenesync.domain.fields import (
    FILLED_BY_OTHERS,
    IMAGE_FIELDS,
    SHARED_LISTS,
    Field,
    FieldValue,
    empty_value,
    same_to_the_eye,
    shown_as,
)
from scenesync.domain.journal import UNDO, JournalEntry, JournalFilter, Lock, lock_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.diff import Baseline
    from scenesync.domain.item import Item, UploadedImage


class Refusal(StrEnum):
    """Why a field is left as it is."""

    EDITED = "edited"
    LOCKED = "locked"
    WRITTEN_SINCE = "written_since"
    PICTURE_GONE = "picture_gone"


REFUSALS: Final[Mapping[Refusal, str]] = {
    Refusal.EDITED: "somebody edited it in Plex since",
    Refusal.LOCKED: "somebody locked it in Plex since",
    Refusal.WRITTEN_SINCE: "SceneSync wrote it again since, in a run that was not chosen",
    Refusal.PICTURE_GONE: "the picture from before is no longer among the item's",
}


@dataclass(frozen=True, slots=True)
class FieldUndo:
    """What undo does to one field: from ``shown`` to ``target``, from one lock to another; nothing if ``refusal``.

    Of a picture, both are keys of candidates, "" for none. ``owned`` are SceneSync's own names in ``target``, for a
    list that people fill too. ``kept`` is what SceneSync then claims to have written (the baseline).
    """

    field: Field
    shown: FieldValue
    target: FieldValue
    lock_shown: Lock = Lock.NONE
    lock: Lock = Lock.NONE
    owned: tuple[str, ...] | None = None
    kept: FieldValue = ""
    refusal: Refusal | None = None

    @property
    def changes_value(self) -> bool:
        """Say whether another value, or another picture, is to be shown."""
        return self.refusal is None and self.shown != self.target

    @property
    def changes_lock(self) -> bool:
        """Say whether the field is to be locked, or unlocked; whose lock it is changes nothing in Plex."""
        return self.refusal is None and (self.lock_shown is Lock.NONE) is not (self.lock is Lock.NONE)

    @property
    def puts_back(self) -> bool:
        """Say whether there is anything to do."""
        return self.changes_value or self.changes_lock


def undo_item(
    item: Item,
    history: Sequence[JournalEntry],
    chosen: JournalFilter,
    baselines: Mapping[Field, Baseline],
    pictures: Mapping[Field, Sequence[UploadedImage]],
    *,
    force: bool = False,
) -> tuple[FieldUndo, ...]:
    """Return what undoing the ``chosen`` edits of an item means for each of their fields.

    ``history`` has all edits of the item, oldest first; ``pictures`` the candidates of every picture among the chosen.
    """
    fields = dict.fromkeys(entry.field for entry in history if chosen.takes(entry))
    return tuple(
        _undo_field(
            item,
            [entry for entry in history if entry.field is field],
            chosen,
            baselines.get(field),
            pictures.get(field, ()),
            force=force,
        )
        for field in sorted(fields, key=list(Field).index)
    )


def undo_edit(item: Item, fields: Iterable[FieldUndo]) -> Edit:
    """Return the one edit for all texts, lists and locks; pictures are sent before it, since selecting one locks it."""
    put_back = [undo for undo in fields if undo.puts_back]
    texts = [undo for undo in put_back if undo.changes_value and undo.field not in IMAGE_FIELDS]
    bare = [undo for undo in put_back if undo not in texts]
    locked = {undo.field.value for undo in put_back if undo.lock is not Lock.NONE}
    return Edit(
        item.rating_key,
        item.library_key,
        tuple(FieldChange(undo.field, undo.shown, undo.target, undo.owned) for undo in texts),
        lock=False,
        also_lock=tuple(undo.field for undo in bare if undo.lock is not Lock.NONE),
        locked_before=frozenset((item.locked - {undo.field.value for undo in put_back}) | locked),
        also_unlock=tuple(undo.field for undo in bare if undo.lock is Lock.NONE),
    )


def shows_what_was_synced(fields: Iterable[FieldUndo], history: Iterable[JournalEntry]) -> bool:
    """Say whether undo led back to what SceneSync wrote from Stash: then there is no reason to leave the scene alone.

    So it is after the undo of an undo.
    """
    synced = {entry.field: entry.after for entry in history if entry.cause != UNDO}
    put_back = [undo for undo in fields if undo.puts_back]
    return bool(put_back) and all(undo.field in synced and _has(undo, synced[undo.field]) for undo in put_back)


def _undo_field(
    item: Item,
    history: Sequence[JournalEntry],
    chosen: JournalFilter,
    baseline: Baseline | None,
    pictures: Sequence[UploadedImage],
    *,
    force: bool,
) -> FieldUndo:
    field = history[0].field
    shown = selected_key(pictures) if field in IMAGE_FIELDS else item.value(field)
    carried_out = _carried_out(history, shown, baseline)
    mine = [entry for entry in carried_out if chosen.takes(entry)]
    is_locked = field.value in item.locked
    if not mine:
        lock = lock_of(is_locked=is_locked, ours=baseline is not None and baseline.locked)
        return FieldUndo(field, shown, shown, lock, lock)
    first, last = mine[0], carried_out[-1]
    lock = lock_of(is_locked=is_locked, ours=last.lock_after is not Lock.PERSON)
    if field in SHARED_LISTS:
        half_way = mine[-1] is last and baseline is not None and baseline.shown is None
        after = _lock_afterwards(field, lock, first, last)
        return _undo_shared_list(mine, shown, lock, after, baseline, half_way=half_way)
    if _is_back(field, shown, first.before, baseline):
        # Back already: by an undo, whose lock may not have stuck, or by a person, whose lock is theirs.
        by_us = _is_ours(field, shown, last, baseline)
        after = _lock_afterwards(field, lock, first, last) if by_us else lock
        return FieldUndo(field, shown, shown, lock, after, kept=_kept(field, shown, first, carried_out))
    undo = FieldUndo(
        field,
        shown,
        _full_key(pictures, str(first.before)) if field in IMAGE_FIELDS else first.before,
        lock,
        _lock_afterwards(field, lock, first, last),
        kept=_kept(field, first.before, first, carried_out),
    )
    refusal = _refusal(undo, mine[-1], last, baseline, pictures, force=force)
    if refusal is None:
        return undo
    return FieldUndo(field, shown, undo.target, lock, lock, refusal=refusal)


def selected_key(pictures: Iterable[UploadedImage]) -> str:
    """Return the key of the selected candidate, "" if none is."""
    return next((picture.key for picture in pictures if picture.selected), "")


def _carried_out(
    history: Sequence[JournalEntry], shown: FieldValue, baseline: Baseline | None
) -> Sequence[JournalEntry]:
    """Leave out the last edits if they are not proven and nothing of them is shown.

    They are noted before they are sent, and are several where sending failed again and again.
    """
    is_unproven = history[-1].field in IMAGE_FIELDS or (baseline is not None and baseline.shown is None)
    sent = len(history) if is_unproven else 0
    while sent and _was_never_sent(history[sent - 1], shown):
        sent -= 1
    return history[:sent] if is_unproven else history


def _was_never_sent(entry: JournalEntry, shown: FieldValue) -> bool:
    return entry.before != entry.after and _is_back(entry.field, shown, entry.before, None)


def _refusal(
    undo: FieldUndo,
    newest: JournalEntry,
    last: JournalEntry,
    baseline: Baseline | None,
    pictures: Sequence[UploadedImage],
    *,
    force: bool,
) -> Refusal | None:
    if undo.field in IMAGE_FIELDS and undo.target not in {"", *(picture.key for picture in pictures)}:
        return Refusal.PICTURE_GONE
    if force:
        return None
    if not _is_ours(undo.field, undo.shown, last, baseline):
        return Refusal.EDITED
    if newest is not last and not _is_same(undo.field, undo.shown, newest.after):
        return Refusal.WRITTEN_SINCE
    if undo.field not in IMAGE_FIELDS and undo.lock_shown is not Lock.NONE and last.lock_after is Lock.NONE:
        return Refusal.LOCKED
    return None


def _is_ours(field: Field, shown: FieldValue, last: JournalEntry, baseline: Baseline | None) -> bool:
    """Say whether the field shows what SceneSync last wrote, in the server's way of showing it."""
    if shown in (last.after, last.shown) or _is_same(field, shown, last.after):
        return True
    if baseline is None or baseline.written != last.after:
        return False
    # What is not proven may have stopped half-way (``Baseline.replaced``).
    if baseline.shown is None:
        return shown == baseline.replaced or arrived_in_part(shown, baseline)
    return shown == baseline.shown


def _has(undo: FieldUndo, synced: FieldValue) -> bool:
    if undo.field in SHARED_LISTS:
        return _by_fold(synced).keys() <= _by_fold(undo.target).keys()
    return _is_same(undo.field, undo.target, synced)


def _is_same(field: Field, one: FieldValue, other: FieldValue) -> bool:
    """Say whether two values are the same but for what a server changes by itself; a picture may go by its SHA-1."""
    if field not in IMAGE_FIELDS:
        return shown_as(field, one, other)
    one, other = str(one), str(other)
    return one == other or bool(one and other and (one.endswith(other) or other.endswith(one)))


def _is_back(field: Field, shown: FieldValue, target: FieldValue, baseline: Baseline | None) -> bool:
    """Say whether a field shows its target already; a list in its order, unless the server has one of its own."""
    if field in IMAGE_FIELDS:
        return _is_same(field, shown, target)
    if isinstance(shown, str):
        return same_to_the_eye(shown, target)
    if shown == target:
        return True
    own_order = baseline is not None and baseline.written == target and baseline.shown == shown
    return own_order and shown_as(field, shown, target)


def _full_key(pictures: Sequence[UploadedImage], key: str) -> str:
    """Return the key of the candidate that ``key`` names, maybe by its SHA-1."""
    return next((each.key for each in pictures if key and _is_same(Field.POSTER, each.key, key)), key)


def _lock_afterwards(field: Field, lock: Lock, first: JournalEntry, last: JournalEntry) -> Lock:
    """Return the lock from before the first chosen edit, unless somebody has locked or unlocked the field since.

    Of a picture the lock says nothing, since every selection sets it (facts/plex.md 4).
    """
    if first.lock_before is None or last.lock_after is None:
        return lock
    touched = (lock is Lock.NONE) is not (last.lock_after is Lock.NONE)
    if touched and field not in IMAGE_FIELDS:
        return Lock.NONE if lock is Lock.NONE else Lock.PERSON
    return first.lock_before


def _kept(field: Field, target: FieldValue, first: JournalEntry, history: Sequence[JournalEntry]) -> FieldValue:
    """Return what SceneSync claims to have written after the undo.

    Fields that others fill are cleared where Stash has nothing, if they are SceneSync's own (``domain.diff``). What
    stood there before SceneSync's first edit is not.
    """
    if field not in FILLED_BY_OTHERS:
        return target
    before = [entry for entry in history if entry.number < first.number]
    ours = bool(before) and _is_same(field, first.before, before[-1].after)
    return target if ours else empty_value(field)


def _undo_shared_list(
    mine: Sequence[JournalEntry],
    shown: FieldValue,
    lock: Lock,
    lock_after: Lock,
    baseline: Baseline | None,
    *,
    half_way: bool,
) -> FieldUndo:
    """Take off what SceneSync added and put back what it took off; whatever else people did to the list stays.

    ``half_way``: the last edit is not proven, so of our own names those may be shown that it took off, and those not
    that it put back.
    """
    ours = _by_fold(baseline.written).keys() if baseline else set()
    unsure = ours if half_way else set()
    were_there: dict[str, bool] = {}
    are_there: dict[str, bool] = {}
    names: dict[str, str] = {}
    for entry in mine:
        before, after = _by_fold(entry.before), _by_fold(entry.after)
        for fold, name in {**after, **before}.items():
            if (fold in before) is not (fold in after):
                names.setdefault(fold, name)
                were_there.setdefault(fold, fold in before)
                are_there[fold] = fold in after  # noted again by each attempt, however many it took
    added = {fold for fold in names if not were_there[fold] and (are_there[fold] or fold in unsure)}
    taken_off = {
        fold: name for fold, name in names.items() if were_there[fold] and (not are_there[fold] or fold in unsure)
    }
    now = _by_fold(shown)
    kept = [name for fold, name in now.items() if fold not in added]
    target = (*kept, *(name for fold, name in taken_off.items() if fold not in now))
    owned = tuple(name for name in target if name.casefold() in ours - added | taken_off.keys())
    return FieldUndo(mine[0].field, shown, target, lock, lock_after, owned=owned, kept=owned)


def _by_fold(names: FieldValue) -> dict[str, str]:
    return {name.casefold(): name for name in names}
