"""What is done beside the work goes on after an accident, and ends when it should."""

from __future__ import annotations

import threading
import time

import pytest

from scenesync.app.running import background
from scenesync.app.running.background import beside
from scenesync.domain.errors import LibraryNotFound
from scenesync.store.errors import StoreClosed, StoreUnavailable


@pytest.mark.parametrize(
    "accident",
    [StoreUnavailable("locked"), LibraryNotFound("Films", existing=[]), OSError("disk"), RuntimeError("a bug")],
)
def test_an_action_that_failed_begins_anew(accident: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AGAIN_AFTER_S", 0.01)
    begun, goes_on = [], threading.Event()

    def action(end: threading.Event) -> None:
        begun.append(True)
        if len(begun) == 1:
            raise accident
        goes_on.set()
        end.wait()

    with beside("sample", action, threading.Event()):
        assert goes_on.wait(5)
    assert len(begun) == 2


def test_an_action_that_came_to_its_end_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AGAIN_AFTER_S", 0.01)
    begun = []
    with beside("sample", begun.append, threading.Event()):
        time.sleep(0.1)
    assert len(begun) == 1


def test_the_end_does_not_wait_for_an_action_that_failed() -> None:
    failed, end = threading.Event(), threading.Event()

    def action(_end: threading.Event) -> None:
        failed.set()
        raise StoreUnavailable("locked")

    with beside("sample", action, end):
        assert failed.wait(5)
        leaving_at = time.monotonic()
    assert time.monotonic() - leaving_at < background.GOODBYE_S


def test_who_was_left_behind_ends_quietly_when_the_store_refuses_it(caplog: pytest.LogCaptureFixture) -> None:
    def action(_end: threading.Event) -> None:
        raise StoreClosed

    with beside("sample", action, threading.Event()):
        pass
    assert caplog.records == []
