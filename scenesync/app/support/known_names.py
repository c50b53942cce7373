"""The names that an installation knows, for taking them out of texts: streamed, whatever the library's size."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sqlalchemy import text

from scenesync.app.data_directory import database_file
from scenesync.app.opening import read_state
from scenesync.app.settings import SettingsError
from scenesync.disk import reading
from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from scenesync.app.settings import Settings

# Scenes, as they were last seen.
SCENES: Final = "SELECT title, path FROM scene_state"
# Plex's files.
FILES: Final = "SELECT path FROM plex_file"
# Collections.
COLLECTIONS: Final = "SELECT title FROM collection"
# Studios, actors, genres, directors, collections and labels that were written, as JSON.
WRITTEN: Final = """
    SELECT written FROM baseline
    WHERE field IN ('title', 'titleSort', 'studio', 'actor', 'genre', 'director', 'collection', 'label')"""
# What fields showed before and after the latest edits, as JSON.
EDITED: Final = "SELECT before, after FROM journal ORDER BY id DESC LIMIT 20000"

_ROWS_AT_ONCE: Final = 1_000
_PLAIN_HOST: Final = r"localhost|[\d.]+|[\da-f:]+"
"""Hosts that are found, or kept, without being known."""


def known_names(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield kind and name of all that is known; repeats are possible. What cannot be read is left out."""
    yield from _of_settings(settings)
    if settings.database_url is not None:
        yield from _of_shared_state(settings)
        return
    path = database_file(settings.data_dir)
    if not path.is_file():
        return
    try:
        with closing(reading.connect(path, timeout_s=2.0)) as connection:
            reading.begin(connection)
            yield from _of_state(partial(_rows, connection))
    except sqlite3.Error:  # damaged: what it may have known is looked for by its form alone
        return


def _of_shared_state(settings: Settings) -> Iterator[tuple[str, str]]:
    try:
        database = read_state(settings)
        if database is None:
            return
        with database, database.reading() as connection:
            yield from _of_state(partial(_streamed, connection))
    except (StoreError, SettingsError):
        return


def _streamed(connection: Connection, statement: str) -> Iterator[tuple[str, ...]]:
    streamed = text(statement).execution_options(stream_results=True, yield_per=_ROWS_AT_ONCE)
    with connection.execute(streamed) as found:
        for row in found:
            yield tuple(row)


def _of_state(rows: Callable[[str], Iterator[tuple[str, ...]]]) -> Iterator[tuple[str, str]]:
    for title, file in rows(SCENES):
        yield "title", title
        yield from of_path(file)
    for (file,) in rows(FILES):
        yield from of_path(file)
    for (title,) in rows(COLLECTIONS):
        yield "text", title
    for row in chain(rows(WRITTEN), rows(EDITED)):
        for value in row:
            yield from (("text", name) for name in _texts(value))


def _rows(connection: sqlite3.Connection, statement: str) -> Iterator[tuple[str, ...]]:
    try:
        yield from connection.execute(statement)
    except sqlite3.OperationalError:  # a table that an older version does not have
        return


def _of_settings(settings: Settings) -> Iterator[tuple[str, str]]:
    for address in (settings.stash_url, settings.plex_url, settings.stash_url_for_plex):
        host = urlsplit(address or "").hostname
        if host and not re.fullmatch(_PLAIN_HOST, host):
            yield "host", host
    own = () if re.fullmatch(_PLAIN_HOST, settings.http_host) else (settings.http_host,)
    yield from (("host", name) for name in (*own, *settings.http_trusted_hosts))
    yield from (("text", name) for name in settings.plex_libraries)
    places = [side for rule in settings.path_map for side in (rule.stash_prefix, rule.plex_prefix)]
    for place in (*places, *settings.only_paths, *settings.skip_paths):
        yield from of_path(f"{place}/")


def of_path(path: str) -> Iterator[tuple[str, str]]:
    """Yield the file's name without its extension, and the folders with blanks in their names.

    Other folders are known by their place, but where a path with blanks ends is not to be seen in a text.
    """
    *folders, name = re.split(r"[/\\]", path)
    if name:
        yield "file", name.rpartition(".")[0] or name
    yield from (("folder", folder) for folder in folders if " " in folder)


def _texts(value: str | None) -> Iterator[str]:
    try:
        found = json.loads(value or "null")
    except ValueError:
        return
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        yield from (each for each in found if isinstance(each, str))
