"""Watch the queue being worked off, for a task that filled it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scenesync.app.opening import queue_figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.app.dashboard.tasks import Running
    from scenesync.app.installation import Installation

LOOK_EVERY_S: Final = 0.5


def watch_queue(installation: Installation, task: Running) -> Mapping[str, Any]:
    """Wait until nothing is due and tell how far it is; return what is left. Raises Cancelled."""
    begin = now = queue_figures(installation.settings)
    while now.due or now.in_progress:
        done = now.completed_total + now.failed_total - begin.completed_total - begin.failed_total
        task.progress(done, done + now.due + now.in_progress, "syncing")
        task.stop.wait(LOOK_EVERY_S)
        task.go_on()
        now = queue_figures(installation.settings)
    return {
        "completed": now.completed_total - begin.completed_total,
        "pending": now.pending,
        "dead_letters": now.dead_letters,
        "waiting_by_error": dict(now.waiting_by_error),
    }
