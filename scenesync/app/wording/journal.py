"""Edits and the runs that made them, as people and scripts see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenesync.domain.journal import JournalEntry, Run


def edit_document(entry: JournalEntry) -> dict[str, Any]:
    """Return one field of an edit for ``--json``."""
    return {
        "number": entry.number,
        "at": entry.at,
        "run": entry.run_id,
        "cause": entry.cause,
        "scene_id": entry.scene_id,
        "rating_key": entry.rating_key,
        "field": entry.field.value,
        "before": entry.before,
        "after": entry.after,
        "shown": entry.after if entry.shown is None else entry.shown,
        "lock_before": entry.lock_before,
        "lock_after": entry.lock_after,
        "file": entry.file,
    }


def run_document(run: Run) -> dict[str, Any]:
    """Return a run for ``--json``."""
    return {
        "run": run.run_id,
        "cause": run.cause,
        "began_at": run.began_at,
        "ended_at": run.ended_at,
        "scenes": run.scenes,
        "fields": run.fields,
    }
