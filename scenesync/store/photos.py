"""What SceneSync did about the photo of each actor of each Plex server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select

from scenesync.domain.photos import PhotoBaseline
from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import performer_photo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.store.database import Database

_COLUMNS: Final = ("performer_id", "version", "address", "etag", "shown", "tries")

# The photo of one actor.
PHOTO_OF_ACTOR: Final = select(*(performer_photo.c[name] for name in _COLUMNS)).where(
    performer_photo.c.server_id == bindparam("server"), performer_photo.c.name_key == bindparam("name")
)


class PhotoStore:
    """The photos of one Plex server, by the actors' names, whose case does not count. May raise StoreError."""

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id

    def read(self, names: Sequence[str]) -> Mapping[str, PhotoBaseline]:
        """Return what is known, by name."""
        found: dict[str, PhotoBaseline] = {}
        for name in names:
            rows = self._database.look_up(PHOTO_OF_ACTOR, {"server": self._server_id, "name": name.casefold()})
            if rows:
                found[name] = PhotoBaseline(*rows[0])
        return found

    def write(self, entries: Mapping[str, PhotoBaseline]) -> None:
        """Remember what was done."""
        rows = [
            {
                "server_id": self._server_id,
                "name_key": name.casefold(),
                **{column: getattr(entry, column) for column in _COLUMNS},
            }
            for name, entry in entries.items()
        ]
        if rows:
            with self._database.transaction() as connection:
                connection.execute(insert_or_update(connection, performer_photo), rows)
