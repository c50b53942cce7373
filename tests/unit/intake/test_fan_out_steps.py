"""Fan-outs against doubles of their two sources that behave as these do: pages by id range, in rising order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenesync.domain.entities import Entity, EntityChange, fan_out_job
from scenesync.domain.errors import PermanentError, StashUnavailable
from scenesync.domain.fields import Field
from scenesync.domain.showing import Showing
from scenesync.intake import fan_out
from scenesync.intake.fan_out import FanOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.domain.job import Job

RENAMED = EntityChange(Entity.PERFORMER, 7)


def page(scene_ids: Sequence[int], after: int, limit: int) -> list[int]:
    begin = bisect_right(scene_ids, after)
    return list(scene_ids[begin : begin + limit])


@dataclass
class Present:
    scene_ids: Sequence[int] = ()
    asked: list[tuple[Entity, tuple[int, ...], int]] = field(default_factory=list)
    down: bool = False
    deleted: frozenset[int] = frozenset()

    def existing_scenes(self, ids: Iterable[int]) -> set[int]:
        return set(ids) - self.deleted

    def scene_ids_of_entity_after(
        self, entity: Entity, ids: Sequence[int], last_id: int, limit: int, *, depth: int = 0
    ) -> Sequence[int]:
        if self.down:
            raise StashUnavailable("refused")
        self.asked.append((entity, tuple(ids), depth))
        return page(self.scene_ids, last_id, limit)


@dataclass
class Earlier:
    scene_ids: Sequence[int] = ()
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def scenes_showing(self, entity: Entity, ids: Sequence[int], after: int, limit: int) -> Sequence[int]:  # noqa: ARG002 - the port's shape
        self.asked.append(tuple(ids))
        return page(self.scene_ids, after, limit)


@dataclass
class Received:
    pages: list[list[int]] = field(default_factory=list)
    concluded: int = 0

    def receive(self, change: EntityChange, scene_ids: Sequence[int]) -> None:
        assert change.id == 7
        assert not self.concluded
        self.pages.append(list(scene_ids))

    def conclude(self, change: EntityChange) -> None:
        assert change.id == 7
        self.concluded += 1


def walk(
    present: Present, earlier: Earlier, change: EntityChange = RENAMED, showing: Showing | None = None
) -> Received:
    received = Received()
    steps = FanOut(present, earlier, showing or Showing(), received)
    job: Job | None = fan_out_job(change, 1.0)
    while job is not None:
        job = steps.step(job)
    return received


SCENE_IDS = st.sets(st.integers(1, 60)).map(sorted)


@given(present=SCENE_IDS, earlier=SCENE_IDS, page_size=st.integers(1, 7))
def test_each_scene_of_either_source_is_handed_on_once_in_pages(
    present: list[int], earlier: list[int], page_size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fan_out, "PAGE_SIZE", page_size)
        received = walk(Present(present), Earlier(earlier))
    assert [scene_id for page in received.pages for scene_id in page] == sorted({*present, *earlier})
    assert all(len(page) <= 2 * page_size for page in received.pages)
    assert received.concluded == 1


def test_a_source_that_pays_no_heed_to_the_range_ends_the_walk() -> None:
    class Stubborn(Present):
        def scene_ids_of_entity_after(self, *_: object, **__: object) -> Sequence[int]:
            return range(1, fan_out.PAGE_SIZE + 1)

    assert len(walk(Stubborn(), Earlier()).pages) == 1


def test_the_sources_of_a_merge_are_looked_for_where_they_are_still_known() -> None:
    present, earlier = Present([1]), Earlier([2])
    assert walk(present, earlier, EntityChange(Entity.TAG, 7, (4, 9))).pages == [[1, 2]]
    assert present.asked == [(Entity.TAG, (7,), 0)]
    assert earlier.asked == [(7, 4, 9)]


def test_scenes_that_are_gone_are_not_for_a_fan_out_to_part_with() -> None:
    last = fan_out.PAGE_SIZE + 3
    earlier = Earlier(range(1, last + 1))
    present = Present([last], deleted=frozenset({2, *range(3, fan_out.PAGE_SIZE + 1)}))
    assert walk(present, earlier).pages == [[1], [last - 2, last - 1, last]]


def test_a_change_that_shows_nowhere_asks_nobody() -> None:
    present, earlier = Present([1]), Earlier([2])
    assert walk(present, earlier, showing=Showing(frozenset({Field.SUMMARY}))).pages == []
    assert (present.asked, earlier.asked) == ([], [])


def test_no_scene_at_all_is_no_page() -> None:
    assert walk(Present(), Earlier()).pages == []


def test_what_stash_raises_is_raised_before_anything_is_handed_on() -> None:
    received = Received()
    with pytest.raises(StashUnavailable):
        FanOut(Present([1], down=True), Earlier([2]), Showing(), received).step(fan_out_job(RENAMED, 1.0))
    assert (received.pages, received.concluded) == ([], 0)


def test_a_job_that_names_no_change_is_refused() -> None:
    with pytest.raises(PermanentError):
        FanOut(Present(), Earlier(), Showing(), Received()).step({"scene_id": 0, "update_type": "fanout"})
