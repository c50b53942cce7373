"""What the plugin's pages inside Stash ask to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scenesync.app.opening import open_queue, open_state
from scenesync.app.plugin_ui.answers import QUESTIONS, answer
from scenesync.app.running import switch as daemon_switch
from scenesync.intake.selection import enqueue_ids
from scenesync.store.holds import release_held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenesync.app.plugin.task import Task


def answer_question(task: Task) -> dict[str, Any]:
    """Answer a question for a Stash whose own Python is too old to. Raises Unanswerable."""
    return answer(task.data_dir, task.arguments)


def sync_scene(task: Task) -> str:
    """Let the scene that ``scene_id`` names be synced before any other work, held or not. Raises ValueError."""
    scene_id = int(str(task.arguments.get("scene_id")))
    if scene_id <= 0:
        raise ValueError(f"{scene_id} is no scene")
    with open_queue(task.settings) as queue, open_state(task.settings) as database:
        release_held(database, [scene_id])
        enqueue_ids(queue, [scene_id])
    if daemon_switch.is_running(task.data_dir):
        return "Queued before all other work."
    return "Queued. SceneSync is not running: it is synced as soon as it does."


OPERATIONS: Final[Mapping[str, Callable[[Task], object]]] = {
    "ui-sync": sync_scene,
    **dict.fromkeys(QUESTIONS, answer_question),
}
"""What is asked by a page, not by a person's task: Stash shows none of it in its list."""
