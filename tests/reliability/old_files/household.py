"""The household whose files are kept here: the same scenes and items for those who made them and those who test them.

Uses nothing but what every version of the simulators and of ``LiveWorld`` has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.e2e.live_world import LiveWorld

FILMS: Final = (
    "Harbour at dawn", "The night train", "A week in Bergen", "Concert in the park", "Lighthouse", "Two rivers",
    "The long way home", "Market day", "Glasshouse", "Northern summer", "The clockmaker", "Islands",
)  # fmt: skip
NOT_IN_PLEX: Final = 12
REFUSED_BY_PLEX: Final = 11
"""Its edit was answered with 400, so its job became a dead letter."""
CHANGED_SINCE: Final = (1, 2, 3, 4, 5, 6)
"""Scenes that were in sync, then got a new title; their jobs are in the queue or beside it."""
CHANGED_TWICE: Final = 2
"""Changed, in sync again, and changed once more."""
CHANGED_BEFORE: Final = 7
"""Changed, and in sync again."""


def title_before(scene_id: int) -> str:
    return FILMS[scene_id - 1]


def title_between(scene_id: int) -> str:
    return f"{FILMS[scene_id - 1]}, first cut"


def title_after(scene_id: int) -> str:
    return f"{FILMS[scene_id - 1]}, restored"


def furnish(world: LiveWorld) -> None:
    """Put the scenes into an empty Stash, and their files, but one, into an empty Plex."""
    studio = world.stash.add_studio("North Pier")
    people = [world.stash.add_performer(name) for name in ("Ann Example", "Bo Sample")]
    tags = [world.stash.add_tag(name) for name in ("Outdoor", "Music")]
    for scene_id in range(1, len(FILMS) + 1):
        fields: dict[str, Any] = {
            "details": f"The story of {FILMS[scene_id - 1]}.",
            "date": f"2020-05-{scene_id:02}",
            "studio": studio,
            "performers": people[: scene_id % 3],
            "tags": tags[: scene_id % 2 + 1],
        }
        scene = world.add_scene(title_before(scene_id), in_plex=scene_id != NOT_IN_PLEX, **fields)
        assert int(scene.id) == scene_id


def rename(world: LiveWorld, scene_id: int, title: str) -> None:
    """Let a person give a scene another title; Stash starts the hook."""
    world.stash.save(world.stash.library.scenes[scene_id], title=title)
