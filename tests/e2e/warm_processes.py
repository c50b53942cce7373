"""Commands as real processes that need not import everything first, which is most of what a short command costs.

One process per test run has imported SceneSync and forks the commands on order. Each has a process id, an environment
and files of its own, can be killed, and ends as any interpreter does. It is what ``python -m scenesync`` would be a
moment later, but for its command line in the process list.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ARE_POSSIBLE: Final = hasattr(os, "fork")
ROOT: Final = Path(__file__).parents[2]
NUMBER: Final = struct.Struct("!i")
"""What goes over the sockets beside an order: its length, a process id, an exit code."""
ENDS_WITHIN_S: Final = 10.0
FILES_PER_ORDER: Final = 4  # standard input, output and error, and where the end is told


# -- the test's side


class WarmProcess:
    """A command that was started; to whoever did so it is as a ``subprocess.Popen`` is."""

    def __init__(self, arguments: Sequence[str], files: Sequence[int], environment: Mapping[str, str]) -> None:
        self.args = ["scenesync", *arguments]
        self.returncode: int | None = None
        self._news, told = socket.socketpair()
        order = {"arguments": list(arguments), "environment": dict(environment)}
        with told:
            _nursery().order(json.dumps(order).encode(), [*files, told.fileno()])
        self.pid = self._told()

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        if self.returncode is None and select.select([self._news], [], [], 0)[0]:
            self.returncode = self._told()
            self._news.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None and not select.select([self._news], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.send_signal(signal.SIGKILL)

    def _told(self) -> int:
        return int(NUMBER.unpack(_read_exactly(self._news, NUMBER.size))[0])


class _Nursery:
    """The process that forks the others. It ends with the one that started it."""

    def __init__(self) -> None:
        self._orders, its = socket.socketpair()
        self._lock = threading.Lock()
        with its:
            command = [sys.executable, __file__, str(its.fileno())]
            # Its output would be taken for that of the commands.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=ROOT, pass_fds=[its.fileno()]
            )

    def order(self, order: bytes, files: Sequence[int]) -> None:
        with self._lock:
            socket.send_fds(self._orders, [NUMBER.pack(len(order))], files)
            self._orders.sendall(order)

    def close(self) -> None:
        self._orders.close()
        self._process.wait(ENDS_WITHIN_S)


@functools.cache
def _nursery() -> _Nursery:
    nursery = _Nursery()
    atexit.register(nursery.close)
    return nursery


def run_warm(
    arguments: Sequence[str], *, stdin: str, environment: Mapping[str, str], timeout_s: float
) -> tuple[int, str, str]:
    """Run a command to its end; return exit code, output and errors. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        process = WarmProcess(arguments, [given.fileno(), output.fileno(), errors.fileno()], environment)
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
        output.seek(0)
        errors.seek(0)
        return code, output.read().decode(), errors.read().decode()


# -- the side of the process that forks


class _Order(NamedTuple):
    arguments: list[str]
    environment: dict[str, str]
    files: list[int]


class _Forking:
    """Forks on order and tells of each end, until nobody is left to order."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._ends, self._wake = socket.socketpair()
        self._told: dict[int, socket.socket] = {}
        for end in (self._ends, self._wake):
            end.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is meant for the commands
        signal.set_wakeup_fd(self._wake.fileno())

    def order_to_carry_out(self) -> _Order | None:
        """Return, in a new process, what it is to be; in this one None, when nobody is left to order."""
        while True:
            ready, _, _ = select.select([self._orders, self._ends], [], [])
            if self._ends in ready:
                self._ends.recv(4096)
                self._bury()
            if self._orders in ready:
                order = self._read_order()
                if order is None:
                    return None
                *files, told = order.files
                process_id = os.fork()
                if process_id == 0:
                    os.close(told)
                    self._leave()
                    return order._replace(files=files)
                self._told[process_id] = socket.socket(fileno=told)
                self._told[process_id].sendall(NUMBER.pack(process_id))
                for file in files:
                    os.close(file)

    def _read_order(self) -> _Order | None:
        size, files, _, _ = socket.recv_fds(self._orders, NUMBER.size, FILES_PER_ORDER)
        if not size:
            return None
        order = json.loads(_read_exactly(self._orders, NUMBER.unpack(size)[0]))
        return _Order(order["arguments"], order["environment"], files)

    def _bury(self) -> None:
        with contextlib.suppress(ChildProcessError):  # there are none
            while True:
                process_id, status = os.waitpid(-1, os.WNOHANG)
                if process_id == 0:
                    return
                with contextlib.suppress(BrokenPipeError), self._told.pop(process_id) as told:  # nobody wants to know
                    told.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))

    def _leave(self) -> None:
        """Give up, in a new process, what is the forking one's alone."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for one in (self._orders, self._ends, self._wake, *self._told.values()):
            one.close()


def _read_exactly(source: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            raise EOFError("the process that forks the commands is gone")
        parts += part
    return bytes(parts)


def _import_all() -> None:
    """Import what commands import when it is known which of them is wanted."""
    cli = importlib.import_module("scenesync.app.cli")
    for name in sorted(set(cli.COMMANDS.values())):
        importlib.import_module(name)
    importlib.import_module(importlib.import_module("scenesync.app.running.dashboard_switch").SERVING)


def _become(order: _Order) -> NoReturn:
    """Be the command, as the interpreter that was started for it would be."""
    for number, file in enumerate(order.files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()  # noqa: TID251 - as a new process finds it
    os.environ.update(order.environment)  # noqa: TID251
    time.tzset()
    tempfile.tempdir = None  # it is looked for once in a process
    entrance = importlib.import_module("scenesync.__main__")
    sys.argv = [str(entrance.__file__), *order.arguments]
    entrance.main()
    sys.exit()


def main() -> None:
    """Serve the orders that come by the socket whose number is the argument."""
    sys.path[0] = str(ROOT)  # as for ``python -m``
    _import_all()
    gc.collect()
    gc.freeze()  # else each child copies, page by page, what its collections mark
    order = _Forking(socket.socket(fileno=int(sys.argv[1]))).order_to_carry_out()
    if order is not None:
        _become(order)


if __name__ == "__main__":
    main()
