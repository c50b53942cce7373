"""The settings in force, and whether what they name answers."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path

from scenesync.web.asking import ServicesGiven, asking_servers
from scenesync.web.models.scenes import Connection, PathMap, Setting, WritePathMap
from scenesync.web.problems import documented

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


@router.get("/path-map")
def path_map(services: ServicesGiven) -> PathMap:
    """Return the path map in force, the one that is proposed, and what was last written from here."""
    return services.path_maps.show()


@router.post("/path-map", responses=documented(409))
def write_path_map(services: ServicesGiven, what: WritePathMap) -> PathMap:
    """Write the proposed path map to the settings file, like ``scenesync doctor --write``, or put back the one before.

    The daemon takes it over by itself within seconds. Refused if another one is proposed by now.
    """
    return services.path_maps.write(what.rules)
