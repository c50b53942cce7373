"""One process's client of the simulated Plex, at the height of the ``MediaServer`` port.

It raises what the real client makes of each failure (facts/plex.md 1, 10; ``scenesync.plex.http_errors``).
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from sim_plex import REFUSED, STARTING, UNAUTHORIZED, Reply, Sender

from scenesync.domain.fields import IMAGE_FIELDS, Field
from scenesync.domain.item import Item, ItemPage, Library, ServerIdentity, UploadedImage
from scenesync.plex.dialect import Dialect, other_minus_encoding
from scenesync.plex.exceptions import PlexBusy, PlexNotFound, PlexServerDown, PlexTemporaryError, PlexUnauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sim_kernel import SimulatedProcess
    from sim_plex import PlexWorld

    from scenesync.domain.diff import Edit
    from scenesync.domain.fields import FieldValue
    from scenesync.domain.item import Collection

T = TypeVar("T")

_SCENE_MARK: Final = re.compile(r"#(\d+)|^scene-(\d+)$")
OLDEST_BASE_S: Final = 15.0
"""An edit is based on a read that is seconds old, however long its pictures took or others had to be waited for."""
OLDEST_BASE_OF_A_PICTURE_S: Final = 150.0
"""A picture may follow another one, and each question about them may take its whole time-out."""
_SCENE_FILE: Final = re.compile(r"scene-(\d+)\.")


class NoCollections:
    """``CollectionServer`` of a Plex without any: the simulated histories put no film into one."""

    def of_library(self, library_key: str) -> Sequence[Collection]:
        raise NotImplementedError(f"nobody has a reason to ask for the collections of library {library_key}")


class PlexDoor:
    """One process's client. ``writer`` names the process; ``last_read``: when it saw each item, with which files."""

    def __init__(self, world: PlexWorld, process: SimulatedProcess) -> None:
        self.world = world
        self.process = process
        self.writer = process.name
        self.last_read: dict[str, tuple[float, tuple[str, ...]]] = {}
        self.is_closed = False
        self.collections = NoCollections()
        self._dialect = Dialect()
        self._on_learned: Callable[[Dialect], None] | None = None
        self._computing: AbstractContextManager[object] = nullcontext()

    @property
    def task(self) -> str:
        return self.world.kernel.running.name

    # -- the port

    def identity(self) -> ServerIdentity:
        return self._ask("identity", lambda: ServerIdentity("plex-one", "1.43.2"), token=False)

    def libraries(self) -> Sequence[Library]:
        return self._ask("libraries", lambda: [Library(key, f"Films {key}") for key in self.world.libraries])

    def list_items(self, library_key: str, *, start: int, size: int, newest_first: bool = False) -> ItemPage:
        return self._ask("list", lambda: self.world.page(library_key, start, size, newest_first=newest_first))

    def read_items(self, rating_keys: Sequence[str]) -> Mapping[str, Item]:
        arrived: list[float] = []

        def read() -> dict[str, Item]:
            arrived.append(self.world.kernel.now)
            return self.world.read(rating_keys)

        items = self._ask(f"read {','.join(rating_keys)}", read)
        with self._computing:
            for key, item in items.items():
                self.last_read[key] = (arrived[0], tuple(part.file for part in item.parts))
        return items

    def fit(self, name: Field, value: FieldValue) -> FieldValue:
        del name
        return value

    def apply_edit(self, edit: Edit) -> None:
        self._edit(edit, other_dialect=self._speaks_other)

    @property
    def edits_many(self) -> bool:
        return True

    def apply_to_all(self, edits: Sequence[Edit]) -> None:
        for edit in edits:
            self.apply_edit(edit)

    def edit_one_by_one(self) -> None:
        raise NotImplementedError("nothing in the simulated histories is equal for two scenes")

    def ready(self, edit: Edit) -> Callable[[], None]:
        return partial(self.apply_edit, edit)

    def apply_in_other_dialect(self, edit: Edit) -> None:
        self._edit(edit, other_dialect=not self._speaks_other)

    def adopt_other_dialect(self, edits: object) -> None:  # noqa: ARG002 - the port's shape
        self.adopt(other_minus_encoding)

    def adopt(self, change: Callable[[Dialect], Dialect]) -> Dialect:
        self._dialect = change(self._dialect)
        if self._on_learned is not None:
            self._on_learned(self._dialect)
        return self._dialect

    def compute_with(self, turn: AbstractContextManager[object]) -> None:
        """Hold ``turn`` while an answer about items is taken apart."""
        self._computing = turn

    def remember_with(self, on_learned: Callable[[Dialect], None] | None) -> None:
        self._on_learned = on_learned

    def close(self) -> None:
        """Refuse further requests; those under way go on."""
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _speaks_other(self) -> bool:
        return self._dialect.minus_encoding != Dialect().minus_encoding

    def uploaded_images(self, rating_key: str, name: Field) -> Sequence[UploadedImage]:
        return self._ask("pictures", lambda: self.world.candidates(rating_key, name))

    def upload_image(self, rating_key: str, name: Field, content: bytes) -> None:
        scene = int(content.split()[1])
        words = f"upload {name.value} {rating_key}"
        self._write(scene, rating_key, words, self._image(rating_key, name, content), OLDEST_BASE_OF_A_PICTURE_S)

    def select_image(self, rating_key: str, name: Field, key: str) -> None:
        sender = self._sender()

        def select() -> None:
            self.world.select(rating_key, name, key, sender)

        self._write(0, rating_key, f"select {name.value} {rating_key}", select)

    def remove_image(self, rating_key: str, name: Field) -> None:
        raise NotImplementedError("nothing in the simulated histories takes a picture away")

    # -- requests

    def _image(self, rating_key: str, name: Field, content: bytes) -> Callable[[], None]:
        sender = self._sender()
        return lambda: self.world.upload(rating_key, name, content, sender)

    def _sender(self) -> Sender:
        return Sender(self.writer, self.task, {key: arrived_at for key, (arrived_at, _) in self.last_read.items()})

    def _edit(self, edit: Edit, *, other_dialect: bool) -> None:
        sender = self._sender()

        def carry_out() -> None:
            self.world.edit(edit, sender, other_dialect=other_dialect)

        self._write(scene_of(edit), edit.rating_key, f"edit {edit.rating_key}", carry_out)

    def _write(
        self,
        scene: int,
        rating_key: str,
        words: str,
        carry_out: Callable[[], None],
        oldest_base_s: float = OLDEST_BASE_S,
    ) -> None:
        self._guard_closed()
        world = self.world
        world.count.writes += 1
        world.may_write(self.process, scene or self._scene_seen(rating_key))
        if scene:
            self._require_seen(scene, rating_key, oldest_base_s)
        self._ask(words, carry_out, writes=True)

    def _scene_seen(self, rating_key: str) -> int:
        """Return whose file the item plays, as this process last read it."""
        _, files = self.last_read.get(rating_key, (0.0, ()))
        return next((int(mark[1]) for file in files if (mark := _SCENE_FILE.search(file))), 0)

    def _require_seen(self, scene: int, rating_key: str, oldest_base_s: float) -> None:
        """The edit must be based on a late read by this process (maybe another task's) that showed the scene's file."""
        seen = self.last_read.get(rating_key)
        mark = f"scene-{scene}."
        is_late = seen is not None and self.world.kernel.now - seen[0] <= oldest_base_s
        if seen is None or not is_late or not any(mark in file for file in seen[1]):
            self.world.violate("I10", f"item {rating_key} is edited for scene {scene}, seen there: {seen}")

    def _guard_closed(self) -> None:
        if self.is_closed:
            raise PlexTemporaryError("was not asked, since the client is closed")

    def _ask(self, words: str, answer: Callable[[], T], *, writes: bool = False, token: bool = True) -> T:
        """Send a request: it arrives after a while, whatever becomes of the sender, and is answered after a while."""
        self._guard_closed()
        kernel, world = self.world.kernel, self.world
        kernel.point("plex")
        world.count.requests += 1
        if token:
            kernel.stir()
        reply = Reply(world)
        way_s = world.latency_s * (0.5 + world.chance.random())
        task = f"{self.process.name}/{self.task}"

        def arrive() -> None:
            if reply.has_come:  # cut before it arrived
                return
            delay_s = self._serve(reply, words, answer, writes=writes, token=token, task=task)
            kernel.at(kernel.now + delay_s + way_s / 2, reply.come)

        world.under_way.append(reply)
        kernel.at(kernel.now + way_s / 2, arrive)
        kernel.wait(lambda: reply.has_come)
        kernel.point("plex")
        if reply.error is not None:
            raise reply.error
        value: T = reply.value
        return value

    def _serve(
        self, reply: Reply, words: str, answer: Callable[[], Any], *, writes: bool, token: bool, task: str
    ) -> float:
        """Fill the reply at the server; return how long the client waits for it."""
        world = self.world
        if world.state in {REFUSED, STARTING}:
            reply.error = PlexServerDown(f"{words}: {world.state}")
            return 0.0
        if world.state == UNAUTHORIZED and token:
            reply.error = PlexUnauthorized("401", status=401)
            return 0.0
        if token:
            kind, delay_s, applied = self._fault(writes=writes)
            if kind is not None:
                if applied:
                    self._carry_out(reply, answer)
                world.kernel.note(f"{task}: {words} fails: {kind.__name__}{' (applied)' if applied else ''}")
                world.failures.append((world.kernel.now + delay_s, kind.__name__, words))
                reply.error = kind(f"{words}: fault")
                return delay_s
        self._carry_out(reply, answer)
        return 0.0

    def _carry_out(self, reply: Reply, answer: Callable[[], Any]) -> None:
        try:
            reply.value = answer()
        except PlexNotFound as error:
            reply.error = error

    def _fault(self, *, writes: bool) -> tuple[type[Exception] | None, float, bool]:
        world, faults = self.world, self.world.faults
        if writes:
            if world.draw("answer lost", faults.answer_lost):
                return PlexBusy, 60.0 if world.chance.random() < 0.2 else 10.0, True
            if world.draw("write not applied", faults.not_applied):
                return PlexBusy, 10.0, False
            if world.draw("busy", faults.busy):
                return PlexBusy, 10.0, world.chance.random() < 0.5
        elif world.draw("read fails", faults.read_fails):
            return PlexTemporaryError, world.chance.choice((0.0, 0.0, 30.0)), False
        return None, 0.0, False


def scene_of(edit: Edit) -> int:
    """Return the scene whose mark stands in what is written, 0 if nothing of it has one."""
    for change in edit.changes:
        if change.field in IMAGE_FIELDS:
            continue
        for text in (change.after,) if isinstance(change.after, str) else change.after:
            if mark := _SCENE_MARK.search(text):
                return int(mark[1] or mark[2])
    return 0
