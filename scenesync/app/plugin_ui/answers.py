"""What the plugin's pages inside Stash ask: how a scene stands, and how things stand. Standard library only.

Stash starts a process for each question, so it is answered from the files, by Stash's own Python where that is new
enough: a seventh of a second of processor time, and no server is asked. It says what the dashboard says, in the same
words.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from scenesync.app.data_directory import database_file, queue_folder
from scenesync.app.running import switch as daemon_switch
from scenesync.domain.job import scene_key
from scenesync.domain.quantities import counted
from scenesync.domain.scene_state import NOT_IN_PLEX, SceneState
from scenesync.domain.scene_words import STATES, STATES_EXPLAINED, outcome_name, standing_detail
from scenesync.domain.sentence import sentence
from scenesync.plex.item_page import item_page
from scenesync.queue.daemon_wanted import HOOK_SETTINGS
from scenesync.queue.errors import QueueError
from scenesync.queue.read_only import QueueReader, read_queue
from scenesync.queue.snapshot import read_snapshot
from scenesync.store.glance import glance_at_scene, glance_at_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scenesync.domain.job import Job
    from scenesync.store.glance import SceneGlance

UNKNOWN: Final = "unknown"
_UNKNOWN_WORDS: Final = "not looked at yet"
_UNKNOWN_EXPLAINED: Final = "SceneSync has not met this scene yet. Sync it now, or wait for the next comparison."
KEPT_BY_A_SERVER: Final = (
    "Queue and state are kept by a database server (database_url), which is not asked from here. The dashboard shows "
    "them."
)
_COMES_BY_ITSELF: Final = "No item of Plex has this file yet; SceneSync tries again by itself."


class Unanswerable(ValueError):
    """Why a question could not be answered, as a sentence for the person."""


def answer(data_dir: Path, arguments: Mapping[str, object]) -> dict[str, Any]:
    """Return the answer to the question that ``mode`` names, JSON-able. Raises Unanswerable."""
    if _links(data_dir).get("is_shared"):
        raise Unanswerable(KEPT_BY_A_SERVER)
    try:
        return QUESTIONS[str(arguments["mode"])](data_dir, arguments)
    except (QueueError, sqlite3.Error, OSError, ValueError) as error:
        raise Unanswerable(f"SceneSync's files cannot be read now: {error}") from error


def _scene(data_dir: Path, arguments: Mapping[str, object]) -> dict[str, Any]:
    """Answer how one scene stands, since when, and where its items are."""
    scene_id = int(str(arguments.get("scene_id")))
    job = read_queue(queue_folder(data_dir), lambda queue: _job_of(queue, scene_id), checked=False)
    known = glance_at_scene(database_file(data_dir), scene_id)
    state, since, explained = _standing(known, job)
    links = _links(data_dir)
    return {
        "running": daemon_switch.is_running(data_dir),
        "state": state,
        "words": STATES.get(state, _UNKNOWN_WORDS),
        "since": since,
        "explained": explained,
        "detail": "" if known is None or state != known.state else standing_detail(state, known.detail),
        "is_held": known is not None and known.held_since is not None,
        "items": [] if known is None else _items(links, known),
        "dashboard": links.get("dashboard"),
    }


def _status(data_dir: Path, _arguments: Mapping[str, object]) -> dict[str, Any]:
    """Answer how things stand: the sentence, figures, servers, and what was done last."""
    queue, store = read_snapshot(queue_folder(data_dir)), glance_at_store(database_file(data_dir))
    running = daemon_switch.is_running(data_dir)
    said = sentence(
        pending=queue.pending,
        due=queue.due,
        in_progress=queue.in_progress,
        dead_letters=queue.dead_letters,
        stopped_runs=store.stopped_runs,
        down=[name for name in ("plex", "stash") if store.reachability.get(name) == "down"],
        paused=store.paused,
        waiting_by_error=queue.waiting_by_error,
    )
    # Those that wait for Plex to have their file are counted as not in Plex already.
    waiting = queue.pending + queue.in_progress - queue.waiting_by_error.get(NOT_IN_PLEX, 0)
    counts = {**store.counts, SceneState.WAITING.value: waiting}
    return {
        "running": running,
        "sentence": said if running else _at_rest(queue.pending + queue.in_progress),
        "pending": queue.pending,
        "in_progress": queue.in_progress,
        "dead_letters": queue.dead_letters,
        "completed_total": queue.completed_total,
        "servers": {name: store.reachability.get(name, UNKNOWN) for name in ("plex", "stash")},
        "states": [
            {"state": state, "words": words, "count": counts[state]}
            for state, words in STATES.items()
            if counts.get(state)
        ],
        "latest": [{**vars(each), "words": outcome_name(each.outcome)} for each in store.latest],
        "dashboard": _links(data_dir).get("dashboard"),
    }


QUESTIONS: Final[Mapping[str, Callable[[Path, Mapping[str, object]], dict[str, Any]]]] = {
    "ui-scene": _scene,
    "ui-status": _status,
}


def _job_of(queue: QueueReader, scene_id: int) -> Job | None:
    """Return the job that waits or is in hand for the scene, what hooks left beside the queue included."""
    found = queue.find(scene_key(scene_id))
    jobs: Sequence[Job] = [each.job for each in (*found.running, *found.waiting, *queue.spooled())]
    return next((job for job in jobs if job.get("scene_id") == scene_id), None)


def _standing(known: SceneGlance | None, job: Job | None) -> tuple[str, float | None, str]:
    """Return the state, since when, and what that means."""
    if job is not None:
        since = job.get("enqueued_at")
        if job.get("last_error_type") == NOT_IN_PLEX:
            return SceneState.UNMATCHED.value, since, _COMES_BY_ITSELF
        return SceneState.WAITING.value, since, STATES_EXPLAINED[SceneState.WAITING.value]
    if known is None:
        return UNKNOWN, None, _UNKNOWN_EXPLAINED
    # It was looked at again since; what it shows is as old as the last write.
    since = known.written_at if known.state == SceneState.IN_SYNC.value and known.written_at else known.at
    return known.state, since, STATES_EXPLAINED.get(known.state, "")


def _items(links: Mapping[str, Any], known: SceneGlance) -> list[dict[str, str]]:
    """Return the scene's items with their pages in Plex, none while nobody knows where Plex is."""
    base_url = str(links.get("plex_url") or "")
    keys = known.rating_keys if base_url else ()
    return [{"rating_key": key, "url": item_page(base_url, known.server_id, key)} for key in keys]


def _links(data_dir: Path) -> dict[str, Any]:
    """Return what the last daemon or task left of its settings (``daemon.write_hook_file``)."""
    with suppress(OSError, ValueError):
        kept = json.loads((data_dir / HOOK_SETTINGS).read_text(encoding="utf-8"))
        if isinstance(kept, dict):
            return kept
    return {}


def _at_rest(waiting: int) -> str:
    if not waiting:
        return "SceneSync is not running."
    verb = "is" if waiting == 1 else "are"
    return f"SceneSync is not running. {counted(waiting, 'change')} {verb} kept until it does."
