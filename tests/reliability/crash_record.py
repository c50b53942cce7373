"""The independent record of what processes were about to do, did, and were refused: one file that all append to.

A line is written by one system call before an operation ("begin") and after it ("done", "refused", "failed"). It stands
once the call returned, whatever kills the process next. All append to one file, so the order of its lines is the order
in which things happened, in all processes; no clocks need to be compared.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Line = dict[str, Any]


class Record:
    """Writes lines for ``writer``, the name of one process (process ids come again, these names do not)."""

    def __init__(self, path: str | Path, writer: str) -> None:
        self.path = str(path)
        self.writer = writer
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, op: str, phase: str = "done", step: int = 0, **facts: object) -> None:
        """Append one line."""
        text = json.dumps({"writer": self.writer, "op": op, "phase": phase, "step": step, **facts})
        # The leading newline keeps a line that a kill cut short apart from the next one. writev, because the queue
        # itself never uses it: faults that are put into its system calls must not reach the record.
        os.writev(self._fd, [b"\n", text.encode(), b"\n"])

    def named(self, writer: str) -> Record:
        """Return a record for a further writer in the same file."""
        return Record(self.path, writer)

    def close(self) -> None:
        os.close(self._fd)


class RecordReader:
    """Reads what was appended since it last looked."""

    def __init__(self, path: str | Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
        self._rest = b""

    def read_new(self) -> list[Line]:
        """Return the whole lines that are new. A line that was cut short counts as never written."""
        while chunk := os.read(self._fd, 1 << 20):
            self._rest += chunk
        *lines, self._rest = self._rest.split(b"\n")
        return [line for text in lines if text and (line := _decoded(text)) is not None]

    def close(self) -> None:
        os.close(self._fd)


def _decoded(text: bytes) -> Line | None:
    try:
        line: Line = json.loads(text)
    except ValueError:
        return None
    return line
