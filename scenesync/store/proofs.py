"""Which items were seen to show their scenes as wanted.

A proof ends with the next write of a baseline of its item (``store.baselines``), whoever writes it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select

from scenesync.domain.proven import Proof
from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import plex_item, proven

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Select

    from scenesync.store.database import Database

_PROOF: Final = (proven.c.rating_key, proven.c.scene_id, proven.c.fingerprint, proven.c.updated_at)
_OF_SCENES: Final = (
    (proven.c.server_id == bindparam("server")) & proven.c.scene_id.in_(bindparam("scenes", expanding=True))
)  # fmt: skip

# What was ever proven for some scenes.
EVER_PROVEN: Final = select(*_PROOF).where(_OF_SCENES)

# The same, of items that did not change since as far as the index knows.
STILL_PROVEN: Final = (
    select(*_PROOF)
    .select_from(
        proven.join(
            plex_item,
            (plex_item.c.server_id == proven.c.server_id)
            & (plex_item.c.rating_key == proven.c.rating_key)
            & (plex_item.c.updated_at == proven.c.updated_at),
        )
    )
    .where(_OF_SCENES)
)

# The scenes whose items changed in Plex since they were last seen to show them, or went back to an older state.
MOVED_ON: Final = (
    select(proven.c.scene_id)
    .distinct()
    .select_from(
        proven.join(
            plex_item,
            (plex_item.c.server_id == proven.c.server_id)
            & (plex_item.c.rating_key == proven.c.rating_key)
            & (plex_item.c.updated_at != proven.c.updated_at),
        )
    )
    .where(proven.c.server_id == bindparam("server"))
)

# Ends the proof of an item.
FORGET_PROOF: Final = delete(proven).where(
    proven.c.server_id == bindparam("server"), proven.c.rating_key == bindparam("item")
)


class ProofStore:
    """The proofs of one Plex server. Every method may raise StoreError.

    No write waits for the disk: what a power cut takes back is proven anew by the next read.
    """

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id

    def of_scenes(self, scene_ids: Sequence[int]) -> Mapping[int, Sequence[Proof]]:
        """Return the proofs of scenes whose items have the time of change in the index that they had then."""
        return self._found(STILL_PROVEN, scene_ids)

    def whenever_made(self, scene_ids: Sequence[int]) -> Mapping[int, Sequence[Proof]]:
        """Return the proofs of scenes, whatever became of the items since."""
        return self._found(EVER_PROVEN, scene_ids)

    def moved_on(self) -> Sequence[int]:
        """Return the scenes whose items have another time of change in the index than when they were proven."""
        return [scene_id for (scene_id,) in self._database.look_up(MOVED_ON, {"server": self._server_id})]

    def _found(self, statement: Select[str, int, str, int], scene_ids: Sequence[int]) -> Mapping[int, Sequence[Proof]]:
        found: defaultdict[int, list[Proof]] = defaultdict(list)
        with self._database.reading() as connection:
            for row in connection.execute(statement, {"server": self._server_id, "scenes": tuple(scene_ids)}):
                found[row.scene_id].append(Proof(*row))
        return found

    def put(self, proofs: Sequence[Proof]) -> None:
        """Keep proofs, each in place of an earlier one of its item."""
        rows = [
            {
                "server_id": self._server_id,
                "rating_key": proof.rating_key,
                "scene_id": proof.scene_id,
                "fingerprint": proof.fingerprint,
                "updated_at": proof.updated_at,
            }
            for proof in proofs
        ]
        if rows:
            with self._database.transaction(durable=False) as connection:
                connection.execute(insert_or_update(connection, proven), rows)
