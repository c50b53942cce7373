"""What the hook of a Stash does with a saved scene, in this process: there are more events than there can be hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.queue import inbox
from scenesync.queue.inbox import Document

if TYPE_CHECKING:
    from pathlib import Path


def leave_event(data_dir: Path, scene_id: int) -> None:
    """Leave an event about a scene in the queue file, or the outbox, of a data directory."""
    document = Document(is_hook=True, trigger="Scene.Update.Post", object_id=scene_id, title=f"Pier {scene_id}")
    try:
        assert inbox.store(document, str(data_dir)) is None
    finally:
        for connection in inbox._LEFT_OPEN:  # as the end of its process does
            connection.close()  # type: ignore[attr-defined]
        inbox._LEFT_OPEN.clear()
