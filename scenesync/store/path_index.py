"""The index of Plex's files on disk: lookups for the matcher, and the ways in which it is kept fresh.

It is a copy that Plex can fill again at any time, so none of its writes waits for the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, exists, func, literal_column, select, update

from scenesync.domain.batches import batched
from scenesync.domain.matching import IndexedFile
from scenesync.domain.paths import name_key, path_key
from scenesync.store.compiled import execute_many, insert_many
from scenesync.store.dialect import insert_or_keep, insert_or_update
from scenesync.store.tables import plex_file, plex_item, plex_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Select

    from scenesync.domain.item import ListedItem
    from scenesync.store.database import Database

BATCH_SIZE: Final = 1_000
"""Items per transaction: a few tens of milliseconds, so that other writers wait no longer than that."""

_LIBRARY: Final = (
    (plex_library.c.server_id == bindparam("server")) & (plex_library.c.library_key == bindparam("library"))
)  # fmt: skip
_OF_LIBRARY: Final = (
    (plex_item.c.server_id == bindparam("server")) & (plex_item.c.library_key == bindparam("library"))
)  # fmt: skip


_FILE: Final = (
    plex_file.c.rating_key,
    plex_file.c.library_key,
    plex_file.c.path,
    plex_file.c.size_bytes,
    plex_file.c.duration_ms,
)
"""In the order of IndexedFile's fields."""

# Neither lookup has an ORDER BY: SQLite would walk the primary key, which has that order, instead of seeking the key.
# The files at a path.
FILES_AT: Final = select(*_FILE).where(
    plex_file.c.path_key == bindparam("key"), plex_file.c.server_id == bindparam("server")
)

# The files of a name.
FILES_NAMED: Final = select(*_FILE).where(
    plex_file.c.name_key == bindparam("key"), plex_file.c.server_id == bindparam("server")
)

# The files of one item.
FILES_OF_ITEM: Final = select(*_FILE).where(
    plex_file.c.server_id == bindparam("server"), plex_file.c.rating_key == bindparam("key")
)

# The next items in the order of their keys, with their files; an item without files has one row without a path.
FILES_AFTER: Final = (
    select(plex_item.c.rating_key, plex_item.c.library_key, *_FILE[2:])
    .select_from(plex_item.outerjoin(plex_file))
    .where(
        plex_item.c.server_id == bindparam("server"),
        plex_item.c.rating_key.in_(
            select(plex_item.c.rating_key)
            .where(plex_item.c.server_id == bindparam("server"), plex_item.c.rating_key > bindparam("last"))
            .order_by(plex_item.c.rating_key)
            .limit(bindparam("most"))
        ),
    )
    .order_by(plex_item.c.rating_key, plex_file.c.path)
)

# The paths that more than one item has.
SHARED_PATHS: Final = (
    select(plex_file.c.path_key)
    .where(plex_file.c.server_id == bindparam("server"))
    .group_by(plex_file.c.path_key)
    .having(func.count() > literal_column("1"))
)

# The files of some items, to compare with what a listing shows.
FILES_OF_ITEMS: Final = select(*_FILE).where(
    plex_file.c.server_id == bindparam("server"),
    plex_file.c.rating_key.in_(bindparam("items", expanding=True)),
)

# Which of some items are in the index.
KNOWN_ITEMS: Final = select(plex_item.c.rating_key).where(
    plex_item.c.server_id == bindparam("server"),
    plex_item.c.rating_key.in_(bindparam("items", expanding=True)),
)

# Takes a file from its item.
FORGET_FILE: Final = delete(plex_file).where(
    plex_file.c.server_id == bindparam("server"),
    plex_file.c.rating_key == bindparam("item"),
    plex_file.c.path == bindparam("gone"),
)

