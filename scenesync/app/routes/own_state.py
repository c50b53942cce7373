"""Whose state a database of several machines holds: which route has which schema comes from a file on each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.app.configuration.errors import SettingsError
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from scenesync.app.configuration.model import Settings
    from scenesync.store.database import Database

_ROUTE: Final = "route"
"""The fact in the state store that says whose it is."""


def require_own_state(database: Database, settings: Settings) -> None:
    """Note in a database of several machines whose state it is. Raises SettingsError if it is another route's."""
    place = settings.place
    if place is None:
        return
    memory, route = Memory(database), place.name
    known = memory.recall(_ROUTE)
    if not known:
        memory.change(_ROUTE, lambda found: found or route)  # another machine may be first
        known = memory.recall(_ROUTE) or ""
    if known != route:
        database.close()
        raise SettingsError([_taken(settings.database_schema, known, route)])


def _taken(schema: str, known: str, route: str) -> str:
    return (
        f"The schema {schema} of the database holds the state of the route {known}, and not of {route}. "
        "The tables have to stand in one order on all machines, and to keep their names."
    )
