"""Jobs of Stash's queue."""

from __future__ import annotations

from dataclasses import dataclass

from scenesync.stash.parse import to_int


@dataclass(frozen=True, slots=True)
class Job:
    """A job of Stash's queue. ``is_over``: it has ended, however."""

    id: int
    description: str = ""
    is_over: bool = False


def to_job(document: object, *, is_over: bool = False) -> Job | None:
    """Return the job in ``document``, None if it has no usable id."""
    fields = document if isinstance(document, dict) else {}
    job_id, description = to_int(fields.get("id")), fields.get("description")
    return None if job_id is None else Job(job_id, description if isinstance(description, str) else "", is_over)
