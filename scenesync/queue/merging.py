"""How events about one thing become one job. Pure: values in, values out."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from scenesync.queue.records import PRIORITY_BULK, Job

RETRY_FIELDS: Final = ("retry_count", "next_retry_at", "last_error_type")
_DECIDED: Final = "decided"  # domain.job, which the hook does not load
_DESTROY: Final = "destroy"
_ROW_ID_FIELD: Final = "pqid"
# Kept: `json.dumps` with separators makes an encoder per call, and `json.loads` asks many questions first.
_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode
_from_json: Final = json.JSONDecoder().decode


class Standing(NamedTuple):
    """A job as it stands in a queue: its lane, when its newest event happened (epoch seconds), how often handed out."""

    job: Job
    lane: int
    event_at: float
    deliveries: int


def joined_by_event(
    waiting: Standing, event: Mapping[str, Any], happened_at: float, *, lane: int, now: float, newest: bool
) -> Standing:
    """Return what stands for ``waiting`` and an event that comes to it.

    ``newest`` is False for events that may come late (spool, replay): then the times of the events decide.
    """
    is_newest = newest or happened_at >= waiting.event_at
    job = merge(waiting.job, event, event_is_newest=is_newest, by_person=is_by_person(lane))
    # The arrival order of live events outranks their clocks, which may have been set back.
    latest = now if newest else max(happened_at, waiting.event_at)
    return Standing(job, min(lane, waiting.lane), latest, waiting.deliveries)


def joined_by_run(waiting: Standing, run: Standing) -> Standing:
    """Return what stands for ``waiting`` and the job of a run that goes back behind it.

    What waits may be the older one: a replay, a late event. By a person or not is no question here: the retry state
    stays that of the job that waits.
    """
    job = merge(waiting.job, run.job, event_is_newest=run.event_at > waiting.event_at, by_person=False)
    return Standing(
        job,
        min(run.lane, waiting.lane),
        max(run.event_at, waiting.event_at),
        max(run.deliveries, waiting.deliveries),
    )


def merge(waiting: Mapping[str, Any], event: Mapping[str, Any], *, event_is_newest: bool, by_person: bool) -> Job:
    """Return the one job that stands for ``waiting`` and a further ``event`` under the same key.

    The newest content wins, the earliest ``enqueued_at`` stays; what a person decided about a scene that was gone says
    nothing of a deletion that is told afterwards. Retry state is the waiting job's own, so that an event
    never delays a job that is due; when a person changed the thing anew, it is cleared.
    """
    merged: Job = {**waiting, **event} if event_is_newest else {**event, **waiting}
    newest = event if event_is_newest else waiting
    if newest.get("update_type") == _DESTROY and _DECIDED not in newest:
        merged.pop(_DECIDED, None)
    times = [job["enqueued_at"] for job in (waiting, event) if isinstance(job.get("enqueued_at"), int | float)]
    if times:
        merged["enqueued_at"] = min(times)
    for field in RETRY_FIELDS:
        merged.pop(field, None)
        if field in waiting and not (by_person and event_is_newest):
            merged[field] = waiting[field]
    return _with_all_sources(_with_file_kept(merged, waiting), waiting, event)


def _with_file_kept(merged: Job, waiting: Mapping[str, Any]) -> Job:
    """Keep the file that a failed job waits for, by whose name it is woken, where the event names none."""
    data, known = merged.get("data"), waiting.get("data")
    if "last_error_type" not in merged or not isinstance(data, dict) or not isinstance(known, dict):
        return merged
    return {**merged, "data": {**data, "path": known["path"]}} if "path" in known and "path" not in data else merged


def _with_all_sources(merged: Job, waiting: Mapping[str, Any], event: Mapping[str, Any]) -> Job:
    """Keep what both fan-outs say was merged into one, since nobody says it again; with news it starts over."""
    sources = {each for job in (waiting, event) for each in _sources(job)}
    data = merged.get("data")
    if not isinstance(data, dict) or sources == set(_sources(merged)):
        return merged
    change = {name: data[name] for name in ("entity", "id") if name in data}
    return {**merged, "data": {**change, "sources": sorted(sources)}}


def _sources(job: Mapping[str, Any]) -> list[Any]:
    data = job.get("data")
    sources = data.get("sources") if isinstance(data, dict) else None
    return sources if isinstance(sources, list) else []


def without_retry_state(job: Mapping[str, Any]) -> Job:
    """Return ``job`` as if it had never failed."""
    return {name: value for name, value in job.items() if name not in RETRY_FIELDS}


def undecided(job: Mapping[str, Any]) -> Job:
    """Return ``job`` as if no person had been asked about its scene, which is gone."""
    return {name: value for name, value in job.items() if name != _DECIDED}


def is_by_person(priority: int) -> bool:
    """Return whether jobs of this lane stand for something that a person did: saved a scene, renamed a performer."""
    return priority != PRIORITY_BULK


def event_time(job: Mapping[str, Any], default: float) -> float:
    """Return when the event of ``job`` happened, in epoch seconds."""
    value = job.get("enqueued_at")
    return float(value) if isinstance(value, int | float) else default


def encode(job: object) -> bytes:
    """Return ``job`` as persist-queue's JSON serialiser stores it; ``pqid`` is the row's own id and not stored."""
    if isinstance(job, dict) and _ROW_ID_FIELD in job:
        job = {name: value for name, value in job.items() if name != _ROW_ID_FIELD}
    return _to_json(job).encode("ascii")


def decode(data: object) -> object:
    """Return what a row holds. Raises ValueError if that is not JSON in UTF-8."""
    if isinstance(data, bytes):
        data = data.decode("utf-8")
    if isinstance(data, str):
        return _from_json(data)
    raise ValueError(f"a row holds {type(data).__name__}, not JSON")


def decode_job(data: object) -> Job:
    """Return the job that a row holds. Raises ValueError if it is not a JSON object."""
    job = decode(data)
    if not isinstance(job, dict):
        raise ValueError(f"a row holds a JSON {type(job).__name__}, not an object")  # noqa: TRY004
    return job
