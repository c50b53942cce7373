"""The history of edits: what each field showed before, and what SceneSync wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, insert, select

from scenesync.domain.fields import Field
from scenesync.domain.journal import JournalEntry
from scenesync.store.tables import journal
from scenesync.store.values import to_text, to_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.store.database import Database

_ENTRY: Final = (
    journal.c.at,
    journal.c.scene_id,
    journal.c.rating_key,
    journal.c.field,
    journal.c.before,
    journal.c.after,
    journal.c.cause,
)

# The latest edits made for one scene.
LATEST_OF_SCENE: Final = (
    select(*_ENTRY)
    .where(journal.c.server_id == bindparam("server"), journal.c.scene_id == bindparam("scene"))
    .order_by(journal.c.id.desc())
    .limit(bindparam("most"))
)

# Edits that are older than anybody wants to undo.
FORGET_OLD: Final = delete(journal).where(journal.c.at < bindparam("before_time"))


class JournalStore:
    """The journal of one Plex server. Every method may raise StoreError."""

    def __init__(self, database: Database, server_id: str, *, run_id: str = "") -> None:
        self._database = database
        self._server_id = server_id
        self._run_id = run_id

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Keep the entries; they are on the disk when this returns."""
        rows = [
            {
                "server_id": self._server_id,
                "at": entry.at,
                "scene_id": entry.scene_id,
                "rating_key": entry.rating_key,
                "field": entry.field.value,
                "before": to_text(entry.before),
                "after": to_text(entry.after),
                "cause": entry.cause,
                "run_id": self._run_id,
            }
            for entry in entries
        ]
        if rows:
            with self._database.transaction() as connection:
                connection.execute(insert(journal), rows)

    def latest(self, scene_id: int, limit: int) -> tuple[JournalEntry, ...]:
        """Return the latest edits made for a scene, newest first."""
        parameters = {"server": self._server_id, "scene": scene_id, "most": limit}
        with self._database.reading() as connection:
            rows = connection.execute(LATEST_OF_SCENE, parameters).all()
        return tuple(
            JournalEntry(at, scene, item, Field(field), to_value(before), to_value(after), cause)
            for at, scene, item, field, before, after, cause in rows
        )


def forget_edits(database: Database, *, older_than: float) -> int:
    """Drop the entries of all servers from before ``older_than`` (epoch seconds); return how many."""
    with database.transaction(durable=False) as connection:
        return connection.execute(FORGET_OLD, {"before_time": older_than}).rowcount
