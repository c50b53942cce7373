from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from live_world import LiveWorld

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    """Both servers, a plugin folder and an empty data directory; whatever the test starts is stopped."""
    with LiveWorld(tmp_path) as world:
        yield world
