"""A small household with something of everything that pages show, and a daemon that serves them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from live_world import PATIENCE_S, PLEX_ROOT, LiveWorld, eventually

if TYPE_CHECKING:
    from scenesync.simulators.plex.model import PlexItem
    from scenesync.simulators.stash.records import Scene

KEY: Final = "fake-http-key-0123456789"
SERVED: Final = {"http_enabled": "true", "http_port": "0", "http_api_key": KEY}
UNSETTLED: Final = "Twin piers"
_ADDRESS: Final = re.compile(r"dashboard and API at (http://\S+)")


@dataclass(frozen=True, slots=True)
class Household:
    """Three scenes that are in sync, and one that Plex has ``twice`` (as the ``rivals``).

    Plex has another one twice (UNSETTLED), which no test settles: pages about dead letters are never empty. One more
    waits, since Plex lacks it.
    """

    world: LiveWorld
    url: str
    dawn: Scene
    noon: Scene
    walk: Scene
    twice: Scene
    rivals: tuple[PlexItem, PlexItem]


def furnish(world: LiveWorld, within_s: float = PATIENCE_S) -> Household:
    """Fill Stash and Plex, start the daemon, and return when it has looked at every scene."""
    pier = world.stash.add_studio("Pier Records")
    ada, ben = world.stash.add_performer("Ada Quay"), world.stash.add_performer("Ben Shore")
    tags = [world.stash.add_tag(name) for name in ("Harbour", "Morning", "Travel")]
    shared = {"studio": pier, "performers": [ada, ben], "tags": tags, "date": "2024-05-17"}
    dawn = world.add_scene("Harbour at dawn", details="Boats leave before the town wakes.", **shared)
    noon = world.add_scene("Market at noon", details="A walk between stalls.", **shared)
    walk = world.add_scene("Lighthouse walk", details="Up the stairs at low tide.", **shared)
    twice = world.add_scene("Northern lights", in_plex=False)
    rivals = _rivals(world, twice)
    _rivals(world, world.add_scene(UNSETTLED, in_plex=False))
    world.add_scene("Night train", in_plex=False)
    daemon = world.daemon(**SERVED)
    daemon.wait_for_log("dashboard and API at ")
    found = _ADDRESS.search(daemon.log)
    assert found is not None
    eventually(lambda: is_quiet(world), "all done but what Plex lacks or has twice", within_s)
    return Household(world, found[1], dawn, noon, walk, twice, rivals)


def is_quiet(world: LiveWorld) -> bool:
    """Say whether nothing is left to do but to wait for the one scene that Plex lacks."""
    queue = world.queue()
    return (queue.pending, queue.due, queue.in_progress, queue.dead_letters) == (1, 0, 0, 2)


def _rivals(world: LiveWorld, scene: Scene) -> tuple[PlexItem, PlexItem]:
    """Let Plex have the scene's file twice, at other paths than the mapped one."""
    first, second = (
        world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/{scene.title}.mp4", size_bytes=1_000_000)
        for folder in ("Attic", "Cellar")
    )
    return first, second
