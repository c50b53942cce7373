"""The history of edits: what each field showed before, what SceneSync wrote, and what the server made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, update

from scenesync.domain.fields import Field
from scenesync.domain.journal import JournalEntry, JournalFilter, Lock, Run
from scenesync.store.compiled import execute_many, insert_many
from scenesync.store.tables import journal
from scenesync.store.values import renamed_in, to_text, to_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.fields import FieldValue
    from scenesync.store.database import Database

_ENTRY: Final = (
    journal.c.at,
    journal.c.scene_id,
    journal.c.rating_key,
    journal.c.field,
    journal.c.before,
    journal.c.after,
    journal.c.cause,
    journal.c.shown,
    journal.c.lock_before,
    journal.c.lock_after,
    journal.c.file,
    journal.c.run_id,
    journal.c.id,
)

# One edit.
APPEND: Final = insert(journal).values(
    {column: bindparam(f"new_{column.name}") for column in journal.columns if column is not journal.c.id}
)

# All edits of one item, oldest first, whichever scenes they were made for.
HISTORY_OF_ITEM: Final = (
    select(*_ENTRY)
    .where(journal.c.server_id == bindparam("server"), journal.c.rating_key == bindparam("item"))
    .order_by(journal.c.id)
)

# The items that were written for one scene, once per edit.
ITEMS_OF_SCENE: Final = (
    select(journal.c.rating_key)
    .where(journal.c.server_id == bindparam("server"), journal.c.scene_id == bindparam("scene"))
    .order_by(journal.c.id)
)

# Notes how the server shows what was last written to a field of an item.
NOTE_SHOWN: Final = (
    update(journal)
    .where(
        journal.c.id
        == select(func.max(journal.c.id))
        .where(
            journal.c.rating_key == bindparam("item"),
            journal.c.server_id == bindparam("server"),
            journal.c.field == bindparam("stem"),
        )
        .scalar_subquery()
    )
    .values(shown=bindparam("as_shown"))
)

# All edits of one field of an item, to write them anew under another name.
EDITS_OF_FIELD: Final = select(journal.c.id, journal.c.before, journal.c.after, journal.c.shown).where(
    journal.c.server_id == bindparam("server"),
    journal.c.rating_key == bindparam("item"),
    journal.c.field == bindparam("stem"),
)
REWRITE_EDIT: Final = (
    update(journal)
    .where(journal.c.id == bindparam("number"))
    .values(before=bindparam("new_before"), after=bindparam("new_after"), shown=bindparam("new_shown"))
)

# Edits that are older than anybody wants to undo.
FORGET_OLD: Final = delete(journal).where(journal.c.at < bindparam("before_time"))

# Edits beyond the number to keep; they are numbered as they come, so the lowest numbers are the oldest.
FORGET_BEYOND: Final = delete(journal).where(
    journal.c.id <= select(func.max(journal.c.id) - bindparam("most")).scalar_subquery()
)


class JournalStore:
    """The journal of one Plex server. Every method may raise StoreError."""

    def __init__(self, database: Database, server_id: str, *, run_id: str = "") -> None:
        self._database = database
        self._server_id = server_id
        self.run_id = run_id

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Keep the entries; they are on the disk when this returns."""
        rows = [
            {
                "new_server_id": self._server_id,
                "new_at": entry.at,
                "new_scene_id": entry.scene_id,
                "new_rating_key": entry.rating_key,
                "new_field": entry.field.value,
                "new_before": to_text(entry.before),
                "new_after": to_text(entry.after),
                "new_cause": entry.cause,
                "new_run_id": self.run_id,
                "new_shown": None if entry.shown is None else to_text(entry.shown),
                "new_lock_before": entry.lock_before,
                "new_lock_after": entry.lock_after,
                "new_file": entry.file,
            }
            for entry in entries
        ]
        if rows:
            with self._database.transaction() as connection:
                insert_many(connection, APPEND, rows)

    def note_shown(self, shown: Mapping[str, Mapping[Field, FieldValue]]) -> None:
        """Note how the server shows what was last written to these fields of these items."""
        rows = [
            {"server": self._server_id, "item": rating_key, "stem": field.value, "as_shown": to_text(value)}
            for rating_key, fields in shown.items()
            for field, value in fields.items()
        ]
        if rows:
            with self._database.transaction() as connection:
                execute_many(connection, NOTE_SHOWN, rows)

    def rename_in_list(self, rating_keys: Iterable[str], field: Field, old: str, new: str) -> None:
        """Let a name in a list of these items have been ``new`` in all edits: what it names was renamed."""
        with self._database.transaction() as connection:
            for rating_key in rating_keys:
                parameters = {"server": self._server_id, "item": rating_key, "stem": field.value}
                rows = [
                    {
                        "number": number,
                        "new_before": renamed_in(before, old, new),
                        "new_after": renamed_in(after, old, new),
                        "new_shown": renamed_in(shown, old, new),
                    }
                    for number, before, after, shown in self._database.look_up(EDITS_OF_FIELD, parameters)
                ]
                execute_many(connection, REWRITE_EDIT, rows)

    def history(self, rating_key: str) -> tuple[JournalEntry, ...]:
        """Return all edits of an item, oldest first."""
        rows = self._database.look_up(HISTORY_OF_ITEM, {"server": self._server_id, "item": rating_key})
        return tuple(_to_entry(row) for row in rows)

    def items_of(self, scene_id: int) -> tuple[str, ...]:
        """Return the items that were written for a scene, in the order in which they first were."""
        rows = self._database.look_up(ITEMS_OF_SCENE, {"server": self._server_id, "scene": scene_id})
        return tuple(dict.fromkeys(rating_key for (rating_key,) in rows))

    def scenes(self, chosen: JournalFilter) -> tuple[int, ...]:
        """Return the scenes for which any of the chosen edits was made, in the order of their ids."""
        statement = (
            select(journal.c.scene_id)
            .where(journal.c.server_id == self._server_id, *_conditions(chosen))
            .distinct()
            .order_by(journal.c.scene_id)
        )
        with self._database.reading() as connection:
            return tuple(connection.execute(statement).scalars())


