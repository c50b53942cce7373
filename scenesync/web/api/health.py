"""What orchestrators, Prometheus and start pages ask for."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from scenesync.web import prometheus
from scenesync.web.asking import ServicesGiven
from scenesync.web.models.state import Alive, Readiness

router = APIRouter(tags=["health"])

_DEAD: dict[int | str, dict[str, Any]] = {HTTPStatus.SERVICE_UNAVAILABLE.value: {"model": Alive}}
_NOT_READY: dict[int | str, dict[str, Any]] = {HTTPStatus.SERVICE_UNAVAILABLE.value: {"model": Readiness}}


@router.get("/health/live", response_model=Alive, responses=_DEAD)
async def live(services: ServicesGiven) -> Response:
    """Say whether the loop goes round. Needs no key; asks nothing that could hang."""
    alive = services.health.alive()
    status = HTTPStatus.OK if alive.alive else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(alive.model_dump(), status)


@router.get("/health/ready", response_model=Readiness, responses=_NOT_READY)
def ready(services: ServicesGiven) -> Response:
    """Say whether the stores answer. Needs no key; a Plex that is down is no reason not to be ready."""
    readiness = services.health.readiness()
    status = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(readiness.model_dump(), status)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(services: ServicesGiven) -> Response:
    """Return the figures as Prometheus reads them."""
    return Response(services.metrics.text(), media_type=prometheus.MEDIA_TYPE)
