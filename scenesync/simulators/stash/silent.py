"""What changes a Stash without any hook (facts/stash.md 0.4, 2.3), and what it does to the times of scenes (2.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scenesync.simulators.stash.entity_mutations import forget_entities
from scenesync.simulators.stash.person import id_of
from scenesync.simulators.stash.records import NewFile, Scene, image_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scenesync.simulators.stash.library import Library
    from scenesync.simulators.stash.person import EntityRef


class SilentChanges:
    """Each is what a person or task does in the real one; none says a word to a plugin."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def assign_file(self, scene: EntityRef, path: str) -> None:
        """``sceneAssignFile``: give a scene the file of another one; neither of the two is bumped."""
        library = self._library
        with library.lock:
            giver = next(each for each in library.scenes.values() if any(file.path == path for file in each.files))
            (file,) = [file for file in giver.files if file.path == path]
            library.put_scene(replace(giver, files=tuple(each for each in giver.files if each != file)), bump=False)
            taker = library.scene(id_of(scene))
            library.put_scene(replace(taker, files=(*taker.files, file)), bump=False)

    def move_file(self, old: str, new: str) -> None:
        """``moveFiles``: the file's own time changes, not its scene's."""
        self._change_files(lambda path: new if path == old else path, touches_files=True)

    def rename_folder(self, old: str, new: str) -> None:
        """Find a folder under a new name in a scan: its files lie elsewhere, and no time of theirs says so."""
        self._change_files(lambda path: new + path.removeprefix(old) if path.startswith(f"{old}/") else path)

    def delete_file(self, path: str) -> None:
        """``deleteFiles``: the scene that had it stays, bumped by nothing."""
        library = self._library
        with library.lock:
            for scene in tuple(library.scenes.values()):
                kept = tuple(file for file in scene.files if file.path != path)
                if kept != scene.files:
                    library.put_scene(replace(scene, files=kept), bump=False)

    def auto_tag(
        self, scene: EntityRef, *, tags: Iterable[EntityRef] = (), performers: Iterable[EntityRef] = ()
    ) -> None:
        """``metadataAutoTag``: bumps the scene."""
        library = self._library
        with library.lock:
            found = library.scene(id_of(scene))
            tag_ids = tuple(dict.fromkeys((*found.tag_ids, *map(id_of, tags))))
            performer_ids = tuple(sorted({*found.performer_ids, *map(id_of, performers)}))
            library.put_scene(replace(found, tag_ids=tag_ids, performer_ids=performer_ids))

    def import_scene(self, path: str, *, updated_at: str, title: str = "", size_bytes: int = 1_000_000) -> Scene:
        """``metadataImport``: a scene appears with the times that it had where it was exported."""
        library = self._library
        with library.lock:
            file = library.new_file(NewFile(path, size_bytes, 60.0))
            scene = Scene(library.next_id("scene"), updated_at, updated_at, title=title, files=(file,))
            return library.put_scene(scene, bump=False)

    def generate_cover(self, scene: EntityRef, content: bytes) -> None:
        """``sceneGenerateScreenshot`` and ``metadataGenerate``: bumps the scene."""
        library = self._library
        with library.lock:
            library.put_scene(replace(library.scene(id_of(scene)), cover=image_of(content)))

    def tag_performer_from_box(self, performer: EntityRef, *, name: str) -> None:
        """``stashBoxBatchPerformerTag``: bumps the performer, not its scenes."""
        library = self._library
        with library.lock:
            row = library.performers[id_of(performer)]
            library.performers[row.id] = replace(row, name=name, updated_at=library.timestamp())

    def tag_studio_from_box(self, studio: EntityRef, *, name: str) -> None:
        """``stashBoxBatchStudioTag``: bumps the studio, not its scenes."""
        library = self._library
        with library.lock:
            row = library.studios[id_of(studio)]
            library.studios[row.id] = replace(row, name=name, updated_at=library.timestamp())

    def merge_performers(self, sources: Iterable[EntityRef], destination: EntityRef) -> None:
        """``performerMerge``: the sources vanish, their scenes have the destination; only that one is bumped."""
        library = self._library
        gone, kept = frozenset(map(id_of, sources)), id_of(destination)
        with library.lock:
            concerned = [scene for scene in library.scenes.values() if gone.intersection(scene.performer_ids)]
            for scene in concerned:
                ids = {kept, *scene.performer_ids} - gone
                library.put_scene(replace(scene, performer_ids=tuple(sorted(ids))), bump=False)
            forget_entities(library, "performer", gone)
            library.performers[kept] = replace(library.performers[kept], updated_at=library.timestamp())

    def execute_sql(self, scene: EntityRef, *, title: str) -> None:
        """``execSQL``, or another plugin in the database: whatever it changes, no time changes with it."""
        library = self._library
        with library.lock:
            library.put_scene(replace(library.scene(id_of(scene)), title=title), bump=False)

    def _change_files(self, renamed: Callable[[str], str], *, touches_files: bool = False) -> None:
        library = self._library
        with library.lock:
            now = library.timestamp()
            for scene in tuple(library.scenes.values()):
                files = tuple(
                    replace(file, path=renamed(file.path), updated_at=now if touches_files else file.updated_at)
                    if renamed(file.path) != file.path
                    else file
                    for file in scene.files
                )
                if files != scene.files:
                    library.put_scene(replace(scene, files=files), bump=False)
