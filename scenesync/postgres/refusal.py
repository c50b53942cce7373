"""What errors of PostgreSQL tell a person.

A server that answers and does not let us in is told apart: its address has to be put right, waiting mends nothing.
"""

from __future__ import annotations

import re
from typing import Final

import psycopg

_REFUSED: Final = "28"
"""SQLSTATE's class *invalid authorization specification*."""
_NO_SUCH_DATABASE: Final = "3D000"
# libpq keeps for itself with which SQLSTATE a connection was refused; what is left are the server's words. Of one that
# speaks another language than English it is said, as of any outage, that the database cannot be used now, and why.
_WORDS: Final = re.compile(
    r"authentication failed for user|no password supplied|no pg_hba\.conf entry for|permission denied for database"
    r'|(role|database) ".*" does not exist|role ".*" is not permitted to log in'
)
_SEVERITY: Final = re.compile(r".*\b(?:FATAL|ERROR): +")


def refusal(error: BaseException, where: str) -> str | None:
    """Return what to tell a person if ``error`` means that user, password or database are wrong, else None.

    ``where`` is the database as it may be shown. The password is in no word of it.
    """
    said = _said(error) if isinstance(error, psycopg.Error) else None
    if said is None:
        return None
    return (
        f"The database {where} does not let SceneSync in ({_SEVERITY.sub('', said).strip()}). Check its address "
        "(database_url): user, password, and the name of the database."
    )


def in_short(error: BaseException) -> str:
    """Return the first line of what an error says, its class if it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def _said(error: psycopg.Error) -> str | None:
    """Return what the server said when it refused the connection, None if it did not."""
    if error.sqlstate is None:
        is_of_connection = isinstance(error, psycopg.OperationalError)
        return next((line for line in str(error).splitlines() if is_of_connection and _WORDS.search(line)), None)
    if error.sqlstate.startswith(_REFUSED) or error.sqlstate == _NO_SUCH_DATABASE:
        return error.diag.message_primary or type(error).__name__
    return None
