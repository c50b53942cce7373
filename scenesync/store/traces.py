"""What was read of scenes: what Stash can no longer say after something is deleted or merged.

A look at Stash is compared with it, so that what the worker has read is not done twice.

One row per scene says what is remembered of it, so that an unchanged scene costs one look-up; one short row per
relation answers by entity. It is about Stash alone, so it carries no ``server_id``.
"""

from __future__ import annotations

import heapq
import json
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, func, select

from scenesync.domain.entities import Entity, Relation
from scenesync.domain.scene import SceneFile
from scenesync.domain.showing import SceneTrace
from scenesync.store.compiled import execute_many, insert_many
from scenesync.store.dialect import insert_or_keep, insert_or_update
from scenesync.store.tables import scene_trace, shown_entity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.store.database import Database

# What is remembered of one scene.
TRACE_OF_SCENE: Final = select(
    scene_trace.c.relations,
    scene_trace.c.files,
    scene_trace.c.updated_at,
    scene_trace.c.fingerprint,
    scene_trace.c.read_at,
).where(scene_trace.c.scene_id == bindparam("scene"))

# The scenes within a range of ids of which something is remembered, with their files.
FILES_BETWEEN: Final = (
    select(scene_trace.c.scene_id, scene_trace.c.files)
    .where(scene_trace.c.scene_id > bindparam("last"), scene_trace.c.scene_id <= bindparam("through"))
    .order_by(scene_trace.c.scene_id)
)

# The same without the files.
IDS_BETWEEN: Final = (
    select(scene_trace.c.scene_id)
    .where(scene_trace.c.scene_id > bindparam("last"), scene_trace.c.scene_id <= bindparam("through"))
    .order_by(scene_trace.c.scene_id)
)

# Which versions of some scenes were read.
VERSIONS_BETWEEN: Final = select(scene_trace.c.scene_id, scene_trace.c.updated_at).where(
    scene_trace.c.scene_id > bindparam("last"), scene_trace.c.scene_id <= bindparam("through")
)

# Of how many scenes something is remembered.
HOW_MANY: Final = select(func.count()).select_from(scene_trace)

# The next scenes that showed one entity, in the order of their ids.
SCENES_SHOWING: Final = (
    select(shown_entity.c.scene_id)
    .where(
        shown_entity.c.entity == bindparam("kind"),
        shown_entity.c.entity_id == bindparam("one"),
        shown_entity.c.scene_id > bindparam("last"),
    )
    .order_by(shown_entity.c.scene_id)
    .limit(bindparam("most"))
)

# Every entity of a kind that a scene showed.
ENTITIES_SHOWN: Final = select(shown_entity.c.entity_id).distinct().where(shown_entity.c.entity == bindparam("kind"))

# A relation that is no more.
FORGET_RELATION: Final = delete(shown_entity).where(
    shown_entity.c.entity == bindparam("kind"),
    shown_entity.c.entity_id == bindparam("one"),
    shown_entity.c.scene_id == bindparam("scene"),
)

# A scene that is no more.
FORGET_TRACE: Final = delete(scene_trace).where(scene_trace.c.scene_id == bindparam("scene"))


