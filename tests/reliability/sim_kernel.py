"""The heart of the simulation: virtual time, and tasks of which exactly one runs at a time.

A task is a real thread, so that the product's own code runs unchanged; but it runs only while it holds the baton, and
gives it up only in ``point`` and ``wait``. Who gets it next is drawn from the seed. When everybody waits, the clock
jumps to the next moment at which something happens. So one seed is one history, and a day costs milliseconds.

No history goes on for ever: steps without time passing, steps in all, virtual time and real time between two steps have
bounds (``Patience``). Beyond one of them the director gets the baton and raises ``Stuck``, which tells where all stand.
"""

from __future__ import annotations

import ctypes
import heapq
import itertools
import sys
import threading
import traceback
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

EPOCH_S: Final = 1_800_000_000.0
START_S: Final = 1_000.0
TRACE_KEPT: Final = 4_000
QUIET_ADVANCES: Final = 6
"""After so many jumps of the clock without any request, polling is taken to be idle and may be slowed down."""
FRAMES_TOLD: Final = 5
UNDERNEATH: Final = {"sim_kernel.py", "sim_threading.py", "threading.py", "contextlib.py"}
"""What every task stands in, and is not told."""
_MASK: Final = (1 << 61) - 1


class Crashed(BaseException):
    """Unwinds the thread of a process that was killed; nothing that it does on its way out has an effect any more."""


class Stuck(AssertionError):
    """The history does not end by itself; the text says who stands where, and what each waits for."""


@dataclass(frozen=True)
class Patience:
    """How far a history may go.

    Of some thousand the longest took 48,000 steps and 50 minutes, and at one moment 350 steps.
    """

    steps_at_one_moment: int = 20_000
    steps: int = 500_000
    virtual_s: float = 2 * 86_400.0
    real_s_for_one_step: float = 60.0


