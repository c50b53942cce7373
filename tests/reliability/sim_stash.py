"""A Stash inside the simulation: scenes with versions, people who edit them, and its own outages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from scenesync.domain.errors import StashUnavailable
from scenesync.domain.fields import Field
from scenesync.domain.scene import Performer, Scene, SceneFile, Studio, Tag

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sim_kernel import Kernel, SimulatedProcess

    from scenesync.domain.fields import FieldValue

T = TypeVar("T")

FIELDS: Final = ("title", "details", "date", "studio", "performers", "tags", "director")


@dataclass(frozen=True)
class Picture:
    """A cover's bytes."""

    content: bytes
    etag: str

    @property
    def sha1(self) -> str:
        return hashlib.sha1(self.content, usedforsecurity=False).hexdigest()


@dataclass
class StashScene:
    """A scene as people left it; ``content`` numbers the version of each field (0: empty)."""

    id: int
    path: str
    content: dict[str, int]
    cover: int = 0
    version: int = 1
    size: int = 1
    earlier: list[dict[str, int]] = field(default_factory=list)

    def as_scene(self) -> Scene:
        """Return what the query answers."""
        made = self._made
        return Scene(
            id=self.id,
            title=made("title", "Harbour take {v} #{id}"),
            details=made("details", "Light over the water, {v}.\n\nSecond part #{id}"),
            date=made("date", "20{v:02d}-03-0{d}"),
            director=made("director", "Director {v} #{id}"),
            studio=Studio(self.content["studio"], made("studio", "Pier {v} #{id}")) if self.content["studio"] else None,
            performers=tuple(Performer(n, name) for n, name in enumerate(self._names("performers"), 1)),
            tags=tuple(Tag(n, name) for n, name in enumerate(self._names("tags"), 1)),
            files=(SceneFile(self.path, self.size, 60.0),),
            screenshot_url=f"http://stash/scene/{self.id}/screenshot" if self.cover else "",
            updated_at=f"2026-01-01T00:00:{self.version:04d}Z",
        )

    def wanted(self) -> dict[Field, FieldValue]:
        """Return what Plex has to show: worked out here, not by the product."""
        made = self._made
        stem = self.path.rpartition("/")[2].rpartition(".")[0]
        title = made("title", "Harbour take {v} #{id}") or stem
        wanted: dict[Field, FieldValue] = {
            Field.TITLE: title,
            Field.SORT_TITLE: title,
            Field.SUMMARY: made("details", "Light over the water, {v}.\n\nSecond part #{id}"),
            Field.STUDIO: made("studio", "Pier {v} #{id}"),
            Field.ACTORS: self._names("performers"),
            Field.GENRES: self._names("tags"),
            Field.DIRECTORS: tuple(name for name in [made("director", "Director {v} #{id}")] if name),
        }
        if self.content["date"]:  # what Plex shows for a scene without a date is Plex's own business
            wanted[Field.DATE] = made("date", "20{v:02d}-03-0{d}")
        return wanted

    def picture(self) -> Picture:
        """Return the cover."""
        return Picture(f"cover {self.id} v{self.cover}".encode(), f"etag-{self.id}-{self.cover}")

    def _made(self, name: str, text: str) -> str:
        version = self.content[name]
        return text.format(v=version, d=self.id % 9 + 1, id=self.id) if version else ""

    def _names(self, name: str) -> tuple[str, ...]:
        """Two names that stay and some that change, so that names leave and come."""
        version = self.content[name]
        if not version:
            return ()
        return (f"Constant {name} #{self.id}", f"{name} {version} #{self.id}", f"{name} {version % 3} of 3 #{self.id}")


class StashWorld:
    """The server and the people in front of it."""

    def __init__(self, kernel: Kernel, chance: random.Random) -> None:
        self.kernel = kernel
        self.chance = chance
        self.is_up = True
        self.scenes: dict[int, StashScene] = {}
        self.latency_s = 0.01
        self.requests = 0
        self.when_read: Callable[[Sequence[int]], None] | None = None

    def add(self, scene_id: int, *, with_cover: bool, path: str) -> StashScene:
        """Make a scene."""
        content = {name: int(self.chance.random() < 0.85) for name in FIELDS}
        scene = StashScene(scene_id, path, content, cover=int(with_cover), size=1_000 + scene_id)
        self.scenes[scene_id] = scene
        return scene

    def save(self, scene: StashScene) -> None:
        """Let a person change some of a scene: to something new, to empty, or back to what it was."""
        chance = self.chance
        before = dict(scene.content)
        scene.version += 1
        if scene.earlier and chance.random() < 0.15:
            scene.content = dict(chance.choice(scene.earlier))
        else:
            for name in chance.sample(FIELDS, chance.choice((1, 1, 2, 3))):
                scene.content[name] = 0 if chance.random() < 0.1 else scene.version
        if scene.cover and chance.random() < 0.2:
            scene.cover += 1
        scene.earlier.append(before)
        self.kernel.note(f"scene {scene.id} saved: {scene.content} cover {scene.cover}")

    def destroy(self, scene_id: int) -> None:
        """Delete a scene."""
        del self.scenes[scene_id]
        self.kernel.note(f"scene {scene_id} destroyed")


class StashDoor:
    """One process's client; a ``SceneSource``."""

    def __init__(self, world: StashWorld, process: SimulatedProcess) -> None:
        self.world = world
        self.process = process

    def scenes(self, ids: Sequence[int]) -> Mapping[int, Scene]:
        world = self.world

        def look() -> dict[int, Scene]:
            found = {number: world.scenes[number].as_scene() for number in ids if number in world.scenes}
            if found and world.when_read is not None:
                reaction, world.when_read = world.when_read, None
                reaction(sorted(found))
            return found

        return self._ask(look)

    @property
    def entities(self) -> None:
        """Say nothing of performers, studios, tags and groups: nobody changes them here."""

    def keep_schema(self, *_keepers: object) -> None:
        """Know everything that is ever asked for."""

    def existing_scenes(self, ids: Iterable[int]) -> set[int]:
        return self._ask(lambda: self.world.scenes.keys() & set(ids))

    def scenes_with_files_named(self, names: Sequence[str]) -> Sequence[Scene]:
        scenes = self.world.scenes.values()
        return self._ask(lambda: [scene.as_scene() for scene in scenes if scene.path.rpartition("/")[2] in names])

    def scene_ids_after(self, after: int, limit: int) -> Sequence[int]:
        return self._ask(lambda: sorted(number for number in self.world.scenes if number > after)[:limit])

    def image(self, url: str, *, known_etag: str = "") -> Picture | None:
        scene_id = int(url.split("/")[-2])

        def look() -> Picture | None:
            scene = self.world.scenes.get(scene_id)
            if scene is None:
                return Picture(b"", "")
            picture = scene.picture()
            return None if picture.etag == known_etag else picture

        return self._ask(look)

    def _ask(self, answer: Callable[[], T]) -> T:
        kernel, world = self.world.kernel, self.world
        kernel.point("stash")
        kernel.stir()
        world.requests += 1
        way_s = world.latency_s * (0.5 + world.chance.random())
        kernel.wait(None, way_s / 2)
        if not world.is_up:
            raise StashUnavailable("Stash refused the connection")
        value = answer()
        kernel.wait(None, way_s / 2)
        if not world.is_up:
            raise StashUnavailable("Stash cut the connection")
        kernel.point("stash")
        return value
