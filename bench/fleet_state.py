"""The state of a fleet has one writer at a time: what its processes note before their edits, each in turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from scenesync.domain.diff import Baseline, ItemBaselines
from scenesync.domain.fields import Field
from scenesync.domain.journal import SYNC, JournalEntry
from scenesync.store.baselines import BaselineStore
from scenesync.store.journal import JournalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenesync.domain.fields import FieldValue
    from scenesync.store.database import Database

_SERVER: Final = "benchmark"
_BEFORE: Final[Mapping[Field, FieldValue]] = {
    Field.TITLE: "harbour",
    Field.SORT_TITLE: "harbour",
    Field.SUMMARY: "",
    Field.STUDIO: "",
    Field.DATE: "",
    Field.ACTORS: (),
    Field.GENRES: (),
}


def note_edits(database: Database, at_once: int, first: int, goes_on: Callable[[], bool]) -> int:
    """Note what the worker notes before it sends the edits of ``at_once`` scenes; return how many scenes that were.

    The scenes are numbered from ``first`` on.
    """
    journal, baselines = JournalStore(database, _SERVER), BaselineStore(database, _SERVER)
    done = 0
    while goes_on():
        after = {first + done + number: _after(first + done + number) for number in range(at_once)}
        with baselines.together():
            journal.append([entry for scene_id, fields in after.items() for entry in _entries(scene_id, fields)])
            baselines.write_all([_written(scene_id, fields) for scene_id, fields in after.items()])
        done += at_once
    return done


def _after(scene_id: int) -> Mapping[Field, FieldValue]:
    title = f"Harbour concert {scene_id}"
    return {
        Field.TITLE: title,
        Field.SORT_TITLE: title,
        Field.SUMMARY: f"{title}, seen from the pier. " * 8,
        Field.STUDIO: "Lighthouse Films",
        Field.DATE: "2024-06-01",
        Field.ACTORS: ("Ada Pier", "Bo Quay", "Cy Mole"),
        Field.GENRES: ("Concert", "Harbour", "Night", "Summer"),
    }


def _entries(scene_id: int, fields: Mapping[Field, FieldValue]) -> list[JournalEntry]:
    now = time.time()
    return [
        JournalEntry(now, scene_id, str(scene_id), field, _BEFORE[field], value, SYNC)
        for field, value in fields.items()
    ]


def _written(scene_id: int, fields: Mapping[Field, FieldValue]) -> ItemBaselines:
    entries = {field: Baseline(value, replaced=_BEFORE[field]) for field, value in fields.items()}
    return ItemBaselines(str(scene_id), scene_id, entries)
