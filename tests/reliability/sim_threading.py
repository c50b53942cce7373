"""Stand-ins for ``threading``, ``time``, ``random`` and ``queue.SimpleQueue`` that ask the simulation's kernel.

They are put into the product's modules by ``simulated_modules``; outside a history they must not be used.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import pkgutil
import queue
import random
import sys
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from sim_kernel import Kernel, Task

PACKAGES: Final = ("scenesync.worker", "scenesync.queue", "scenesync.store", "scenesync.domain")


class _Present:
    """The history that is played now."""

    kernel: Kernel | None = None
    chance: random.Random | None = None


def kernel() -> Kernel:
    """Return the kernel of the history that is played now."""
    if _Present.kernel is None:
        raise RuntimeError("no history is being played")
    return _Present.kernel


@contextlib.contextmanager
def played_by(new_kernel: Kernel, chance: random.Random) -> Iterator[None]:
    """Let the stand-ins ask ``new_kernel``, and draw chance from ``chance``, for the block."""
    _Present.kernel, _Present.chance = new_kernel, chance
    try:
        yield
    finally:
        _Present.kernel = _Present.chance = None


class Lock:
    """``threading.Lock``, and with ``reentrant`` ``threading.RLock``; each taking is a point of the history."""

    reentrant = False

    def __init__(self, kind: str = "") -> None:
        self._kernel = kernel()
        self._kind = kind
        self._owner: Task | None = None
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - threading's shape
        core = self._kernel
        core.guard()
        if self.reentrant and self._owner is core.running:
            self._depth += 1
            return True
        core.point(self._kind)
        free = self._owner is None or (
            blocking and core.wait(lambda: self._owner is None, None if timeout < 0 else timeout)
        )
        if not free:
            return False
        self._owner, self._depth = core.running, 1
        return True

    def release(self) -> None:
        process = self._kernel.running.process
        if process is not None and process.is_dead:
            return
        if self._owner is not self._kernel.running:
            raise RuntimeError("a lock is released by somebody who does not hold it")
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            if self._kind:
                self._kernel.point(self._kind)

    def locked(self) -> bool:
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock(Lock):
    """``threading.RLock``."""

    reentrant = True


class Condition:
    """``threading.Condition``."""

    def __init__(self, lock: Lock | None = None) -> None:
        self._kernel = kernel()
        self._lock = RLock() if lock is None else lock
        self._waiting: deque[list[bool]] = deque()
        self.acquire = self._lock.acquire
        self.release = self._lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        called = [False]
        self._waiting.append(called)
        depth, self._lock._depth, self._lock._owner = self._lock._depth, 0, None
        try:
            self._kernel.wait(lambda: called[0], timeout)
        finally:
            if called in self._waiting and not called[0]:
                self._waiting = deque(other for other in self._waiting if other is not called)
        self._lock.acquire()
        self._lock._depth = depth
        return called[0]

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        end = None if timeout is None else self._kernel.now + timeout
        while not (result := predicate()):
            left = None if end is None else end - self._kernel.now
            if left is not None and left <= 0:
                return result
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        self._kernel.guard()
        for _ in range(min(n, len(self._waiting))):
            self._waiting.popleft()[0] = True

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class Event:
    """``threading.Event``."""

    def __init__(self) -> None:
        self._kernel = kernel()
        self._flag = False

    def is_set(self) -> bool:
        return self._flag

    def set(self) -> None:
        self._kernel.guard()
        self._flag = True

    def clear(self) -> None:
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._kernel.wait(self.is_set, timeout)


class Thread:
    """``threading.Thread``: a task of the process that starts it."""

    def __init__(
        self,
        group: None = None,  # noqa: ARG002 - threading's shape
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        self._kernel = kernel()
        self._run: Callable[[], object] = lambda: target(*args, **(kwargs or {})) if target is not None else None
        self.name = name or "thread"
        self.daemon = bool(daemon)
        self._task: Task | None = None

    def start(self) -> None:
        self._kernel.point()
        self._task = self._kernel.spawn(self._kernel.running.process, self.name, self._work)

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.is_done

    def join(self, timeout: float | None = None) -> None:
        self._kernel.wait(lambda: not self.is_alive(), timeout)

    def _work(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - threading would print it and end the thread
            on_thread_failure(self.name, error)


def on_thread_failure(name: str, error: Exception) -> None:
    """Note that a thread of the product died of an exception."""
    core = kernel()
    core.note(f"THREAD DIED {name}: {error!r}")
    core.failures.append((name, error))


class SimpleQueue:
    """``queue.SimpleQueue``."""

    def __init__(self) -> None:
        self._kernel = kernel()
        self._items: deque[Any] = deque()

    def __class_getitem__(cls, _: object) -> type[Self]:
        return cls

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002, ARG002
        self._kernel.guard()
        self._items.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        if block:
            deadline = None if timeout is None else self._kernel.now + timeout
            while not self._items:
                left = None if deadline is None else deadline - self._kernel.now
                if (left is not None and left <= 0) or not self._kernel.wait(lambda: bool(self._items), left):
                    raise queue.Empty
        if not self._items:
            raise queue.Empty
        return self._items.popleft()

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def qsize(self) -> int:
        return len(self._items)

    def empty(self) -> bool:
        return not self._items


class _Delegating:
    """A module's stand-in: what it does not have itself comes from the real one."""

    def __init__(self, real: ModuleType) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class SimulatedTime(_Delegating):
    """``time``: the virtual clocks."""

    def __init__(self) -> None:
        super().__init__(time)
        self._last_ns = 0

    def time(self) -> float:
        return kernel().wall()

    def time_ns(self) -> int:
        # Never twice the same: names of files are made of it, and their order must not be drawn by the system.
        self._last_ns = max(self._last_ns + 1, int(kernel().wall() * 1e9)) if _Present.kernel else 0
        return self._last_ns

    def monotonic(self) -> float:
        return kernel().now

    def perf_counter(self) -> float:
        return kernel().now

    def sleep(self, seconds: float) -> None:
        kernel().wait(None, seconds)


