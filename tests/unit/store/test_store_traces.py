from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, func, select

from scenesync.domain.entities import Entity, Relation
from scenesync.domain.scene import SceneFile
from scenesync.domain.showing import SceneTrace
from scenesync.store.tables import shown_entity
from scenesync.store.traces import TraceStore

if TYPE_CHECKING:
    from store_engines import OpenStore

    from scenesync.store.database import Database

FILES = (SceneFile("/data/Hafen é.mkv", 700, 60.5), SceneFile("/data/b.mkv"))


def trace(scene_id: int, *performers: int, files: tuple[SceneFile, ...] = FILES) -> SceneTrace:
    return SceneTrace(scene_id, frozenset(Relation(Entity.PERFORMER, each) for each in performers), files)


@pytest.fixture
def traces(database: Database) -> TraceStore:
    return TraceStore(database)


def showing(traces: TraceStore, *performers: int, after: int = 0, limit: int = 100) -> list[int]:
    return list(traces.scenes_showing(Entity.PERFORMER, performers, after, limit))


def test_a_trace_outlives_the_process(open_store: OpenStore) -> None:
    with open_store() as database:
        TraceStore(database).keep([trace(7, 1, 2)])
    with open_store() as database:
        assert TraceStore(database).read(7) == trace(7, 1, 2)
        assert showing(TraceStore(database), 2) == [7]
        assert TraceStore(database).read(8) is None


def test_a_later_trace_takes_the_place_of_the_earlier_one(traces: TraceStore) -> None:
    traces.keep([trace(7, 1, 2), trace(8, 2)])
    traces.keep([trace(7, 2, 3)])
    assert showing(traces, 1) == []
    assert showing(traces, 2) == [7, 8]
    assert showing(traces, 3) == [7]
    assert traces.read(7) == trace(7, 2, 3)


def test_scenes_come_in_pages_each_once_whatever_they_showed(traces: TraceStore) -> None:
    traces.keep([trace(scene_id, 1, 2 + scene_id % 2) for scene_id in range(1, 11)])
    pages = []
    after = 0
    while page := showing(traces, 1, 2, 3, after=after, limit=4):
        pages.append(page)
        after = page[-1]
    assert pages == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_ids_of_other_kinds_are_others(traces: TraceStore) -> None:
    traces.keep([SceneTrace(1, frozenset({Relation(Entity.TAG, 5)})), trace(2, 5)])
    assert showing(traces, 5) == [2]
    assert traces.scenes_showing(Entity.TAG, [5], 0, 10) == [1]


def test_what_is_forgotten_is_found_by_nothing(traces: TraceStore, database: Database) -> None:
    traces.keep([trace(7, 1, 2), trace(8, 1)])
    traces.forget(7)
    traces.forget(99)
    assert traces.read(7) is None
    assert showing(traces, 1, 2) == [8]
    assert database.look_up(select(func.count()).select_from(shown_entity), {}) == [(1,)]


def test_nothing_is_written_when_nothing_changed(traces: TraceStore, database: Database) -> None:
    known = [trace(scene_id, 1, 2) for scene_id in range(1, 20)]
    assert traces.keep(known) == 19
    begun: list[object] = []
    event.listen(database._engine._writer, "begin", begun.append)
    assert traces.keep(known) == 0
    assert begun == []
    assert traces.keep([*known, trace(3, 1)]) == 1
    assert len(begun) == 1, "one transaction for all that changed"


def test_relations_by_entity_always_agree_with_those_by_scene(traces: TraceStore) -> None:
    rng = random.Random(20)  # noqa: S311 - an example, not a secret
    kept: dict[int, set[int]] = {}
    for _ in range(200):
        scene_id = rng.randrange(1, 12)
        if rng.random() < 0.2:
            traces.forget(scene_id)
            kept.pop(scene_id, None)
        else:
            kept[scene_id] = set(rng.sample(range(1, 8), rng.randrange(0, 6)))
            traces.keep([trace(scene_id, *kept[scene_id])])
    for performer in range(1, 8):
        assert showing(traces, performer) == sorted(scene for scene, shown in kept.items() if performer in shown)
