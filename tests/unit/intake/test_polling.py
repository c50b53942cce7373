from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from scenesync.domain.holds import fingerprint
from scenesync.domain.job import PRIORITY_PERSON
from scenesync.domain.scene import Scene, SceneFile
from scenesync.domain.showing import SceneTrace
from scenesync.intake.changes import OVERLAP_S, Cursor, Sighting, moved_on
from scenesync.intake.polling import FACT, MANY, URGENT_AT_MOST, Poll, enqueue_everything
from scenesync.queue.records import BulkResult
from scenesync.stash.client import ANY_ZONE_SLACK_S, DST_SLACK_S
from scenesync.stash.parse import SceneHint, to_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def stamp(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat(timespec="seconds")


@dataclass
class Stash:
    """Scenes with the second after noon at which they changed; ``made`` at which they were made (long ago)."""

    changes: dict[int, float] = field(default_factory=dict)
    made: dict[int, float] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    slacks: list[float] = field(default_factory=list)
    files: dict[int, tuple[SceneFile, ...]] = field(default_factory=dict)
    moved: dict[int, tuple[SceneFile, ...]] = field(default_factory=dict)
    asked_for_files: list[tuple[datetime, str]] = field(default_factory=list)
    clock: datetime | None = None

    def scenes_updated_since(
        self, since: datetime | str, *, overlap_s: float = 0, zone_slack_s: float = 0
    ) -> Iterator[SceneHint]:
        self.slacks.append(zone_slack_s)
        moment = to_time(since) if isinstance(since, str) else since
        assert moment is not None
        for scene_id, at in sorted(self.changes.items(), key=lambda change: -change[1]):
            if NOON + timedelta(seconds=at) >= moment - timedelta(seconds=overlap_s):
                made = stamp(self.made.get(scene_id, -100_000))
                yield SceneHint(scene_id, updated_at=stamp(at), created_at=made)

    def scenes(self, ids: Sequence[int]) -> dict[int, Scene]:
        return {scene_id: self.scene(scene_id) for scene_id in ids if scene_id in self.changes}

    def scene(self, scene_id: int) -> Scene:
        at = self.changes[scene_id]
        return Scene(scene_id, title=self.titles.get(scene_id, ""), updated_at=stamp(at))

    def scenes_with_files_changed_since(self, since: datetime, zone_of: str) -> list[SceneHint]:
        self.asked_for_files.append((since, zone_of))
        return [SceneHint(scene_id, files=files) for scene_id, files in self.moved.items()]

    @property
    def server_time(self) -> datetime | None:
        return self.clock

    def scene_count(self) -> int:
        return len(self.changes)

    def scene_ids_after(self, last_id: int, limit: int) -> list[int]:
        return [scene_id for scene_id in sorted(self.changes) if scene_id > last_id][:limit]

    def scene_files_after(self, last_id: int, limit: int) -> list[SceneHint]:
        return [
            SceneHint(scene_id, files=self.files.get(scene_id, ())) for scene_id in self.scene_ids_after(last_id, limit)
        ]

    def scene_hints_after(self, last_id: int, limit: int) -> list[SceneHint]:
        return self.scene_files_after(last_id, limit)


@dataclass
class Queue:
    put: list[tuple[list[int], int]] = field(default_factory=list)
    waiting: set[int] = field(default_factory=set)
    departing: set[int] = field(default_factory=set)

    def put_many(self, jobs: Iterable[dict[str, Any]], priority: int = 10) -> BulkResult:
        ids = [job["scene_id"] for job in jobs]
        self.put.append((ids, priority))
        return BulkResult(created=len(ids))


class Facts(dict[str, str]):
    recall = dict.get

    def note(self, name: str, value: str) -> None:
        self[name] = value


class Read(dict[int, SceneTrace]):
    """What the worker has read."""

    def read(self, scene_id: int) -> SceneTrace | None:
        return self.get(scene_id)

    def ids_between(self, after: int, through: int) -> list[int]:
        return [scene_id for scene_id in sorted(self) if after < scene_id <= through]

    def files_between(self, after: int, through: int) -> dict[int, tuple[SceneFile, ...]]:
        return {scene_id: self[scene_id].files for scene_id in self.ids_between(after, through)}


@dataclass
class World:
    stash: Stash = field(default_factory=Stash)
    queue: Queue = field(default_factory=Queue)
    facts: Facts = field(default_factory=Facts)
    traces: Read = field(default_factory=Read)
    admitted: list[list[int]] = field(default_factory=list)
    departed: list[list[int]] = field(default_factory=list)

    def changed(self, scene_ids: Sequence[int]) -> None:
        self.admitted.append(list(scene_ids))

    def gone(self, scene_ids: Sequence[int], *, is_all: bool) -> None:
        assert is_all
        if scene_ids:
            self.departed.append(list(scene_ids))

    def poll(self) -> Poll:
        queue = self.queue
        waiting, departing = queue.waiting.intersection, queue.departing.intersection
        return Poll(self.stash, queue, waiting, departing, self.facts, self.traces, self)

    def look(self, at: float) -> list[int]:
        """Look at a second after noon; return the scenes that were enqueued for a person."""
        self.queue.put.clear()
        with freeze_time(NOON + timedelta(seconds=at)):
            self.poll().look()
        return [scene_id for ids, priority in self.queue.put if priority == PRIORITY_PERSON for scene_id in ids]

    def worker_reads(self, scene_id: int, at: float) -> None:
        """Let the worker read the scene as it is now, at a second after noon."""
        read_at = (NOON + timedelta(seconds=at)).timestamp()
        scene = self.stash.scene(scene_id)
        self.traces[scene_id] = SceneTrace(
            scene_id, updated_at=scene.updated_at, fingerprint=fingerprint(scene), read_at=read_at
        )


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


class TestAVersionThatAHookAnnounced:
    def test_is_no_news_once_it_was_read(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.stash.changes[1] = 20
        world.worker_reads(1, at=25)
        assert [world.look(at) for at in (30, 60, 90)] == [[], [], []]

    def test_is_no_news_while_its_job_waits(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.stash.changes[1] = 20
        world.queue.waiting = {1}
        assert world.look(30) == []

    def test_and_then_changed_again_is_news(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.stash.changes[1] = 20
        world.worker_reads(1, at=20)
        world.stash.changes[1] = 22
        assert world.look(30) == [1]

    @pytest.mark.parametrize("skew_s", [0, -7200, 7200])
    def test_and_changed_again_under_the_same_second_is_news_whatever_our_clock_says(
        self, world: World, skew_s: float
    ) -> None:
        world.stash.changes = {1: -1000}
        world.look(skew_s)
        world.stash.changes[1] = 20
        world.worker_reads(1, at=skew_s + 20.3)
        world.stash.titles[1] = "Changed in silence, still in that second"
        assert world.look(skew_s + 21) == []
        assert world.look(skew_s + 51) == [1]
        assert world.look(skew_s + 81) == []

    def test_that_was_read_when_its_second_was_over_is_not_asked_for_again(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.stash.changes[1] = 20
        world.look(30)
        world.worker_reads(1, at=33)
        world.stash.scenes = None  # type: ignore[method-assign, assignment] # whoever asks fails
        assert [world.look(at) for at in (60, 90)] == [[], []]


@pytest.mark.parametrize("skew_s", [0.0, -7200.0, 7200.0])
def test_a_version_that_was_read_long_after_it_was_stamped_is_not_read_again_whatever_the_clocks_say(
    world: World, skew_s: float
) -> None:
    world.stash.changes = {1: 20}
    world.worker_reads(1, at=skew_s + 30)  # by `sync --all`, before anybody looked
    world.stash.scenes = None  # type: ignore[method-assign, assignment] # whoever asks fails
    for at in (60, 90, 120):
        world.stash.clock = NOON + timedelta(seconds=at)
        assert world.look(skew_s + at) == []


def test_a_scene_just_made_is_looked_at_once_more_since_its_cover_may_come_in_the_same_second(world: World) -> None:
    world.stash.changes = {1: -1000}
    world.look(0)
    world.look(15)
    world.stash.changes[2] = world.stash.made[2] = 20
    world.worker_reads(2, at=20.2)  # its hook's job
    assert [world.look(at) for at in (30, 60, 90, 120)] == [[], [2], [], []]


def test_of_many_that_were_read_early_a_hundred_at_a_time_are_read_again(world: World) -> None:
    world.stash.changes = {1: -1000}
    world.look(0)
    for scene_id in range(1, 251):
        world.stash.changes[scene_id] = 20
        world.worker_reads(scene_id, at=20.1)
        world.stash.titles[scene_id] = "Changed in silence"
    for at in (21, 51, 81, 111, 141):
        world.look(at)
    assert [len(ids) for ids in world.admitted] == [100, 100, 50]


def test_a_thorough_look_goes_below_what_another_zone_could_hide(world: World) -> None:
    world.stash.changes = {1: 0}
    world.look(0)
    world.poll().look()
    world.poll().look(thoroughly=True)
    assert world.stash.slacks[-2:] == [DST_SLACK_S, ANY_ZONE_SLACK_S]


class TestFilesThatMoved:
    def test_are_asked_for_since_stashs_own_time_of_the_look_before(self, world: World) -> None:
        world.stash.changes = {1: 0}
        world.look(0)
        hours_ahead = NOON + timedelta(hours=7)
        world.stash.clock = hours_ahead
        world.look(30)
        world.stash.clock = hours_ahead + timedelta(seconds=30)
        world.look(60)
        overlap = timedelta(seconds=OVERLAP_S)
        assert world.stash.asked_for_files == [(hours_ahead - overlap, stamp(0))] * 2

    def test_are_found_at_once_where_stash_has_a_filter_and_once(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.worker_reads(1, at=0)
        world.stash.clock = NOON
        world.stash.moved = {1: (SceneFile("/data/elsewhere.mp4"),)}
        assert world.look(30) == [1]
        world.traces[1] = replace(world.traces[1], files=world.stash.moved[1])
        world.stash.files = world.stash.moved
        assert world.look(60) == []

    def test_are_left_to_the_walk_where_stash_does_not_tell_its_time(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.look(30)
        assert world.stash.asked_for_files == []


class TestWhileStashRunsATask:
    def test_many_changes_are_left_to_a_later_look(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.look(15)
        world.stash.changes |= dict.fromkeys(range(2, URGENT_AT_MOST + 3), 20.0)
        assert world.poll().look(holds_bulk=True) == 0
        assert world.admitted == []
        world.look(60)
        assert [len(ids) for ids in world.admitted] == [URGENT_AT_MOST + 1]

    def test_what_a_person_may_have_saved_meanwhile_waits_for_a_second_look_at_most(self, world: World) -> None:
        world.stash.changes = {1: -1000, 2: -1000}
        world.look(0)
        world.look(15)
        world.stash.changes[2] = 20
        poll = world.poll()
        assert [poll.look(holds_bulk=True) for _ in range(3)] == [0, 1, 0]

    def test_a_few_at_each_look_are_a_task_too(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.look(15)
        poll = world.poll()
        for number in range(2, 60):
            world.stash.changes[number] = 20 + number
            assert poll.look(holds_bulk=True) == 0
        assert poll.look() == 58

    def test_no_more_than_a_page_is_read(self, world: World) -> None:
        world.stash.changes = {1: -1000}
        world.look(0)
        world.stash.changes |= dict.fromkeys(range(2, 5_000), 20.0)
        read: list[int] = []
        walk = world.stash.scenes_updated_since

        def counted(*arguments: Any, **options: Any) -> Iterator[SceneHint]:
            for hint in walk(*arguments, **options):
                read.append(hint.id)
                yield hint

        world.stash.scenes_updated_since = counted  # type: ignore[method-assign] # counts what is asked for
        world.poll().look(holds_bulk=True)
        assert len(read) == MANY

    def test_scenes_that_are_gone_are_gathered_until_it_is_through(self, world: World) -> None:
        world.stash.changes = {1: -1000, 2: -1000}
        world.look(0)
        world.worker_reads(2, at=0)
        del world.stash.changes[2]
        told: list[tuple[list[int], bool]] = []

        class Watched(World):
            def gone(self, scene_ids: Sequence[int], *, is_all: bool) -> None:
                told.append((list(scene_ids), is_all))

        poll = Watched(world.stash, world.queue, world.facts, world.traces).poll()
        poll.look(is_busy=True)
        poll.look(is_busy=True)
        poll.look()
        assert told == [([2], False), ([], True)]

    def test_where_stash_tells_its_tasks_to_nobody_until_a_look_finds_no_more(self, world: World) -> None:
        world.stash.changes = dict.fromkeys(range(1, 6), -1000.0)
        world.look(0)
        for scene_id in range(1, 6):
            world.worker_reads(scene_id, at=0)
        told: list[tuple[list[int], bool]] = []

        class Watched(World):
            def gone(self, scene_ids: Sequence[int], *, is_all: bool) -> None:
                told.append((list(scene_ids), is_all))

        poll = Watched(world.stash, world.queue, world.facts, world.traces).poll()
        for scene_id in (2, 4):
            del world.stash.changes[scene_id]
            poll.look(tells_tasks=False)
        poll.look(tells_tasks=False)
        assert told == [([2], False), ([4], False), ([], True)]


class TestScenesThatAreGone:
    def test_are_said_to_be_gone_once(self, world: World) -> None:
        world.stash.changes = dict.fromkeys(range(1, 6), -1000.0)
        world.look(0)
        for scene_id in range(1, 6):
            world.worker_reads(scene_id, at=0)
        del world.stash.changes[3]
        for at in (30, 60, 90):
            world.look(at)
        assert world.departed == [[3]]

    @pytest.mark.parametrize("is_told", [True, False], ids=["of the deletion", "of something else"])
    def test_are_left_to_a_job_that_waits_for_them_only_if_it_tells(self, world: World, is_told: bool) -> None:  # noqa: FBT001 - a column
        world.stash.changes = {1: -1000, 2: -1000}
        world.look(0)
        world.worker_reads(2, at=0)
        del world.stash.changes[2]
        world.queue.waiting = {2}
        world.queue.departing = {2} if is_told else set()  # with the path that its deletion named
        world.look(30)
        assert world.departed == ([] if is_told else [[2]])

    def test_are_told_of_again_after_they_came_back(self, world: World) -> None:
        world.stash.changes = {1: -1000, 2: -1000}
        world.look(0)
        world.worker_reads(2, at=0)
        del world.stash.changes[2]
        world.look(30)
        world.stash.changes[2] = -1000
        world.look(60)
        del world.stash.changes[2]
        world.look(90)
        assert world.departed == [[2], [2]]

    def test_count_only_if_something_was_ever_read_of_them(self, world: World) -> None:
        world.stash.changes = {1: -1000, 2: -1000}
        world.look(0)
        world.look(30)
        del world.stash.changes[2]
        world.look(60)
        assert world.departed == []


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


def test_a_stash_that_went_back_to_an_earlier_state_is_to_be_looked_at_as_a_whole(world: World) -> None:
    world.stash.changes = {1: -1000, 2: 0, 3: 10}
    for at in (100, 130, 160):
        world.look(at)
    assert world.poll().has_begun()
    del world.stash.changes[3]  # deleted: no sign of anything
    world.look(190)
    assert world.poll().has_begun()
    world.stash.changes[2] = -500
    assert world.look(220) == []
    assert not world.poll().has_begun(), "nobody knows where to begin"


def test_a_look_that_fails_is_repeated(world: World) -> None:
    world.stash.changes = {1: -1000}
    world.look(0)
    world.stash.changes |= dict.fromkeys(range(2, URGENT_AT_MOST + 3), 20.0)

    class FullDisk(World):
        def changed(self, scene_ids: Sequence[int]) -> None:
            raise OSError(f"no room for {len(scene_ids)}")

    with pytest.raises(OSError, match="no room"), freeze_time(NOON + timedelta(seconds=60)):
        FullDisk(world.stash, world.queue, world.facts, world.traces).poll().look()
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
    moved = moved_on(cursor, hints, {hint.id: hint.updated_at for hint in hints}, {})
    assert moved == Cursor(stamp(1000), {1: stamp(900)})


def test_times_are_compared_as_moments_whatever_their_zone() -> None:
    cursor = Cursor("2026-05-01T08:00:00-04:00")
    later = "2026-05-01T14:00:01+02:00"
    assert moved_on(cursor, [SceneHint(1, updated_at=later)], {}, {}).at == later


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(stamp(1), {7: stamp(0), 8: stamp(1)}, {9: Sighting(stamp(1), 17.5, is_new=True)})
    assert Cursor.from_text(cursor.to_text()) == cursor


def test_a_cursor_of_an_earlier_version_is_read() -> None:
    assert Cursor.from_text('{"at": "2026-05-01T12:00:00Z", "seen": {"7": "x"}}') == Cursor(
        stamp(0)[:-6] + "Z", {7: "x"}
    )
