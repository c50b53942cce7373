"""Which items persons named for scenes' files. Few rows, on the disk before a write returns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select

from scenesync.domain.pins import Pin, PinnedFile
from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from scenesync.store.database import Database

_PIN: Final = (pin.c.scene_key, pin.c.rating_key, pin.c.files, pin.c.scene_id)

# The pin of one file.
PIN_OF_FILE: Final = select(*_PIN).where(
    pin.c.server_id == bindparam("server"), pin.c.scene_key == bindparam("scene_file")
)

# All pins.
PINS: Final = select(*_PIN).where(pin.c.server_id == bindparam("server")).order_by(pin.c.scene_id, pin.c.scene_key)

# Takes the pin off a file.
UNPIN_FILE: Final = delete(pin).where(
    pin.c.server_id == bindparam("server"), pin.c.scene_key == bindparam("scene_file")
)

# Takes the pins off a scene that Stash no longer has.
UNPIN_SCENE: Final = delete(pin).where(pin.c.server_id == bindparam("server"), pin.c.scene_id == bindparam("scene"))


class PinStore:
    """The pins to items of one Plex server. Every method may raise StoreError."""

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id

    def of_files(self, scene_keys: Iterable[str]) -> tuple[Pin, ...]:
        """Return the pins of a scene's files (``domain.pins.scene_keys``)."""
        found = (
            row
            for key in scene_keys
            for row in self._database.look_up(PIN_OF_FILE, {"server": self._server_id, "scene_file": key})
        )
        return tuple(_to_pin(*row) for row in found)

    def foresee(self, scene_keys: Iterable[str]) -> None:
        """Look up all at once what a block of ``looking_up`` (``store.database``) asks of these files from now on."""
        self._database.foresee(PIN_OF_FILE, ({"server": self._server_id, "scene_file": key} for key in scene_keys))

    def all(self) -> tuple[Pin, ...]:
        """Return every pin, in the order of the scenes' ids."""
        return tuple(_to_pin(*row) for row in self._database.look_up(PINS, {"server": self._server_id}))

    def put(self, pins: Sequence[Pin]) -> None:
        """Keep pins, each in place of an earlier one of its file."""
        if pins:
            with self._database.transaction() as connection:
                self._put(connection, pins)

    def follow(self, pins: Sequence[Pin], *, known: Sequence[Pin]) -> None:
        """Keep pins in place of those that were ``known`` of these files, unless a person said something else since."""
        keys = {each.scene_key for each in (*known, *pins)}
        with self._database.transaction() as connection:
            now = {
                _to_pin(*row)
                for key in keys
                for row in connection.execute(PIN_OF_FILE, {"server": self._server_id, "scene_file": key})
            }
            if now == set(known):
                self._put(connection, pins)

    def remove(self, scene_keys: Iterable[str], *, scene_id: int | None = None) -> int:
        """Take the pins off these files, and off ``scene_id`` if given; return how many there were."""
        with self._database.transaction() as connection:
            removed = sum(
                connection.execute(UNPIN_FILE, {"server": self._server_id, "scene_file": key}).rowcount
                for key in scene_keys
            )
            if scene_id is not None:
                removed += connection.execute(UNPIN_SCENE, {"server": self._server_id, "scene": scene_id}).rowcount
        return removed

    def _put(self, connection: Connection, pins: Sequence[Pin]) -> None:
        rows = [
            {
                "server_id": self._server_id,
                "scene_key": each.scene_key,
                "rating_key": each.rating_key,
                "files": json.dumps([[file.path, file.size_bytes] for file in each.files], ensure_ascii=False),
                "scene_id": each.scene_id,
            }
            for each in pins
        ]
        connection.execute(insert_or_update(connection, pin), rows)


def _to_pin(scene_key: str, rating_key: str, files: str, scene_id: int) -> Pin:
    return Pin(scene_key, rating_key, tuple(PinnedFile(path, size) for path, size in json.loads(files)), scene_id)
