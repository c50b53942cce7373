"""What every test needs: the logging that it found is the logging that it leaves. And the order in which they run."""

from __future__ import annotations

import gc
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from scenesync.worker.interpreter import SPARED

if TYPE_CHECKING:
    from collections.abc import Iterator


FOLDERS: Final = ("reliability", "e2e", "integration", "unit")
"""Those with the longest tests first, lest one processor has nothing to do while the last of them runs on the other."""

ELSEWHERE: Final = ""


gc.disable()  # all that is imported while tests are collected stays


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders in order, and trace for coverage only what is worth the time.

    A line that is traced takes nearly twice as long. Whole worlds run the same lines over and over, and by a real
    clock, so those of ``reliability`` and ``e2e`` are left alone; the longest files elsewhere say so themselves.
    """
    items.sort(key=lambda item: [*FOLDERS, ELSEWHERE].index(folder_of(item)))
    for item in items:
        if folder_of(item) in {"reliability", "e2e"}:
            item.add_marker("no_cover")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spare the garbage collection thousands of tests and all that they import.

    Every run of the worker would look through it: a tenth of a second, thousands of times.
    """
    gc.enable()
    SPARED.__enter__()
    session.config.add_cleanup(partial(SPARED.__exit__, None))


def folder_of(item: pytest.Item) -> str:
    """Return which of the folders beside this file the test is in."""
    here = Path(__file__).parent
    return next((name for name in FOLDERS if here / name in item.path.parents), ELSEWHERE)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undo what a command run in this process set up; the next test may look at its records."""
    loggers = [logging.getLogger(), logging.getLogger("urllib3")]
    before = [(logger, list(logger.handlers), logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
