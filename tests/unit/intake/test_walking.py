from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.scene import SceneFile
from scenesync.intake import walking
from scenesync.intake.walking import IDS_AT_ONCE, PAGE_SIZE, Found, Place
from scenesync.stash.parse import SceneHint

if TYPE_CHECKING:
    from collections.abc import Iterable

Files = tuple[SceneFile, ...]


def file(scene_id: int, folder: str = "Films") -> Files:
    return (SceneFile(f"/data/{folder}/{scene_id}.mp4", 1_000 + scene_id, 60.5),)


@dataclass
class Stash:
    files: dict[int, Files] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def scene_count(self) -> int:
        self.asked.append("count")
        return len(self.files)

    def scene_ids_after(self, last_id: int, limit: int) -> list[int]:
        self.asked.append("ids")
        return self._ids(last_id, limit)

    def scene_files_after(self, last_id: int, limit: int) -> list[SceneHint]:
        self.asked.append("files")
        return [SceneHint(each, files=self.files[each]) for each in self._ids(last_id, limit)]

    def _ids(self, last_id: int, limit: int) -> list[int]:
        return [each for each in sorted(self.files) if each > last_id][:limit]


class Known(dict[int, Files]):
    def ids_between(self, after: int, through: int) -> list[int]:
        return [each for each in sorted(self) if after < each <= through]

    def files_between(self, after: int, through: int) -> dict[int, Files]:
        return {each: self[each] for each in self.ids_between(after, through)}


@dataclass
class Walker:
    """A walk that remembers its place, over the scenes ``ids``, all of which the worker has read."""

    stash: Stash
    known: Known
    place: Place = field(default_factory=Place)

    @classmethod
    def over(cls, ids: Iterable[int]) -> Walker:
        files = {each: file(each) for each in ids}
        return cls(Stash(dict(files)), Known(files))

    def step(self) -> Found:
        found = walking.step(self.place, self.stash, self.known)
        self.place = Place.from_text(walking.with_told(found.place, found.gone).to_text())
        return found

    def round(self) -> tuple[set[int], list[int]]:
        """Go once around; return the ids of what changed and, in order, those of what is gone."""
        changed: set[int] = set()
        gone: list[int] = []
        while True:
            found = self.step()
            changed |= {hint.id for hint in found.changed}
            gone += found.gone
            if self.place.after == 0:
                return changed, gone


def test_a_small_library_costs_two_small_requests_a_look() -> None:
    walker = Walker.over(range(1, 100))
    for _ in range(3):
        found = walker.step()
        assert (found.changed, found.gone) == ((), ())
    assert walker.stash.asked == ["count", "files"] * 3


def test_a_large_library_is_walked_a_page_a_look_and_the_place_is_kept() -> None:
    walker = Walker.over(range(1, 3 * PAGE_SIZE + 11))
    places = []
    for _ in range(5):
        walker.step()
        places.append(walker.place.after)
    assert places == [PAGE_SIZE, 2 * PAGE_SIZE, 3 * PAGE_SIZE, 0, PAGE_SIZE]


def test_a_moved_file_is_found_within_a_round_whatever_the_times_say() -> None:
    walker = Walker.over(range(1, 2 * PAGE_SIZE))
    walker.round()
    walker.stash.files[700] = file(700, folder="Concerts")
    assert walker.round() == ({700}, [])
    walker.known[700] = walker.stash.files[700]  # the worker has read it
    assert walker.round() == (set(), [])


def test_a_scene_that_nobody_has_read_is_no_news_unless_its_id_is_new() -> None:
    walker = Walker.over(range(1, 50))
    del walker.known[7]
    walker.round()
    assert walker.round() == (set(), [])
    walker.stash.files[51] = file(51)  # imported, with the times that it had elsewhere
    assert walker.round() == ({51}, [])


def test_a_deletion_is_found_at_the_next_look_wherever_the_walk_stands() -> None:
    walker = Walker.over(range(1, 4 * PAGE_SIZE))
    walker.step()
    del walker.stash.files[3 * PAGE_SIZE + 5]
    assert walker.step().gone == (3 * PAGE_SIZE + 5,)


def test_a_deletion_beside_a_new_scene_is_found_within_a_round() -> None:
    walker = Walker.over(range(1, 2 * PAGE_SIZE))
    walker.round()
    del walker.stash.files[10]
    walker.stash.files[5_000] = file(5_000)
    assert walker.round() == ({5_000}, [10])


def test_what_vanished_together_is_found_together() -> None:
    everything = 4 * IDS_AT_ONCE
    walker = Walker.over(range(1, everything + 1))
    walker.round()
    walker.stash.files.clear()
    assert len(walker.step().gone) == everything
    assert walker.round() == (set(), [])


def test_the_ids_of_a_whole_library_are_asked_for_only_when_scenes_are_missing() -> None:
    walker = Walker.over(range(1, 3 * IDS_AT_ONCE + 1))
    walker.round()
    assert "ids" not in walker.stash.asked
    del walker.stash.files[1]
    walker.stash.asked.clear()
    walker.step()
    assert walker.stash.asked.count("ids") == 3
    walker.stash.asked.clear()
    walker.round()
    assert "ids" not in walker.stash.asked, "it was told of already"


def test_a_scene_without_files_and_one_that_got_some_are_told_apart() -> None:
    walker = Walker.over([1, 2])
    walker.known[1] = walker.stash.files[1] = ()
    assert walker.round() == (set(), [])
    walker.stash.files[1] = file(1)
    assert walker.round() == ({1}, [])


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_to_a_library_everything_is_told_of_once(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - an example, not a secret
    walker = Walker.over(range(1, 1_500))
    walker.round()
    told: list[int] = []
    gone: set[int] = set()
    for _ in range(30):
        for scene_id in chance.sample(sorted(walker.stash.files), 3):
            del walker.stash.files[scene_id]
            gone.add(scene_id)
        if chance.random() < 0.5:
            fresh = max(walker.stash.files) + 1
            walker.stash.files[fresh] = walker.known[fresh] = file(fresh)
        told += walker.step().gone
        for scene_id in chance.sample(told, min(len(told), 2)):
            walker.known.pop(scene_id, None)  # parted with
    told += walker.round()[1]
    assert sorted(told) == sorted(gone)
