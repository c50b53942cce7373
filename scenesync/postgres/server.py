"""What a server says of itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg import Connection

_CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"
_MAJOR: Final = 10_000


@dataclass(frozen=True, slots=True)
class AboutServer:
    """Its major version, its whole version as it words it, and by how many seconds its clock is ahead of ours."""

    major: int
    version: str
    clock_ahead_s: float


def about_server(connection: Connection[Any]) -> AboutServer:
    """Ask the server at the other end."""
    version = connection.info.parameter_status("server_version") or ""
    before = time.time()
    row = connection.execute(_CLOCK).fetchone()
    assert row is not None  # noqa: S101 - it returns one row
    # Its answer is from the middle of the way there and back, as near as can be known.
    ahead_s = row[0] - (before + time.time()) / 2
    return AboutServer(connection.info.server_version // _MAJOR, version, ahead_s)
