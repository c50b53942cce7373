"""Long work that people ask for: each task runs in a thread of its own, tells how far it is, and can be cancelled."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from scenesync.app.settings import SettingsError
from scenesync.domain.errors import PermanentError, TransientError
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError
from scenesync.web.models import work
from scenesync.web.problems import Conflict, NotFound, ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from scenesync.web.events import EventRing

    Thing = TypeVar("Thing")

log = logging.getLogger(__name__)

KEPT: Final = 50
TELL_EVERY_S: Final = 0.5
EXPECTED: Final = (
    TransientError,
    PermanentError,
    QueueError,
    StoreError,
    SettingsError,
    ProblemError,
    OSError,
)

State = Literal["running", "done", "failed", "cancelled"]


class Cancelled(Exception):
    """Somebody asked the task to stop, and it does."""


@dataclass(slots=True)
class Running:
    """One task; what works on it calls ``progress`` now and then, which raises Cancelled if it is to stop."""

    kind: str
    title: str
    tell: Callable[[Running], None]
    id: str = field(
        default_factory=lambda: f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(time.time()))}-{secrets.token_hex(2)}"
    )
    stop: threading.Event = field(default_factory=threading.Event)
    state: State = "running"
    started_at: float = field(default_factory=lambda: time.time())  # noqa: PLW0108 - looked up at the call
    ended_at: float | None = None
    done: int = 0
    total: int | None = None
    text: str = ""
    result: Mapping[str, Any] | None = None
    error: str | None = None
    thread: threading.Thread | None = None
    _told_at: float = 0.0

    def progress(self, done: int | None = None, total: int | None = None, text: str = "") -> None:
        """Tell how far it is. Raises Cancelled."""
        if done is not None:
            self.done = done
        self.total = self.total if total is None else total
        self.text = text or self.text
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = time.monotonic()
            self.tell(self)
        self.go_on()

    def go_on(self) -> None:
        """Raise Cancelled if the task is to stop."""
        if self.stop.is_set():
            raise Cancelled

    def walk(self, things: Iterable[Thing]) -> Iterator[Thing]:
        """Yield the things and count them. Raises Cancelled."""
        for number, thing in enumerate(things, start=self.done + 1):
            self.progress(number)
            yield thing

    def as_document(self) -> work.Task:
        """Return it as the API shows it."""
        return work.Task(
            id=self.id,
            kind=self.kind,
            title=self.title,
            state=self.state,
            started_at=self.started_at,
            ended_at=self.ended_at,
            progress=work.Progress(done=self.done, total=self.total, text=self.text),
            can_be_cancelled=self.state == "running" and not self.stop.is_set(),
            result=None if self.result is None else dict(self.result),
            error=self.error,
        )


class TaskRunner:
    """Runs tasks, one of each kind at a time, and remembers the latest. Thread-safe."""

    def __init__(self, events: EventRing) -> None:
        self._events = events
        self._tasks: OrderedDict[str, Running] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, kind: str, title: str, do: Callable[[Running], Mapping[str, Any]]) -> work.Task:
        """Begin. Raises Conflict while one of this kind runs."""
        with self._lock:
            busy = next((each for each in self._tasks.values() if each.kind == kind and each.state == "running"), None)
            if busy is not None:
                raise Conflict(f"{busy.title} runs already (task {busy.id}).", code="task-runs")
            task = Running(kind, title, self._tell)
            self._tasks[task.id] = task
            self._forget_old()
        task.thread = threading.Thread(target=self._run, args=(task, do), name=f"task-{kind}", daemon=True)
        task.thread.start()
        return task.as_document()

    def all(self) -> Sequence[work.Task]:
        """Return the tasks, newest first."""
        with self._lock:
            return [task.as_document() for task in reversed(self._tasks.values())]

    def show(self, task_id: str) -> work.Task:
        """Return one task. Raises NotFound."""
        return self._find(task_id).as_document()

    def cancel(self, task_id: str) -> work.Task:
        """Ask a task to stop. Raises NotFound, or Conflict if it ended already."""
        task = self._find(task_id)
        if task.state != "running":
            raise Conflict("This task has ended already.", code="task-ended")
        task.stop.set()
        self._tell(task)
        return task.as_document()

    def stop_all(self, within_s: float) -> None:
        """Let every task stop, since the files that it works with are about to be closed."""
        with self._lock:
            running = [task for task in self._tasks.values() if task.state == "running"]
        for task in running:
            task.stop.set()
        deadline = time.monotonic() + within_s
        for task in running:
            if task.thread is not None:
                task.thread.join(max(0.0, deadline - time.monotonic()))

    def _find(self, task_id: str) -> Running:
        with self._lock:
            task = self._tasks.get(task_id)
        if task is None:
            raise NotFound(f"No task {task_id} is known; tasks are remembered until the daemon ends.")
        return task

    def _run(self, task: Running, do: Callable[[Running], Mapping[str, Any]]) -> None:
        self._tell(task)
        state: State = "failed"
        try:
            task.result = do(task)
            state = "done"
        except Cancelled:
            state = "cancelled"
        except EXPECTED as error:
            log.warning("task %s failed: %s", task.kind, error)
            task.error = str(error)
        except Exception as error:
            state = "cancelled" if task.stop.is_set() else "failed"  # files may have been closed under it
            if state == "failed":
                log.exception("task %s failed", task.kind)
                task.error = f"{type(error).__name__}; the log has the details"
        finally:
            task.ended_at = time.time()
            task.state = state
            self._tell(task)

    def _tell(self, task: Running) -> None:
        document = task.as_document()  # as it is now: it goes on
        self._events.publish("task", document.model_dump)

    def _forget_old(self) -> None:
        for task_id in [each.id for each in self._tasks.values() if each.state != "running"]:
            if len(self._tasks) <= KEPT:
                return
            del self._tasks[task_id]
