"""Keep what grows within bounds: dead letters and the journal of edits, each for its time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from scenesync.app.running.spare_memory import give_memory_back
from scenesync.store.journal import forget_edits

if TYPE_CHECKING:
    from scenesync.app.installation import Installation

log = logging.getLogger(__name__)

TIDY_EVERY_S: Final = 3600.0
_DAY_S: Final = 86_400.0


def tidy(installation: Installation) -> None:
    """Drop what is older than it is to be kept, and give memory back. Raises QueueError, StoreError."""
    now = time.time()
    settings = installation.settings
    days = settings.dead_letter_days
    letters = installation.dead_letters.purge(now - days * _DAY_S) if days else 0
    edits = forget_edits(
        installation.database,
        older_than=now - settings.journal_days * _DAY_S if settings.journal_days else None,
        beyond=settings.journal_entries,
    )
    if letters or edits:
        log.info("tidied dead_letters=%d journal_entries=%d", letters, edits)
    give_memory_back(installation.database)
