"""After damage: have every scene looked at once more, since nobody knows what the damaged file still held.

A damaged file is kept beside the fresh one. Which of them have been made good is noted in the state store only when
every scene is in the queue, so a crash in between repeats the look, and a look that ended is never repeated.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenesync.app.data_directory import database_file, queue_folder
from scenesync.domain.errors import PermanentError, TransientError
from scenesync.intake.polling import enqueue_everything
from scenesync.queue.errors import QueueDamaged, QueueError
from scenesync.queue.salvage import damaged_files as damaged_queues
from scenesync.store.errors import StoreDamaged, StoreError
from scenesync.store.memory import Memory
from scenesync.store.sqlite_file import damaged_files as damaged_stores

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from scenesync.app.installation import Installation

log = logging.getLogger(__name__)

FACT: Final = "damage made good"
RETRY_AFTER_S: Final = 2.0
LONGEST_PAUSE_S: Final = 60.0


def unanswered_damage(data_dir: Path, memory: Memory) -> Sequence[str]:
    """Return the names of damaged files for which Stash was not looked through yet. Raises StoreError."""
    found = [*damaged_queues(str(queue_folder(data_dir))), *damaged_stores(database_file(data_dir))]
    names = sorted(Path(path).name for path in found)
    if not names:  # nothing is asked for nothing: a database that is away would be taken for trouble with damage
        return []
    answered = set((memory.recall(FACT) or "").split())
    return [name for name in names if name not in answered]


def make_good(installation: Installation, end: threading.Event, *, give_up_after_s: float | None = None) -> bool:
    """Enqueue every scene of Stash if a file was damaged since that was done last; say whether it was necessary.

    Whatever stands in the way (Stash, a full or locked disk), it is tried again until ``end``, or for
    ``give_up_after_s`` seconds; then what stood in the way is raised.
    """
    began = time.monotonic()
    pause_s = RETRY_AFTER_S
    while True:
        try:
            return _make_good(installation)
        except (TransientError, PermanentError, QueueError, StoreError) as error:
            given_up = give_up_after_s is not None and time.monotonic() - began >= give_up_after_s
            if given_up or isinstance(error, (QueueDamaged, StoreDamaged)):
                raise
            log.warning("not every scene could be enqueued after the damage, trying again: %s", error)
        if end.wait(pause_s):
            return True
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


def _make_good(installation: Installation) -> bool:
    memory = Memory(installation.database)
    names = unanswered_damage(installation.settings.data_dir, memory)
    if not names:
        return False
    log.warning("after damage every scene is looked at again: damaged=%s", ", ".join(names))
    enqueued = enqueue_everything(installation.stash, installation.queue, memory)
    memory.note(FACT, " ".join([*(memory.recall(FACT) or "").split(), *names]))
    log.warning(
        "after damage: %d scenes enqueued, %d were waiting already; what is right already is not written",
        enqueued.created,
        enqueued.merged,
    )
    return True
