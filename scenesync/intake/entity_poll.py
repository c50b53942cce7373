"""Find performers, studios, tags and groups that changed, vanished or were merged although no hook said so.

Their changes leave the times of their scenes alone (facts/stash.md 0.5). A cursor over their own times finds edits;
what is gone is what scenes were seen to show and Stash does not have. What no scene shows is nobody's business.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.entities import Entity, EntityChange
from scenesync.intake.changes import OVERLAP_S
from scenesync.intake.fan_out import ask_for
from scenesync.stash.parse import to_time

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from scenesync.domain.showing import Showing
    from scenesync.intake.polling import Facts
    from scenesync.queue.records import EnqueueResult, FoundJobs
    from scenesync.stash.entity_client import EntityHint

log = logging.getLogger(__name__)

FEW_AT_MOST: Final = 20
"""So many at a time are fanned out one by one; of more the scenes are collected, so that they are judged together."""
SCENES_AT_ONCE: Final = 500
_BEGINNING: Final = "1970-01-01T00:00:00Z"


class Entities(Protocol):
    """Stash, as far as it tells of what scenes show (``stash.entity_client``)."""

    def updated_since(
        self, entity: Entity, since: datetime, *, overlap_s: float, zone_slack_s: float
    ) -> Iterator[EntityHint]:
        """Walk those changed since then, the last changed first."""
        ...

    def count(self, entity: Entity) -> int:
        """Return how many there are."""
        ...

    def ids(self, entity: Entity) -> set[int]:
        """Return all there are."""
        ...

    def version(self, entity: Entity, entity_id: int) -> str:
        """Return when one changed last, "" if there is none."""
        ...


class Shown(Protocol):
    """What scenes were seen to show (``store.traces``)."""

    def entities_shown(self, entity: Entity) -> set[int]:
        """Return every entity of a kind that a scene shows."""
        ...

    def scenes_showing(self, entity: Entity, ids: Sequence[int], after: int, limit: int) -> Sequence[int]:
        """Return the next scenes that show one of them."""
        ...


class FanOutQueue(Protocol):
    """A queue that takes fan-outs."""

    def put_job(self, job: dict[str, object], priority: int) -> EnqueueResult:
        """Enqueue one job durably."""
        ...

    def find(self, job_key: str) -> FoundJobs:
        """Return what waits and what runs under a key."""
        ...


class ManyScenes(Protocol):
    """Takes the scenes of many entities, to be judged as one run."""

    def changed(self, scene_ids: Sequence[int]) -> None:
        """Take scenes that Stash has."""
        ...


class LivingScenes(Protocol):
    """Stash, as far as it tells whether scenes are there."""

    def existing_scenes(self, ids: Iterable[int]) -> set[int]:
        """Return those of the scenes that there are."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """How far one kind was looked through: the latest time, what is done around it, how many there were.

    ``told`` are those that are gone and were said to be.
    """

    at: str
    seen: Mapping[int, str] = field(default_factory=dict)
    count: int = 0
    told: tuple[int, ...] = ()

    @classmethod
    def from_text(cls, text: str) -> Place:
        """Return the place that ``to_text`` wrote. Raises ValueError, KeyError."""
        document = json.loads(text)
        seen = {int(entity_id): at for entity_id, at in document["seen"].items()}
        return cls(document["at"], seen, document["count"], tuple(document["told"]))

    def to_text(self) -> str:
        """Return the place as text."""
        seen = {str(entity_id): at for entity_id, at in self.seen.items()}
        return json.dumps({"at": self.at, "seen": seen, "count": self.count, "told": self.told})


class ReadVersions:
    """Up to which version of an entity its scenes were looked for: what a hook announced is not done twice."""

    def __init__(self, entities: Entities, facts: Facts) -> None:
        self._entities = entities
        self._facts = facts

    def note(self, change: EntityChange) -> None:
        """Remember the present version. Raises what Stash's client and the store raise."""
        self._facts.note(_fact_of(change), self._entities.version(change.entity, change.id))

    def has_read(self, change: EntityChange, version: str) -> bool:
        """Say whether the scenes of this version were looked for."""
        return self._facts.recall(_fact_of(change)) == version


