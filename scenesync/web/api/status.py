"""How things stand, and what happens now."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from scenesync.web.asking import Limit, ServicesGiven
from scenesync.web.event_stream import KINDS, EventStream
from scenesync.web.models.common import SceneId
from scenesync.web.models.state import Attempt, CheckReport, Circuit, CircuitName, ClosedCircuit, Outage, Status, Widget
from scenesync.web.problems import Unavailable

router = APIRouter(tags=["status"])

EventKind = Literal["status", "attempt", "task", "log"]


@router.get("/status")
def status(services: ServicesGiven) -> Status:
    """Return how things stand: queue, servers, circuit, rates, outages, stopped runs."""
    return services.standing.status()


@router.get("/widget")
def widget(services: ServicesGiven) -> Widget:
    """Return the most important figures, flat, for start pages."""
    now = services.standing.status()
    return Widget(
        state=_mood(now),
        pending=now.pending,
        in_progress=now.in_progress,
        dead_letters=now.dead_letters,
        completed=now.completed_total,
        synced_last_hour=now.last_hour.get("synced", 0),
        oldest_pending_s=now.oldest_pending_s,
        plex=now.plex,
        stash=now.stash,
        circuit=now.circuit,
    )


def _mood(now: Status) -> Literal["ok", "working", "paused", "attention"]:
    if now.paused is not None:
        return "paused"
    if now.dead_letters or now.stopped_runs or "down" in {now.plex, now.stash}:
        return "attention"
    return "working" if now.pending or now.in_progress else "ok"


@router.get("/checks")
def checks(services: ServicesGiven) -> CheckReport:
    """Return what the doctor found last, each finding with its cure. The task ``doctor`` looks anew."""
    return services.standing.checks()


@router.get("/outages")
def outages(services: ServicesGiven, limit: Limit = 100) -> Sequence[Outage]:
    """Return the latest outages of both servers, newest first."""
    return services.standing.outages(limit)


@router.get("/attempts")
def attempts(services: ServicesGiven, limit: Limit = 100) -> Sequence[Attempt]:
    """Return the latest attempts at any scene, newest first. New ones come as ``attempt`` events."""
    return services.standing.attempts(limit)


@router.get("/circuit")
def circuit(services: ServicesGiven) -> Mapping[CircuitName, Circuit]:
    """Return the circuit breakers of both servers."""
    return services.standing.circuits()  # type: ignore[return-value] # keys are these names


@router.post("/circuit/{service}/reset")
def reset_circuit(services: ServicesGiven, service: CircuitName) -> Mapping[CircuitName, ClosedCircuit]:
    """Close a circuit. If its server still fails, jobs wait as before: none is lost or spent."""
    return services.standing.reset_circuit([service])  # type: ignore[return-value] # as above


@router.get("/events", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def events(
    request: Request,
    services: ServicesGiven,
    kinds: Annotated[list[EventKind] | None, Query(description="Only events of these kinds.")] = None,
    scene_id: Annotated[SceneId | None, Query(description="No attempts at other scenes than this one.")] = None,
    last_event_id: Annotated[int | None, Header(ge=0, description="Go on behind this event.")] = None,
) -> EventStream:
    """Tell what happens now, as server-sent events, until the listener leaves.

    ``status`` comes when something has changed, every two seconds at most; ``attempt`` for each attempt at a scene;
    ``task`` for progress; ``log`` for each line. ``missed`` says how many events a slow listener did not get.
    """
    audience = request.app.state.audience
    if audience.is_full:
        raise Unavailable("Too many listen already.", code="too-many-listeners")
    return EventStream(
        services.events,
        audience,
        kinds=frozenset(kinds) if kinds else KINDS,
        scene_id=scene_id,
        after=last_event_id,
    )
