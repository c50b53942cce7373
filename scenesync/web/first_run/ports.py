"""What the first-run page shows, and what it asks for; who answers implements ``SetUpDesk``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.web.models.scenes import Coverage
    from scenesync.web.models.work import PlannedScene, PlanTotals


@dataclass(frozen=True, slots=True)
class Doing:
    """What goes on by itself: ``done`` of ``total`` (0: not known). ``link`` is where a person signs in meanwhile."""

    text: str
    done: int = 0
    total: int = 0
    link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that answered, in words."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Paths:
    """How the paths of both sides meet, and the rules that would make them."""

    finding: str
    cure: str
    proposed: tuple[str, ...]
    in_force: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanShown:
    """What would happen if SceneSync began now; ``scenes`` are the first ones that would change."""

    sentence: str
    totals: PlanTotals
    coverage: Coverage
    scenes: Sequence[PlannedScene]
    file: str


@dataclass(frozen=True, slots=True)
class SetUpView:
    """How far the set-up is: ``step`` is what is asked next, never a secret among it.

    ``fixed`` are the settings that the environment decides, with their origins; ``suggested`` the values in the fields.
    """

    step: str
    settings_file: str
    suggested: Mapping[str, str]
    fixed: Mapping[str, str]
    doing: Doing | None = None
    problem: str = ""
    stash: FoundServer | None = None
    plex: FoundServer | None = None
    servers: tuple[tuple[str, str], ...] = ()
    """Machine identifier and name of each to choose from."""
    offered_libraries: tuple[str, ...] = ()
    libraries: tuple[str, ...] | None = None
    paths: Paths | None = None
    plan: PlanShown | None = None


class SetUpDesk(Protocol):
    """Takes the answers one by one. What does not work is told by the next view, never raised."""

    def view(self) -> SetUpView:
        """Return how far it is."""
        ...

    def stash(self, url: str, api_key: str) -> None:
        """Try Stash there; empty leaves what is known."""
        ...

    def plex(self, url: str, token: str) -> None:
        """Try Plex there; empty leaves what is known."""
        ...

    def sign_in(self) -> None:
        """Begin to sign in at plex.tv."""
        ...

    def server(self, machine_identifier: str) -> None:
        """Take one of the account's servers."""
        ...

    def libraries(self, names: Sequence[str]) -> None:
        """Take these libraries, all for none, and go on to look at the paths."""
        ...

    def paths(self, *, take: bool) -> None:
        """Take the proposed path map or not, and go on to the plan."""
        ...

    def again(self) -> None:
        """Do once more what failed."""
        ...

    def stop(self) -> None:
        """End what goes on."""
        ...

    def back(self, step: str) -> None:
        """Ask a step again. Raises Unusable for what is none."""
        ...

    def start(self) -> None:
        """Write the settings, now that the plan was seen. Raises Conflict before."""
        ...

    def told(self) -> None:
        """Hear that a person was told that all is done."""
        ...