# Takes an item out that still stands there with one of these files; its files go with it.
FORGET_ITEM: Final = delete(plex_item).where(
    plex_item.c.server_id == bindparam("server"),
    plex_item.c.rating_key == bindparam("item"),
    exists().where(
        plex_file.c.server_id == bindparam("server"),
        plex_file.c.rating_key == bindparam("item"),
        plex_file.c.path.in_(bindparam("paths", expanding=True)),
    ),
)

# The number of the latest full pass of each library.
GENERATIONS: Final = select(plex_library.c.library_key, plex_library.c.generation).where(
    plex_library.c.server_id == bindparam("server")
)

# Begins a full pass.
NEXT_GENERATION: Final = update(plex_library).where(_LIBRARY).values(generation=plex_library.c.generation + 1)

# The items that a full pass did not meet.
NOT_SEEN: Final = select(plex_item.c.rating_key).where(
    _OF_LIBRARY, plex_item.c.generation < bindparam("this_generation")
)

# Takes them out; their files go with them.
FORGET_NOT_SEEN: Final = delete(plex_item).where(_OF_LIBRARY, plex_item.c.generation < bindparam("this_generation"))

# Notes that a full pass has come to its end.
NOTE_FULL_PASS: Final = update(plex_library).where(_LIBRARY).values(
    last_full_pass_at=bindparam("at"), last_refresh_at=bindparam("at")
)  # fmt: skip

# Notes that the latest changes were looked at, up to a moment by the server's clock.
NOTE_REFRESH: Final = update(plex_library).where(_LIBRARY).values(
    last_refresh_at=bindparam("at"), seen_until=bindparam("until")
)  # fmt: skip

# Notes what a full pass found out about the server.
NOTE_LISTING: Final = update(plex_library).where(_LIBRARY).values(
    surplus=bindparam("more"), seen_until=bindparam("until")
)  # fmt: skip

# How fresh a library's index is.
LIBRARY_TIMES: Final = select(
    plex_library.c.last_full_pass_at, plex_library.c.last_refresh_at, plex_library.c.surplus, plex_library.c.seen_until
).where(_LIBRARY)

# How many items of a library changed at or after a time, and when the last of all others did.
CHANGED_SINCE: Final = select(func.count()).where(_OF_LIBRARY, plex_item.c.updated_at >= bindparam("since"))
NEWEST_BEFORE: Final = select(func.coalesce(func.max(plex_item.c.updated_at), literal_column("0"))).where(
    _OF_LIBRARY, plex_item.c.updated_at < bindparam("since")
)

# How many items a library has and when the latest of them changed.
LIBRARY_ITEMS: Final = select(func.count(), func.coalesce(func.max(plex_item.c.updated_at), 0)).where(_OF_LIBRARY)

# Takes out the items of all other libraries.
FORGET_OTHER_ITEMS: Final = delete(plex_item).where(
    plex_item.c.server_id == bindparam("server"), plex_item.c.library_key.not_in(bindparam("kept", expanding=True))
)

# Forgets when the other libraries were looked at.
FORGET_OTHER_LIBRARIES: Final = delete(plex_library).where(
    plex_library.c.server_id == bindparam("server"),
    plex_library.c.library_key.not_in(bindparam("kept", expanding=True)),
)

# How much the index holds of this server.
COUNT_LIBRARIES: Final = select(func.count()).where(plex_library.c.server_id == bindparam("server"))
COUNT_ITEMS: Final = select(func.count()).where(plex_item.c.server_id == bindparam("server"))
COUNT_FILES: Final = select(func.count()).where(plex_file.c.server_id == bindparam("server"))


@dataclass(frozen=True, slots=True)
class LibraryState:
    """How fresh a library's index is; times in epoch seconds, None for never, ``newest_updated_at`` 0 if empty.

    ``surplus`` is by how much the server's total was more than what it listed in the last full pass. What changed
    before ``seen_until`` is known, by the server's clock in whole seconds (0: it does not tell its time).
    """

    item_count: int
    newest_updated_at: int
    last_full_pass_at: float | None
    last_refresh_at: float | None
    surplus: int = 0
    seen_until: int = 0


