from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from store_samples import OTHER_SERVER, SERVER

from scenesync.domain.outcome import Attempt, Outcome
from scenesync.domain.scene_state import SceneStanding, SceneState, standing_after
from scenesync.store.scene_states import LONGEST_DETAIL, SceneStateStore

if TYPE_CHECKING:
    from scenesync.store.database import Database


@pytest.fixture
def states(database: Database) -> SceneStateStore:
    return SceneStateStore(database)


def attempt(scene_id: int, outcome: Outcome = Outcome.SYNCED, error: str = "", **facts: object) -> Attempt:
    values = {"title": f"Journey {scene_id}", "path": f"/data/{scene_id}.mkv", "server_id": SERVER, **facts}
    return Attempt(scene_id, outcome, 1000.0, 2.0, error_type=error, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "error", "state"),
    [
        (Outcome.SYNCED, "", SceneState.IN_SYNC),
        (Outcome.UNCHANGED, "", SceneState.IN_SYNC),
        (Outcome.SKIPPED, "SceneSkipped", SceneState.LEFT_OUT),
        (Outcome.RETRY, "PlexNotFound", SceneState.UNMATCHED),
        (Outcome.DEAD, "PlexNotFound", SceneState.UNMATCHED),
        (Outcome.DEAD, "AmbiguousMatch", SceneState.AMBIGUOUS),
        (Outcome.RETRY, "PlexTemporaryError", SceneState.WAITING),
        (Outcome.DEAD, "PlexPermanentError", SceneState.FAILED),
        (Outcome.DEFERRED, "PlexServerDown", SceneState.WAITING),
    ],
)
def test_an_attempt_says_where_its_scene_stands(outcome: Outcome, error: str, state: SceneState) -> None:
    standing = standing_after(attempt(1, outcome, error))
    assert (standing.state, standing.at) == (state, 1002.0)


def test_the_latest_attempt_counts_and_a_scene_that_is_gone_is_forgotten(states: SceneStateStore) -> None:
    states.note_attempts([attempt(1, Outcome.RETRY, "PlexBusy"), attempt(1), attempt(2), attempt(0)])
    assert [(each.scene_id, each.state) for each in all_of(states)] == [
        (1, SceneState.IN_SYNC),
        (2, SceneState.IN_SYNC),
    ]
    states.note_attempts([attempt(2, Outcome.SKIPPED, "SceneGone")])
    assert [each.scene_id for each in all_of(states)] == [1]


def test_what_is_not_known_now_stays_as_it_was(states: SceneStateStore) -> None:
    states.keep(SERVER, [SceneStanding(1, SceneState.IN_SYNC, 1.0, "Harbour", "/data/harbour.mkv", "", "path", ("7",))])
    states.keep(SERVER, [SceneStanding(1, SceneState.DIFFERS, 2.0, detail="title" * 1000)])
    [standing] = all_of(states)
    assert (standing.title, standing.path, standing.state, standing.rule) == (
        "Harbour",
        "/data/harbour.mkv",
        SceneState.DIFFERS,
        "",
    )
    assert len(standing.detail) == LONGEST_DETAIL
    assert states.page(SERVER, state=None, search="harbour", after=0, limit=9) == (standing,)


def test_scenes_are_listed_by_state_by_search_and_page_by_page(states: SceneStateStore) -> None:
    states.keep(SERVER, [SceneStanding(n, SceneState.IN_SYNC, 1.0, f"Pier {n}", f"/a/{n}") for n in range(1, 6)])
    states.keep(SERVER, [SceneStanding(9, SceneState.AMBIGUOUS, 2.0, "Über die 100%_Brücke", "/b/9")])
    states.keep(OTHER_SERVER, [SceneStanding(1, SceneState.FAILED, 3.0, "Elsewhere")])
    assert ids(states.page(SERVER, state=None, search="", after=2, limit=2)) == [3, 4]
    assert ids(states.page(SERVER, state=SceneState.AMBIGUOUS, search="", after=0, limit=9)) == [9]
    assert ids(states.page(SERVER, state=None, search="ÜBER", after=0, limit=9)) == [9]
    assert ids(states.page(SERVER, state=None, search="0%_b", after=0, limit=9)) == [9]
    assert ids(states.page(SERVER, state=None, search="%", after=0, limit=9)) == [9]
    assert ids(states.page(SERVER, state=None, search="/a/", after=4, limit=9)) == [5]
    assert states.counts(SERVER) == {SceneState.IN_SYNC: 5, SceneState.AMBIGUOUS: 1}
    assert states.of_scenes(SERVER, [9, 77])[9].title == "Über die 100%_Brücke"
    assert states.latest_server() == OTHER_SERVER


def test_nothing_is_known_at_the_beginning(states: SceneStateStore) -> None:
    assert all_of(states) == ()
    assert states.counts(SERVER) == {}
    assert states.latest_server() == ""
    states.note_attempts([])


def all_of(states: SceneStateStore) -> tuple[SceneStanding, ...]:
    return states.page(SERVER, state=None, search="", after=0, limit=100)


def ids(standings: tuple[SceneStanding, ...]) -> list[int]:
    return [standing.scene_id for standing in standings]
