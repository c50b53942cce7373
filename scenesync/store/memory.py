"""Small facts by name: the identifier under which Plex knows this installation, what was learned about a server."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select

from scenesync.store.dialect import insert_or_keep, insert_or_update
from scenesync.store.tables import fact

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.store.database import Database

CLIENT_IDENTIFIER: Final = "plex client identifier"

# One fact.
FACT: Final = select(fact.c.value).where(fact.c.server_id == bindparam("server"), fact.c.name == bindparam("called"))


class Memory:
    """Facts, about a server or (``server_id`` "") about this installation. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recall(self, name: str, *, server_id: str = "") -> str | None:
        """Return a fact, None if it was never noted."""
        with self._database.reading() as connection:
            return connection.execute(FACT, {"server": server_id, "called": name}).scalar_one_or_none()

    def note(self, name: str, value: str, *, server_id: str = "") -> None:
        """Remember a fact, in place of an earlier one of that name."""
        with self._database.transaction() as connection:
            row = {"server_id": server_id, "name": name, "value": value}
            connection.execute(insert_or_update(connection, fact), row)

    def change(self, name: str, changed: Callable[[str | None], str], *, server_id: str = "") -> None:
        """Let a fact be what ``changed`` makes of it; nobody changes it in between."""
        with self._database.transaction():
            before = self.recall(name, server_id=server_id)
            after = changed(before)
            if after != before:
                self.note(name, after, server_id=server_id)

    def client_identifier(self) -> str:
        """Return the identifier that Plex lists this installation under: made once, kept for good."""
        with self._database.transaction() as connection:
            row = {"server_id": "", "name": CLIENT_IDENTIFIER, "value": str(uuid.uuid4())}
            connection.execute(insert_or_keep(connection, fact), row)
            kept: str = connection.execute(FACT, {"server": "", "called": CLIENT_IDENTIFIER}).scalar_one()
        return kept
