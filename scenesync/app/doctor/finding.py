"""One finding of ``doctor``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``cure`` is what to do, "" if nothing; ``path_map`` the rules that would cure it, if they would."""

    name: str
    verdict: Verdict
    finding: str
    cure: str = ""
    path_map: tuple[str, ...] = ()

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return asdict(self)