def search_edits(
    database: Database, chosen: JournalFilter, *, limit: int, before: int | None = None
) -> tuple[JournalEntry, ...]:
    """Return the latest of the chosen edits on all servers, newest first, those with a number below ``before``.

    Raises StoreError.
    """
    conditions = _conditions(chosen) if before is None else [*_conditions(chosen), journal.c.id < before]
    statement = select(*_ENTRY).where(*conditions).order_by(journal.c.id.desc()).limit(limit)
    with database.reading() as connection:
        return tuple(_to_entry(row) for row in connection.execute(statement))


def count_scenes(database: Database, chosen: JournalFilter) -> int:
    """Return for how many scenes any of the chosen edits was made, on all servers. Raises StoreError."""
    statement = select(func.count(journal.c.scene_id.distinct())).where(*_conditions(chosen))
    with database.reading() as connection:
        return int(connection.execute(statement).scalar_one())


def search_runs(database: Database, chosen: JournalFilter, *, limit: int) -> tuple[Run, ...]:
    """Return the latest runs that made any of the chosen edits, and how many, newest first. Raises StoreError."""
    statement = (
        select(
            journal.c.run_id,
            func.max(journal.c.cause),
            func.min(journal.c.at),
            func.max(journal.c.at),
            func.count(journal.c.scene_id.distinct()),
            func.count(),
        )
        .where(*_conditions(chosen))
        .group_by(journal.c.run_id)
        .order_by(func.max(journal.c.id).desc())
        .limit(limit)
    )
    with database.reading() as connection:
        return tuple(Run(*row) for row in connection.execute(statement))


def forget_edits(database: Database, *, older_than: float | None = None, beyond: int = 0) -> int:
    """Drop the entries of all servers from before ``older_than`` (epoch seconds), and the oldest ``beyond`` so many.

    Neither is dropped for None and 0. Return how many were.
    """
    dropped = 0
    with database.transaction(durable=False) as connection:
        if older_than is not None:
            dropped += connection.execute(FORGET_OLD, {"before_time": older_than}).rowcount
        if beyond:
            dropped += connection.execute(FORGET_BEYOND, {"most": beyond}).rowcount
    return dropped


def _conditions(chosen: JournalFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.scene_ids:
        conditions.append(journal.c.scene_id.in_(chosen.scene_ids))
    if chosen.since is not None:
        conditions.append(journal.c.at >= chosen.since)
    if chosen.run_id:
        conditions.append(journal.c.run_id == chosen.run_id)
    if chosen.numbers:
        conditions.append(journal.c.id.in_(chosen.numbers))
    return conditions


def _to_entry(row: Sequence[Any]) -> JournalEntry:
    at, scene_id, rating_key, field, before, after, cause, shown, lock_before, lock_after, file, run_id, number = row
    return JournalEntry(
        at=at,
        scene_id=scene_id,
        rating_key=rating_key,
        field=Field(field),
        before=to_value(before),
        after=to_value(after),
        cause=cause,
        shown=None if shown is None else to_value(shown),
        lock_before=None if lock_before is None else Lock(lock_before),
        lock_after=None if lock_after is None else Lock(lock_after),
        file=file,
        run_id=run_id,
        number=number,
    )
