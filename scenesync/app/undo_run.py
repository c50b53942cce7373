"""Take edits back, batch by batch, beside a daemon that may be at work: what the command and the dashboard share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from scenesync.domain.batches import batched
from scenesync.domain.desired import shown_title
from scenesync.domain.errors import AttemptCut
from scenesync.domain.job import scene_key

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from scenesync.app.installation import Installation
    from scenesync.domain.journal import JournalFilter
    from scenesync.worker.undo.work import UndoneScene

SCENES_AT_ONCE: Final = 50
BUSY_FOR_S: Final = 60.0
LOOK_EVERY_S: Final = 0.1


def undo_scenes(
    installation: Installation, chosen: JournalFilter, stop: threading.Event, *, force: bool, dry_run: bool
) -> Iterator[tuple[UndoneScene, str]]:
    """Yield each scene with its title, batch by batch as they are done; after ``stop`` no further batch is begun.

    Raises what Stash and Plex raise, and AttemptCut if a scene is being synced for a minute.
    """
    session = installation.session(installation.plex.identity())
    session.index.refresh()
    undoing = session.undoing
    for batch in batched(undoing.scenes(chosen), SCENES_AT_ONCE):
        scenes = installation.stash.scenes(batch)
        if dry_run:
            undone = undoing.plan(batch, scenes, chosen, force=force)
        else:
            undone = undoing.undo(
                batch,
                scenes,
                chosen,
                force=force,
                once_held=lambda ids: _wait_for_work_under_way(installation, ids, stop),
                stop=stop,
            )
        for each in undone:
            yield each, shown_title(scenes[each.scene_id]) if each.scene_id in scenes else ""
        if stop.is_set():
            return


def _wait_for_work_under_way(installation: Installation, scene_ids: Sequence[int], stop: threading.Event) -> None:
    """Wait until a daemon has ended what it had begun for these scenes; what it begins now, it leaves alone.

    Raises AttemptCut after a minute, or when ``stop`` is set; the scenes stay held.
    """
    deadline = time.monotonic() + BUSY_FOR_S
    for scene_id in scene_ids:
        while installation.queue.find(scene_key(scene_id)).running:
            if stop.wait(LOOK_EVERY_S) or time.monotonic() > deadline:
                raise AttemptCut(
                    f"Scene {scene_id} is being synced at this moment. It is held from now on; undo it again later."
                )
