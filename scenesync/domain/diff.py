"""Turn what Plex shows and what it should show into the smallest edit. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from scenesync.domain.field_rules import PosterFit
from scenesync.domain.fields import (
    FILLED_BY_OTHERS,
    LIST_FIELDS,
    NEVER_LOCKED,
    SHARED_LISTS,
    Field,
    FieldValue,
    empty_value,
    shown_as,
)
from scenesync.domain.members import plain_members

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from scenesync.domain.item import Item


@plain_members
class ConflictPolicy(StrEnum):
    """Who wins when a field was edited in Plex."""

    STASH = "stash"
    PLEX = "plex"
    FILL = "fill"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What SceneSync last wrote to a field, and how the server then showed it (None: not read back yet).

    Of a list that people fill too, ``written`` has only the names that SceneSync put there (``FieldChange.written``).
    ``replaced`` is what the field showed before a write that is not proven yet: it may have been carried out or not.
    ``locked`` says whether that write locked the field: any other lock there is a person's.
    """

    written: FieldValue
    shown: FieldValue | None = None
    replaced: FieldValue | None = None
    locked: bool = True


@dataclass(frozen=True, slots=True)
class ItemBaselines:
    """What was written to fields of one item for a scene."""

    rating_key: str
    scene_id: int
    entries: Mapping[Field, Baseline]


