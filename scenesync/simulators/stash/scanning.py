"""What scan and clean do to scenes, with their hooks and their silences (facts/stash.md 0.4, 0.7, 2.2)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from scenesync.simulators.stash.errors import OperationCancelled
from scenesync.simulators.stash.records import NewFile, Scene, image_of
from scenesync.simulators.stash.scene_mutations import SCENE_DESTROYED, SCENE_UPDATED, destroy_input

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from scenesync.simulators.stash.engine import Context


def scan_new_files(context: Context, files: Sequence[NewFile]) -> list[int]:
    """Make a scene of each file, ``parallel_tasks`` at a time, and return the ids in the order of ``files``.

    The Create hook of a scene runs, and ends, before the scene has its cover; the cover then bumps ``updated_at``
    and fires nothing.
    """
    with ThreadPoolExecutor(max_workers=context.engine.config.parallel_tasks) as workers:
        return [scene.id for scene in workers.map(lambda file: _scan_new_file(context, file), files)]


def scan_renamed_file(context: Context, scene_id: int, new_path: str) -> None:
    """Find a scene's primary file under a new name: the hook has no input, ``updated_at`` of the scene stays."""
    library = context.library
    with library.lock:
        scene = library.scene(scene_id)
        moved = replace(scene.files[0], path=new_path, updated_at=library.timestamp())
        library.put_scene(replace(scene, files=(moved, *scene.files[1:])), bump=False)
    context.fire(SCENE_UPDATED, scene_id, None)


def scan_changed_file(context: Context, scene_id: int, *, size_bytes: int, duration_s: float) -> None:
    """Find a scene's primary file changed in place: like a rename, a hook without a bump."""
    library = context.library
    with library.lock:
        scene = library.scene(scene_id)
        now = library.timestamp()
        first = replace(scene.files[0], size_bytes=size_bytes, duration_s=duration_s, mod_time=now, updated_at=now)
        library.put_scene(replace(scene, files=(first, *scene.files[1:])), bump=False)
    context.fire(SCENE_UPDATED, scene_id, None)


def scan_copy(context: Context, scene_id: int, path: str) -> None:
    """Find an identical copy of a scene's file: it is added to the scene, with a hook *and* a bump."""
    library = context.library
    with library.lock:
        scene = library.scene(scene_id)
        first = scene.files[0]
        copy = library.new_file(NewFile(path, first.size_bytes, first.duration_s), oshash=first.oshash)
        library.put_scene(replace(scene, files=(*scene.files, copy)))
    context.fire(SCENE_UPDATED, scene_id, None)


def clean(context: Context, missing_paths: Collection[str]) -> None:
    """Forget files that are gone. A scene without files is destroyed, with a hook; a scene that keeps one is bumped."""
    missing = frozenset(missing_paths)
    library = context.library
    with library.lock:
        affected = [scene for scene in library.scenes.values() if any(file.path in missing for file in scene.files)]
    for scene in affected:
        kept = tuple(file for file in scene.files if file.path not in missing)
        if kept:
            library.put_scene(replace(scene, files=kept))
            continue
        library.remove_scene(scene.id)
        context.fire(SCENE_DESTROYED, scene.id, destroy_input({"id": ""}, {}, scene))


def _scan_new_file(context: Context, file: NewFile) -> Scene:
    library = context.library
    with library.lock:
        now = library.timestamp()
        scene = library.put_scene(Scene(library.next_id("scene"), now, now, files=(library.new_file(file),)))
    try:
        context.fire("Scene.Create.Post", scene.id, None)
    except OperationCancelled:
        return scene  # the job was stopped: its event is lost, the scene is there
    if file.cover is None:
        return scene
    with library.lock:
        return library.put_scene(replace(library.scene(scene.id), cover=image_of(file.cover)))
