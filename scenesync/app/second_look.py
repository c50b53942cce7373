"""After damage: have every scene looked at once more, since nobody knows what the damaged file still held.

A damaged file is kept beside the fresh one. Which of them have been made good is noted in the state store only when
every scene is in the queue, so a crash in between repeats the look, and a look that ended is never repeated.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from scenesync.app.installation import database_file, queue_folder
from scenesync.domain.errors import StashUnauthorized, StashUnavailable
from scenesync.intake.selection import enqueue_all
from scenesync.queue.salvage import damaged_files as damaged_queues
from scenesync.store.memory import Memory
from scenesync.store.sqlite_file import damaged_files as damaged_stores

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

    from scenesync.app.installation import Installation

log = logging.getLogger(__name__)

FACT: Final = "damage made good"
RETRY_AFTER_S: Final = 2.0
RETRY_REFUSED_AFTER_S: Final = 30.0


def unanswered_damage(data_dir: Path, memory: Memory) -> Sequence[str]:
    """Return the names of damaged files for which Stash was not looked through yet. Raises StoreError."""
    found = [*damaged_queues(str(queue_folder(data_dir))), *damaged_stores(database_file(data_dir))]
    names = sorted(path.rpartition("/")[2].rpartition("\\")[2] for path in found)
    answered = set((memory.recall(FACT) or "").split())
    return [name for name in names if name not in answered]


def make_good(installation: Installation, end: threading.Event, *, give_up_after_s: float | None = None) -> bool:
    """Enqueue every scene of Stash if a file was damaged since that was done last; say whether it was necessary.

    Waits for Stash, until ``end`` or for ``give_up_after_s`` seconds at most; then StashUnavailable or
    StashUnauthorized is raised. Also raises QueueError and StoreError.
    """
    memory = Memory(installation.database)
    names = unanswered_damage(installation.settings.data_dir, memory)
    if not names:
        return False
    log.warning("after damage every scene is looked at again: damaged=%s", ", ".join(names))
    began = time.monotonic()
    while not end.is_set():
        try:
            enqueued = enqueue_all(installation.stash, installation.queue)
        except (StashUnavailable, StashUnauthorized) as error:
            if give_up_after_s is not None and time.monotonic() - began >= give_up_after_s:
                raise
            end.wait(RETRY_AFTER_S if isinstance(error, StashUnavailable) else RETRY_REFUSED_AFTER_S)
        else:
            memory.note(FACT, " ".join([*(memory.recall(FACT) or "").split(), *names]))
            log.warning(
                "after damage: %d scenes enqueued, %d were waiting already; what is right already is not written",
                enqueued.created,
                enqueued.merged,
            )
            return True
    return True