@dataclass(frozen=True, slots=True)
class ImageBaseline:
    """The picture that SceneSync last put there: its SHA-1, the path Plex then served it under, its source's ETag.

    ``shown`` is "" between the upload and the read that proves it. ``source_sha1`` is of the cover that the picture was
    made of, by ``fit``: as long as both are the same, the picture is, whatever another version would make of them.
    """

    sha1: str
    shown: str = ""
    etag: str = ""
    source_sha1: str = ""
    fit: PosterFit = PosterFit.NONE


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field's step from ``before`` to ``after``; for lists, ``removed`` names what must leave.

    ``owned`` names what in ``after`` is SceneSync's own, for a list that people fill too (None: all of it).
    """

    field: Field
    before: FieldValue
    after: FieldValue
    owned: tuple[str, ...] | None = None

    @property
    def written(self) -> FieldValue:
        """What the field's baseline has to remember, so that what a person added is never taken for ours."""
        return self.after if self.owned is None else self.owned

    @property
    def removed(self) -> tuple[str, ...]:
        """The names in the list before that are not wanted, in the capitals that the server shows."""
        if isinstance(self.before, str) or isinstance(self.after, str):
            return ()
        kept = _folded(self.after)
        return tuple(name for name in self.before if name.casefold() not in kept)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that somebody else edited or locked in Plex, where Stash has another value.

    ``is_lock`` says that the lock alone tells so; ``is_overwritten`` that the policy lets Stash win.
    """

    field: Field
    is_lock: bool
    is_overwritten: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """The changes to one item; with ``lock`` each changed field is locked, so that it survives a metadata refresh.

    ``also_lock`` and ``also_unlock`` name fields whose lock is set or taken off although their value does not travel
    with the edit (pictures, say). ``locked_before`` names the locks that stay: an edit says for every changed field
    whether it is locked, and takes off the locks that the item has only where they are to be (undo).
    ``conflicts`` are the fields where a person's doing was met, whoever won.
    ``of_collection`` says that it is one of a collection, not of a film.
    """

    rating_key: str
    library_key: str
    changes: tuple[FieldChange, ...]
    lock: bool = True
    also_lock: tuple[Field, ...] = ()
    locked_before: frozenset[str] = frozenset()
    conflicts: tuple[Conflict, ...] = ()
    also_unlock: tuple[Field, ...] = ()
    of_collection: bool = False

    def locks(self, field: Field) -> bool:
        """Say whether SceneSync itself locks this field with the edit."""
        return self.lock and field not in NEVER_LOCKED

    def leaves_locked(self, field: Field) -> bool:
        """Say whether the field is to be locked after the edit, whoever locked it."""
        return self.locks(field) or field.value in self.locked_before

    @property
    def wording(self) -> Hashable:
        """All that a request for the edit says but which item it is for: equal ones can be sent as one."""
        changes = tuple(
            (change.field, change.after, change.removed, self.leaves_locked(change.field)) for change in self.changes
        )
        return self.library_key, self.of_collection, changes, frozenset(self.also_lock), frozenset(self.also_unlock)

    def __bool__(self) -> bool:
        """Say whether there is anything to send."""
        return bool(self.changes or self.also_lock or self.also_unlock)

    def missing_locks(self, locked: frozenset[str]) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
        """Return which of ``also_lock`` and ``also_unlock`` an item with these locks still lacks."""
        return (
            tuple(field for field in self.also_lock if field.value not in locked),
            tuple(field for field in self.also_unlock if field.value in locked),
        )


def plan_edit(
    item: Item,
    desired: Mapping[Field, FieldValue],
    baselines: Mapping[Field, Baseline],
    *,
    policy: ConflictPolicy = ConflictPolicy.STASH,
    policies: Mapping[Field, ConflictPolicy] | None = None,
    lock: bool = True,
) -> Edit:
    """Return the edit that makes ``item`` show ``desired``; it has no changes when nothing differs.

    ``policies`` says who wins in single fields, ``policy`` who does in all others.
    """
    by_field = policies or {}
    changes: list[FieldChange] = []
    refused: set[Field] = set()
    conflicts: list[Conflict] = []
    for field, wanted in desired.items():
        baseline = baselines.get(field)
        who_wins = by_field.get(field, policy)
        change = _step(field, item.value(field), wanted, baseline, who_wins)
        if is_right(field, change.before, change.after, baseline):
            continue
        is_written = _may_write(item, field, change.before, baseline, who_wins)
        if is_written:
            changes.append(change)
        else:
            refused.add(field)
        conflicts += _conflict(item, field, change.before, baseline, is_written=is_written)
    if Field.SORT_TITLE not in refused:
        changes = _with_sort_title(changes, item, desired)
    return Edit(
        item.rating_key,
        item.library_key,
        tuple(changes),
        lock,
        locked_before=item.locked,
        conflicts=tuple(conflicts),
    )


def needs_baseline(field: Field, wanted: FieldValue) -> bool:
    """Say whether what is shown may be equal to what is wanted, or seem right, and yet need an edit."""
    return field in SHARED_LISTS or (field in FILLED_BY_OTHERS and wanted == empty_value(field))


def shows(item: Item, field: Field, wanted: FieldValue, baseline: Baseline | None) -> bool:
    """Say whether an item needs no edit of this field, whoever would win."""
    change = _step(field, item.value(field), wanted, baseline, ConflictPolicy.STASH)
    return is_right(field, change.before, change.after, baseline)


def _step(
    field: Field, shown: FieldValue, wanted: FieldValue, baseline: Baseline | None, policy: ConflictPolicy
) -> FieldChange:
    """Return the step to what is wanted; in a shared list all that SceneSync did not put there itself stays.

    What a person took out of a shared list stays out, if persons win.
    """
    if field not in SHARED_LISTS:
        return FieldChange(field, before=shown, after=wanted)
    ours = _folded(baseline.written if baseline else ())
    unwanted = ours - _folded(wanted)
    kept = tuple(name for name in shown if name.casefold() not in unwanted)
    refused = ours - _folded(shown) if policy is not ConflictPolicy.STASH and _is_proven(baseline) else frozenset()
    added = tuple(name for name in wanted if name.casefold() not in _folded(kept) | refused)
    owned = tuple(name for name in wanted if name in added or name.casefold() in ours)
    return FieldChange(field, before=shown, after=(*kept, *added), owned=owned)


def _is_proven(baseline: Baseline | None) -> bool:
    return baseline is not None and baseline.shown is not None


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def is_right(field: Field, shown: FieldValue, wanted: FieldValue, baseline: Baseline | None) -> bool:
    """Say whether ``shown`` needs no edit to be what is wanted."""
    if shown == wanted:
        return True
    if field in LIST_FIELDS - {Field.ACTORS} and set(shown) == set(wanted):
        return True
    if wanted == empty_value(field) and field in FILLED_BY_OTHERS:
        return _is_not_ours(field, shown, baseline)
    if baseline is None:
        return False
    # The server may show our text in its own way (trimmed, other capitals or order); writing it again changes nothing.
    return baseline.written == wanted and shown == baseline.shown and shown_as(field, shown, wanted)


def _is_not_ours(field: Field, shown: FieldValue, baseline: Baseline | None) -> bool:
    """Say whether a value that Stash does not have is one to leave alone, since SceneSync did not write it."""
    if baseline is None:
        return True
    if baseline.written != empty_value(field):
        return False
    # Emptied by us: a date that could not be is left as it is, and what somebody entered since then is theirs.
    return shown == baseline.shown if field is Field.DATE else shown != baseline.replaced


def _may_write(item: Item, field: Field, shown: FieldValue, baseline: Baseline | None, policy: ConflictPolicy) -> bool:
    if policy is ConflictPolicy.STASH:
        return True
    if _locked_by_a_person(item, field, baseline):
        return False
    if field in SHARED_LISTS and policy is ConflictPolicy.PLEX:
        return True  # nothing of theirs is touched there (`_step`)
    if policy is ConflictPolicy.FILL:
        return shown == empty_value(field) or is_ours(field, shown, baseline)
    return baseline is None or is_ours(field, shown, baseline)


def _conflict(
    item: Item, field: Field, shown: FieldValue, baseline: Baseline | None, *, is_written: bool
) -> Iterator[Conflict]:
    """Yield what a person did to the field, if anybody did.

    The sort title follows the title, and in lists that people fill too nothing of theirs is touched.
    """
    if field is Field.SORT_TITLE or field in SHARED_LISTS:
        return
    edited = _is_proven(baseline) and shown != empty_value(field) and not is_ours(field, shown, baseline)
    if edited or _locked_by_a_person(item, field, baseline):
        yield Conflict(field, is_lock=not edited, is_overwritten=is_written)


def _locked_by_a_person(item: Item, field: Field, baseline: Baseline | None) -> bool:
    """Say whether the field has a lock that SceneSync did not set: somebody cared."""
    return field.value in item.locked and not (baseline is not None and baseline.locked)


def is_ours(field: Field, shown: FieldValue, baseline: Baseline | None) -> bool:
    """Say whether a field still shows what SceneSync left there, proven or not."""
    if baseline is None:
        return False
    if shown in (baseline.shown, baseline.replaced) or shown_as(field, shown, baseline.written):
        return True
    return arrived_in_part(shown, baseline)


def arrived_in_part(shown: FieldValue, baseline: Baseline) -> bool:
    """Say whether a list is somewhere between what it was and what a write that is not proven makes of it."""
    if baseline.shown is not None or baseline.replaced is None:
        return False
    if isinstance(shown, str) or isinstance(baseline.replaced, str) or isinstance(baseline.written, str):
        return False
    before, after, now = _folded(baseline.replaced), _folded(baseline.written), _folded(shown)
    return before & after <= now <= before | after


def _with_sort_title(changes: list[FieldChange], item: Item, desired: Mapping[Field, FieldValue]) -> list[FieldChange]:
    """Write the sort title with every new title: a server may make its own otherwise (facts/plex.md 3.2)."""
    fields = {change.field for change in changes}
    if Field.TITLE in fields and Field.SORT_TITLE in desired and Field.SORT_TITLE not in fields:
        shown = item.value(Field.SORT_TITLE)
        changes.append(FieldChange(Field.SORT_TITLE, before=shown, after=desired[Field.SORT_TITLE]))
    return changes