class TraceStore:
    """The traces of scenes. Every method may raise StoreError.

    A write does not wait for the disk by itself. The baselines of the same scene do, which are written later and
    before anything is sent to Plex: so what Plex shows is remembered.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, traces: Iterable[SceneTrace]) -> int:
        """Remember the traces, each in place of its scene's earlier one; return how many were news."""
        traces = list(traces)
        with self._database.looking_up():
            self._database.foresee(TRACE_OF_SCENE, ({"scene": trace.scene_id} for trace in traces))
            news = [(trace, known) for trace in traces if (known := self.read(trace.scene_id)) != trace]
        if not news:
            return 0
        gone: list[Mapping[str, object]] = []
        new: list[Mapping[str, object]] = []
        for trace, known in news:
            before = known.relations if known is not None else frozenset()
            gone += [_key(trace.scene_id, relation) for relation in before - trace.relations]
            new += [_row(trace.scene_id, relation) for relation in trace.relations - before]
        with self._database.transaction(durable=False) as connection:
            execute_many(connection, FORGET_RELATION, gone)
            insert_many(connection, insert_or_keep(connection, shown_entity), new)
            insert_many(connection, insert_or_update(connection, scene_trace), [_as_row(trace) for trace, _ in news])
        return len(news)

    def read(self, scene_id: int) -> SceneTrace | None:
        """Return what is remembered of a scene, None if nothing is."""
        rows = self._database.look_up(TRACE_OF_SCENE, {"scene": scene_id})
        if not rows:
            return None
        relations, files, updated_at, fingerprint, read_at = rows[0]
        return SceneTrace(
            scene_id,
            frozenset(Relation(Entity(entity), entity_id) for entity, entity_id in json.loads(relations)),
            _files(files),
            updated_at,
            fingerprint,
            read_at,
        )

    def files_between(self, after: int, through: int) -> Mapping[int, tuple[SceneFile, ...]]:
        """Return the files of each scene that is remembered, of those with ids above ``after`` up to ``through``."""
        rows = self._database.look_up(FILES_BETWEEN, {"last": after, "through": through})
        return {scene_id: _files(files) for scene_id, files in rows}

    def ids_between(self, after: int, through: int) -> Sequence[int]:
        """Return the scenes that are remembered, of the same ids as ``files_between``."""
        return [scene_id for (scene_id,) in self._database.look_up(IDS_BETWEEN, {"last": after, "through": through})]

    def versions_between(self, after: int, through: int) -> Mapping[int, str]:
        """Return which version (Stash's ``updated_at``) of each scene was read, of the same ids as above."""
        rows = self._database.look_up(VERSIONS_BETWEEN, {"last": after, "through": through})
        return {scene_id: updated_at for scene_id, updated_at in rows}  # noqa: C416 - rows are not known to be pairs

    def count(self) -> int:
        """Return of how many scenes something is remembered."""
        ((count,),) = self._database.look_up(HOW_MANY, {})
        return int(count)

    def scenes_showing(self, entity: Entity, ids: Sequence[int], after: int, limit: int) -> Sequence[int]:
        """Return the next ids above ``after`` of scenes that showed one of the entities, in rising order."""
        values = [{"kind": entity.value, "one": each, "last": after, "most": limit} for each in ids]
        with self._database.reading() as connection:
            found = [connection.execute(SCENES_SHOWING, each).scalars().all() for each in values]
        merged = heapq.merge(*found)
        return list(islice((scene_id for scene_id, _ in groupby(merged)), limit))

    def entities_shown(self, entity: Entity) -> set[int]:
        """Return every entity of a kind that a scene showed."""
        return {entity_id for (entity_id,) in self._database.look_up(ENTITIES_SHOWN, {"kind": entity.value})}

    def forget(self, scene_id: int) -> None:
        """Drop what is remembered of a scene that Stash no longer has."""
        known = self.read(scene_id)
        if known is None:
            return
        with self._database.transaction(durable=False) as connection:
            execute_many(connection, FORGET_RELATION, [_key(scene_id, relation) for relation in known.relations])
            connection.execute(FORGET_TRACE, {"scene": scene_id})


def _key(scene_id: int, relation: Relation) -> dict[str, object]:
    return {"kind": relation.entity.value, "one": relation.id, "scene": scene_id}


def _row(scene_id: int, relation: Relation) -> dict[str, object]:
    return {"entity": relation.entity.value, "entity_id": relation.id, "scene_id": scene_id}


def _as_row(trace: SceneTrace) -> dict[str, object]:
    relations = sorted([relation.entity.value, relation.id] for relation in trace.relations)
    files = [[file.path, file.size_bytes, file.duration_s] for file in trace.files]
    return {
        "scene_id": trace.scene_id,
        "relations": json.dumps(relations, separators=(",", ":")),
        "files": json.dumps(files, ensure_ascii=False, separators=(",", ":")),
        "updated_at": trace.updated_at,
        "fingerprint": trace.fingerprint,
        "read_at": trace.read_at,
    }


def _files(text: str) -> tuple[SceneFile, ...]:
    return tuple(SceneFile(path, size_bytes, duration_s) for path, size_bytes, duration_s in json.loads(text))
