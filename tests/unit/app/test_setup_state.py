"""Which step of a set-up comes next, and what is forgotten when one is answered again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scenesync.app.coverage_report import CoverageReport
from scenesync.app.settings import SettingsError
from scenesync.app.setup.setting_up import words_of
from scenesync.app.setup.state import (
    FirstPlan,
    FoundPaths,
    FoundPlex,
    FoundStash,
    State,
    Step,
    back_to,
    fixed,
    next_step,
)
from scenesync.plex.exceptions import PlexUnauthorized
from scenesync.plex.sign_in import OfferedServer
from scenesync.reconciliation.planning import Totals

STASH = FoundStash("http://stash.example:9999", "v0.30.1", 3)
CELLAR = OfferedServer("Cellar", "c", "fake-token", is_owned=True, needs_https=False, connections=())
PLEX = FoundPlex("http://plex.example:32400", "Cellar", "1.43", ("Films",))
MEET, APART = FoundPaths("all meet", "", True), FoundPaths("none", "", None, ("/data => /media",))  # noqa: FBT003
PLAN = FirstPlan(CoverageReport(3, 3, ()), Totals(), Path("set-up.plan"))
READY = State(STASH, (), PLEX, (), MEET, are_paths_decided=False, plan=PLAN)


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (State(), Step.STASH),
        (State(STASH), Step.PLEX),
        (State(STASH, (CELLAR,)), Step.SERVER),
        (State(STASH, (CELLAR,), PLEX), Step.LIBRARIES),
        (State(STASH, (), PLEX, ()), Step.LOOK),
        (State(STASH, (), PLEX, (), APART), Step.PATHS),
        (State(STASH, (), PLEX, (), APART, are_paths_decided=True), Step.PLAN),
        (State(STASH, (), PLEX, (), MEET), Step.PLAN),
        (READY, Step.START),
        (replace(READY, is_written=True), Step.DONE),
    ],
)
def test_the_next_step_is_the_first_that_has_no_answer(state: State, step: Step) -> None:
    assert next_step(state) is step


@pytest.mark.parametrize("step", [Step.STASH, Step.PLEX, Step.LIBRARIES])
def test_a_new_answer_makes_a_new_plan_necessary(step: Step) -> None:
    again = back_to(READY, step)
    assert next_step(again) is step
    assert (again.plan, again.paths) == (None, None)


def test_an_answer_is_kept_where_it_still_holds() -> None:
    state = replace(READY, servers=(CELLAR,), paths=APART, are_paths_decided=True)
    assert back_to(state, Step.STASH).plex == PLEX
    assert next_step(back_to(state, Step.SERVER)) is Step.SERVER
    assert back_to(state, Step.PATHS).paths == APART
    assert next_step(back_to(state, Step.PATHS)) is Step.PATHS
    assert next_step(back_to(state, Step.PLAN)) is Step.PLAN


def test_what_the_file_cannot_change_is_neither_asked_nor_written() -> None:
    origins = {
        "stash_url": "default",
        "stash_api_key": "file /home/anna/scenesync.toml",
        "plex_url": "environment SCENESYNC_PLEX_URL",
        "plex_token": "environment SCENESYNC_PLEX_TOKEN_FILE",
        "plex_libraries": "Stash plugin settings",
        "path_map": "default",
        "workers": "environment SCENESYNC_WORKERS",
    }
    assert set(fixed(origins)) == {"plex_url", "plex_token", "plex_libraries"}


def test_a_person_is_told_what_to_do_not_what_http_said() -> None:
    assert "Sign in again" in words_of(PlexUnauthorized("GET /x: Plex answered 401 Unauthorized: check plex_token"))
    assert words_of(PlexUnauthorized("plex.tv answered 401")) == "plex.tv answered 401"
    refused = SettingsError(['plex_url = "cellar" (command line): it does not begin with http://'])
    assert words_of(refused) == 'plex_url = "cellar": it does not begin with http://'
    assert words_of(ValueError()) == "ValueError"
