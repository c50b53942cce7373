"""The settings in force, and whether what they name answers."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path

from scenesync.web.asking import ServicesGiven, asking_servers
from scenesync.web.models.scenes import Connection, Setting

router = APIRouter(tags=["settings"])


@router.get("/settings")
def settings(services: ServicesGiven) -> Sequence[Setting]:
    """List every setting with its value, where that came from and what it means. Secrets are masked."""
    return services.settings.all()


@router.post("/connections/{service}/test")
def test_connection(services: ServicesGiven, service: Annotated[Literal["plex", "stash"], Path()]) -> Connection:
    """Ask a server whether it accepts us."""
    with asking_servers():
        return services.settings.test_connection(service)
