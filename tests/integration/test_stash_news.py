"""Stash's own news make the next look happen at once; without them everything comes up to one interval later."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sync_world import SyncWorld, eventually

from scenesync.app.doctor.finding import Verdict
from scenesync.app.doctor.stash_checks import check_stash_looks
from scenesync.app.overview import read_overview
from scenesync.app.running.background import Routine, beside
from scenesync.app.running.hearing_stash import StashListener, hearing_stash
from scenesync.app.running.looked import LISTENING, Listening
from scenesync.app.settings import Settings
from scenesync.app.wording.overview import overview_lines
from scenesync.intake.stash_activity import StashActivity
from scenesync.network.websocket import KeepAlive
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scenesync.app.installation import Installation
    from scenesync.simulators.stash.jobs import JobControl

pytestmark = pytest.mark.integration

LONG_S = 3600.0


class Ears:
    """A listener in a thread of its own."""

    def __init__(self, installation: Installation) -> None:
        self.activity = StashActivity()
        self.memory = Memory(installation.database)
        self.woken = threading.Semaphore(0)
        self.listener = StashListener(
            installation.stash,
            self.activity,
            self.memory,
            self.woken.release,
            keep_alive=KeepAlive(every_s=0.3, answer_within_s=0.3),
            jitter_seed=3,
        )

    def state(self) -> Listening | None:
        return Listening.from_text(self.memory.recall(LISTENING))

    def hears(self) -> bool:
        state = self.state()
        return state is not None and state.is_up


@contextmanager
def listening(installation: Installation) -> Iterator[Ears]:
    ears, end = Ears(installation), threading.Event()
    thread = threading.Thread(target=ears.listener.run, args=(end,))
    thread.start()
    try:
        yield ears
    finally:
        end.set()
        thread.join(5)
        assert not thread.is_alive()


def wait_for(event: threading.Event) -> object:
    def work(control: JobControl) -> None:
        while not event.wait(0.01):
            control.cancellation.check()

    return work


def test_a_task_of_stash_is_known_while_it_runs_and_its_end_wakes(world: SyncWorld) -> None:
    ended = threading.Event()
    with world.installed() as installation, listening(installation) as ears:
        eventually(lambda: world.stash.subscriptions.active == 2)
        assert ears.woken.acquire(timeout=5), "what was said while nobody listened is looked at"
        job = world.stash.engine.jobs.add("Scanning...", wait_for(ended))  # type: ignore[arg-type] # work of a job
        eventually(ears.activity.holds_bulk)
        assert not ears.woken.acquire(timeout=0.2)
        ended.set()
        world.stash.job(job)
        assert ears.woken.acquire(timeout=5)
        eventually(lambda: not ears.activity.is_busy())


def test_listening_goes_on_by_itself_after_stash_was_away(world: SyncWorld) -> None:
    with world.installed() as installation, listening(installation) as ears:
        eventually(ears.hears)
        opened = world.stash.subscriptions.opened
        world.stash.down()
        eventually(lambda: not ears.hears())
        state = ears.state()
        assert state is not None
        assert "Stash at" in state.reason
        world.stash.up()
        eventually(ears.hears)
        assert world.stash.subscriptions.opened == opened + 1


def test_a_connection_that_fell_silent_is_opened_anew(world: SyncWorld) -> None:
    with world.installed() as installation, listening(installation) as ears:
        eventually(lambda: world.stash.subscriptions.active == 2)
        world.stash.subscriptions.fall_silent()
        eventually(lambda: world.stash.subscriptions.opened == 2)
        eventually(ears.hears)


def test_a_proxy_without_websockets_is_asked_seldom(world: SyncWorld) -> None:
    world.stash.subscriptions.refused_with = 404
    with world.installed() as installation, listening(installation) as ears:
        eventually(lambda: ears.state() is not None)
        time.sleep(2.0)
        asked = sum(record.status == 404 for record in world.stash.requests)
        assert 1 <= asked <= 5
        state = ears.state()
        assert state is not None
        assert "proxy" in state.reason


@pytest.mark.parametrize("heard", [True, False])
def test_what_a_scan_finds_reaches_the_queue_at_its_end_or_at_the_next_look(world: SyncWorld, *, heard: bool) -> None:
    world.stash.subscriptions.refused_with = None if heard else 404
    scene_id, _ = world.pair("Harbour", title="Harbour")
    world.drain(scene_id)
    with world.installed() as installation:
        session, activity, end = world.session(installation), StashActivity(), threading.Event()
        looks = installation.looks(lambda: session, activity)
        looks.look()  # from now on it is known where to begin
        routine = Routine("poll", "Look at Stash", LONG_S if heard else 0.5, looks.look_if_possible)
        with hearing_stash(installation, activity, routine.run_soon, end), beside("poll", routine, end):
            eventually(lambda: world.stash.operations()["ScenesByChange"] >= 1)
            if heard:
                eventually(lambda: world.stash.subscriptions.active == 2)
                eventually(lambda: world.stash.operations()["SceneCount"] >= 1)  # the look after the first
            time.sleep(1.1)
            world.stash.save(scene_id, title="Harbour at dusk")
            if heard:
                world.stash.job(world.stash.scan_job([]))
            eventually(lambda: bool(installation.queue.list_pending()))
        assert world.stash.subscriptions.active == 0


def test_nobody_listens_where_nobody_is_to_look(world: SyncWorld) -> None:
    with world.installed(poll_interval=0) as installation:
        asked = len(world.stash.requests)
        with hearing_stash(installation, StashActivity(), lambda: None, threading.Event()):
            time.sleep(0.5)
        assert len(world.stash.requests) == asked
        assert world.stash.subscriptions.opened == 0


def test_a_look_that_is_asked_for_during_another_follows_it() -> None:
    begun, go_on, looks = threading.Event(), threading.Event(), []

    def look() -> None:
        looks.append(len(looks))
        begun.set()
        go_on.wait(5)

    routine, end = Routine("poll", "Look at Stash", LONG_S, look), threading.Event()
    with beside("poll", routine, end):
        assert begun.wait(5)
        for _ in range(3):
            routine.run_soon()
        go_on.set()
        eventually(lambda: len(looks) == 2)
        time.sleep(0.7)
        assert len(looks) == 2


@pytest.mark.parametrize(
    ("version", "lacks"), [("v0.26.2", "movies that they were called"), ("v0.27.2", "a moved file"), ("v0.30.1", "")]
)
def test_doctor_says_what_an_older_stash_lacks(tmp_path: Path, version: str, lacks: str) -> None:
    with SyncWorld(tmp_path, stash_version=version) as world, world.installed() as installation:
        checks = list(check_stash_looks(installation))
    warnings = [check.finding for check in checks if check.verdict is Verdict.WARNING]
    assert any(lacks in finding for finding in warnings) if lacks else warnings == []
    assert "looked for every 30 s, never yet" in [check.finding for check in checks]


def test_doctor_says_when_news_cannot_be_heard_and_when_nobody_looks(world: SyncWorld) -> None:
    world.stash.subscriptions.refused_with = 404
    with world.installed() as installation:
        (news,) = [check for check in check_stash_looks(installation) if check.name == "stash news"]
    assert (news.verdict, "proxy" in news.finding) == (Verdict.WARNING, True)
    with world.installed(poll_interval=0) as installation:
        (looks,) = check_stash_looks(installation)
    assert (looks.verdict, "poll_interval = 0" in looks.finding) == (Verdict.WARNING, True)


def test_status_says_when_stash_was_looked_at_and_whether_its_news_are_heard(world: SyncWorld) -> None:
    with world.installed() as installation:
        assert read_overview(Settings(data_dir=world.data_dir)).stash_looked_at is None
        session = world.session(installation)
        installation.looks(lambda: session, StashActivity()).look()
        with listening(installation) as ears:
            eventually(ears.hears)
            overview = read_overview(Settings(data_dir=world.data_dir))
    assert overview.stash_looked_at is not None
    assert abs(time.time() - overview.stash_looked_at) < 30
    assert overview.stash_news is not None
    assert overview.stash_news.is_up
    document = overview.as_document()
    assert document["stash_news"] == {"is_up": True, "since": overview.stash_news.since, "reason": ""}
    assert any("looked at for changes" in line for line in overview_lines(overview))
