"""The daemon as a process of its own, to be started, killed and started again."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STOPS_WITHIN_S: Final = 10.0
"""What ``scenesync run`` promises after SIGTERM."""
_LOG_TAIL_LINES: Final = 12


class WorkerProcess:
    """``python -m scenesync run`` in a process group of its own; its log goes to a file."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._is_wanted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()

    @property
    def ended_by_itself(self) -> bool:
        """Whether it ended although nobody ended it."""
        return self._is_wanted and self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The id of the process started last; 0 before."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it. Raises OSError."""
        self._is_wanted = True
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "scenesync", "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it without warning (SIGKILL)."""
        self._is_wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> tuple[int | None, float]:
        """End it by SIGTERM; return its exit status (None: it had to be killed) and the seconds it took."""
        if self._process is None:
            return None, 0.0
        self._is_wanted = False
        began = time.monotonic()
        self._process.terminate()
        try:
            status = self._process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return None, STOPS_WITHIN_S
        return status, time.monotonic() - began

    def log_text(self) -> str:
        """Return what it logged so far, all runs together."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log_text().splitlines()[-_LOG_TAIL_LINES:])