class SimulatedThreading(_Delegating):
    """``threading`` for one module; locks that it makes are busy points named after it."""

    def __init__(self, kind: str) -> None:
        super().__init__(threading)
        self._kind = kind

    Condition = Condition
    Event = Event
    Thread = Thread

    def Lock(self) -> Lock:  # noqa: N802 - threading's name
        return Lock()

    def RLock(self) -> RLock:  # noqa: N802 - threading's name
        return RLock(self._kind)


class SimulatedRandom(_Delegating):
    """``random``: what is not seeded by the product is seeded by the history."""

    def __init__(self) -> None:
        super().__init__(random)

    def Random(self, seed: Any = None) -> random.Random:  # noqa: N802 - random's name
        assert _Present.chance is not None
        return random.Random(_Present.chance.random() if seed is None else seed)  # noqa: S311 - a game of chance

    def __getattr__(self, name: str) -> Any:
        assert _Present.chance is not None
        return getattr(_Present.chance, name)


class SimulatedHandoff(_Delegating):
    """``queue``."""

    SimpleQueue = SimpleQueue


@contextlib.contextmanager
def simulated_modules() -> Iterator[None]:
    """Put the stand-ins into all modules of the product's packages for the block."""
    clock, chance = SimulatedTime(), SimulatedRandom()
    undo: list[Callable[[], None]] = []
    product_log = logging.getLogger("scenesync")
    level = product_log.level
    product_log.setLevel(logging.CRITICAL + 1)
    try:
        for module in _product_modules():
            kind = "queue" if module.__name__.startswith("scenesync.queue.") else ""
            stand_ins = {
                time: clock,
                random: chance,
                threading: SimulatedThreading(kind),
                queue: SimulatedHandoff(queue),
            }
            for name, value in list(vars(module).items()):
                for real, stand_in in stand_ins.items():
                    if value is real:
                        setattr(module, name, stand_in)
                        undo.append(partial(setattr, module, name, real))
            undo += _with_simulated_defaults(module, clock)
        yield
    finally:
        for step in reversed(undo):
            step()
        product_log.setLevel(level)


def _product_modules() -> list[ModuleType]:
    for package in PACKAGES:
        for found in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(found.name)
    return [module for name, module in sorted(sys.modules.items()) if name.startswith(PACKAGES)]


def _with_simulated_defaults(module: ModuleType, clock: SimulatedTime) -> list[Callable[[], None]]:
    """Replace clocks that dataclasses took as default factories when the module was imported."""
    undo: list[Callable[[], None]] = []
    factories = {time.monotonic: clock.monotonic, time.time: clock.time}
    for value in list(vars(module).values()):
        if not (isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__):
            continue
        late = {
            field.name: factories[field.default_factory]
            for field in dataclasses.fields(value)
            if field.default_factory in factories
        }
        if late:
            undo.append(_wrap_init(value, late))
    return undo


def _wrap_init(kind: type, late: dict[str, Callable[[], float]]) -> Callable[[], None]:
    original = vars(kind)["__init__"]

    def __init__(self: object, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(self, *args, **{**{name: factory() for name, factory in late.items() if name not in kwargs}, **kwargs})

    kind.__init__ = __init__  # type: ignore[misc]
    return lambda: setattr(kind, "__init__", original)
