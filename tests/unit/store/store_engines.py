"""The engines that keep the state. A test that opens it runs on each of them, unless it is about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import pytest

if TYPE_CHECKING:
    from scenesync.store.database import Database

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgres"

on_sqlite = pytest.mark.parametrize("engine", [SQLITE], indirect=True)
on_postgres = pytest.mark.parametrize("engine", [POSTGRES], indirect=True)


class OpenStore(Protocol):
    """Opens the state of a test, as one more process would."""

    def __call__(self, *, read_only: bool = False) -> Database: ...
