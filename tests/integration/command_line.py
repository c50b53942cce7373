"""Commands run in this process, for tests that need no process of their own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenesync.app.cli import run_cli

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True, slots=True)
class Ran:
    exit_code: int
    stdout: str
    stderr: str


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """Run a command and leave logging as it was: other tests have their own ideas of it."""
    loggers = [logging.getLogger(), logging.getLogger("urllib3")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    capsys.readouterr()
    try:
        exit_code = run_cli(["--log-level", "error", *arguments])
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
    said = capsys.readouterr()
    return Ran(exit_code, said.out, said.err)