class SimulatedProcess:
    """What a task belongs to; killed as a whole.

    ``crash_in`` counts down busy points, None for no crash planned; with ``crash_at`` those of one kind only.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.crash_in: int | None = None
        self.crash_at = ""
        self.settling = 0

    def die(self) -> None:
        """Close abruptly whatever the process has open; called once, before its threads are unwound."""


class Task:
    """One simulated thread: it runs when it waits for nothing, when what it waits for came, or at its deadline."""

    __slots__ = ("carrier", "deadline", "is_done", "name", "process", "ready", "reaped_by")

    @property
    def full_name(self) -> str:
        return self.name if self.process is None else f"{self.process.name}/{self.name}"

    def __init__(self, name: str, process: SimulatedProcess | None, carrier: _Carrier) -> None:
        self.name = name
        self.process = process
        self.carrier = carrier
        self.ready: Callable[[], bool] | None = None
        self.deadline: float | None = None
        self.is_done = False
        self.reaped_by: Task | None = None


class _Carrier:
    """A real thread that tasks ride on, kept for the next one when its task has ended."""

    idle: list[_Carrier] = []  # noqa: RUF012 - one pool for all histories of this process

    def __init__(self, *, own_thread: bool = True) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.job: Callable[[], None] | None = None
        self.thread = threading.current_thread()
        if own_thread:
            self.thread = threading.Thread(target=self._ride, name="simulated", daemon=True)
            self.thread.start()

    def _ride(self) -> None:
        while True:
            self.gate.acquire()
            job, self.job = self.job, None
            if job is None:
                return
            job()

    @classmethod
    def dismiss_all(cls) -> None:
        """End the threads of the pool."""
        while cls.idle:
            cls.idle.pop().gate.release()


class Kernel:
    """One history's scheduler and clock. ``stay`` is how likely a task goes on at a point where it need not stop."""

    def __init__(self, chance: random.Random, *, stay: float = 0.7, patience: Patience | None = None) -> None:
        self.now = START_S
        self.wall_offset_s = 0.0
        self.points = 0
        self.switches = 0
        self.digest = 0
        self.trace: list[tuple[float, str, str]] = []
        self.trace_length = 0
        self.failures: list[tuple[str, Exception]] = []
        self.longest_idle_jump_s = 1.0
        self.next_due: Callable[[], float | None] = lambda: None
        self._chance = chance
        self._stay = stay
        self._tasks: list[Task] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._event_numbers = itertools.count()
        self._quiet = 0
        self._patience = patience or Patience()
        self._last_step = self._patience.steps_at_one_moment
        self._stuck = ""
        self._stuck_is_told = False
        self.director = Task("director", None, _Carrier(own_thread=False))
        self.running = self.director
        self._tasks.append(self.director)

    # -- time

    def wall(self) -> float:
        """Return the time of day as the processes see it, epoch seconds."""
        return EPOCH_S + self.now - START_S + self.wall_offset_s

    def at(self, moment: float, event: Callable[[], None]) -> None:
        """Let ``event`` happen at ``moment`` (virtual seconds); it must not wait."""
        heapq.heappush(self._events, (moment, next(self._event_numbers), event))

    # -- what happened

    def note(self, text: str) -> None:
        """Add a line to the history."""
        self.trace.append((self.now, self.running.full_name, text))
        self.trace_length += 1
        self.digest = (self.digest * 1_000_003 + zlib.crc32(text.encode())) & _MASK
        if len(self.trace) > 2 * TRACE_KEPT:
            del self.trace[:TRACE_KEPT]

    def stir(self) -> None:
        """Say that something goes on, so that polling is not slowed down."""
        self._quiet = 0

    # -- tasks

    def spawn(self, process: SimulatedProcess | None, name: str, target: Callable[[], None]) -> Task:
        """Begin a task; it runs when its turn comes."""
        carrier = _Carrier.idle.pop() if _Carrier.idle else _Carrier()
        task = Task(name, process, carrier)
        carrier.job = lambda: self._run(task, target)
        self._tasks.append(task)
        return task

    def point(self, kind: str = "") -> None:
        """Let others have a turn, maybe; a busy point (one with a ``kind``) may be where the process is killed."""
        me = self.running
        process = me.process
        self.points += 1
        if self.points > self._last_step:
            self._lose_patience(me)
        if process is not None:
            if process.is_dead:
                raise Crashed
            if kind and process.crash_in is not None:
                self._maybe_crash(process, "settling" if kind == "queue" and process.settling else kind)
        if self._chance.random() >= self._stay:
            self._switch(me)

    def risk(self, kind: str) -> None:
        """Maybe let the process be killed here, without a turn for others: a task may hold what they would wait for."""
        process = self.running.process
        if process is not None and process.crash_in is not None:
            self._maybe_crash(process, kind)

    def wait(self, ready: Callable[[], bool] | None, timeout_s: float | None = None) -> bool:
        """Wait until ``ready`` says so (others ask it, so it must be pure) or the time is over; say whether."""
        me = self.running
        self.guard()
        if ready is not None and ready():
            self.point()
            return ready()
        me.ready = ready or _never
        me.deadline = None if timeout_s is None else self.now + max(0.0, timeout_s)
        self.points += 1
        if self.points > self._last_step:
            self._lose_patience(me)
        try:
            self._switch(me)
        finally:
            me.ready = me.deadline = None
        return ready is not None and ready()

    def guard(self) -> None:
        """Raise Crashed if the running task's process was killed."""
        process = self.running.process
        if process is not None and process.is_dead:
            raise Crashed

    def kill(self, process: SimulatedProcess) -> None:
        """End all tasks of a process at the points where they stand; the caller's own ends when it raises Crashed."""
        if process.is_dead:
            return
        process.is_dead = True
        process.die()
        me = self.running
        for task in [task for task in self._tasks if task.process is process and task is not me]:
            task.reaped_by = me
            self.running = task
            task.carrier.gate.release()
            if not me.carrier.gate.acquire(timeout=self._patience.real_s_for_one_step):
                raise Stuck(f"{task.full_name} was killed and does not end: {self._whereabouts(task)}")

    def shut_down(self) -> None:
        """Kill whatever still runs."""
        for process in {id(task.process): task.process for task in self._tasks if task.process is not None}.values():
            self.kill(process)
        self._events.clear()

    # -- parts

    def _run(self, task: Task, target: Callable[[], None]) -> None:
        try:
            if task.process is None or not task.process.is_dead:
                target()
        except Crashed:
            pass
        finally:
            task.is_done = True
            self._tasks.remove(task)
            _Carrier.idle.append(task.carrier)
            heir = task.reaped_by or self._pick()
            self.running = heir
            heir.carrier.gate.release()

    def _maybe_crash(self, process: SimulatedProcess, kind: str) -> None:
        if process.crash_in is None or process.crash_at not in {"", kind}:
            return
        process.crash_in -= 1
        if process.crash_in < 0:
            self.note(f"KILLED at {kind}")
            self.kill(process)
            raise Crashed

    def _switch(self, me: Task) -> None:
        heir = self._pick()
        if heir is not me:
            self.switches += 1
            self.running = heir
            heir.carrier.gate.release()
            if me is self.director:
                self._watch_the_others(me)
            else:
                me.carrier.gate.acquire()
            process = me.process
            if process is not None and process.is_dead:
                raise Crashed
        if self._stuck and me is self.director and not self._stuck_is_told:
            self._stuck_is_told = True
            raise Stuck(self._stuck)

    def _pick(self) -> Task:
        while not self._stuck:
            now = self.now
            while self._events and self._events[0][0] <= now:
                _, _, event = heapq.heappop(self._events)
                event()
            runnable = [
                task
                for task in self._tasks
                if task.ready is None or (task.deadline is not None and task.deadline <= now) or task.ready()
            ]
            if runnable:
                index = int(self._chance.random() * len(runnable)) if len(runnable) > 1 else 0
                self.digest = (self.digest * 31 + index) & _MASK
                return runnable[index]
            self._advance()
        return self.director

    def _advance(self) -> None:
        """Jump to the next moment; past some polls when nothing goes on, as if the machine had dozed off."""
        moments = [task.deadline for task in self._tasks if task.deadline is not None]
        if self._events:
            moments.append(self._events[0][0])
        if not moments:
            self._give_up("every task waits, and for nothing that time could bring")
            return
        target = min(moments)
        self._quiet += 1
        if self._quiet > QUIET_ADVANCES:
            slack = min(self.longest_idle_jump_s, 0.1 * 2.0 ** min(20, self._quiet - QUIET_ADVANCES))
            target = max(target, min(self.now + slack, self._next_that_matters()))
        if target > self.now:
            self.now = target
            self._last_step = min(self._patience.steps, self.points + self._patience.steps_at_one_moment)
            if self.now - START_S > self._patience.virtual_s:
                self._give_up(f"{self._patience.virtual_s:,.0f} s have passed, and it has not come to its end")

    def _next_that_matters(self) -> float:
        moments = [self._events[0][0]] if self._events else []
        if self.director.deadline is not None:
            moments.append(self.director.deadline)
        due_at = self.next_due()
        if due_at is not None:
            moments.append(due_at)
        return min(moments, default=self.now + self.longest_idle_jump_s)

    # -- not for ever

    def _lose_patience(self, me: Task) -> None:
        """Give the baton to the director, for good."""
        if self.points > self._patience.steps:
            self._give_up(f"{self._patience.steps:,} steps were taken, and it has not come to its end")
        else:
            self._give_up(f"{self._patience.steps_at_one_moment:,} steps were taken and time did not pass")
        self._switch(me)

    def _give_up(self, why: str) -> None:
        self._last_step = sys.maxsize  # what the tasks do on their way out is no matter
        if not self._stuck:
            places = "\n".join(f"  {self._whereabouts(task)}" for task in self._tasks)
            self._stuck = f"at {self.now:.3f}, after {self.points:,} steps: {why}\n{places}"

    def _watch_the_others(self, me: Task) -> None:
        """Wait for the baton; if it makes no step, take it from whoever runs and never comes to a point."""
        points = -1
        while not me.carrier.gate.acquire(timeout=self._patience.real_s_for_one_step):
            if self.points == points:
                who = self.running
                self._give_up(f"{who.full_name} runs and comes to no point of the history")
                thread_id = who.carrier.thread.ident or 0
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(Crashed))
            points = self.points

    def _whereabouts(self, task: Task) -> str:
        """Say what a task waits for: until when, and in which lines of the product or the simulation."""
        if task.ready is None:
            state = "runs" if task is self.running else "has its turn to come"
        elif task.deadline is None:
            state = "waits"
        else:
            state = f"waits until {task.deadline:.3f}"
        frame = sys._current_frames().get(task.carrier.thread.ident or 0)
        stack = [] if frame is None else traceback.extract_stack(frame)
        lines = [
            f"{Path(step.filename).name}:{step.lineno} {step.name}"
            for step in reversed(stack)
            if Path(step.filename).name not in UNDERNEATH
        ]
        return f"{task.full_name} {state}: {' < '.join(lines[:FRAMES_TOLD]) or 'not begun'}"


def _never() -> bool:
    return False
