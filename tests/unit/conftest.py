from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from private_postgres import NoPostgresHere, PrivatePostgres, private_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL for all tests of this process, queue's and store's."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(private_postgres())
        except NoPostgresHere as why:
            pytest.skip(str(why))
        yield server
