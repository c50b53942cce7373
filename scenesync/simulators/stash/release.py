"""What differs between the Stash releases that the simulator can pose as (facts/stash.md, section 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PARTIAL_DATES_SINCE: Final = 30
_TRIMMING_SINCE: Final = 30
_SCHEMA_NUMBERS: Final = ((30, 75), (29, 72), (28, 72), (27, 68), (26, 58), (25, 55), (24, 54))


@dataclass(frozen=True, slots=True)
class Release:
    """A version of Stash and the behaviour that changed over time."""

    version: str
    git_hash: str
    database_schema: int
    minor: int

    @property
    def takes_partial_dates(self) -> bool:
        """``2024`` and ``2024-05``: since 0.30."""
        return self.minor >= _PARTIAL_DATES_SINCE

    @property
    def trims_texts(self) -> bool:
        """Title, details, code and director lose their outer blanks: since 0.30."""
        return self.minor >= _TRIMMING_SINCE


def release_of(version: str) -> Release:
    """Return the release called ``version``, such as ``v0.30.1``. Raises :class:`ValueError` for other texts."""
    match = re.match(r"v0\.(\d+)\.\d+", version)
    if match is None:
        raise ValueError(f"{version!r} is no version of Stash; they look like v0.30.1")
    minor = int(match.group(1))
    schema = next((number for since, number in _SCHEMA_NUMBERS if minor >= since), _SCHEMA_NUMBERS[-1][1])
    return Release(version=version, git_hash="b23b0267a", database_schema=schema, minor=minor)
