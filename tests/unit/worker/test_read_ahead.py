from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.item import Item
from scenesync.domain.scene import Scene
from scenesync.plex.exceptions import PlexPermanentError, PlexServerDown
from scenesync.worker import read_ahead
from scenesync.worker.read_ahead import SCENES_AT_ONCE, ReadAhead

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCENES = [Scene(number) for number in range(1, 2 * SCENES_AT_ONCE + 1)]


@dataclass
class Reader:
    """Every scene has the item of its own number."""

    reads: list[list[int]] = field(default_factory=list)
    error: Exception | None = None

    def read_ahead(self, scenes: Sequence[Scene]) -> Mapping[str, Item]:
        self.reads.append([scene.id for scene in scenes])
        if self.error is not None:
            raise self.error
        return {str(scene.id): Item(str(scene.id), "1", (), {}) for scene in scenes}


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_the_first_scene_reads_for_those_behind_it(reader: Reader) -> None:
    ahead = ReadAhead(reader, SCENES)
    for scene in SCENES:
        assert str(scene.id) in ahead.items_for(scene)
    assert [len(read) for read in reader.reads] == [SCENES_AT_ONCE, SCENES_AT_ONCE]


def test_scenes_may_come_in_any_order(reader: Reader) -> None:
    ahead = ReadAhead(reader, SCENES[:10])
    for scene in reversed(SCENES[:10]):
        assert str(scene.id) in ahead.items_for(scene)
    assert len(reader.reads) == 1


def test_what_was_read_long_ago_is_read_again_with_all_that_is_left(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = ReadAhead(reader, SCENES[:10])
    ahead.items_for(SCENES[0])
    ahead.items_for(SCENES[1])
    monkeypatch.setattr(read_ahead, "FRESH_S", -1.0)
    assert str(SCENES[5].id) in ahead.items_for(SCENES[5])
    assert reader.reads[1] == [6, 3, 4, 5, 7, 8, 9, 10]


def test_a_read_that_fails_for_now_is_the_error_of_the_scene_that_came_for_it(reader: Reader) -> None:
    reader.error = PlexServerDown("refused")
    ahead = ReadAhead(reader, SCENES[:10])
    with pytest.raises(PlexServerDown):
        ahead.items_for(SCENES[0])
    assert all(ahead.items_for(scene) == {} for scene in SCENES[1:10])
    assert len(reader.reads) == 1


def test_a_read_that_is_refused_for_good_is_nobodys_error_since_it_may_be_about_any_item(reader: Reader) -> None:
    reader.error = PlexPermanentError("403")
    ahead = ReadAhead(reader, SCENES[:10])
    assert all(ahead.items_for(scene) == {} for scene in SCENES[:10])
    assert len(reader.reads) == 1


def test_a_scene_that_comes_twice_is_read_once_more_only_when_it_is_stale(reader: Reader) -> None:
    ahead = ReadAhead(reader, SCENES[:2])
    assert ahead.items_for(SCENES[0]) == ahead.items_for(SCENES[0])
    assert len(reader.reads) == 1
