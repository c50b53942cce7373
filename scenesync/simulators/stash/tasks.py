"""Stash's own long tasks, as jobs: they touch scene after scene, each with its hook, which the task waits for (1.6)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from scenesync.simulators.stash import scanning
from scenesync.simulators.stash.engine import Context, Engine
from scenesync.simulators.stash.scene_mutations import SCENE_UPDATED, full_input, updated_scene
from scenesync.simulators.stash.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.simulators.stash.jobs import JobControl
    from scenesync.simulators.stash.records import NewFile

SCANNING: Final = "Scanning..."
IDENTIFYING: Final = "Identifying..."


def start_scan(engine: Engine, base_url: str, files: Sequence[NewFile]) -> int:
    """Queue a scan that finds ``files``; return the job's id. Whoever listens is told of its end."""

    def work(control: JobControl) -> None:
        scanning.scan_new_files(_context(engine, base_url, control), files)
        engine.on_scanned()

    return engine.jobs.add(SCANNING, work)


def start_identify(
    engine: Engine, base_url: str, changes: Sequence[tuple[int, Mapping[str, Any]]], *, pause_s: float
) -> int:
    """Queue a task that identifies scenes, one each ``pause_s`` as far as it keeps up; return the job's id.

    Each change is a write of its own, with a hook whose input lacks the scene's id (facts/stash.md 2.1).
    """

    def work(control: JobControl) -> None:
        context = _context(engine, base_url, control)
        began = time.monotonic()
        for number, (scene_id, raw) in enumerate(changes, 1):
            with context.library.lock:
                context.library.put_scene(updated_scene(context, context.library.scene(scene_id), raw))
            whole = full_input(context, "SceneUpdateInput", raw)
            context.fire(SCENE_UPDATED, scene_id, whole, tuple(raw))
            control.set_progress(number / len(changes))
            early_s = began + number * pause_s - time.monotonic()
            if early_s > 0:
                time.sleep(early_s)

    return engine.jobs.add(IDENTIFYING, work)


def _context(engine: Engine, base_url: str, control: JobControl) -> Context:
    return Context(engine, base_url, control.cancellation, Session(engine.config.username))
