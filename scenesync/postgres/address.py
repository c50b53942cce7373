"""The address of a PostgreSQL database: how it may be shown, and what every connection is made with.

All of SceneSync lies in one schema of the database, the queue and Procrastinate's tables too; a connection sees no
other. So several installations may share a database, each in a schema of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import ProgrammingError, conninfo

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = "scenesync"

# What a network does to a connection is noticed within seconds, not when the kernel gives up after many minutes.
_UNLESS_SAID: Final[Mapping[str, str | int]] = {
    "application_name": "scenesync",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# And by the server: what a machine held that vanished without a word (locks, a transaction) is soon free again.
_SERVER_UNLESS_SAID: Final[Mapping[str, str | int]] = {
    "tcp_keepalives_idle": 4,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class AddressUnreadable(Exception):
    """The address of the database is none; the message does not repeat it, since it may hold a password."""


def connection_text(url: str, schema: str, server_settings: Mapping[str, str | int] | None = None) -> str:
    """Return ``url`` as psycopg takes it, with what it does not say itself; raises AddressUnreadable.

    ``server_settings`` hold on each connection from its beginning.
    """
    given = _parts(url)
    said = {name: value for name, value in _UNLESS_SAID.items() if name not in given}
    ours = {"search_path": schema, **(server_settings or {})}
    # Of two values for one setting the later counts.
    options = f"{_options(_SERVER_UNLESS_SAID)} {given.get('options', '')} {_options(ours)}"
    return conninfo.make_conninfo(url, **said, options=options)


def shown_name(url: str) -> str:
    """Return the database as it may be shown: its name, host and port. Raises AddressUnreadable."""
    parts = _parts(url)
    host, port = parts.get("host") or "localhost", parts.get("port") or 5432
    return f"{parts.get('dbname') or parts.get('user') or 'postgres'} on {host}:{port}"


def _options(settings: Mapping[str, str | int]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _parts(url: str) -> dict[str, str | int | None]:
    try:
        parts = dict(conninfo.conninfo_to_dict(url))
    except ProgrammingError:  # its text quotes what it could not read, a password perhaps
        raise AddressUnreadable(
            "The address of the database cannot be read. It is of the form postgresql://user@host:5432/name."
        ) from None
    host = str(parts.get("host") or "")
    # libpq ends the password at the first one, and the rest of it stands here. (A socket's name may hold one.)
    if "@" in host[1:] and not host.startswith("/"):
        raise AddressUnreadable("The address of the database has more than one @: in a password it is written as %40.")
    return parts
