"""Carry out an edit on items, and say what it wrote."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.catalogue import Catalogue
from scenesync.simulators.plex.edits import RATING_FIELDS, TIME_FIELDS, Edit, TagEdit
from scenesync.simulators.plex.model import PlexCollection, PlexItem, Scalar
from scenesync.simulators.plex.records import FieldValue, FieldWrite
from scenesync.simulators.plex.tags import TagUse

_LOWEST_RATING = 0.0
_HIGHEST_RATING = 10.0


class EditRefusedError(Exception):
    """The request cannot be carried out; nothing was changed. ``status`` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Editor:
    """Applies edits to the catalogue under the behaviour of the moment."""

    def __init__(self, catalogue: Catalogue, behaviour: PlexBehaviour, ignored_fields: frozenset[str]) -> None:
        self._catalogue = catalogue
        self._behaviour = behaviour
        self._ignored = ignored_fields

    def apply(self, items: Iterable[PlexItem], edit: Edit, at: float) -> list[FieldWrite]:
        """Apply one edit to every item. Raises :class:`EditRefusedError` before anything is changed."""
        values = {stem: convert(stem, text) for stem, text in edit.values.items() if stem not in self._ignored}
        targets = tuple(items)
        self._check_titles(targets, edit)
        return [write for item in targets for write in self._apply_to(item, edit, values, at)]

    def _check_titles(self, items: tuple[PlexItem, ...], edit: Edit) -> None:
        title = edit.values.get("title")
        for item in items:
            if isinstance(item, PlexCollection) and title:
                taken = self._catalogue.collection_called(self._catalogue.library_of(item), title)
                if taken is not None and taken is not item:
                    raise EditRefusedError(409, "Another collection has this title.")

    def _apply_to(self, item: PlexItem, edit: Edit, values: dict[str, Scalar | None], at: float) -> list[FieldWrite]:
        locked_before = item.locked
        writes = [self._write_scalar(item, stem, value, at) for stem, value in values.items()]
        writes += [
            self._write_tags(item, kind, tag_edit, at)
            for kind, tag_edit in edit.tags.items()
            if kind not in self._ignored
        ]
        written = frozenset(write.field for write in writes)
        self._set_locks(item, edit, written)
        turned = item.locked ^ locked_before
        writes = [replace(write, changed=write.changed or write.field in turned) for write in writes]
        for stem in edit.locks:
            if stem not in written and stem not in self._ignored:
                before, after = str(int(stem in locked_before)), str(int(stem in item.locked))
                writes.append(FieldWrite(item.rating_key, f"{stem}.locked", before, after, before != after, at))
        only_collections = bool(written) and written <= {"collection"}
        moves = (
            self._behaviour.updated_at_moves_on_collection
            if only_collections
            else self._behaviour.updated_at_moves_on_edit
        )
        self._catalogue.touch(item, moves_updated_at=moves)
        return writes

    def _set_locks(self, item: PlexItem, edit: Edit, written: frozenset[str]) -> None:
        locks = {stem: locked for stem, locked in edit.locks.items() if stem not in self._ignored}
        if self._behaviour.edit_without_lock_parameter_locks:
            locks |= {stem: True for stem in written if stem not in edit.locks}
        on = {stem for stem, locked in locks.items() if locked}
        item.locked = frozenset((item.locked - locks.keys()) | on)

    def _write_scalar(self, item: PlexItem, stem: str, value: Scalar | None, at: float) -> FieldWrite:
        before = item.text(stem)
        if value is not None:
            rounds = stem == "userRating" and self._behaviour.user_rating_rounded
            item.scalars[stem] = float(round(float(value))) if rounds else value
        elif self._behaviour.empty_value_clears:
            item.scalars.pop(stem, None)
        if stem == "title":
            self._follow_title(item, before)
        elif stem == "originallyAvailableAt" and self._behaviour.year_follows_date:
            self._follow_date(item)
        elif stem == "userRating":
            item.scalars["lastRatedAt"] = int(at)
        elif stem == "addedAt" and value is not None:
            item.added_at = int(value)
        after = item.text(stem)
        return FieldWrite(item.rating_key, stem, before, after, before != after, at)

    def _follow_title(self, item: PlexItem, before: str) -> None:
        if not item.title:  # without a title Plex shows the file's name
            item.scalars["title"] = item.originals["title"]
        if "titleSort" not in item.locked:
            item.scalars["titleSort"] = item.title
        if isinstance(item, PlexCollection) and item.title != before:
            renamed = item.title
            item.scalars["title"] = before  # the members still carry the old name
            self._catalogue.rename_collection(item, renamed)
            item.scalars["title"] = renamed

    @staticmethod
    def _follow_date(item: PlexItem) -> None:
        date = item.originally_available_at
        if date:
            item.scalars["year"] = int(date[:4])
        else:
            item.scalars.pop("year", None)

    def _write_tags(self, item: PlexItem, kind: str, edit: TagEdit, at: float) -> FieldWrite:
        before = item.tags.get(kind, ())
        photos_before = self._catalogue.tags.photo_changes
        uses = self._resulting_tags(item, kind, edit)
        self._catalogue.set_tags(item, kind, uses)
        changed = uses != before or self._catalogue.tags.photo_changes != photos_before
        return FieldWrite(item.rating_key, kind, _texts(before), _texts(uses), changed, at)

    def _resulting_tags(self, item: PlexItem, kind: str, edit: TagEdit) -> tuple[TagUse, ...]:
        present = {use.tag.name: use for use in item.tags.get(kind, ())}
        named = {entry.name: self._use(kind, entry.name, entry.role, entry.thumb) for entry in edit.named}
        if edit.whole:
            wanted = {name: self._use(kind, name) for name in edit.whole} | named
        elif edit.clears or (named and self._replaces(item)):
            wanted = named
        else:
            wanted = present | named
        by_name = {use.tag.name: use for use in wanted.values()}
        return tuple(use for name, use in by_name.items() if name not in edit.removed)

    def _replaces(self, item: PlexItem) -> bool:
        return self._behaviour.tags_on_items == "replace" or isinstance(item, PlexCollection)

    def _use(self, kind: str, name: str, role: str = "", thumb: str | None = None) -> TagUse:
        tag = self._catalogue.tags.get(kind, name, existing_case_wins=self._behaviour.existing_tag_case_wins)
        if thumb is not None:
            self._catalogue.tags.set_photo(tag, thumb)
        return TagUse(tag, role)


def convert(stem: str, text: str) -> Scalar | None:
    """Return the value that Plex would store for a parameter, None for an empty one. Raises EditRefusedError (400)."""
    if not text:
        return None
    try:
        if stem in RATING_FIELDS:
            return _rating(float(text))
        if stem in TIME_FIELDS:
            return int(text)
        if stem == "originallyAvailableAt":
            return dt.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise EditRefusedError(400, f"{stem} cannot be {text!r}.") from error
    return text


def _rating(value: float) -> float:
    if not _LOWEST_RATING <= value <= _HIGHEST_RATING:
        raise ValueError(value)
    return value


def _texts(uses: tuple[TagUse, ...]) -> FieldValue:
    return tuple(use.text for use in uses)
