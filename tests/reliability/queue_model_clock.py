"""A clock for the queue's modules that a test moves, forward and back."""

from __future__ import annotations

import importlib
import pkgutil
import time
from typing import TYPE_CHECKING, Any, Final

import scenesync.queue
from scenesync.queue import core, owner_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

START: Final = 1_800_000_000.0


class MovedTime:
    """Stands for the module ``time``: the time of day is set by hand, sleeping passes at once, the rest is real."""

    def __init__(self) -> None:
        self.now = START
        self._slept_s = 0.0

    def time(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def monotonic(self) -> float:
        return time.monotonic() + self._slept_s

    def sleep(self, seconds: float) -> None:
        self._slept_s += seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def install(monkeypatch: pytest.MonkeyPatch) -> MovedTime:
    """Make every module of the queue that looks at a clock look at the returned one, and look at all there is at once.

    What is otherwise looked at only now and then is looked at each time: a history takes no time to speak of.
    """
    monkeypatch.setattr(core, "SPOOL_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(core, "TAKE_OVER_EVERY_S", 0.0)
    monkeypatch.setattr(owner_lock, "_LOOK_EVERY_S", 0.0)
    clock = MovedTime()
    modules = list(_modules_with_time())
    assert len(modules) > 4, "the queue's modules no longer import `time` as a module: the clock would not reach them"
    for module in modules:
        monkeypatch.setattr(module, "time", clock)
    return clock


def _modules_with_time() -> Iterator[Any]:
    for info in pkgutil.iter_modules(scenesync.queue.__path__, "scenesync.queue."):
        module = importlib.import_module(info.name)
        if getattr(module, "time", None) is time:
            yield module
