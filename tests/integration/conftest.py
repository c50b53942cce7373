"""Fixtures that the specification names: stand-ins for a worker's surroundings, a stock queue, a clock to move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import freezegun.api
import pytest
from persistqueue import SQLiteAckQueue
from sync_world import SyncWorld

from worker.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path


@pytest.fixture
def mock_queue() -> MagicMock:
    return MagicMock(name="queue")


@pytest.fixture
def mock_dlq() -> MagicMock:
    return MagicMock(name="dlq")


@pytest.fixture
def mock_config() -> MagicMock:
    return MagicMock(name="config", max_retries=5, workers=4, data_dir=None)


@pytest.fixture
def real_queue(tmp_path: Path) -> Iterator[Any]:
    queue = SQLiteAckQueue(str(tmp_path / "test_queue"), auto_resume=True)
    yield queue
    queue.close()


@pytest.fixture
def fresh_circuit_breaker() -> CircuitBreaker:
    return CircuitBreaker(failure_threshold=5, recovery_timeout=60.0, success_threshold=1)


class InnermostFreezer:
    """Moves the frozen clock that is in force: that of the ``freeze_time`` entered last."""

    def move_to(self, target: str | datetime) -> None:
        if not freezegun.api.freeze_factories:
            raise RuntimeError("No freeze_time is active: decorate the test with @freeze_time(...).")
        freezegun.api.freeze_factories[-1].move_to(target)


@pytest.fixture
def freezer() -> InnermostFreezer:
    return InnermostFreezer()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    with SyncWorld(tmp_path / "data") as built:
        yield built
        # Whatever a test does to Plex, these two must never happen.
        assert built.plex.whole_library_edits == []
        assert built.plex.deleted_media == []
        assert built.plex.simulator_failures == ()
