"""How the database of an installation stands, and what an upgrade changed, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class DatabaseStanding:
    """A database as a look finds it.

    ``version`` is that of the state's tables, None if there are none; ``works_from`` the oldest whose SceneSync goes on
    with them, ``needs`` the one that this SceneSync has. ``missing_*`` name the steps that have not been run.
    ``clock_ahead_s`` is by how much the server's clock is ahead of this machine's.
    """

    name: str
    schema: str
    server_major: int
    server_version: str
    clock_ahead_s: float
    version: int | None
    works_from: int | None
    needs: int
    missing_state: Sequence[str]
    missing_queue: Sequence[str]

    @property
    def is_current(self) -> bool:
        """Whether an upgrade would change nothing."""
        return not self.missing_state and not self.missing_queue

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "database": self.name,
            "schema": self.schema,
            "server_version": self.server_version,
            "clock_ahead_s": round(self.clock_ahead_s, 3),
            "state_version": self.version,
            "works_from": self.works_from,
            "needed_version": self.needs,
            "missing_state": list(self.missing_state),
            "missing_queue": list(self.missing_queue),
            "current": self.is_current,
        }