class EntityPoll:
    """Looks at one kind of entity after the other."""

    def __init__(
        self,
        entities: Entities,
        scenes: LivingScenes,
        shown: Shown,
        showing: Showing,
        facts: Facts,
        queue: FanOutQueue,
        many: ManyScenes,
    ) -> None:
        self._entities = entities
        self._scenes = scenes
        self._shown = shown
        self._showing = showing
        self._facts = facts
        self._queue = queue
        self._many = many
        self._versions = ReadVersions(entities, facts)

    def look(self, *, zone_slack_s: float, thoroughly: bool) -> int:
        """Ask for the fan-outs of what changed or vanished; return how many that were.

        ``thoroughly`` compares ids even where their number is the same as before. The first look of all at a kind only
        notes where to begin. Raises what Stash's client, the store, the queue and the judge raise.
        """
        kinds = [entity for entity in Entity if self._showing.shows(entity)]
        return sum(self._look_at(entity, zone_slack_s, thoroughly=thoroughly) for entity in kinds)

    def _look_at(self, entity: Entity, zone_slack_s: float, *, thoroughly: bool) -> int:
        name = f"stash poll of {entity.value}s"
        known = self._facts.recall(name)
        count = self._entities.count(entity)
        place = Place(_BEGINNING) if known is None else Place.from_text(known)
        since = to_time(place.at) or to_time(_BEGINNING)
        assert since is not None  # noqa: S101 - a constant is a time
        hints = self._entities.updated_since(entity, since, overlap_s=OVERLAP_S, zone_slack_s=zone_slack_s)
        if known is None:
            self._facts.note(name, _first_place(hints, count).to_text())
            return 0
        found = list(hints)
        shown = self._shown.entities_shown(entity) if found or thoroughly or count < place.count else set()
        news = [hint for hint in found if place.seen.get(hint.id) != hint.updated_at]
        changed = [EntityChange(entity, hint.id) for hint in news if hint.id in shown and self._is_news(entity, hint)]
        gone = self._gone(entity, shown) if thoroughly or count < place.count else set(place.told)
        self._ask([*changed, *(EntityChange(entity, each) for each in sorted(gone.difference(place.told)))])
        after = Place(*_moved_on(place, found), count=count, told=tuple(sorted(gone)))
        if after != place:
            self._facts.note(name, after.to_text())
        return len(changed) + len(gone.difference(place.told))

    def _gone(self, entity: Entity, shown: Collection[int]) -> set[int]:
        return set(shown) - self._entities.ids(entity)

    def _is_news(self, entity: Entity, hint: EntityHint) -> bool:
        change = EntityChange(entity, hint.id)
        return not self._versions.has_read(change, hint.updated_at) and not self._queue.find(change.key).waiting

    def _ask(self, changes: Sequence[EntityChange]) -> None:
        if not changes:
            return
        log.info("found changes in Stash of what scenes show, not done yet entities=%d", len(changes))
        if len(changes) <= FEW_AT_MOST:
            for change in changes:
                ask_for(self._queue, change)
            return
        concerned: set[int] = set()
        for change in changes:
            concerned.update(self._scenes_of(change))
        self._many.changed(sorted(self._scenes.existing_scenes(sorted(concerned))))

    def _scenes_of(self, change: EntityChange) -> Iterator[int]:
        page = self._shown.scenes_showing(change.entity, change.ids, 0, SCENES_AT_ONCE)
        while page:
            yield from page
            page = self._shown.scenes_showing(change.entity, change.ids, page[-1], SCENES_AT_ONCE)


def _first_place(hints: Iterator[EntityHint], count: int) -> Place:
    """Return where to begin: what changed so shortly before the latest that the next look sees it again is old, too."""
    latest = next(hints, None)
    newest = to_time(latest.updated_at) if latest is not None else None
    if latest is None or newest is None:
        return Place(_BEGINNING, count=count)
    seen = {latest.id: latest.updated_at}
    for hint in hints:
        moment = to_time(hint.updated_at)
        if moment is None or (newest - moment).total_seconds() > OVERLAP_S:
            break
        seen[hint.id] = hint.updated_at
    return Place(latest.updated_at, seen, count)


def _moved_on(place: Place, hints: Sequence[EntityHint]) -> tuple[str, Mapping[int, str]]:
    """Return the latest time, and those around it that are done with theirs."""
    times = {hint: moment for hint in hints if (moment := to_time(hint.updated_at)) is not None}
    before = to_time(place.at)
    at = place.at
    if times and (before is None or max(times.values()) >= before):
        at = max(times, key=lambda hint: times[hint]).updated_at
    return at, {hint.id: hint.updated_at for hint in hints}


def _fact_of(change: EntityChange) -> str:
    return f"fanned out {change.key}"
