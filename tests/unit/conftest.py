from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from private_postgres import PrivatePostgres, postgres_or_skip

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL for all tests of this process, queue's and store's."""
    with postgres_or_skip() as server:
        yield server
