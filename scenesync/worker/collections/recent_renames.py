"""Remember for a while which collections were renamed: edits under way still name them as they were called before."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scenesync.domain.collection import title_key
from scenesync.domain.fields import Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.domain.collection import KnownCollection
    from scenesync.domain.diff import Edit, FieldChange

UNDER_WAY_S: Final = 120.0
"""Longer than any write that is still under way, its proof included."""


class RecentRenames:
    """The renames of the last minutes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._titles: dict[tuple[str, str], tuple[str, float]] = {}

    def note(self, old: KnownCollection, new: KnownCollection) -> None:
        """Remember that a collection has another title."""
        with self._lock:
            self._titles.pop((new.library_key, new.key), None)
            if old.key != new.key:
                self._titles[old.library_key, old.key] = new.title, time.monotonic()

    def forget(self, library_key: str, key: str) -> None:
        """Hear that there is to be another collection of an old title."""
        with self._lock:
            self._titles.pop((library_key, key), None)

    def as_called_now(self, edit: Edit) -> Edit:
        """Return an edit with the titles that the collections in it have got since it was made; mostly itself."""
        changes = tuple(
            each if each.field is not Field.COLLECTIONS else self._with_new_titles(edit.library_key, each)
            for each in edit.changes
        )
        return edit if changes == edit.changes else replace(edit, changes=changes)

    def _with_new_titles(self, library_key: str, change: FieldChange) -> FieldChange:
        def now(names: Iterable[str]) -> tuple[str, ...]:
            called = [self._title(library_key, name) for name in names]
            return tuple({title_key(name): name for name in called}.values())

        if all(self._title(library_key, name) == name for name in (*change.before, *change.after)):
            return change
        owned = None if change.owned is None else now(change.owned)
        return replace(change, before=now(change.before), after=now(change.after), owned=owned)

    def _title(self, library_key: str, name: str) -> str:
        """Follow a title through however many renames."""
        with self._lock:
            for _ in range(len(self._titles)):
                title, at = self._titles.get((library_key, title_key(name)), (name, 0.0))
                if title == name or time.monotonic() - at > UNDER_WAY_S:
                    break
                name = title
        return name
