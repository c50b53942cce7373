"""What Stash makes of a plugin's stdout, exit status and stderr (facts/stash.md 1.4 and 1.5)."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Final

from scenesync.simulators.stash import go_json

LEVELS: Final = {"t": "trace", "d": "debug", "i": "info", "w": "warning", "e": "error", "p": "progress"}
_SHORTEST_PREFIXED_LINE: Final = 4
_LEVEL_AT: Final = 1
_END_AT: Final = 2


@dataclass(frozen=True, slots=True)
class PluginOutput:
    """The result of a run: ``error`` is None when it counts as a success."""

    output: object
    error: str | None
    is_text: bool
    """True when stdout was no JSON object with ``error`` and ``output``: all of it is the output then."""


def read_output(stdout: str, exit_status: int) -> PluginOutput:
    """Return what Stash takes from ``stdout``; ``exit_status`` is negative after a signal."""
    try:
        document = go_json.decode(stdout)
    except ValueError:
        document = stdout
    if document is None:
        document = {}
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(error, str | None):
        return PluginOutput(stdout, _exit_error(exit_status), is_text=True)
    return PluginOutput(document.get("output"), _exit_error(exit_status) if error is None else error, is_text=False)


def _exit_error(exit_status: int) -> str | None:
    if exit_status == 0:
        return None
    if exit_status > 0:
        return f"exit status {exit_status}"
    return f"signal: {(signal.strsignal(-exit_status) or str(-exit_status)).lower()}"


@dataclass(frozen=True, slots=True)
class StderrLine:
    """A line of stderr with its level; ``progress`` is for tasks only."""

    level: str
    text: str


def read_line(line: str, default_level: str) -> StderrLine:
    r"""Return ``\x01`` level ``\x02`` text taken apart; a line without that prefix has the plugin's default level."""
    if len(line.encode()) >= _SHORTEST_PREFIXED_LINE and line[0] == "\x01" and line[_END_AT] == "\x02":
        level = LEVELS.get(line[_LEVEL_AT])
        if level is not None:
            return StderrLine(level, line[_END_AT + 1 :])
    return StderrLine(default_level, line)


def read_progress(text: str) -> float | None:
    """Return the progress in a ``p`` line, between 0 and 1; None when it is no number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return min(max(value, 0.0), 1.0)
