"""Look-ups that are made all at once, before they are asked one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from store_samples import SERVER

from scenesync.domain.holds import Hold
from scenesync.store.holds import HoldStore

if TYPE_CHECKING:
    from scenesync.store.database import Database


def hold(scene_id: int) -> Hold:
    return Hold(scene_id, f"print of {scene_id}", 100.0, "run")


@pytest.fixture
def holds(database: Database) -> HoldStore:
    store = HoldStore(database, SERVER)
    store.put([hold(scene_id) for scene_id in range(1, 131, 2)])
    return store


def test_what_was_foreseen_is_answered_for_each_as_if_asked_alone(database: Database, holds: HoldStore) -> None:
    scene_ids = [*range(1, 131), 1]
    alone = [holds.of_scene(scene_id) for scene_id in scene_ids]

    with database.looking_up():
        holds.foresee(scene_ids)
        together = [holds.of_scene(scene_id) for scene_id in scene_ids]

    assert together == alone
    assert together[:2] == [hold(1), None]


def test_it_is_answered_as_it_was_when_it_was_foreseen_but_only_once(database: Database, holds: HoldStore) -> None:
    with database.looking_up():
        holds.foresee([1, 2])
        holds.release([1])
        holds.put([hold(2)])

        assert [holds.of_scene(1), holds.of_scene(2)] == [hold(1), None]
        assert [holds.of_scene(1), holds.of_scene(2)] == [None, hold(2)]


def test_nothing_that_was_foreseen_outlives_its_block(database: Database, holds: HoldStore) -> None:
    with database.looking_up():
        holds.foresee([1])
    holds.release([1])

    assert holds.of_scene(1) is None


def test_outside_of_a_block_nothing_is_foreseen(holds: HoldStore) -> None:
    holds.foresee([1])
    holds.release([1])

    assert holds.of_scene(1) is None


def test_a_transaction_sees_what_it_wrote_itself(database: Database, holds: HoldStore) -> None:
    with database.transaction(), database.looking_up():
        holds.release([1])
        holds.foresee([1])

        assert holds.of_scene(1) is None
