"""Which scenes are left alone since they were undone; on the disk before a write returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, func, select

from scenesync.domain.holds import Hold
from scenesync.store.compiled import execute_many
from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import hold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.store.database import Database

_HOLD: Final = (hold.c.scene_id, hold.c.fingerprint, hold.c.since, hold.c.run_id)

# The hold of one scene.
HOLD_OF_SCENE: Final = select(*_HOLD).where(
    hold.c.server_id == bindparam("server"), hold.c.scene_id == bindparam("scene")
)

# All holds.
HOLDS: Final = select(*_HOLD).where(hold.c.server_id == bindparam("server")).order_by(hold.c.scene_id)

# Lets one scene be synced again.
RELEASE_SCENE: Final = delete(hold).where(
    hold.c.server_id == bindparam("server"), hold.c.scene_id == bindparam("scene")
)

# The same, whatever server it was held for: asked by commands that talk to none.
RELEASE_EVERYWHERE: Final = delete(hold).where(hold.c.scene_id == bindparam("scene"))

# Lets all scenes be synced again.
RELEASE_ALL: Final = delete(hold)

# How many scenes are held, and which, for commands that ask no server.
COUNT_HELD: Final = select(func.count(hold.c.scene_id.distinct()))
HELD_EVERYWHERE: Final = select(*_HOLD).order_by(hold.c.scene_id)


class HoldStore:
    """The holds of one Plex server. Every method may raise StoreError."""

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id

    def foresee(self, scene_ids: Iterable[int]) -> None:
        """Look up all at once what a block of ``looking_up`` (``store.database``) asks of these scenes from now on."""
        self._database.foresee(HOLD_OF_SCENE, ({"server": self._server_id, "scene": each} for each in scene_ids))

    def of_scene(self, scene_id: int) -> Hold | None:
        """Return the scene's hold, None if it is not held."""
        rows = self._database.look_up(HOLD_OF_SCENE, {"server": self._server_id, "scene": scene_id})
        return Hold(*rows[0]) if rows else None

    def all(self) -> tuple[Hold, ...]:
        """Return every hold, in the order of the scenes' ids."""
        return tuple(Hold(*row) for row in self._database.look_up(HOLDS, {"server": self._server_id}))

    def put(self, holds: Sequence[Hold]) -> None:
        """Hold scenes, each in place of an earlier hold."""
        rows = [
            {
                "server_id": self._server_id,
                "scene_id": each.scene_id,
                "fingerprint": each.fingerprint,
                "since": each.since,
                "run_id": each.run_id,
            }
            for each in holds
        ]
        if rows:
            with self._database.transaction() as connection:
                connection.execute(insert_or_update(connection, hold), rows)

    def release(self, scene_ids: Iterable[int]) -> None:
        """Let scenes be synced again; those that are not held are fine."""
        rows = [{"server": self._server_id, "scene": scene_id} for scene_id in scene_ids]
        with self._database.transaction() as connection:
            execute_many(connection, RELEASE_SCENE, rows)


def count_held(database: Database) -> int:
    """Return how many scenes are held, on whatever server. Raises StoreError."""
    with database.reading() as connection:
        return int(connection.execute(COUNT_HELD).scalar_one())


def list_held(database: Database) -> tuple[Hold, ...]:
    """Return the holds of every server, in the order of the scenes' ids. Raises StoreError."""
    return tuple(Hold(*row) for row in database.look_up(HELD_EVERYWHERE, {}))


def release_held(database: Database, scene_ids: Iterable[int] | None) -> int:
    """Let these scenes be synced again, on every server; None: all of them. Return how many holds that ended."""
    with database.transaction() as connection:
        if scene_ids is None:
            return connection.execute(RELEASE_ALL).rowcount
        return sum(connection.execute(RELEASE_EVERYWHERE, {"scene": scene_id}).rowcount for scene_id in scene_ids)
