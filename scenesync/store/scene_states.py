"""Where each scene stands with a Plex server, as it was last found out: what lists and searches of scenes read.

Whatever is in it can be found out again, so it never waits for the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, literal_column, select

from scenesync.domain.scene_state import SceneStanding, SceneState, is_gone, standing_after
from scenesync.store.compiled import execute_many, insert_many
from scenesync.store.dialect import insert_or_update
from scenesync.store.tables import scene_state
from scenesync.store.values import to_names, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.outcome import Attempt
    from scenesync.store.database import Database

LONGEST_DETAIL: Final = 300

_STANDING: Final = select(
    scene_state.c.scene_id,
    scene_state.c.state,
    scene_state.c.at,
    scene_state.c.title,
    scene_state.c.path,
    scene_state.c.detail,
    scene_state.c.rule,
    scene_state.c.rating_keys,
).where(scene_state.c.server_id == bindparam("server"))

# A scene that is no more.
FORGET: Final = delete(scene_state).where(
    scene_state.c.server_id == bindparam("server"), scene_state.c.scene_id == bindparam("scene")
)

# How many scenes of a server are in which state.
COUNT_BY_STATE: Final = (
    select(scene_state.c.state, func.count())
    .where(scene_state.c.server_id == bindparam("server"))
    .group_by(scene_state.c.state)
)

# How many scenes are left out for a reason that is told in certain words.
COUNT_LEFT_OUT: Final = (
    select(func.count())
    .select_from(scene_state)
    .where(scene_state.c.state == SceneState.LEFT_OUT.value, scene_state.c.detail.contains(bindparam("words")))
)

# The server that scenes were last held against.
LATEST_SERVER: Final = (
    select(scene_state.c.server_id)
    .order_by(scene_state.c.at.desc())
    .limit(literal_column("1"))
    .offset(literal_column("0"))
)


class SceneStateStore:
    """Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note_attempts(self, made: Sequence[Attempt]) -> None:
        """Note where scenes stand after attempts at them; those that are gone are forgotten."""
        latest = {attempt.scene_id: attempt for attempt in made if attempt.scene_id}
        gone = [{"server": each.server_id, "scene": each.scene_id} for each in latest.values() if is_gone(each)]
        rows = [_row(each.server_id, standing_after(each)) for each in latest.values() if not is_gone(each)]
        self._write(rows, gone)

    def keep(self, server_id: str, standings: Iterable[SceneStanding]) -> None:
        """Note where scenes stand; a title or path that is not known now stays as it was."""
        self._write([_row(server_id, standing) for standing in standings], [])

    def page(
        self, server_id: str, *, state: SceneState | None, search: str, after: int, limit: int
    ) -> tuple[SceneStanding, ...]:
        """Return scenes in the order of their ids, those above ``after``; ``search`` is a part of title or path."""
        statement = _STANDING.where(scene_state.c.scene_id > after)
        if state is not None:
            statement = statement.where(scene_state.c.state == state.value)
        if search:
            statement = statement.where(scene_state.c.folded.contains(search.casefold(), autoescape=True))
        with self._database.reading() as connection:
            rows = connection.execute(
                statement.order_by(scene_state.c.scene_id).limit(limit), {"server": server_id}
            ).all()
        return tuple(_standing(row) for row in rows)

    def of_scenes(self, server_id: str, scene_ids: Iterable[int]) -> Mapping[int, SceneStanding]:
        """Return where these scenes stand, as far as it is known."""
        statement = _STANDING.where(scene_state.c.scene_id.in_(list(scene_ids)))
        with self._database.reading() as connection:
            rows = connection.execute(statement, {"server": server_id}).all()
        return {row[0]: _standing(row) for row in rows}

    def counts(self, server_id: str) -> Mapping[SceneState, int]:
        """Return how many scenes are in which state."""
        with self._database.reading() as connection:
            rows = connection.execute(COUNT_BY_STATE, {"server": server_id}).all()
        return {SceneState(state): count for state, count in rows}

    def left_out_for(self, words: str) -> int:
        """Return how many scenes are left out for a reason that is told in these words."""
        with self._database.reading() as connection:
            return int(connection.execute(COUNT_LEFT_OUT, {"words": words}).scalar_one())

    def latest_server(self) -> str:
        """Return the server that scenes were last held against, "" if none ever were."""
        rows = self._database.look_up(LATEST_SERVER, {})
        return str(rows[0][0]) if rows else ""

    def _write(self, rows: Sequence[Mapping[str, object]], gone: Sequence[Mapping[str, object]]) -> None:
        if not rows and not gone:
            return
        with self._database.transaction(durable=False) as connection:
            execute_many(connection, FORGET, gone)
            statement = insert_or_update(connection, scene_state, unless_empty=("title", "path", "folded"))
            insert_many(connection, statement, rows)


def _standing(row: Sequence[Any]) -> SceneStanding:
    scene_id, state, at, title, path, detail, rule, rating_keys = row
    return SceneStanding(scene_id, SceneState(state), at, title, path, detail, rule, to_names(rating_keys))


def _row(server_id: str, standing: SceneStanding) -> dict[str, object]:
    return {
        "server_id": server_id,
        "scene_id": standing.scene_id,
        "state": standing.state.value,
        "at": standing.at,
        "title": standing.title,
        "path": standing.path,
        "detail": standing.detail[:LONGEST_DETAIL],
        "rule": standing.rule,
        "rating_keys": to_text(list(standing.rating_keys)),
        "folded": f"{standing.title}\n{standing.path}".casefold().strip(),
    }
