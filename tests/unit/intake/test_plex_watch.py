"""The watch on Plex against a scripted source: it connects again, refreshes first, and ends at once."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from scenesync.intake import plex_watch
from scenesync.intake.announced import Announced
from scenesync.intake.plex_watch import PlexWatch, WatchListener
from scenesync.plex.announcements import Announcement, ItemAnnounced, ScanEnded
from scenesync.plex.exceptions import PlexServerDown, PlexTemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenesync.intake.plex_changes import PlexChanges


class ScriptedStream:
    def __init__(self, says: list[Announcement | Exception]) -> None:
        self._says = says

    def next(self, timeout_s: float) -> Sequence[Announcement]:
        if not self._says:
            time.sleep(min(timeout_s, 0.01))
            return ()
        said = self._says.pop(0)
        if isinstance(said, Exception):
            raise said
        return (said,)


class ScriptedSource:
    """Each connection follows the next script; an error as script means that none comes about."""

    def __init__(self, *scripts: list[Announcement | Exception] | Exception) -> None:
        self._scripts = list(scripts)
        self.opened = 0

    @contextmanager
    def open(self) -> Iterator[ScriptedStream]:
        self.opened += 1
        script = self._scripts.pop(0) if self._scripts else []
        if isinstance(script, Exception):
            raise script
        yield ScriptedStream(script)


class Told(WatchListener):
    def __init__(self) -> None:
        self.states: list[str] = []

    def hearing(self) -> None:
        self.states.append("up")

    def deaf(self, cause: str) -> None:
        self.states.append(cause)


def no_plex_yet() -> PlexChanges:
    raise PlexServerDown("No Plex server has answered yet.")


@contextmanager
def running(action: Callable[[threading.Event], None]) -> Iterator[None]:
    end = threading.Event()
    thread = threading.Thread(target=action, args=(end,))
    thread.start()
    try:
        yield
    finally:
        end.set()
        began = time.monotonic()
        thread.join(5)
        assert time.monotonic() - began < 2
        assert not thread.is_alive()


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plex_watch, "SOONEST_AGAIN_S", 0.01)
    monkeypatch.setattr(plex_watch, "BASE_S", 0.01)


def test_it_hears_and_connects_again_after_each_end() -> None:
    announced, told = Announced(), Told()
    source = ScriptedSource(
        PlexServerDown("down"),
        [ItemAnnounced("1", "1"), PlexServerDown("cut")],
        PlexTemporaryError("404"),
        [ItemAnnounced("2", "1")],
    )
    watch = PlexWatch(source, announced, no_plex_yet, health=told, jitter_seed=1)
    with running(watch.listen):
        eventually(lambda: announced.count() == 2)
    assert told.states == ["down", "up", "cut", "404", "up"]


def test_its_pauses_grow_with_jitter_that_a_seed_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plex_watch, "BASE_S", 1.0)
    monkeypatch.setattr(plex_watch, "SOONEST_AGAIN_S", 0.5)

    class Counting(threading.Event):
        def __init__(self) -> None:
            super().__init__()
            self.waits: list[float] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.waits.append(timeout or 0.0)
            if len(self.waits) == 12:
                self.set()
            return self.is_set()

    def pauses(seed: int, error: Exception) -> list[float]:
        end = Counting()
        PlexWatch(ScriptedSource(*[error] * 12), Announced(), no_plex_yet, jitter_seed=seed).listen(end)
        return end.waits

    down = PlexServerDown("down")
    assert pauses(7, down) == pauses(7, down) != pauses(8, down)
    assert all(0.5 <= pause <= 30.5 for pause in pauses(7, down))
    assert max(pauses(7, PlexTemporaryError("refused"))) > 30.5, "what a person has to cure is tried more seldom"


def test_before_any_plex_has_answered_what_is_heard_waits() -> None:
    announced = Announced()
    announced.add(["1"])
    watch = PlexWatch(ScriptedSource(), announced, no_plex_yet)
    with running(watch.heed):
        time.sleep(0.7)
    assert announced.count() == 1


def test_the_end_of_a_scan_asks_for_a_look_at_the_index() -> None:
    class Changes:
        refreshed: list[float] = []  # noqa: RUF012 - one for the one instance

        def refresh(self, since: float) -> bool:
            self.refreshed.append(since)
            return len(self.refreshed) != 1  # the first time it is too soon

        def look(self) -> None:
            pass

    changes = Changes()
    source = ScriptedSource([ScanEnded("1")])
    watch = PlexWatch(source, Announced(), lambda: changes)  # type: ignore[arg-type,return-value]  # all that is used of it
    with running(watch.listen), running(watch.heed):
        eventually(lambda: len(changes.refreshed) >= 2)
        time.sleep(0.7)
    assert len(changes.refreshed) == 2, "once it is done there is nothing left to do"
