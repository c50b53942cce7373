"""Tie a scene to an item by a person's word, and take that back; the scene is looked at again either way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import PermanentError
from scenesync.domain.pins import scene_keys
from scenesync.intake.selection import enqueue_ids
from scenesync.queue.dead_letters import LetterFilter
from scenesync.store.journal import JournalStore
from scenesync.store.path_index import PathIndexStore
from scenesync.store.pins import PinStore
from scenesync.worker.finding.library_index import as_listed, choose_libraries
from scenesync.worker.finding.locator import pins_to

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.app.installation import Installation
    from scenesync.domain.item import Item
    from scenesync.domain.scene import Scene


LETTERS_LOOKED_AT: Final = 10_000


class PinRefused(PermanentError):
    """A pin would be of no use; the message says why."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """What was tied: the scene's and the item's files; ``before`` is the item that the scene was pinned to, if any."""

    scene_id: int
    rating_key: str
    scene_files: tuple[str, ...]
    item_files: tuple[str, ...]
    before: str | None = None

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return asdict(self)


def pin_scene(installation: Installation, scene_id: int, rating_key: str) -> Pinned:
    """Tie the scene to the item. Raises PinRefused, and what Stash, Plex and the stores raise."""
    scene = installation.stash.scenes([scene_id]).get(scene_id)
    if scene is None:
        raise PinRefused(f"Stash has no scene {scene_id}.")
    if not scene.files:
        raise PinRefused(f"Scene {scene_id} has no file; a pin is kept by the file's path.")
    item = _item(installation, rating_key)
    server_id = installation.plex.identity().machine_identifier
    pins = PinStore(installation.database, server_id)
    before = pins.of_files(scene_keys(scene.files))
    _require_free(pins, scene, item)
    _make_known(installation, server_id, item)
    pins.put(pins_to(item, scene))
    _look_again(installation, scene_id, rating_key)
    left = [pin.rating_key for pin in before if pin.rating_key != rating_key]
    _give_back(installation, scene_id, server_id, left)
    return Pinned(
        scene_id=scene_id,
        rating_key=rating_key,
        scene_files=tuple(file.path for file in scene.files),
        item_files=tuple(part.file for part in item.parts),
        before=before[0].rating_key if before else None,
    )


def unpin_scene(installation: Installation, scene_id: int) -> bool:
    """Take the pin off the scene, which Stash need not have any more; False if there was none."""
    scene = installation.stash.scenes([scene_id]).get(scene_id)
    server_id = installation.plex.identity().machine_identifier
    pins = PinStore(installation.database, server_id)
    if scene is None:
        return pins.remove((), scene_id=scene_id) > 0
    keys = scene_keys(scene.files)
    before = pins.of_files(keys)
    if not before:
        return False
    pins.remove(keys)
    for pin in before:
        _look_again(installation, scene_id, pin.rating_key)
    _give_back(installation, scene_id, server_id, [pin.rating_key for pin in before])
    return True


def _item(installation: Installation, rating_key: str) -> Item:
    plex = installation.plex
    item = plex.read_items([rating_key]).get(rating_key)
    if item is None:
        raise PinRefused(f"Plex has no item {rating_key}. The key is the number behind %2Fmetadata%2F in its address.")
    if not item.parts:
        raise PinRefused(f"The Plex item {rating_key} has no file (yet), so it could not be known again.")
    libraries = choose_libraries(plex.libraries(), installation.settings.plex_libraries)
    if item.library_key not in {library.key for library in libraries}:
        names = ", ".join(library.title for library in libraries)
        raise PinRefused(f"The Plex item {rating_key} is in none of the libraries that are kept in sync: {names}.")
    return item


def _make_known(installation: Installation, server_id: str, item: Item) -> None:
    """Hold the item as it was just read, lest the pin fail to work until the index is refreshed."""
    new_names = PathIndexStore(installation.database, server_id).upsert_items([as_listed(item)])
    installation.queue.wake_for_files(new_names)


def _require_free(pins: PinStore, scene: Scene, item: Item) -> None:
    ours = scene_keys(scene.files)
    paths = {part.file for part in item.parts}
    for pin in pins.all():
        is_here = pin.rating_key == item.rating_key or not paths.isdisjoint(pin.paths)
        if is_here and pin.scene_key not in ours and pin.scene_id != scene.id:
            raise PinRefused(
                f"Scene {pin.scene_id} is pinned to the Plex item {item.rating_key} already, and it can show only one. "
                f"Take that pin off first: scenesync unpin {pin.scene_id}."
            )


def _give_back(installation: Installation, scene_id: int, server_id: str, rating_keys: Iterable[str]) -> None:
    """Have the scenes looked at that items showed before the pin, lest they go on showing the scene that was pinned."""
    journal = JournalStore(installation.database, server_id)
    showed = {entry.scene_id for key in rating_keys for entry in journal.history(key)} - {scene_id}
    enqueue_ids(installation.queue, sorted(showed))


def _look_again(installation: Installation, scene_id: int, rating_key: str) -> None:
    """Have the scene looked at, and those that waited for somebody to decide about the item."""
    letters = installation.dead_letters
    undecided = [
        letter.id
        for letter in letters.list(LetterFilter(error="AmbiguousMatch"), limit=LETTERS_LOOKED_AT)
        if rating_key in letter.details.get("candidates", ()) and letter.job.get("scene_id") != scene_id
    ]
    if undecided:
        letters.replay(undecided)
    if not letters.replay(LetterFilter(scene_id=scene_id)):
        enqueue_ids(installation.queue, [scene_id])
