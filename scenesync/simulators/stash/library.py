"""The database of a simulated Stash: tables of frozen rows, one lock, one clock, and a time zone that may change."""

from __future__ import annotations

import bisect
import datetime as dt
import hashlib
import itertools
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scenesync.simulators.stash.records import Group, NewFile, Performer, Scene, SceneFile, Studio, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class NotFound(LookupError):
    """A row does not exist. Its text is Stash's own, e.g. ``scene with id 999 not found``."""

    def __init__(self, kind: str, identity: object) -> None:
        super().__init__(f"{kind} with id {identity} not found")


class Library:
    """All tables. Writers hold :attr:`lock`; readers of one row need none, readers of a whole table do."""

    def __init__(self, *, zone: dt.tzinfo, clock: Callable[[], float] | None) -> None:
        self.lock = threading.RLock()
        self.zone = zone
        self._clock = clock
        self.scenes: dict[int, Scene] = {}
        self.studios: dict[int, Studio] = {}
        self.performers: dict[int, Performer] = {}
        self.tags: dict[int, Tag] = {}
        self.groups: dict[int, Group] = {}
        self._scene_order: list[int] = []
        self._next_id = {kind: itertools.count(1) for kind in ("scene", "file", "studio", "performer", "tag", "group")}

    def now_s(self) -> float:
        """Epoch seconds."""
        return time.time() if self._clock is None else self._clock()

    def timestamp(self, offset_s: float = 0.0) -> str:
        """Return the present time as Stash writes it: the server's zone, whole seconds, ``Z`` for UTC."""
        return as_timestamp(self.now_s() + offset_s, self.zone)

    def next_id(self, kind: str) -> int:
        """Return a fresh id; ids are never given twice."""
        return next(self._next_id[kind])

    def scene(self, scene_id: int) -> Scene:
        """Return the scene. Raises :class:`NotFound`."""
        try:
            return self.scenes[scene_id]
        except KeyError:
            raise NotFound("scene", scene_id) from None

    def put_scene(self, scene: Scene, *, bump: bool = True) -> Scene:
        """Insert or replace; ``bump`` sets ``updated_at`` to now, as every UpdatePartial of Stash does (2.2)."""
        with self.lock:
            if bump:
                scene = replace(scene, updated_at=self.timestamp())
            if scene.id not in self.scenes:
                bisect.insort(self._scene_order, scene.id)
            self.scenes[scene.id] = scene
            return scene

    def remove_scene(self, scene_id: int) -> Scene:
        """Delete and return the scene, or raise :class:`NotFound`."""
        with self.lock:
            scene = self.scene(scene_id)
            del self.scenes[scene_id]
            del self._scene_order[bisect.bisect_left(self._scene_order, scene_id)]
            return scene

    def scenes_above(self, scene_id: int) -> Iterator[Scene]:
        """Scenes with a greater id, ascending: what paging by id range reads. Hold :attr:`lock` meanwhile."""
        start = bisect.bisect_right(self._scene_order, scene_id)
        return (self.scenes[each] for each in itertools.islice(self._scene_order, start, None))

    def new_file(self, file: NewFile, *, oshash: str | None = None) -> SceneFile:
        """Make the row of a file that appears now. Equal content (size, duration, path) has an equal ``oshash``."""
        now = self.timestamp()
        seed = f"{file.path}\0{file.size_bytes}\0{file.duration_s}".encode()
        return SceneFile(
            id=self.next_id("file"),
            path=file.path,
            size_bytes=file.size_bytes,
            duration_s=file.duration_s,
            mod_time=now,
            created_at=now,
            updated_at=now,
            oshash=oshash or hashlib.blake2b(seed, digest_size=8).hexdigest(),
        )

    def family_of(self, kind: str, roots: set[int], depth: int | None) -> set[int]:
        """``roots`` and their descendants, ``depth`` levels down (-1: all): studios by parent, tags by parents."""
        found, frontier, level = set(roots), set(roots), 0
        while frontier and depth not in {None, 0} and (depth == -1 or level < (depth or 0)):
            if kind == "studio":
                children = {row.id for row in self.studios.values() if row.parent_id in frontier}
            else:
                children = {row.id for row in self.tags.values() if frontier.intersection(row.parent_ids)}
            frontier = children - found
            found |= frontier
            level += 1
        return found


def as_timestamp(epoch_s: float, zone: dt.tzinfo) -> str:
    """Return RFC 3339 in ``zone``, whole seconds, ``Z`` for an offset of zero."""
    text = dt.datetime.fromtimestamp(int(epoch_s), zone).isoformat(timespec="seconds")
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def unix_of(timestamp: str) -> int:
    """Return the epoch second of a timestamp."""
    return int(dt.datetime.fromisoformat(timestamp).timestamp())
