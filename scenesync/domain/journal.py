"""One line of the history of edits: what a field showed before SceneSync changed it, and what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenesync.domain.fields import Field, FieldValue


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One field of one edit; ``at`` in epoch seconds, ``cause`` says what kind of run wrote it."""

    at: float
    scene_id: int
    rating_key: str
    field: Field
    before: FieldValue
    after: FieldValue
    cause: str
