"""Performers, studios, tags and groups: what many scenes show at once. Their changes as jobs (fan-outs). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard

from scenesync.domain.errors import PermanentError
from scenesync.domain.job import FANOUT, without_retry_state

if TYPE_CHECKING:
    from scenesync.domain.job import Job


class Entity(StrEnum):
    """A kind of thing that scenes refer to; its scenes' ``updated_at`` stays when it changes (facts/stash.md 0.5)."""

    PERFORMER = "performer"
    STUDIO = "studio"
    TAG = "tag"
    GROUP = "group"


class Relation(NamedTuple):
    """That a scene shows something of one entity."""

    entity: Entity
    id: int


@dataclass(frozen=True, slots=True)
class EntityChange:
    """One entity was renamed, deleted, given another parent or picture, or others (``sources``) were merged into it."""

    entity: Entity
    id: int
    sources: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Every id whose scenes are concerned."""
        return (self.id, *self.sources)

    @property
    def key(self) -> str:
        """What tells the change of one entity from that of another: the key of its job."""
        return f"{self.entity.value}_{self.id}"

    def __str__(self) -> str:
        merged = f" (with {', '.join(map(str, self.sources))} merged into it)" if self.sources else ""
        return f"{self.entity.value} {self.id}{merged}"


_CURSOR: Final = "after"
"""In ``data``: up to which id the scenes are found already. A newer event replaces ``data``, so that it starts over."""


def fan_out_job(change: EntityChange, now: float) -> Job:
    """Return the job that brings all scenes up to date which show what changed; ``now`` is epoch seconds."""
    sources = {"sources": list(change.sources)} if change.sources else {}
    return {
        "scene_id": 0,
        "update_type": FANOUT,
        "data": {"entity": change.entity.value, "id": change.id, **sources},
        "enqueued_at": now,
        "job_key": change.key,
    }


def change_of(job: Job) -> EntityChange:
    """Return the change that a fan-out job is about. Raises PermanentError for a job that names none."""
    data = job.get("data")
    facts = data if isinstance(data, dict) else {}
    entity, entity_id, sources = facts.get("entity"), facts.get("id"), facts.get("sources", ())
    if entity not in tuple(Entity) or not _is_id(entity_id):
        raise PermanentError(f"This is no fan-out that SceneSync knows: {entity=} id={entity_id!r}.")
    known = sources if isinstance(sources, (list, tuple)) else ()
    return EntityChange(Entity(entity), entity_id, tuple(sorted({each for each in known if _is_id(each)})))


def found_up_to(job: Job) -> int:
    """Return the id of the last scene that was found already, 0 at the beginning."""
    data = job.get("data")
    last = data.get(_CURSOR) if isinstance(data, dict) else None
    return last if _is_id(last) else 0


def continued(job: Job, last_scene_id: int) -> Job:
    """Return the job as it goes on behind that scene: with all tries, since it is not the next page that failed."""
    return {**without_retry_state(job), "data": {**job["data"], _CURSOR: last_scene_id}}


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
