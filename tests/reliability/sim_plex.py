"""A Plex server inside the simulation: what it holds, in which state it is, who wrote what and when (facts/plex.md)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scenesync.domain.fields import LIST_FIELDS, Field
from scenesync.domain.item import Item, ItemPage, ListedItem, MediaPart, UploadedImage
from scenesync.plex.exceptions import (
    PlexNotFound,
    PlexServerDown,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from sim_kernel import Kernel, SimulatedProcess

    from scenesync.domain.diff import Edit
    from scenesync.domain.fields import FieldValue

UP: Final = "up"
REFUSED: Final = "refused"
STARTING: Final = "starting up"
UNAUTHORIZED: Final = "unauthorized"
TAGS_LAG_S: Final = 1.0


@dataclass
class Written:
    """Who last changed a field, when that arrived, and from when on reads show it; ``before`` is shown until then."""

    value: FieldValue
    before: FieldValue
    by: str
    arrived_at: float
    visible_at: float


@dataclass
class PlexItem:
    """One item as the server holds it."""

    rating_key: str
    library_key: str
    parts: tuple[MediaPart, ...]
    updated_at: int
    fields: dict[Field, Written] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)
    uploads: dict[Field, list[str]] = field(default_factory=dict)
    selected: dict[Field, Written] = field(default_factory=dict)

    def shown(self, name: Field, at: float) -> FieldValue | None:
        """Return what a read at ``at`` shows."""
        written = self.fields.get(name)
        if written is None:
            return None
        return written.value if at >= written.visible_at else written.before

    def has_file(self, path: str) -> bool:
        """Say whether the item plays the file."""
        return any(part.file == path for part in self.parts)


@dataclass
class Faults:
    """How likely single requests fail while the server is up; each is drawn per request."""

    answer_lost: float = 0.0
    not_applied: float = 0.0
    busy: float = 0.0
    read_fails: float = 0.0
    ignored: float = 0.0


@dataclass
class Counters:
    """What was done to the server, for figures and for the question who may blame whom."""

    requests: int = 0
    writes: int = 0
    doubled: int = 0
    excused: int = 0
    injected: dict[str, int] = field(default_factory=dict)

    def inject(self, kind: str) -> None:
        """Count a fault."""
        self.injected[kind] = self.injected.get(kind, 0) + 1


class PlexWorld:
    """The server. ``violate`` is told of requests that must never be made."""

    def __init__(self, kernel: Kernel, chance: random.Random, violate: Callable[[str, str], None]) -> None:
        self.kernel = kernel
        self.chance = chance
        self.violate = violate
        self.state = UP
        self.faults = Faults()
        self.count = Counters()
        self.items: dict[str, PlexItem] = {}
        self.libraries = ["1", "2"]
        self.latency_s = 0.02
        self.tags_lag = False
        self.keeps_removed_tags = False  # it understands removals in the other dialect only
        self.ignore_next: dict[str, int] = {}
        self.ignored_for: dict[str, int] = {}
        self.failures: list[tuple[float, str, str]] = []
        self.states: list[tuple[float, str]] = [(kernel.now, UP)]
        self.forbidden_keys: set[str] = set()
        self.under_way: list[Reply] = []
        self.may_write: Callable[[SimulatedProcess, int], None] = lambda _process, _scene: None
        self._next_key = 100

    # -- what the world does to it

    def add_item(self, file: str, *, library: str = "1", size: int | None = None) -> PlexItem:
        """Let the scanner find a file."""
        self._next_key += 1
        return self._found(str(self._next_key), library, MediaPart(file, size, 60_000))

    def _found(self, key: str, library: str, part: MediaPart) -> PlexItem:
        file = part.file
        item = PlexItem(key, library, (part,), self._clock())
        name = file.rpartition("/")[2].rpartition(".")[0]
        for field_name, value in ((Field.TITLE, name), (Field.DATE, "2020-01-01")):
            item.fields[field_name] = Written(value, "", "scanner", self.kernel.now, self.kernel.now)
        self.items[item.rating_key] = item
        self.kernel.note(f"plex has {file} as {item.rating_key}")
        return item

    def remove_item(self, item: PlexItem) -> None:
        """Let an item vanish."""
        del self.items[item.rating_key]
        self.kernel.note(f"plex dropped {item.rating_key} ({item.parts[0].file})")

    def swap_files(self, one: PlexItem, other: PlexItem) -> None:
        """Let each of two items play what the other one played; what they show stays."""
        one.parts, other.parts = other.parts, one.parts
        one.updated_at = other.updated_at = self._clock()
        self.kernel.note(f"plex swapped the files of {one.rating_key} and {other.rating_key}")

    def items_of(self, path: str) -> list[PlexItem]:
        """Return the items that play a file."""
        return [item for item in self.items.values() if item.has_file(path)]

    def become(self, state: str) -> None:
        """Go down, come up, refuse the token."""
        self.state = state
        self.kernel.stir()
        self.states.append((self.kernel.now, state))
        self.kernel.note(f"PLEX {state}")
        if state == REFUSED:
            while self.under_way:
                self.under_way[0].be_cut()

    def was(self, state: str, since: float) -> bool:
        """Say whether it was in this state at any time since then."""
        later = [when for when, _ in self.states[1:]] + [self.kernel.now + 1]
        return any(name == state and until >= since for (_, name), until in zip(self.states, later, strict=True))

    def failed_since(self, kind: str, since: float) -> bool:
        """Say whether a request failed in this way since then, for a reason that is no outage."""
        return any(when >= since and what == kind for when, what, _ in reversed(self.failures))

    def _clock(self) -> int:
        return int(1_800_000_000 + self.kernel.now)

    def rebuild(self) -> None:
        """Make the database anew: the same files under keys drawn anew, and nothing of what was written."""
        files = [(item.parts[0], item.library_key) for item in self.items.values()]
        keys = sorted(self.items)
        self.chance.shuffle(keys)
        self.items.clear()
        self.kernel.note("PLEX rebuilt")
        for key, (part, library) in zip(keys, files, strict=True):
            self._found(key, library, part)

    # -- what it does when asked

    def page(self, library: str, start: int, size: int, *, newest_first: bool) -> ItemPage:
        """List items."""
        items = [item for item in self.items.values() if item.library_key == library]
        if newest_first:
            items.sort(key=lambda item: (-item.updated_at, int(item.rating_key)))
        else:
            items.sort(key=lambda item: int(item.rating_key))
        listed = tuple(
            ListedItem(item.rating_key, library, item.parts, updated_at=item.updated_at)
            for item in items[start : start + size]
        )
        return ItemPage(listed, len(items))

    def read(self, keys: Sequence[str]) -> dict[str, Item]:
        """Show items in full."""
        now = self.kernel.now
        found: dict[str, Item] = {}
        for key in keys:
            item = self.items.get(key)
            if item is None:
                continue
            values = {name: value for name in item.fields if (value := item.shown(name, now))}
            for name, chosen in item.selected.items():
                values[name] = f"/library/metadata/{key}/{name.value}/{int(chosen.arrived_at)}"
            found[key] = Item(key, item.library_key, item.parts, values, frozenset(item.locked))
        return found

    def edit(self, edit: Edit, sender: Sender, *, other_dialect: bool) -> None:
        """Carry an edit out."""
        item = self.items.get(edit.rating_key)
        if item is None:
            raise PlexNotFound(f"no item {edit.rating_key}", status=404)
        if edit.rating_key in self.forbidden_keys:
            self.violate("I10", f"item {edit.rating_key} was edited, and which scene it is nobody knows")
        self._look_for_doubles(item, edit, sender)
        ignored = self.ignore_next.get(edit.rating_key, 0)
        if ignored or self.draw("ignored", self.faults.ignored):
            self.ignore_next[edit.rating_key] = max(0, ignored - 1)
            self.ignored_for[edit.rating_key] = self.ignored_for.get(edit.rating_key, 0) + 1
            self.kernel.note(f"plex ignores the edit of {edit.rating_key} by {sender.name}")
            return
        now = self.kernel.now
        for change in edit.changes:
            after = change.after
            before = item.shown(change.field, now) or ("" if isinstance(after, str) else ())
            if change.removed and self.keeps_removed_tags != other_dialect and isinstance(after, tuple):
                after = (*after, *(name for name in change.removed if name not in after))
            lags = self.tags_lag and change.field in LIST_FIELDS
            item.fields[change.field] = Written(after, before, sender.process, now, now + (TAGS_LAG_S if lags else 0.0))
            if edit.lock:
                item.locked.add(change.field.value)
        item.locked.update(name.value for name in edit.also_lock)
        item.updated_at = self._clock()
        texts = {change.field.value: change.after for change in edit.changes}
        locks = [name.value for name in edit.also_lock]
        self.kernel.note(f"plex item {edit.rating_key} := {texts} lock {locks} for {sender.name}")

    def upload(self, key: str, name: Field, content: bytes, sender: Sender) -> None:
        """Take a picture in; one that it knows is not selected by that (facts/plex.md 4)."""
        item = self._existing(key)
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        chosen = item.selected.get(name)
        if chosen is not None and chosen.value == sha1:
            self._doubled_or_excused(item, chosen, sender, f"picture {name.value} of {key} uploaded, which is selected")
        uploads = item.uploads.setdefault(name, [])
        if sha1 not in uploads:
            uploads.append(sha1)
            self._choose(item, name, sha1, sender)
        self.kernel.note(f"plex item {key} {name.value} uploaded {sha1[:6]} for {sender.name}")

    def select(self, key: str, name: Field, candidate: str, sender: Sender) -> None:
        """Select a picture."""
        item = self._existing(key)
        self._choose(item, name, candidate.rpartition("/")[2], sender)
        self.kernel.note(f"plex item {key} {name.value} selected {candidate[-40:][:6]} for {sender.name}")

    def candidates(self, key: str, name: Field) -> list[UploadedImage]:
        """List an item's pictures."""
        item = self._existing(key)
        chosen = item.selected.get(name)
        return [
            UploadedImage(f"upload://{name.value}/{sha1}", selected=chosen is not None and chosen.value == sha1)
            for sha1 in item.uploads.get(name, ())
        ]

    def _choose(self, item: PlexItem, name: Field, sha1: str, sender: Sender) -> None:
        now = self.kernel.now
        item.selected[name] = Written(sha1, "", sender.process, now, now)
        item.updated_at = self._clock()

    def _existing(self, key: str) -> PlexItem:
        item = self.items.get(key)
        if item is None:
            raise PlexNotFound(f"no item {key}", status=404)
        return item

    def draw(self, kind: str, likely: float) -> bool:
        """Say whether a fault of this kind happens now, and count it."""
        hit = likely > 0 and self.chance.random() < likely
        if hit:
            self.count.inject(kind)
        return hit

    # -- doubles

    def _look_for_doubles(self, item: PlexItem, edit: Edit, sender: Sender) -> None:
        changes = [change for change in edit.changes if change.field is not Field.SORT_TITLE]
        if not changes:
            return
        current = [item.fields.get(change.field) for change in changes]
        if not all(
            written is not None and _same(written.value, change.after)
            for written, change in zip(current, changes, strict=True)
        ):
            return
        latest = max((written for written in current if written is not None), key=lambda written: written.arrived_at)
        names = ", ".join(change.field.value for change in changes)
        self._doubled_or_excused(item, latest, sender, f"{names} of {item.rating_key} written, which it shows already")

    def _doubled_or_excused(self, item: PlexItem, latest: Written, sender: Sender, what: str) -> None:
        """Excused is who read before the equal write became visible, and did not make that write since."""
        read_at = sender.last_read.get(item.rating_key, -1.0)
        blind = latest.by == sender.process and latest.arrived_at > read_at
        if latest.visible_at > read_at and not blind:
            self.count.excused += 1
            return
        self.count.doubled += 1
        self.violate(
            "doubled",
            f"{what} (by {sender.name}, which read it at {read_at:.3f}; written by {latest.by} at "
            f"{latest.arrived_at:.3f}, visible from {latest.visible_at:.3f})",
        )


@dataclass(frozen=True)
class Sender:
    """Who sent a request, and when it last read which item."""

    process: str
    task: str
    last_read: Mapping[str, float]

    @property
    def name(self) -> str:
        return f"{self.process}/{self.task}"


@dataclass(eq=False)
class Reply:
    """An answer on its way."""

    world: PlexWorld
    value: Any = None
    error: Exception | None = None
    has_come: bool = False

    def come(self) -> None:
        """Arrive at the client; if the server has gone by now, what it did is not heard of."""
        if self.world.state in {REFUSED, STARTING}:
            self.be_cut()
        else:
            self._end()

    def be_cut(self) -> None:
        """Break off: the client asks for a sign of life, and there is none."""
        if not self.has_come:
            self.error = PlexServerDown("cut the connection and does not answer any more")
        self._end()

    def _end(self) -> None:
        self.has_come = True
        if self in self.world.under_way:
            self.world.under_way.remove(self)


def _same(left: FieldValue, right: FieldValue) -> bool:
    return left == right if isinstance(left, str) or isinstance(right, str) else set(left) == set(right)
