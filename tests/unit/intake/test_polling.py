from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from scenesync.domain.job import PRIORITY_PERSON
from scenesync.intake.polling import FACT, OVERLAP_S, URGENT_AT_MOST, Cursor, Poll, enqueue_everything, moved_on
from scenesync.queue.records import BulkResult
from scenesync.stash.parse import SceneHint, to_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def stamp(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat(timespec="seconds")


@dataclass
class Stash:
    """Scenes with the second after noon at which they changed."""

    changes: dict[int, float] = field(default_factory=dict)

    def scenes_updated_since(self, since: datetime | str, *, overlap_s: float = 0) -> Iterator[SceneHint]:
        moment = to_time(since) if isinstance(since, str) else since
        assert moment is not None
        for scene_id, at in sorted(self.changes.items(), key=lambda change: -change[1]):
            if NOON + timedelta(seconds=at) >= moment - timedelta(seconds=overlap_s):
                yield SceneHint(scene_id, updated_at=stamp(at))

    def scene_hints_after(self, after: int, limit: int) -> list[SceneHint]:
        return [SceneHint(scene_id) for scene_id in sorted(self.changes) if scene_id > after][:limit]


@dataclass
class Queue:
    put: list[tuple[list[int], int]] = field(default_factory=list)

    def put_many(self, jobs: Iterable[dict[str, Any]], priority: int = 10) -> BulkResult:
        ids = [job["scene_id"] for job in jobs]
        self.put.append((ids, priority))
        return BulkResult(created=len(ids))


class Facts(dict[str, str]):
    recall = dict.get

    def note(self, name: str, value: str) -> None:
        self[name] = value


@dataclass
class World:
    stash: Stash = field(default_factory=Stash)
    queue: Queue = field(default_factory=Queue)
    facts: Facts = field(default_factory=Facts)
    admitted: list[list[int]] = field(default_factory=list)

    def look(self, at: float) -> list[int]:
        """Look at a second after noon; return the scenes that were enqueued for a person."""
        self.queue.put.clear()
        poll = Poll(self.stash, self.queue, self.facts, lambda ids: self.admitted.append(list(ids)))
        with freeze_time(NOON + timedelta(seconds=at)):
            poll.look()
        return [scene_id for ids, priority in self.queue.put if priority == PRIORITY_PERSON for scene_id in ids]


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_look_only_notes_where_to_begin(world: World) -> None:
    world.stash.changes = {1: 0, 2: 10}
    assert world.look(100) == []
    assert world.look(130) == [2, 1]  # within the overlap of the beginning: once
    assert world.look(160) == []


def test_a_change_without_a_hook_is_found_once(world: World) -> None:
    world.stash.changes = {1: -1000, 2: -1000}
    world.look(0)
    world.look(15)
    world.stash.changes[2] = 20
    assert world.look(45) == [2]
    assert world.look(75) == []


def test_a_scene_that_may_change_again_under_the_same_second_is_looked_at_once_more(world: World) -> None:
    world.stash.changes = {1: -1000}
    world.look(0)
    world.look(15)
    world.stash.changes[2] = 30
    assert world.look(30) == [2]
    assert world.look(60) == [2]
    assert world.look(90) == []


def test_the_first_scene_of_an_empty_stash_is_found(world: World) -> None:
    world.look(0)
    world.stash.changes[1] = 10
    assert world.look(30) == [1]


def test_what_changed_while_nobody_looked_is_found(world: World) -> None:
    world.stash.changes = {1: -1000}
    world.look(0)
    world.stash.changes |= {1: 3600, 2: 7200, 3: 86_000}
    assert sorted(world.look(90_000)) == [1, 2, 3]


def test_many_at_once_are_judged_before_they_are_enqueued(world: World) -> None:
    world.stash.changes = {1: -1000}
    world.look(0)
    world.look(15)
    world.stash.changes |= dict.fromkeys(range(2, URGENT_AT_MOST + 3), 20.0)
    assert world.look(60) == []
    assert [len(ids) for ids in world.admitted] == [URGENT_AT_MOST + 1]


def test_a_look_that_fails_is_repeated(world: World) -> None:
    world.stash.changes = {1: -1000}
    world.look(0)
    world.stash.changes |= dict.fromkeys(range(2, URGENT_AT_MOST + 3), 20.0)

    def refuse(_ids: object) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"), freeze_time(NOON + timedelta(seconds=60)):
        Poll(world.stash, world.queue, world.facts, refuse).look()
    world.look(90)
    assert len(world.admitted) == 1


def test_after_everything_was_enqueued_looking_goes_on_from_where_that_began(world: World) -> None:
    world.stash.changes = {1: 0, 2: 500}
    enqueue_everything(world.stash, world.queue, world.facts)  # type: ignore[arg-type] # a double with what is used
    assert world.queue.put[0][0] == [1, 2]
    assert Cursor.from_text(world.facts[FACT]).at == stamp(500)


def test_the_cursor_never_goes_back_and_keeps_only_what_is_around_it() -> None:
    cursor = Cursor(stamp(1000))
    hints = [SceneHint(1, updated_at=stamp(900)), SceneHint(2, updated_at=stamp(900 - OVERLAP_S - 1))]
    moved = moved_on(cursor, hints, now=NOON + timedelta(seconds=2000))
    assert moved == Cursor(stamp(1000), {1: stamp(900)})


def test_times_are_compared_as_moments_whatever_their_zone() -> None:
    cursor = Cursor("2026-05-01T08:00:00-04:00")
    later = "2026-05-01T14:00:01+02:00"
    assert moved_on(cursor, [SceneHint(1, updated_at=later)], now=NOON + timedelta(hours=1)).at == later


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(stamp(1), {7: stamp(0), 8: stamp(1)})
    assert Cursor.from_text(cursor.to_text()) == cursor
