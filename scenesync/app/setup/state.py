"""What is known of a set-up so far, and which step comes next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from scenesync.domain.setting_origin import wins_over_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scenesync.app.coverage_report import CoverageReport
    from scenesync.plex.sign_in import OfferedServer
    from scenesync.reconciliation.planning import Totals


ASKED: Final = ("stash_url", "stash_api_key", "plex_url", "plex_token", "plex_libraries", "path_map")
"""The settings that a set-up is about."""


class Step(StrEnum):
    """What a person is asked, or what is done, next; in this order."""

    STASH = "stash"
    PLEX = "plex"
    SERVER = "server"
    LIBRARIES = "libraries"
    LOOK = "look"
    PATHS = "paths"
    PLAN = "plan"
    START = "start"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class FoundStash:
    """A Stash that answered and let us in."""

    url: str
    version: str
    scenes: int


@dataclass(frozen=True, slots=True)
class FoundPlex:
    """A Plex server that answered and accepted its token; ``libraries`` are those that films may be in."""

    url: str
    name: str
    version: str
    libraries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundPaths:
    """How the paths of both sides meet in a sample; ``proposed`` is the ``path_map`` that would be better, if any."""

    finding: str
    cure: str
    is_good: bool | None
    proposed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FirstPlan:
    """What would happen if SceneSync began now: coverage, totals, and the scenes in a file."""

    coverage: CoverageReport
    totals: Totals
    file: Path


@dataclass(frozen=True, slots=True)
class State:
    """How far a set-up is. None: not known, or not decided yet."""

    stash: FoundStash | None = None
    servers: tuple[OfferedServer, ...] = ()
    """The servers of the account to choose from; none where the address was given."""
    plex: FoundPlex | None = None
    libraries: tuple[str, ...] | None = None
    """The chosen ones; empty for all, also those to come."""
    paths: FoundPaths | None = None
    are_paths_decided: bool = False
    plan: FirstPlan | None = None
    is_written: bool = False


def next_step(state: State) -> Step:
    """Return what comes next."""
    answered = {
        Step.STASH: state.stash is not None,
        Step.PLEX: state.plex is not None or bool(state.servers),
        Step.SERVER: state.plex is not None,
        Step.LIBRARIES: state.libraries is not None,
        Step.LOOK: state.paths is not None,
        Step.PATHS: state.are_paths_decided or not (state.paths and state.paths.proposed),
        Step.PLAN: state.plan is not None,
        Step.START: state.is_written,
    }
    return next((step for step, is_answered in answered.items() if not is_answered), Step.DONE)


_NO_PLAN: Final[Mapping[str, Any]] = {"are_paths_decided": False, "plan": None}
_NOT_LOOKED: Final[Mapping[str, Any]] = {**_NO_PLAN, "paths": None}
_FORGOTTEN: Final[Mapping[Step, Mapping[str, Any]]] = {
    Step.STASH: {**_NOT_LOOKED, "stash": None},
    Step.PLEX: {**_NOT_LOOKED, "libraries": None, "plex": None, "servers": ()},
    Step.SERVER: {**_NOT_LOOKED, "libraries": None, "plex": None},
    Step.LIBRARIES: {**_NOT_LOOKED, "libraries": None},
    Step.PATHS: _NO_PLAN,
    Step.PLAN: {"plan": None},
}


def back_to(state: State, step: Step) -> State:
    """Return the state in which ``step`` is to be answered again: what was learned from it is forgotten with it."""
    return replace(state, **_FORGOTTEN.get(step, {}))


def fixed(origins: Mapping[str, str]) -> dict[str, str]:
    """Return which of ASKED the settings file cannot change, with their origins: neither asked nor written."""
    return {key: origins[key] for key in ASKED if wins_over_file(origins[key])}
