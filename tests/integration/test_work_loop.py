"""The loop over real servers: outages, faults, storms, stops."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from sync_world import PLEX_ROOT, eventually

from scenesync.app.data_directory import queue_folder
from scenesync.domain.errors import LibraryNotFound, NeedsPerson, StashUnavailable, TransientError
from scenesync.domain.job import ClaimedJob, scene_job
from scenesync.domain.outcome import Outcome
from scenesync.plex.exceptions import PlexServerDown, PlexUnauthorized
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.queue.snapshot import read_snapshot
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import png
from scenesync.store.outages import OutageStore
from scenesync.worker.holdings import Holdings
from scenesync.worker.loop import LoopLimits
from scenesync.worker.processor import SyncWorker

if TYPE_CHECKING:
    from sync_world import SyncWorld

    from scenesync.app.installation import Installation

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]


def enqueue(installation: Installation, *scene_ids: int) -> None:
    for scene_id in scene_ids:
        installation.queue.put_job(scene_job(scene_id, time.time()))


def idle(installation: Installation) -> bool:
    queue = read_snapshot(queue_folder(installation.settings.data_dir))
    return queue.pending == 0 and queue.in_progress == 0


class TestOutages:
    @pytest.mark.parametrize("start_up", ["maintenance", "still-starting"])
    def test_an_outage_costs_no_retries_and_its_end_is_noticed_soon(self, world: SyncWorld, start_up: str) -> None:
        pairs = [world.pair(title=f"Film {number}") for number in range(12)]
        with world.working() as installation:
            enqueue(installation, pairs[0][0])
            eventually(lambda: idle(installation))
            world.plex.down()
            enqueue(installation, *(scene_id for scene_id, _ in pairs[1:]))
            time.sleep(2.0)
            waiting = installation.queue.list_pending()
            assert all("retry_count" not in pending.job for pending in waiting)
            assert installation.services.read("plex").reachability == "down"
            world.plex.starting_up(form=start_up)  # type: ignore[arg-type]
            world.plex.up()
            time.sleep(1.5)
            assert not any(attempt.outcome is Outcome.SYNCED for attempt in world.attempts[1:])
            world.plex.clear_records()
            world.plex.starting_up(on=False)
            recovered = time.monotonic()
            eventually(lambda: idle(installation), within_s=60)
            first_edit_at = min(request.at_monotonic for request in world.plex.requests if request.kind == "edit")
            assert first_edit_at - recovered < 8
            assert installation.services.read("plex").reachability == "up"
            (outage, *_) = OutageStore(installation.database).latest(5)
            assert outage.service == "plex"
            assert outage.duration_s is not None
            assert outage.duration_s > 1
        assert [world.plex.item(item.rating_key).title for _, item in pairs] == [f"Film {n}" for n in range(12)]
        assert {attempt.outcome for attempt in world.attempts} <= {Outcome.SYNCED, Outcome.DEFERRED}

    def test_while_plex_is_down_only_its_identity_is_asked(self, world: SyncWorld) -> None:
        scene_id, _ = world.pair(title="Walk")
        with world.working() as installation:
            enqueue(installation, scene_id)
            eventually(lambda: idle(installation))
            world.plex.starting_up()
            world.stash.save(scene_id, title="Walk, second cut")
            enqueue(installation, scene_id)
            time.sleep(1.0)
            world.plex.clear_records()
            time.sleep(3.0)
            counts = world.plex.counts()
            assert set(counts) == {"identity"}
            assert 1 <= counts["identity"] <= 8
            world.plex.starting_up(on=False)
            eventually(lambda: idle(installation))

    def test_stash_down_makes_jobs_wait_and_go_on_by_themselves(self, world: SyncWorld) -> None:
        pairs = [world.pair(title=f"Film {number}") for number in range(5)]
        world.stash.down()
        with world.working() as installation:
            enqueue(installation, *(scene_id for scene_id, _ in pairs))
            eventually(lambda: installation.services.read("stash").reachability == "down")
            time.sleep(1.5)
            assert all("retry_count" not in pending.job for pending in installation.queue.list_pending())
            world.stash.up()
            eventually(lambda: idle(installation))
            assert installation.services.read("stash").reachability == "up"
        assert [world.plex.item(item.rating_key).title for _, item in pairs] == [f"Film {n}" for n in range(5)]

    def test_a_one_shot_run_gives_up_and_keeps_its_jobs(self, world: SyncWorld) -> None:
        scene_id, _ = world.pair(title="Walk")
        world.plex.down()
        with world.installed() as installation:
            enqueue(installation, scene_id)
            loop = installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=1.0)
            with pytest.raises(PlexServerDown, match="all jobs are kept"):
                loop.run(threading.Event())
            assert [pending.job["scene_id"] for pending in installation.queue.list_pending()] == [scene_id]
            world.plex.up()
            world.stash.down()
            loop = installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=1.0)
            with pytest.raises(StashUnavailable, match="all jobs are kept"):
                loop.run(threading.Event())
            (pending,) = installation.queue.list_pending()
            assert "retry_count" not in pending.job


class TestRefusals:
    def test_a_refused_token_ends_a_one_shot_run_and_dead_letters_nothing(self, world: SyncWorld) -> None:
        ids = [world.pair(title=f"Film {number}")[0] for number in range(5)]
        world.plex.token = "another-fake-token"
        with world.installed() as installation:
            enqueue(installation, *ids)
            loop = installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=5)
            with pytest.raises(NeedsPerson) as caught:
                loop.run(threading.Event())
            assert isinstance(caught.value.cause, PlexUnauthorized)
            assert installation.queue.total == 5
            assert DeadLetterStore(installation.queue).count() == 0

    def test_a_token_refused_in_the_middle_of_work_makes_everything_wait(self, world: SyncWorld) -> None:
        ids = [world.pair(title=f"Film {number}")[0] for number in range(5)]
        with world.working() as installation:
            enqueue(installation, ids[0])
            eventually(lambda: idle(installation))
            world.plex.token = "another-fake-token"
            enqueue(installation, *ids[1:])
            eventually(lambda: any(attempt.error_type == "PlexUnauthorized" for attempt in world.attempts))
            time.sleep(1.0)
            assert installation.queue.total == 4
            assert DeadLetterStore(installation.queue).count() == 0
            assert world.plex.counts().get("edit", 0) == 1

    def test_a_library_that_does_not_exist_says_which_there_are(self, world: SyncWorld) -> None:
        scene_id, _ = world.pair(title="Walk")
        with world.installed(plex_libraries=("Filme",)) as installation:
            enqueue(installation, scene_id)
            with pytest.raises(NeedsPerson, match=r"no movie library called 'Filme'. It has: Scenes") as caught:
                installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=5).run(threading.Event())
            assert isinstance(caught.value.cause, LibraryNotFound)
            assert installation.queue.total == 1


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            faults.status(500),
            faults.status(429, retry_after_s=1),
            faults.html_page(),
            faults.truncated(),
            faults.reset_in_body(),
            faults.empty(),
        ],
        ids=["500", "429", "html", "truncated", "reset in body", "empty"],
    )
    def test_a_read_that_fails_is_tried_again_at_its_time(self, world: SyncWorld, fault: faults.Fault) -> None:
        scene_id, item = world.pair(title="Walk")
        world.plex.fail_next(1, fault, only="read")
        attempt, *_ = world.drain(scene_id)  # the retry's own time may have come already
        assert (attempt.outcome, attempt.error_type) == (Outcome.RETRY, "PlexTemporaryError")
        assert attempt.retry_at is not None
        assert attempt.retry_at - time.time() <= 5.0
        world.drain(scene_id)  # the person's new event makes it due at once
        assert world.plex.item(item.rating_key).title == "Walk"

    def test_a_write_whose_answer_was_lost_is_not_repeated(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk")
        world.plex.fail_next(1, faults.answer_lost(), only="edit")
        attempt, *_ = world.drain(scene_id)  # as above
        assert attempt.error_type == "PlexBusy"
        world.drain(scene_id)
        assert world.plex.item(item.rating_key).title == "Walk"
        titles = [write for write in world.plex.field_writes if write.field == "title"]
        assert len(titles) == 1

    def test_a_permanent_refusal_is_a_dead_letter_at_once(self, world: SyncWorld) -> None:
        scene_id, _ = world.pair(title="Walk")
        world.plex.fail_next(1, faults.status(403), only="edit")
        (attempt,) = world.drain(scene_id)
        assert (attempt.outcome, attempt.error_type) == (Outcome.DEAD, "PlexPermanentError")
        with world.installed() as installation:
            (letter,) = DeadLetterStore(installation.queue).list()
        assert letter.job["scene_id"] == scene_id
        assert letter.advice

    def test_a_job_that_makes_no_sense_is_buried_and_holds_up_nobody(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Walk")
        with world.installed() as installation:
            installation.queue.put_job({"scene_id": 3, "update_type": "dance", "job_key": "scene_3", "data": {}})
        world.drain(scene_id)
        assert world.plex.item(item.rating_key).title == "Walk"
        assert [attempt.outcome for attempt in world.attempts if attempt.scene_id == 3] == [Outcome.DEAD]

    def test_a_scene_that_is_gone_is_done(self, world: SyncWorld) -> None:
        scene_id, _ = world.pair(title="Walk")
        world.stash.destroy(scene_id)
        (attempt,) = world.drain(scene_id)
        assert (attempt.outcome, attempt.error_type) == (Outcome.SKIPPED, "SceneGone")

    def test_skip_not_found_drops_the_job_when_its_tries_are_used_up(self, world: SyncWorld) -> None:
        scene_id, _, _ = world.scene(title="Not in Plex")
        job = {**scene_job(scene_id, time.time()), "retry_count": 11, "last_error_type": "PlexNotFound"}
        with world.installed(skip_not_found=True) as installation:
            installation.queue.put(job)
            installation.work_loop(LoopLimits(until_idle=True), unreachable_for_s=5).run(threading.Event())
            assert installation.queue.total == 0
            assert DeadLetterStore(installation.queue).count() == 0


class TestStorms:
    def test_an_edit_during_processing_runs_once_more(self, world: SyncWorld) -> None:
        scene_id, item = world.pair(title="Harbour at dawn")
        with world.working() as installation:
            with world.plex.paused_on_write() as pause:
                enqueue(installation, scene_id)
                assert pause.arrived.wait(10)
                world.stash.save(scene_id, title="Harbour at dusk")
                for _ in range(20):
                    enqueue(installation, scene_id)
                assert installation.queue.total == 1
            eventually(lambda: idle(installation))
        assert world.plex.item(item.rating_key).title == "Harbour at dusk"

    def test_while_a_scene_is_in_hand_the_queue_is_asked_seldom_unless_it_tells_of_a_job(
        self, world: SyncWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (first, _), (second, _) = (world.pair(title=title) for title in ("Harbour", "Lighthouse"))
        with world.working() as installation:
            looks: list[int] = []
            claim = installation.queue.claim

            def counted(limit: int) -> list[ClaimedJob]:
                looks.append(limit)
                return claim(limit)

            with world.plex.paused_on_write() as pause:
                enqueue(installation, first)
                assert pause.arrived.wait(10)
                monkeypatch.setattr(installation.queue, "claim", counted)
                time.sleep(1.5)
                assert 1 <= len(looks) <= 8, "one that has become due is found all the same"
                enqueue(installation, second)
                eventually(lambda: installation.queue.total == 0, within_s=5)
                assert not world.attempts, "beside the first one"
            eventually(lambda: idle(installation))

    def test_a_file_that_plex_scans_later_is_picked_up_without_waiting_for_the_retry(self, world: SyncWorld) -> None:
        scene_id, path, size = world.scene(title="Late")
        with world.working() as installation:
            enqueue(installation, scene_id)
            eventually(lambda: bool(world.attempts))
            assert world.attempts[0].error_type == "PlexNotFound"
            item = world.item(path, size)
            eventually(lambda: world.plex.item(item.rating_key).title == "Late", within_s=6)

    def test_a_stop_gives_back_what_hangs(self, world: SyncWorld) -> None:
        pairs = [world.pair(title=f"Film {number}", cover=png(number)) for number in range(3)]
        world.plex.fail_next(3, faults.hang(30), only="PUT")
        with world.installed(read_timeout=30.0) as installation:
            enqueue(installation, *(scene_id for scene_id, _ in pairs))
            stop = threading.Event()
            loop = installation.work_loop(LoopLimits(hand_back_after_s=0.5))
            thread = threading.Thread(target=loop.run, args=(stop,))
            thread.start()
            # The pictures of one scene are there, so its text is being written; the others may wait for a slot.
            eventually(lambda: len([r for r in world.plex.requests if r.method == "POST"]) >= 2)
            time.sleep(0.3)
            stop.set()
            begun = time.monotonic()
            thread.join()
            assert time.monotonic() - begun < 5
            assert installation.queue.total == 3
            assert all("retry_count" not in pending.job for pending in installation.queue.list_pending())
            world.plex.stop()

    def test_a_stop_while_many_are_being_decided_ends_at_once(self, world: SyncWorld) -> None:
        scene_ids = [world.pair(title=f"Film {number}")[0] for number in range(20)]
        with world.installed() as installation:
            world.session(installation).index.refresh()
            enqueue(installation, *scene_ids)
            world.plex.latency_s = 0.6
            stop = threading.Event()
            loop = installation.work_loop(LoopLimits(hand_back_after_s=5.0))
            thread = threading.Thread(target=loop.run, args=(stop,))
            thread.start()
            eventually(lambda: installation.queue.total == 0)  # all are in hand, and their items are being read
            time.sleep(0.2)
            stop.set()
            begun = time.monotonic()
            thread.join()
            assert time.monotonic() - begun < 3
            assert installation.queue.total == 20
            assert not world.attempts


class TestDeadLetters:
    def test_a_scene_that_fails_in_the_same_way_again_has_one_letter_and_one_that_fails_otherwise_two(
        self, world: SyncWorld
    ) -> None:
        scene_id, _, size = world.scene("doubtful")
        for folder in ("A", "B"):
            world.plex.add_item(world.library, file=f"{PLEX_ROOT}/{folder}/doubtful.mp4", size_bytes=size)
        for _ in range(3):
            assert world.drain(scene_id)[-1].error_type == "AmbiguousMatch"
        with world.installed() as installation:
            (letter,) = installation.dead_letters.list()
        assert len(letter.details["attempts"]) == 3

        world.plex.add_item(world.library, file=f"{PLEX_ROOT}/C/doubtful.mp4", size_bytes=size)
        world.drain(scene_id)
        with world.installed() as installation:
            assert len(installation.dead_letters.list()) == 2


class TestOddJobs:
    @pytest.mark.parametrize(
        "job",
        [
            {"scene_id": "abc", "update_type": "metadata"},
            {"scene_id": 1, "update_type": ["x"], "job_key": "scene_1"},
            {"scene_id": 2, "data": None},
            {"scene_id": 3},
        ],
        ids=["text for an id", "list for a type", "no data", "an id alone"],
    )
    def test_a_job_of_any_shape_ends_and_the_loop_lives_on(self, world: SyncWorld, job: dict[str, object]) -> None:
        for number in range(3):
            world.scene(title=f"Not in Plex {number}")
        scene_id, path, size = world.scene(title="Late")
        with world.working() as installation:
            installation.queue.put(job)
            enqueue(installation, scene_id)
            eventually(lambda: len(world.attempts) >= 2)
            item = world.item(path, size)  # wakes by name: looks through all that waits
            eventually(lambda: world.plex.item(item.rating_key).title == "Late", within_s=6)
            folder = queue_folder(installation.settings.data_dir)
            eventually(lambda: read_snapshot(folder).in_progress == 0)

    def test_a_long_retry_after_is_kept_to_what_the_queue_believes(self, world: SyncWorld) -> None:
        scene_id, _ = world.pair(title="Walk")
        world.plex.fail_next(1, faults.status(429, retry_after_s=3600), only="read")
        (attempt,) = world.drain(scene_id)
        assert attempt.outcome is Outcome.RETRY
        assert attempt.retry_at is not None
        assert 500 < attempt.retry_at - time.time() <= 600

    def test_a_job_taken_with_the_stock_get_goes_back_in_its_own_row(self, world: SyncWorld) -> None:
        with world.installed() as installation:
            worker = SyncWorker(installation.queue, None, None)
            installation.queue.put_job(scene_job(9, time.time()))
            job = installation.queue.get(block=False)
            worker._requeue_with_metadata(worker._prepare_for_retry(job, TransientError("slow")))
            (pending,) = installation.queue.list_pending()
            assert pending.job["retry_count"] == 1
            assert read_snapshot(queue_folder(installation.settings.data_dir)).in_progress == 0


def test_a_claim_that_is_off_the_books_late_does_not_take_the_next_one_of_its_row_with_it() -> None:
    holdings = Holdings()
    first, second = ClaimedJob(1, {"scene_id": 1}, claim_no=1), ClaimedJob(1, {"scene_id": 1}, claim_no=2)
    holdings.add([first])
    holdings.add([second])
    holdings.remove(first)
    assert holdings.has(second)
    assert not holdings.has(first)
