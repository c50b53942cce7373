"""What is asked of Stash about studios above studios and tags above tags, against the simulated one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scenesync.domain.desired import studio_line
from scenesync.simulators.stash.server import StashSimulator
from scenesync.stash.client import StashClient
from scenesync.stash.queries import STUDIO_LEVELS, TAG_LEVELS, Extras

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.domain.scene import Tag

pytestmark = pytest.mark.integration


@pytest.fixture
def stash() -> Iterator[StashSimulator]:
    with StashSimulator() as running:
        yield running


def depth(tag: Tag) -> int:
    return 1 + max(map(depth, tag.parents), default=0)


def test_the_studios_above_come_up_to_the_root(stash: StashSimulator) -> None:
    studio = stash.add_studio("Studio 0")
    for number in range(1, STUDIO_LEVELS + 1):
        studio = stash.add_studio(f"Studio {number}", studio)
    scene = stash.add_scene(title="Walk", studio=studio)
    with StashClient(stash.url) as client:
        found = client.scenes([scene.id])[scene.id]
    assert studio_line(found.studio) == tuple(f"Studio {number}" for number in range(STUDIO_LEVELS, -1, -1))


def test_of_the_tags_above_only_the_parents_come_unless_all_are_asked_for(stash: StashSimulator) -> None:
    tag = stash.add_tag("Tag 0")
    for number in range(1, TAG_LEVELS + 1):
        tag = stash.add_tag(f"Tag {number}", parents=[tag])
    first, second = (stash.add_scene(title="Walk", tags=[tag]) for _ in range(2))
    with StashClient(stash.url) as client:
        assert depth(client.scenes([first.id])[first.id].tags[0]) == 2
        client.extras = Extras(tag_parents=True)
        both = client.scenes([first.id, second.id])
        alone = client.scenes([first.id, 999_999])  # asked one by one, since one is missing
    assert depth(both[second.id].tags[0]) == TAG_LEVELS + 1
    assert alone[first.id].tags == both[first.id].tags


def test_gender_and_favourites_come_with_the_performers(stash: StashSimulator) -> None:
    ann = stash.add_performer("Ann")
    stash.save_performer(ann, gender="TRANSGENDER_FEMALE", favorite=True)
    scene = stash.add_scene(title="Walk", performers=[ann, stash.add_performer("Bo")])
    with StashClient(stash.url) as client:
        known, unknown = client.scenes([scene.id])[scene.id].performers
    assert (known.gender, known.favorite) == ("transgender_female", True)
    assert (unknown.gender, unknown.favorite) == ("", False)
