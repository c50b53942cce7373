"""Faults at chosen system calls of a living process, by strace: the call is not executed, or answers with an error."""

from __future__ import annotations

import collections
import os
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

# All that changes a file and that Python or SQLite may use; a "?" lets strace pass over what this system lacks.
WRITES: Final = (
    *("write", "pwrite64", "pwritev", "fsync", "fdatasync", "ftruncate", "fallocate"),
    *("unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat"),
)
_CALL: Final = re.compile(r"^(?:\d+ +)?(\w+)\(")
_PATIENCE_S: Final = 60.0


class TracingBarred(Exception):
    """Processes cannot be traced here; the message says why."""


class Trace:
    """strace, attached to a process until that ends."""

    def __init__(self, process_id: int, log: Path, inject: str | None = None) -> None:
        strace = shutil.which("strace")
        if strace is None:
            raise TracingBarred("strace is not installed")
        calls = ",".join(f"?{name}" for name in WRITES)
        expressions = ["-e", f"trace={calls}", *(("-e", f"inject={inject}") if inject else ())]
        self._log = log
        self._strace = subprocess.Popen(
            [strace, "-f", "-p", str(process_id), "-o", str(log), *expressions], stderr=subprocess.PIPE, text=True
        )
        assert self._strace.stderr is not None
        answers: list[str] = []
        while "attached" not in "".join(answers):
            answers.append(self._strace.stderr.readline())
            if not answers[-1]:  # it has ended
                self.wait()
                raise TracingBarred(f"tracing is not allowed here: {' '.join(answers).strip()}")

    def wait(self) -> None:
        """Wait until the process has ended."""
        try:
            self._strace.communicate(timeout=_PATIENCE_S)
        finally:
            self._strace.kill()
            self._strace.communicate()

    def calls(self) -> collections.Counter[str]:
        """Return how often each call was made."""
        found = (_CALL.match(line) for line in self._log.read_text().splitlines())
        return collections.Counter(match[1] for match in found if match)


class Gate:
    """Holds up a process until everything is in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)

    def open(self) -> None:
        """Let the process pass that waits here, or will."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:  # nobody waits there yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.0002)
            else:
                return
