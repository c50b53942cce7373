"""Which routes a command is about. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.app.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.settings import Route


def matching_routes(routes: Sequence[Route], name: str) -> Sequence[Route]:
    """Return the route of this name, or those of the Stash or Plex of this name; all if it is "".

    Raises SettingsError.
    """
    if not name:
        return routes
    if not routes:
        raise SettingsError(
            [f"--route {name}: there is one Stash and one Plex, so there are no routes. Leave --route out."]
        )
    exact = [route for route in routes if route.name == name]
    found = exact or [route for route in routes if name in {route.stash, route.plex}]
    if not found:
        raise SettingsError([f"--route {name}: there is no such route. There are: {listed(routes)}."])
    return found


def one_route(routes: Sequence[Route], name: str) -> Route:
    """Return the one route that ``name`` says. Raises SettingsError if that is none or several."""
    found = matching_routes(routes, name)
    if len(found) != 1:
        about = f"--route {name} says several" if name else "There are several routes"
        raise SettingsError([f"{about}. Say which one, with --route: {listed(found)}."])
    return found[0]


def have_one_stash(routes: Sequence[Route]) -> bool:
    """Say whether the id of a scene means one and the same scene on all of these routes."""
    return len({route.stash for route in routes}) <= 1


def listed(routes: Sequence[Route]) -> str:
    """Return the names of routes for a message."""
    return ", ".join(route.name for route in routes)
