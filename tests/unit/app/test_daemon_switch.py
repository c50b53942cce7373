from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scenesync.app.data_directory import worker_lock
from scenesync.app.running import switch as daemon_switch
from scenesync.app.running.heartbeat import FILE, Heartbeat, silence_s, works_with

if TYPE_CHECKING:
    import pytest


def test_where_none_runs_there_is_nothing_to_stop(tmp_path: Path) -> None:
    assert daemon_switch.stop(tmp_path / "nothing there")
    assert daemon_switch.stop(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_heeds_the_request_is_waited_for_and_the_request_is_gone(tmp_path: Path) -> None:
    lock = worker_lock(tmp_path)
    assert lock.acquire()
    waited: list[float] = []

    def daemon() -> None:
        while not daemon_switch.stop_is_requested(tmp_path):
            time.sleep(0.01)
        while not waited:
            time.sleep(0.01)
        lock.release()

    thread = threading.Thread(target=daemon)
    thread.start()
    assert daemon_switch.stop(tmp_path, 30, waited.append)
    thread.join()
    assert waited[0] < 0.1
    assert not daemon_switch.stop_is_requested(tmp_path)


def test_a_daemon_that_does_not_end_is_not_waited_for_for_ever_and_no_request_stays_behind(tmp_path: Path) -> None:
    lock = worker_lock(tmp_path)
    assert lock.acquire()
    assert not daemon_switch.stop(tmp_path, 0.2)
    assert not daemon_switch.stop_is_requested(tmp_path)
    lock.release()


def test_switched_off_is_remembered_until_somebody_starts_it(tmp_path: Path) -> None:
    assert not daemon_switch.is_kept_off(tmp_path)
    daemon_switch.keep_off(tmp_path)
    assert daemon_switch.is_kept_off(tmp_path)
    daemon_switch.allow(tmp_path)
    daemon_switch.allow(tmp_path)
    assert not daemon_switch.is_kept_off(tmp_path)


def test_a_heart_beats_at_its_pace_however_often_it_is_asked(tmp_path: Path) -> None:
    assert silence_s(tmp_path) is None
    beat = Heartbeat(tmp_path, every_s=3600)
    beat()
    first = (tmp_path / FILE).stat().st_mtime_ns
    assert 0 <= (silence_s(tmp_path) or 0) < 60
    for _ in range(100):
        beat()
    assert (tmp_path / FILE).stat().st_mtime_ns == first


def test_a_sign_of_life_says_whose_it_is(tmp_path: Path) -> None:
    assert not works_with(tmp_path, Path(sys.prefix))
    Heartbeat(tmp_path)()
    assert works_with(tmp_path, Path(sys.prefix))
    assert not works_with(tmp_path, tmp_path / ".venv")  # as in another container


def test_a_clock_that_was_set_back_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Heartbeat(tmp_path)()
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    assert silence_s(tmp_path) == 0


def test_a_disk_that_refuses_the_sign_of_life_stops_nobody(tmp_path: Path) -> None:
    Heartbeat(tmp_path / "nothing there")()
    assert silence_s(tmp_path / "nothing there") is None
