"""Logging: one event, one line. Secrets are taken out by the handler, whatever the code that logs does."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Final

from scenesync.stash.plugin_protocol import level_of, log_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scenesync.app.configuration.values import LogFormat, LogLevel

_SHORTEST_SECRET: Final = 4
"""Shorter texts would be cut out of innocent words."""
MASK: Final = "***"


class Redaction(logging.Filter):
    """Replaces every known secret in a record's finished text, tracebacks included."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = tuple(sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True))

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record; it is always let through."""
        record.msg = self.clean(record.getMessage())
        record.args = ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        return True

    def clean(self, text: str) -> str:
        """Return ``text`` without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for log collectors; ``route`` says whose it is where there are several."""

    def __init__(self, route: str = "") -> None:
        super().__init__()
        self._route = route

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        entry: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self._route:
            entry["route"] = self._route
        if record.exc_text:
            entry["traceback"] = record.exc_text
        return json.dumps(entry, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Time, level, route where there are several, and message, for people."""

    def __init__(self, route: str = "") -> None:
        whose = f"[{route}] " if route else ""
        super().__init__(f"%(asctime)s %(levelname)-7s {whose}%(message)s", "%Y-%m-%dT%H:%M:%S%z")
        self.converter = time.localtime


class StashFormatter(logging.Formatter):
    """Lines as Stash reads them from a plugin's stderr."""

    def __init__(self, route: str = "") -> None:
        super().__init__()
        self._whose = f"[{route}] " if route else ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as lines of the plugin protocol."""
        text = "\n".join(filter(None, (f"{self._whose}{record.getMessage()}", record.exc_text)))
        return b"".join(log_lines(level_of(record.levelno), text)).decode("utf-8", "replace").rstrip("\n")


_FORMATTERS: Final[Mapping[str, Callable[[str], logging.Formatter]]] = {"json": JsonFormatter, "stash": StashFormatter}


def set_up_logging(
    log_format: LogFormat,
    level: LogLevel,
    secrets: Iterable[str] = (),
    *,
    handler: logging.Handler | None = None,
    route: str = "",
) -> None:
    """Send all log records to ``handler`` (default: stderr, in ``log_format``), with ``secrets`` taken out.

    ``route`` is put into each line, since several processes may write into one log.
    Calling it again replaces what an earlier call set up.
    """
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_FORMATTERS.get(log_format.value, TextFormatter)(route))
    handler.addFilter(Redaction(secrets))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.value.upper())
    # It logs whole request targets at debug level.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
