"""What follows from Plex's announcements, with both simulated servers and real stores."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import pytest
import urllib3
from sync_world import TOKEN, SyncWorld

from scenesync.app.clients import plex_notifications
from scenesync.domain.job import PRIORITY_BULK, scene_job
from scenesync.intake.announced import Announced, Patience
from scenesync.intake.plex_changes import ITEMS_PER_READ, PUT_BACK_TIMES, PlexChanges
from scenesync.plex.announcements import ItemAnnounced
from scenesync.plex.exceptions import PlexServerDown
from scenesync.queue.errors import QueueLocked
from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.sample_world import png
from scenesync.store.baselines import BaselineStore
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scenesync.app.installation import Installation
    from scenesync.domain.item import Item
    from scenesync.plex.notifications import NotificationStream
    from scenesync.queue.records import BulkResult

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

QUIET_S = 0.3
"""So long nothing is said: everything is."""
EAGER = Patience(quiet_s=0.0, longest_s=0.0, proof_s=0.0)


class Watched:
    """An installation that hears Plex; ``hear`` takes in what was said by now and looks at it."""

    def __init__(self, installation: Installation, world: SyncWorld, stream: NotificationStream) -> None:
        session = world.session(installation)
        self.world, self.installation, self.index, self._stream = world, installation, session.index, stream
        self.announced = Announced(EAGER)
        written = BaselineStore(installation.database, session.identity.machine_identifier)
        self.changes = PlexChanges(self.announced, installation.plex, session.index, written, installation.queue)

    def take_in(self) -> None:
        quiet_at = time.monotonic() + QUIET_S
        while time.monotonic() < quiet_at:
            heard = [each.rating_key for each in self._stream.next(0.05) if isinstance(each, ItemAnnounced)]
            if heard:
                self.announced.add(heard)
                quiet_at = time.monotonic() + QUIET_S

    def hear(self) -> None:
        self.take_in()
        while self.announced.count():
            self.changes.look()

    def waiting(self) -> list[int]:
        """Return the scenes whose jobs are due."""
        claims = self.installation.queue.claim(100)
        for claim in claims:
            self.installation.queue.release(claim)
        return [claim.scene_id for claim in claims]

    def known_files(self, key: str) -> list[str]:
        return [file.path for file in self.index.files_of(key)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    with SyncWorld(tmp_path / "data") as world:
        yield world


@contextmanager
def watching(world: SyncWorld) -> Iterator[Watched]:
    with world.installed() as installation, plex_notifications(installation.settings, "fake-client").open() as stream:
        yield Watched(installation, world, stream)


def test_new_moved_and_deleted_items_keep_the_index_fresh_without_a_listing(world: SyncWorld) -> None:
    kept = world.item("Films/kept.mp4", 1)
    with watching(world) as watched:
        world.plex.clear_records()
        new = world.item("Films/new.mp4", 2)
        world.plex.rename_file(kept, "/mnt/media/Films/moved.mp4")
        watched.hear()
        assert watched.known_files(new.rating_key) == ["/mnt/media/Films/new.mp4"]
        assert watched.known_files(kept.rating_key) == ["/mnt/media/Films/moved.mp4"]
        world.plex.remove_item(new.rating_key)
        watched.hear()
        assert watched.known_files(new.rating_key) == []
        assert set(world.plex.counts()) == {"read"}
        assert world.plex.counts()["read"] <= 3


@pytest.mark.parametrize(
    "behaviour",
    [
        PlexBehaviour(announced_numbers="ints", announced_settled="plain"),
        PlexBehaviour(announced_removal="type"),
    ],
)
def test_every_spelling_of_an_announcement_is_understood(world: SyncWorld, behaviour: PlexBehaviour) -> None:
    world.plex.behaviour = behaviour
    with watching(world) as watched:
        item = world.item("Films/new.mp4", 2)
        watched.hear()
        assert watched.known_files(item.rating_key)
        world.plex.remove_item(item.rating_key)
        watched.hear()
        assert not watched.known_files(item.rating_key)


def test_items_of_libraries_that_are_not_synced_stay_out(world: SyncWorld) -> None:
    with world.installed(plex_libraries=("Scenes",)) as installation:
        other = world.plex.add_library("Holidays", roots=["/mnt/holidays"])
        with plex_notifications(installation.settings, "fake-client").open() as stream:
            watched = Watched(installation, world, stream)
            item = world.plex.add_item(other, file="/mnt/holidays/beach.mp4")
            watched.hear()
            assert watched.known_files(item.rating_key) == []


def test_what_changed_before_it_and_was_never_announced_is_still_found_by_looking(world: SyncWorld) -> None:
    first = world.item("Films/first.mp4", 1)
    first.updated_at -= 1000
    with watching(world) as watched:
        world.plex.rename_file(first, "/mnt/media/Films/renamed.mp4")
        watched.take_in()
        watched.announced.take_unanswered(100)  # its announcement is lost
        first.updated_at -= 60
        world.item("Films/second.mp4", 2)
        watched.hear()
        watched.index.refresh()
        assert watched.known_files(first.rating_key) == ["/mnt/media/Films/renamed.mp4"]


def test_a_persons_edit_makes_the_scene_be_looked_at(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour", details="Boats leave early.")
    world.drain(scene_id)
    with watching(world) as watched:
        world.plex.edit_by_hand(item, summary="Boats!")
        watched.hear()
        assert watched.waiting() == [scene_id]


def test_what_is_no_concern_of_ours_does_not(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour", details="Boats leave early.")
    world.drain(scene_id)
    stranger = world.item("Films/stranger.mp4", 7)
    with watching(world) as watched:
        world.plex.edit_by_hand(item, tagline="A person's own", labels=["Mine"])
        world.plex.edit_by_hand(stranger, title="Somebody else's film")
        watched.hear()
        assert watched.waiting() == []


def test_another_poster_counts_as_an_edit(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour", cover=png(1))
    world.drain(scene_id)
    frame = next(image.key for image in item.posters if not image.selected)
    with watching(world) as watched:
        choose = f"{world.plex.url}/library/metadata/{item.rating_key}/poster?{urlencode({'url': frame})}"
        answer = urllib3.request("PUT", choose, headers={"X-Plex-Token": TOKEN})
        assert answer.status == 200
        watched.hear()
        assert watched.waiting() == [scene_id]


def test_our_own_edits_lead_to_no_job_and_no_request_of_their_own(world: SyncWorld) -> None:
    """The reads that prove them answer their announcements."""
    pairs = [world.pair(title=f"Film {number}", details="Boats.") for number in range(30)]
    with watching(world) as watched:
        watched.installation.plex.watch_with(watched.announced)
        drain(watched, [scene_id for scene_id, _ in pairs])
        assert {item.summary for _, item in pairs} == {"Boats."}
        watched.take_in()
        heard = watched.announced.count()
        watched.changes.look_at_answered()
        assert heard == len(pairs)
        assert watched.announced.count() <= 3, "a slow machine may hear of the last edits after their proof"
        world.plex.clear_records()
        watched.hear()
        assert watched.waiting() == []
        assert world.plex.counts().get("read", 0) <= 1


def drain(watched: Watched, scene_ids: list[int]) -> None:
    """Work until nothing is due, hearing meanwhile what Plex announces."""
    for scene_id in scene_ids:
        watched.installation.queue.put_job(scene_job(scene_id, time.time()))
    end = threading.Event()

    def hear() -> None:
        while not end.is_set():
            watched.take_in()

    heard = threading.Thread(target=hear)
    heard.start()
    try:
        watched.installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=10).run(threading.Event())
    finally:
        end.set()
        heard.join()


def test_another_tool_that_wants_something_else_is_not_fought_for_ever(
    world: SyncWorld, caplog: pytest.LogCaptureFixture
) -> None:
    scene_id, item = world.pair(title="Harbour", details="Boats leave early.")
    world.drain(scene_id)
    looked_at = 0
    with watching(world) as watched, caplog.at_level(logging.WARNING):
        for round_ in range(PUT_BACK_TIMES + 4):
            world.plex.edit_by_hand(item, summary=f"The other tool's text, version {round_ % 2}")
            watched.hear()
            if watched.waiting():
                looked_at += 1
                drain(watched, [])
                watched.hear()
                assert item.summary == "Boats leave early."
    assert looked_at == PUT_BACK_TIMES
    told = [record for record in caplog.records if "again and again" in record.getMessage()]
    assert len(told) == 1


def test_a_file_that_gets_another_item_is_looked_at_for_its_scene(world: SyncWorld) -> None:
    """Plex may throw an item away and make another one of the same file: a dance, a move between libraries."""
    scene_id, item = world.pair("danced", title="Harbour")
    world.drain(scene_id)
    with watching(world) as watched:
        world.plex.remove_item(item.rating_key)
        watched.hear()
        assert watched.waiting() == [], "a file that is gone for good is no reason to wait for it"
        world.item("Films/danced.mp4", item.versions[0].size_bytes or 0)
        watched.hear()
        assert watched.waiting() == [scene_id]


@pytest.mark.timeout(900)  # the long form is ten thousand files
def test_a_scan_of_many_files_is_few_requests(
    world: SyncWorld, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    files = 10_000 if pytestconfig.getoption("--long", default=False) else 600
    for number in range(files):
        world.plex.add_unscanned_file(world.library, file=f"/mnt/media/Films/{number:05}.mp4")
    with watching(world) as watched:
        world.plex.clear_records()
        world.plex.scan(world.library)
        watched.hear()
        counts = Counter(world.plex.counts())
        with capsys.disabled():
            print(f"\n{files} files scanned, requests {dict(counts)}")  # noqa: T201 - a figure of the test
        assert counts.total() <= files / ITEMS_PER_READ + 4
        assert len(watched.index.files_named(f"{files - 1:05}.mp4")) == 1


def test_while_plex_is_away_what_was_announced_waits(world: SyncWorld) -> None:
    with watching(world) as watched:
        item = world.item("Films/new.mp4", 2)
        watched.take_in()
        world.plex.starting_up()
        with pytest.raises(PlexServerDown):
            watched.changes.look()
        world.plex.heal()
        watched.changes.look()
        assert watched.known_files(item.rating_key)


class Refusing:
    """What it stands before, but the first calls are refused."""

    def __init__(self, real: Any, error: Exception, times: int) -> None:
        self._real, self._error, self.left = real, error, times

    def read_items(self, rating_keys: Sequence[str]) -> Mapping[str, Item]:
        return cast("Mapping[str, Item]", self._or_refuse().read_items(rating_keys))

    def put_many(self, jobs: Iterable[dict[str, Any]], priority: int = PRIORITY_BULK) -> BulkResult:
        return cast("BulkResult", self._or_refuse().put_many(jobs, priority=priority))

    def _or_refuse(self) -> Any:
        if self.left:
            self.left -= 1
            raise self._error
        return self._real


def test_a_persons_edit_that_the_queue_could_not_take_is_enqueued_later(world: SyncWorld) -> None:
    scene_id, item = world.pair(title="Harbour at dawn")
    world.drain(scene_id)
    with watching(world) as watched:
        session = world.session(watched.installation)
        written = BaselineStore(watched.installation.database, session.identity.machine_identifier)
        queue = Refusing(watched.installation.queue, QueueLocked("queue"), PUT_BACK_TIMES + 1)
        changes = PlexChanges(watched.announced, watched.installation.plex, watched.index, written, queue)
        world.plex.edit_by_hand(item, title="Somebody's title")
        watched.take_in()
        while queue.left:
            with pytest.raises(QueueLocked):
                changes.look()
        changes.look()
        assert watched.waiting() == [scene_id]


def test_no_announcement_is_forgotten_when_plex_goes_away_between_two_reads(world: SyncWorld) -> None:
    with watching(world) as watched:
        session = world.session(watched.installation)
        written = BaselineStore(watched.installation.database, session.identity.machine_identifier)
        reader = Refusing(watched.installation.plex, PlexServerDown("away"), 1)
        changes = PlexChanges(watched.announced, reader, watched.index, written, watched.installation.queue)
        watched.announced.add(str(number) for number in range(2 * ITEMS_PER_READ))
        with pytest.raises(PlexServerDown):
            changes.look()
        assert watched.announced.count() == 2 * ITEMS_PER_READ
