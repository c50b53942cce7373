from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from scenesync.app.cli import run_cli
from scenesync.app.data_directory import worker_lock
from scenesync.app.running.health_check import LONGEST_SILENCE_S, judge, look
from scenesync.app.running.heartbeat import FILE, Heartbeat
from scenesync.app.settings import Settings
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("running", "silence_s", "healthy", "says"),
    [
        (True, 0.0, True, "at work, last sign of life 0.0 s ago"),
        (True, LONGEST_SILENCE_S, True, "at work"),
        (True, LONGEST_SILENCE_S + 1, False, "no sign of life for 10.0 min"),
        (True, None, False, "the daemon begins"),
        (False, 1.0, False, "no daemon works in /data (scenesync run starts it)"),
        (False, None, False, "no daemon works in /data"),
    ],
)
def test_a_lock_and_a_silence_mean_together(
    *, running: bool, silence_s: float | None, healthy: bool, says: str
) -> None:
    health = judge(running=running, silence_s=silence_s, where="/data")
    assert health.healthy is healthy
    assert says in health.finding


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory in which somebody works, as far as can be seen from outside."""
    EmbeddedQueue(tmp_path / "queue").close()
    open_database(tmp_path / "scenesync.db").close()
    lock = worker_lock(tmp_path)
    assert lock.acquire()
    Heartbeat(tmp_path)()
    yield tmp_path
    lock.release()


def test_a_daemon_that_works_is_healthy_and_looking_changes_nothing(data_dir: Path) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in data_dir.rglob("*"))
    assert look(Settings(data_dir=data_dir)).healthy
    assert sorted((path.name, path.stat().st_mtime_ns) for path in data_dir.rglob("*")) == before


def test_a_loop_that_hangs_is_not_healthy(data_dir: Path) -> None:
    long_ago = time.time() - 2 * LONGEST_SILENCE_S
    os.utime(data_dir / FILE, (long_ago, long_ago))
    health = look(Settings(data_dir=data_dir))
    assert not health.healthy
    assert health.silence_s == pytest.approx(2 * LONGEST_SILENCE_S, abs=60)


@pytest.mark.parametrize("file", ["queue/data.db", "scenesync.db"])
def test_a_store_that_cannot_be_read_is_not_healthy(data_dir: Path, file: str) -> None:
    (data_dir / file).write_bytes(b"nothing that SQLite knows" * 400)
    health = look(Settings(data_dir=data_dir))
    assert not health.healthy
    assert "damaged" in health.finding


def test_without_a_data_directory_no_daemon_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "nothing there"
    assert run_cli(["--data-dir", str(folder), "health"]) == 1
    assert capsys.readouterr().out.startswith("not healthy: no daemon works in ")
    assert run_cli(["--data-dir", str(folder), "health", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["healthy"] is False
    assert not folder.exists()
