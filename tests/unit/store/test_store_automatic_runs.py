from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scenesync.store.automatic_runs import SCENES_AT_ONCE, AutomaticRunStore

if TYPE_CHECKING:
    from store_engines import OpenStore

    from scenesync.store.database import Database

KEY, CAUSE = "performer_5", "performer 5 changed"


@pytest.fixture
def runs(database: Database) -> AutomaticRunStore:
    return AutomaticRunStore(database)


def gathered(runs: AutomaticRunStore, *pages: list[int], key: str = KEY) -> int:
    for page in pages:
        runs.gather(key, CAUSE, page, at=100.0)
    run = runs.gathering(key)
    assert run is not None
    return run


def test_pages_of_one_run_come_together_and_each_scene_counts_once(runs: AutomaticRunStore) -> None:
    run = gathered(runs, [3, 1], [], [2, 3])
    assert list(runs.scenes(run)) == [1, 2, 3]
    assert runs.size(run) == 3


def test_runs_of_two_kinds_are_apart(runs: AutomaticRunStore) -> None:
    first, second = gathered(runs, [1]), gathered(runs, [2], key="tag_5")
    assert (list(runs.scenes(first)), list(runs.scenes(second))) == ([1], [2])


def test_scenes_are_read_page_by_page(runs: AutomaticRunStore) -> None:
    run = gathered(runs, list(range(1, 2 * SCENES_AT_ONCE + 2)))
    assert list(runs.scenes(run)) == list(range(1, 2 * SCENES_AT_ONCE + 2))


def test_what_was_gathered_outlives_the_process(open_store: OpenStore) -> None:
    with open_store() as database:
        run = gathered(AutomaticRunStore(database), [1, 2])
    with open_store() as database:
        runs = AutomaticRunStore(database)
        assert (runs.gathering(KEY), list(runs.scenes(run))) == (run, [1, 2])


def test_a_stopped_run_waits_with_its_reason(runs: AutomaticRunStore) -> None:
    run = gathered(runs, [1])
    assert runs.stopped() == ()
    runs.stop(run, "it would empty 900 fields", {"change": 1})
    assert runs.gathering(KEY) is None
    (stopped,) = runs.stopped()
    assert stopped.as_document() == {
        "run": run,
        "cause": CAUSE,
        "began_at": 100.0,
        "reason": "it would empty 900 fields",
        "totals": {"change": 1},
    }


def test_a_stopped_run_of_the_same_kind_is_gathered_again_with_all_its_scenes(runs: AutomaticRunStore) -> None:
    run = gathered(runs, [1, 2])
    runs.stop(run, "too far", {})
    assert gathered(runs, [2, 3]) == run
    assert list(runs.scenes(run)) == [1, 2, 3]
    assert runs.stopped() == ()


def test_an_ended_run_is_gone_with_its_scenes(runs: AutomaticRunStore) -> None:
    run = gathered(runs, [1])
    assert runs.end(run)
    assert not runs.end(run)
    assert (runs.gathering(KEY), runs.size(run)) == (None, 0)


def test_a_run_that_is_gathered_again_is_not_ended_as_a_stopped_one(runs: AutomaticRunStore) -> None:
    run = gathered(runs, [1])
    assert not runs.end(run, only_if_stopped=True)
    runs.stop(run, "too far", {})
    assert gathered(runs, [2]) == run
    assert not runs.end(run, only_if_stopped=True)
    assert list(runs.scenes(run)) == [1, 2]
    runs.stop(run, "too far", {})
    assert runs.end(run, only_if_stopped=True)
    assert runs.size(run) == 0
