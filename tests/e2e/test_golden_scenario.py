"""One household's films with every field, map, filter and limit: exactly what golden/films.toml says, item by item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from golden_scenario import Golden, complete, complete_collection, shown
from live_world import LiveWorld

from scenesync.app.exit_codes import DONE
from scenesync.simulators.plex.behaviour import PlexBehaviour

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def mistakes(golden: Golden, world: LiveWorld, when: str) -> list[str]:
    """Return a line for each field of each item that is not as the file says."""
    found = []
    for entry in golden.story["scene"]:
        expected = complete(entry.get(when, entry["expected"]))
        now = shown(golden.item(entry["file"]))
        found += [
            f"{entry['file']}: {name} is {now[name]!r}, not {expected[name]!r}"
            for name in now
            if now[name] != expected[name]
        ]
    return found + mistakes_in_collections(golden, world, when)


def mistakes_in_collections(golden: Golden, world: LiveWorld, when: str) -> list[str]:
    """Return a line for each collection that is not as the file says, or that it does not know of."""
    found = []
    for entry in golden.story["collection"]:
        expected = complete_collection(entry.get(when, entry["expected"]))
        now = golden.shown_collection(entry["title"])
        if now != expected:
            found.append(f"collection {entry['title']} is {now}, not {expected}")
    known = {entry["title"] for entry in golden.story["collection"]}
    return found + [
        f"there is a collection {each.title}" for each in world.plex.collections() if each.title not in known
    ]


@pytest.mark.parametrize(("tags", "decoding"), [("replace", "twice"), ("add", "once")])
def test_plex_shows_what_the_scenario_says(
    tmp_path: Path, tags: Literal["replace", "add"], decoding: Literal["once", "twice"]
) -> None:
    behaviour = PlexBehaviour(tags_on_items=tags, minus_decoding=decoding)
    with LiveWorld(tmp_path, behaviour=behaviour) as world:
        golden = Golden(world)
        golden.build()
        ran = world.scenesync("sync", "--all", sync_collection=None)
        assert ran.exit_code == DONE, ran.stderr
        assert mistakes(golden, world, "expected") == []

        golden.change()
        ran = world.scenesync("sync", "--all", sync_collection=None)
        assert ran.exit_code == DONE, ran.stderr
        assert mistakes(golden, world, "expected_later") == []

        world.plex.clear_records()
        assert world.scenesync("sync", "--all", sync_collection=None).exit_code == DONE
        assert world.plex.field_writes == []
        assert world.plex.whole_library_edits == []
        assert world.plex.simulator_failures == ()
