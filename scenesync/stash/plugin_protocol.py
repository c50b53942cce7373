"""How a plugin speaks to the Stash that started it: log lines and progress on stderr, one result on stdout.

Source: facts/stash.md 1.4 and 1.5 (pkg/logger/plugin.go, pkg/plugin/raw.go of Stash).
"""

from __future__ import annotations

import json
import logging
import math
import threading
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Level = Literal["t", "d", "i", "w", "e"]
"""Trace, debug, info, warning, error."""

LINE_LIMIT_BYTES: Final = 60_000
"""Stash stops reading at a line over 64 KiB and closes the pipe: everything after it would be lost."""
_CUT_MARK: Final = " … (cut)"


class PluginChannel:
    """The two pipes to Stash, shared by threads; ``stdout`` and ``stderr`` are the binary streams.

    When Stash is gone, what is written goes nowhere and nobody is told: the work is worth finishing without a reader.
    """

    def __init__(self, stdout: BinaryIO, stderr: BinaryIO) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._lock = threading.Lock()
        self._finished = False

    def log(self, level: Level, text: str) -> None:
        """Write ``text`` to Stash's log, each of its lines as one entry; empty ones are left out."""
        self._write(self._stderr, b"".join(log_lines(level, text)))

    def progress(self, fraction: float) -> None:
        """Move the bar of a task: 0 to 1, anything beyond is brought back.

        Stash drops what comes faster than it looks (facts 1.5): a few times a second is enough.
        """
        if not math.isnan(fraction):
            self._write(self._stderr, b"\x01p\x02%.4f\n" % min(1.0, max(0.0, fraction)))

    def finish(self, output: object = None, *, error: str | None = None) -> None:
        """Write the result, once, as the only thing on stdout; ``output`` is JSON-able.

        Any other text beside it would make Stash take the whole for text and lose the error.
        Raises RuntimeError when called again, TypeError or ValueError if ``output`` is not JSON-able.
        """
        document = json.dumps({"error": error, "output": output}, allow_nan=False).encode()
        with self._lock:
            if self._finished:
                raise RuntimeError("The plugin's result has been written already.")
            self._finished = True
        self._write(self._stdout, document)

    def _write(self, stream: BinaryIO, content: bytes) -> None:
        if not content:
            return
        with self._lock:
            try:
                stream.write(content)
                stream.flush()
            except BrokenPipeError:
                # Stash has stopped reading (it ended, or killed the request): see the class.
                return


class StashLog(logging.Handler):
    """Sends log records to Stash's log page, tracebacks line by line."""

    def __init__(self, channel: PluginChannel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            self._channel.log(level_of(record.levelno), self.format(record))
        except Exception:  # noqa: BLE001 - a log call never fails its caller: the contract of logging.Handler
            self.handleError(record)


def log_lines(level: Level, text: str) -> Iterator[bytes]:
    """Return the lines, as bytes, that Stash reads as log entries of ``level``."""
    for line in text.splitlines():
        if line.strip():
            # NUL and the protocol's own marks would be shown as they are, or hide the rest.
            shown = "".join(character if character >= " " or character == "\t" else " " for character in line)
            yield b"\x01%b\x02%b\n" % (level.encode(), _cut(shown))


def level_of(levelno: int) -> Level:
    """Return Stash's letter for a level of ``logging``."""
    if levelno >= logging.ERROR:
        return "e"
    if levelno >= logging.WARNING:
        return "w"
    if levelno >= logging.INFO:
        return "i"
    return "d" if levelno >= logging.DEBUG else "t"


def _cut(line: str) -> bytes:
    content = line.encode("utf-8", "replace")
    if len(content) <= LINE_LIMIT_BYTES:
        return content
    return content[:LINE_LIMIT_BYTES].decode("utf-8", "ignore").encode() + _CUT_MARK.encode()
