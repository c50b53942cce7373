"""What a move between the data directory and a database server found and did, as values; and why one is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenesync.domain.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class MoveRefused(PermanentError):
    """A move cannot be made as things are; nothing was changed."""


@dataclass(frozen=True, slots=True)
class MovedTable:
    """One table as source and target both have it: ``checksum`` is of all rows, in whatever order."""

    name: str
    rows: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What both sides hold now: ``changed`` is False if they did before, ``kept`` is where a former state store is."""

    target: str
    tables: Sequence[MovedTable]
    changed: bool
    seconds: float
    kept: Path | None = None

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "target": self.target,
            "changed": self.changed,
            "seconds": round(self.seconds, 3),
            "former_state": None if self.kept is None else str(self.kept),
            "tables": {table.name: {"rows": table.rows, "checksum": table.checksum} for table in self.tables},
        }
