from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from store_samples import SERVER

from scenesync.store.database import Database, open_database
from scenesync.store.path_index import PathIndexStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "scenesync.db"


@pytest.fixture
def database(database_path: Path) -> Iterator[Database]:
    with open_database(database_path) as opened:
        yield opened


@pytest.fixture
def index(database: Database) -> PathIndexStore:
    return PathIndexStore(database, SERVER)