@dataclass(frozen=True, slots=True)
class FullPass:
    """What a full pass left in the index of a library, and the rating keys of what it took out."""

    item_count: int
    removed: frozenset[str]


def _tell_nobody(_names: frozenset[str]) -> None:
    """Take the name keys of new and moved files."""


@dataclass(frozen=True, slots=True)
class IndexCounts:
    """How much the index holds."""

    libraries: int
    items: int
    files: int


class PathIndexStore:
    """One server's files; implements ``domain.matching.PathIndex``. Every method may raise StoreError."""

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id

    def files_at(self, key: str) -> Sequence[IndexedFile]:
        """Return the files whose path has this case-folded ``path_key``."""
        return self._files(FILES_AT, key)

    def foresee(self, keys: Iterable[str]) -> None:
        """Look up all at once what a block of ``looking_up`` asks of the files at these keys from now on."""
        self._database.foresee(FILES_AT, ({"server": self._server_id, "key": key} for key in keys))

    def files_named(self, key: str) -> Sequence[IndexedFile]:
        """Return the files with this ``name_key``."""
        return self._files(FILES_NAMED, key)

    def files_of(self, rating_key: str) -> Sequence[IndexedFile]:
        """Return the files of an item."""
        return self._files(FILES_OF_ITEM, rating_key)

    def items_after(self, last_key: str, limit: int) -> Mapping[str, tuple[IndexedFile, ...]]:
        """Return the next items after a rating key ("" at first), at most ``limit``, each with its files."""
        parameters = {"server": self._server_id, "last": last_key, "most": limit}
        with self._database.reading() as connection:
            rows = connection.execute(FILES_AFTER, parameters).all()
        found: dict[str, tuple[IndexedFile, ...]] = {}
        for row in rows:
            earlier = found.get(row[0], ())
            found[row[0]] = earlier if row[2] is None else (*earlier, IndexedFile(*row))
        return found

    def shared_paths(self) -> Sequence[str]:
        """Return the keys (for ``files_at``) of paths that stand in the index more than once."""
        return [key for (key,) in self._database.look_up(SHARED_PATHS, {"server": self._server_id})]

    def replace_library(
        self,
        library_key: str,
        items: Iterable[ListedItem],
        *,
        started_at: float,
        on_appeared: Callable[[frozenset[str]], object] = _tell_nobody,
    ) -> FullPass:
        """Take over a full listing of a library, which may arrive slowly, and forget what is not in it.

        ``items`` is drawn from outside any transaction. What it raises passes through, and as after a crash nothing has
        been forgotten by then; so a listing that turns out to be incomplete must raise, not end. Items that come in
        by ``upsert_items`` meanwhile stay. Several passes of one library at once do each other no harm.
        ``started_at`` (epoch seconds) becomes the time of the pass: changes after it may be missing. ``on_appeared`` is
        told the name keys of new and moved files, a batch at a time, so that memory does not grow with the library.
        """
        generation = self._begin_pass(library_key)
        with self._database.writing_much():
            for batch in batched(items, BATCH_SIZE):
                with self._database.transaction(durable=False) as connection:
                    appeared = self._put(connection, batch, {library_key: generation})
                if appeared:
                    on_appeared(frozenset(appeared))
        removed = self._end_pass(library_key, generation, started_at)
        return FullPass(self.library_state(library_key).item_count, removed)

    def upsert_items(self, items: Iterable[ListedItem]) -> frozenset[str]:
        """Take over some items as they are now and return the name keys of their new and moved files."""
        appeared: set[str] = set()
        for batch in batched(items, BATCH_SIZE):
            with self._database.transaction(durable=False) as connection:
                # With the number of a pass that is under way, or that pass would take them for gone.
                generations = self._generations(connection)
                appeared |= self._put(connection, batch, generations)
        return frozenset(appeared)

    def forget_item(self, rating_key: str, paths: Iterable[str]) -> bool:
        """Take out an item that turned out to play none of these files; False if it was not there with one of them.

        By then a refresh may have found what else Plex has under this key, and that stays.
        """
        parameters = {**self._item(rating_key), "paths": tuple(paths)}
        with self._database.transaction(durable=False) as connection:
            return connection.execute(FORGET_ITEM, parameters).rowcount > 0

    def item_keys_known(self, rating_keys: Iterable[str]) -> frozenset[str]:
        """Return those of the keys whose items are in the index."""
        known: set[str] = set()
        with self._database.reading() as connection:
            for batch in batched(rating_keys, BATCH_SIZE):
                known.update(connection.scalars(KNOWN_ITEMS, {"server": self._server_id, "items": batch}))
        return frozenset(known)

    def library_state(self, library_key: str) -> LibraryState:
        """Return how fresh a library's index is; all zero and None for one never seen."""
        parameters = self._library(library_key)
        with self._database.reading() as connection:
            item_count, newest = connection.execute(LIBRARY_ITEMS, parameters).one()
            times = connection.execute(LIBRARY_TIMES, parameters).one_or_none()
        return LibraryState(item_count, newest, *(times or (None, None)))

    def last_refresh_at(self, library_key: str) -> float | None:
        """Return when (epoch seconds) a library was last looked at, None if it was never read to its end."""
        times = self._database.look_up(LIBRARY_TIMES, self._library(library_key))
        for last_full_pass_at, last_refresh_at, _, _ in times:
            return None if last_full_pass_at is None else float(last_refresh_at)
        return None

    def changed_since(self, library_key: str, since: int) -> tuple[int, int]:
        """Return how many items of a library changed at or after a time, and when the last of all others did."""
        parameters = {**self._library(library_key), "since": since}
        ((changed,),) = self._database.look_up(CHANGED_SINCE, parameters)
        ((newest_other,),) = self._database.look_up(NEWEST_BEFORE, parameters)
        return changed, newest_other

    def set_library_state(self, library_key: str, *, last_refresh_at: float, seen_until: int = 0) -> None:
        """Note when (epoch seconds) a library's latest changes were looked at, and up to which time of the server."""
        with self._database.transaction(durable=False) as connection:
            self._ensure_library(connection, library_key)
            parameters = {**self._library(library_key), "at": last_refresh_at, "until": seen_until}
            connection.execute(NOTE_REFRESH, parameters)

    def note_listing(self, library_key: str, *, surplus: int, seen_until: int) -> None:
        """Note what a full pass found out about a library's total, and up to which time of the server it saw it."""
        with self._database.transaction(durable=False) as connection:
            parameters = {**self._library(library_key), "more": surplus, "until": seen_until}
            connection.execute(NOTE_LISTING, parameters)

    def drop_libraries_except(self, library_keys: Iterable[str]) -> int:
        """Take out all items of other libraries, which were removed or are no longer wanted; return how many."""
        parameters = {"server": self._server_id, "kept": tuple(library_keys)}
        with self._database.transaction(durable=False) as connection:
            connection.execute(FORGET_OTHER_LIBRARIES, parameters)
            return connection.execute(FORGET_OTHER_ITEMS, parameters).rowcount

    def counts(self) -> IndexCounts:
        """Count what the index holds of this server."""
        parameters = {"server": self._server_id}
        with self._database.reading() as connection:
            return IndexCounts(
                libraries=connection.execute(COUNT_LIBRARIES, parameters).scalar_one(),
                items=connection.execute(COUNT_ITEMS, parameters).scalar_one(),
                files=connection.execute(COUNT_FILES, parameters).scalar_one(),
            )

    def _files(self, statement: Select[str, str, str, int | None, int | None], key: str) -> tuple[IndexedFile, ...]:
        rows = self._database.look_up(statement, {"server": self._server_id, "key": key})
        files = [IndexedFile(*row) for row in rows]
        return tuple(sorted(files, key=_by_item) if len(files) > 1 else files)

    def _library(self, library_key: str) -> dict[str, str]:
        return {"server": self._server_id, "library": library_key}

    def _item(self, rating_key: str) -> dict[str, str]:
        return {"server": self._server_id, "item": rating_key}

    def _ensure_library(self, connection: Connection, library_key: str) -> None:
        row = {"server_id": self._server_id, "library_key": library_key, "generation": 0}
        connection.execute(insert_or_keep(connection, plex_library), row)

    def _begin_pass(self, library_key: str) -> int:
        with self._database.transaction(durable=False) as connection:
            self._ensure_library(connection, library_key)
            connection.execute(NEXT_GENERATION, self._library(library_key))
            generations = self._generations(connection)
        return generations[library_key]

    def _end_pass(self, library_key: str, generation: int, started_at: float) -> frozenset[str]:
        this_pass = {**self._library(library_key), "this_generation": generation}
        with self._database.transaction(durable=False) as connection:
            removed = frozenset(connection.scalars(NOT_SEEN, this_pass))
            if removed:
                connection.execute(FORGET_NOT_SEEN, this_pass)
            connection.execute(NOTE_FULL_PASS, {**self._library(library_key), "at": started_at})
        return removed

    def _generations(self, connection: Connection) -> dict[str, int]:
        rows = connection.execute(GENERATIONS, {"server": self._server_id})
        return {row.library_key: row.generation for row in rows}

    def _put(self, connection: Connection, items: Sequence[ListedItem], generations: dict[str, int]) -> set[str]:
        # A page boundary that moved while paging shows an item twice; the later one is the newer.
        latest = {item.rating_key: item for item in items}
        self._write_items(connection, latest.values(), generations)
        stored = self._stored_files(connection, tuple(latest))
        wanted = {(file.rating_key, file.path): file for item in latest.values() for file in _files_of(item)}
        self._forget_files(connection, stored.keys() - wanted.keys())
        changed = [file for key, file in wanted.items() if stored.get(key) != file]
        self._write_files(connection, changed)
        return {name_key(path) for _, path in wanted.keys() - stored.keys()}

    def _write_items(self, connection: Connection, items: Iterable[ListedItem], generations: dict[str, int]) -> None:
        rows = [
            {
                "server_id": self._server_id,
                "rating_key": item.rating_key,
                "library_key": item.library_key,
                "updated_at": item.updated_at,
                "generation": generations.get(item.library_key, 0),
            }
            for item in items
        ]
        insert_many(connection, insert_or_update(connection, plex_item, highest="generation"), rows)

    def _stored_files(self, connection: Connection, rating_keys: Sequence[str]) -> dict[tuple[str, str], IndexedFile]:
        rows = connection.execute(FILES_OF_ITEMS, {"server": self._server_id, "items": rating_keys}).all()
        return {(file.rating_key, file.path): file for file in (IndexedFile(*row) for row in rows)}

    def _forget_files(self, connection: Connection, gone: Iterable[tuple[str, str]]) -> None:
        rows = [{**self._item(rating_key), "gone": path} for rating_key, path in gone]
        execute_many(connection, FORGET_FILE, rows)

    def _write_files(self, connection: Connection, files: Iterable[IndexedFile]) -> None:
        rows = [
            {
                "server_id": self._server_id,
                "rating_key": file.rating_key,
                "path": file.path,
                "library_key": file.library_key,
                "path_key": path_key(file.path).casefold(),
                "name_key": name_key(file.path),
                "size_bytes": file.size_bytes,
                "duration_ms": file.duration_ms,
            }
            for file in files
        ]
        insert_many(connection, insert_or_update(connection, plex_file), rows)


def _files_of(item: ListedItem) -> Iterator[IndexedFile]:
    for part in item.parts:
        yield IndexedFile(item.rating_key, item.library_key, part.file, part.size_bytes, part.duration_ms)


def _by_item(file: IndexedFile) -> tuple[str, str]:
    return (file.rating_key, file.path)
