"""The job dict: one durable unit of work, exactly as it stands in the queue (a plain JSON-able dict)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Job = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job in the hands of this process: only its holder can complete, requeue, release or bury it.

    ``deliveries`` counts how often it was handed to a worker, this time included; ``claim_no`` tells this claim from
    later ones of the same row; ``enqueued_timestamp`` is in epoch seconds.
    """

    row_id: int
    job: Job
    deliveries: int = 1
    enqueued_timestamp: float = 0.0
    claim_no: int = 0
    priority: int = 10

    @property
    def scene_id(self) -> int:
        """The scene that the job is about (0 for a fan-out)."""
        return int(self.job["scene_id"])

    @property
    def job_key(self) -> str | None:
        """The key under which events for the same thing merge."""
        return self.job.get("job_key")


METADATA: Final = "metadata"
DESTROY: Final = "destroy"
FANOUT: Final = "fanout"

RETRY_FIELDS: Final = ("retry_count", "next_retry_at", "last_error_type")

PRIORITY_PERSON: Final = 0
"""A person just saved this scene."""
PRIORITY_BULK: Final = 10
PRIORITY_FANOUT: Final = 20
"""A person changed what many scenes show: found and enqueued when nothing else is due."""


LOOK: Final = "look"
"""The field of a job of the bulk that says: look at the scene in Plex, whatever is known of it."""


DECIDED: Final = "decided"
"""The field of a job that a person let go on who was asked: a scene that is gone is parted with, however many are."""


SERVER: Final = "server"
"""The field of a job that says of which Stash it is, if that is not the first one."""


KeyOf = Callable[[int], str]
"""Which ``job_key`` the events of a scene have: ``scene_key``, or that of a further Stash's scene."""


def scene_key(scene_id: int) -> str:
    """Return the ``job_key`` under which all events of a scene merge."""
    return f"scene_{scene_id}"


def key_of_server(server: str, job_key: str) -> str:
    """Return the key under which events for a thing of a further Stash merge; ``server`` is its name."""
    return f"{server}:{job_key}"


def of_server(server: str, job: Mapping[str, Any]) -> Job:
    """Return the job of a further Stash, marked as its; one that is marked already stays as it is."""
    if job.get(SERVER) == server:
        return dict(job)
    marked: Job = {**job, SERVER: server}
    key = job.get("job_key")
    if isinstance(key, str):
        marked["job_key"] = key_of_server(server, key)
    return marked


def scene_job(
    scene_id: int,
    now: float,
    *,
    update_type: str = METADATA,
    data: dict[str, Any] | None = None,
    look: bool = False,
    decided: bool = False,
) -> Job:
    """Return a new job for a scene; ``now`` is epoch seconds, ``data`` a hint for display (path, title).

    With ``look`` the scene is looked at in Plex also where it is known that nothing has changed since the last look;
    ``decided`` says that a person was asked, and wants it.
    """
    job: Job = {
        "scene_id": scene_id,
        "update_type": update_type,
        "data": data or {},
        "enqueued_at": now,
        "job_key": scene_key(scene_id),
    }
    marks = {LOOK: look, DECIDED: decided}
    return {**job, **{mark: True for mark, is_set in marks.items() if is_set}}


def may_rely(claim: ClaimedJob) -> bool:
    """Say whether a scene may be left alone where what is known of it says that Plex shows it as wanted.

    That is so in the bulk: what a person asks for by name is looked at.
    """
    job = claim.job
    return claim.priority >= PRIORITY_BULK and job.get("update_type", METADATA) == METADATA and not job.get(LOOK)


def lane_of_event(job: Job) -> int:
    """Return the priority of an event that a person caused."""
    return PRIORITY_FANOUT if job.get("update_type") == FANOUT else PRIORITY_PERSON


def subject(job: Job) -> str:
    """Return what the job is about, in words for people."""
    if job.get("update_type") == FANOUT and isinstance(key := job.get("job_key"), str):
        return f"all scenes of {entity_words(key)}"
    return f"scene {job.get('scene_id')}"


def entity_words(job_key: str) -> str:
    """Return what a fan-out is about, in words for people."""
    return job_key.rpartition(":")[2].replace("_", " ")


def retry_count(job: Job) -> int:
    """Return how often the job has failed so far (0 for a new one)."""
    value = job.get("retry_count")
    return value if isinstance(value, int) else 0


def without_retry_state(job: Job) -> Job:
    """Return the job as if it had never failed."""
    return {key: value for key, value in job.items() if key not in RETRY_FIELDS}
