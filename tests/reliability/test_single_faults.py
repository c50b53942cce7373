"""Each way of Plex to fail, once: what it is called, what it costs the job, and that the end is as if nothing had been.

What a read can meet with 500, 429, HTML, nothing and cut bodies stands in tests/integration/test_work_loop.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from faulty_household import shorten_pauses
from faulty_plex import EDIT, IMAGE, READ, doubled_writes

from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Outcome
from scenesync.queue.dead_letters import DeadLetterStore
from scenesync.simulators.plex import faults
from scenesync.simulators.sample_world import png
from tests.integration.sync_world import SyncWorld, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scenesync.simulators.plex.faults import Fault
    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.reliability

HASTY: Final = {"read_timeout": 0.5, "connect_timeout": 10.0, "patient_stash": True}
"""For what Plex never answers in time; elsewhere a busy machine must not look like a silent server."""
PATIENT: Final = {"read_timeout": 30.0, "connect_timeout": 30.0}
DRIP_ENDS_AFTER_S: Final = 4 * 0.5 + 0.5
PAUSE_S: Final = 0.1
DEFERRED, RETRY, SYNCED = Outcome.DEFERRED, Outcome.RETRY, Outcome.SYNCED


@dataclass(frozen=True, slots=True)
class Case:
    """A fault that befalls the first request of its kind, after ``spared`` of them, and what it is called."""

    name: str
    fault: Fault
    kind: str
    outcome: Outcome
    error: str
    spared: int = 0


CASES: Final = (
    Case("read: reset before the answer", faults.reset(), READ, DEFERRED, "PlexServerDown"),
    Case("read: one byte a second", faults.trickle(1.0), READ, RETRY, "PlexTemporaryError"),
    Case("read: silence", faults.hang(60), READ, RETRY, "PlexTemporaryError"),
    Case("read: half a document", faults.broken_body(), READ, RETRY, "PlexTemporaryError"),
    Case("read: 404", faults.status(404), READ, RETRY, "PlexNotFound"),
    Case("read: 503", faults.maintenance(), READ, DEFERRED, "PlexServerDown"),
    Case("edit: reset before the answer", faults.reset(), EDIT, RETRY, "PlexBusy"),
    Case("edit: reset in mid-body", faults.reset_in_body(), EDIT, RETRY, "PlexBusy"),
    Case("edit: truncated", faults.truncated(), EDIT, RETRY, "PlexBusy"),
    Case("edit: HTML page", faults.html_page(), EDIT, RETRY, "PlexTemporaryError"),
    Case("edit: 429", faults.status(429, retry_after_s=2), EDIT, RETRY, "PlexTemporaryError"),
    Case("edit: 404", faults.status(404), EDIT, RETRY, "PlexNotFound"),
    Case("edit: 503", faults.maintenance(), EDIT, DEFERRED, "PlexServerDown"),
    Case("edit: still starting", faults.still_starting(), EDIT, DEFERRED, "PlexServerDown"),
    Case("edit: 500 after a pause", faults.status(500, delay_s=PAUSE_S), EDIT, RETRY, "PlexBusy"),
    Case("edit: 500, applied", faults.status(500, delay_s=PAUSE_S, applied=True), EDIT, RETRY, "PlexBusy"),
    Case("edit: silence", faults.hang(60), EDIT, RETRY, "PlexBusy"),
    Case("edit: silence, applied", faults.hang(60, applied=True), EDIT, RETRY, "PlexBusy"),
    Case("edit: nothing done", faults.empty(), EDIT, SYNCED, ""),
    Case("image: 500, applied", faults.status(500, applied=True), IMAGE, RETRY, "PlexBusy"),
    Case("image: answer lost", faults.answer_lost(), IMAGE, RETRY, "PlexBusy"),
    Case("image: reset before the answer", faults.reset(), IMAGE, RETRY, "PlexBusy"),
    Case("image: 429", faults.status(429, retry_after_s=2), IMAGE, RETRY, "PlexTemporaryError"),
    Case("proof: 500", faults.status(500), READ, RETRY, "PlexTemporaryError", spared=1),
    Case("proof: reset before the answer", faults.reset(), READ, DEFERRED, "PlexServerDown", spared=1),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    with SyncWorld(tmp_path / "data") as built:
        yield built
        assert built.plex.whole_library_edits == []
        assert built.plex.simulator_failures == ()


@pytest.fixture
def film(world: SyncWorld) -> tuple[int, PlexItem]:
    return world.pair(title="Harbour at dawn", details="The first ferry.", cover=png(1))


def assert_shown_once(world: SyncWorld, item: PlexItem) -> None:
    """Check that the item shows all, that all is locked, and that nothing was written or uploaded twice."""
    assert (item.title, item.summary) == ("Harbour at dawn", "The first ferry.")
    assert [image.data for image in (item.poster, item.art) if image is not None] == [png(1), png(1)]
    assert item.locked >= {"title", "titleSort", "summary", "thumb", "art"}
    assert [len(item.images("poster")), len(item.images("art"))] == [2, 1]  # Plex's own frame, and ours
    assert doubled_writes(world.plex) == []


def state_of(world: SyncWorld, scene_id: int) -> tuple[int, object, int]:
    """Return the retry count and last error of the waiting job, and how many dead letters there are."""
    with world.installed() as installation:
        letters = DeadLetterStore(installation.queue).count()
        for pending in installation.queue.list_pending():
            if pending.job["scene_id"] == scene_id:
                return pending.job.get("retry_count", 0), pending.job.get("last_error_type"), letters
    return 0, None, letters


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_fault_is_called_by_its_name_and_in_the_end_all_is_shown_once(
    world: SyncWorld, film: tuple[int, PlexItem], case: Case
) -> None:
    scene_id, item = film
    world.plex.fail_next(1, case.fault, only=case.kind, after=case.spared)
    times = HASTY if "silence" in case.name or "byte" in case.name else PATIENT
    began = time.time()
    first, *others = world.drain(scene_id, **times)
    assert (first.outcome, first.error_type) == (case.outcome, case.error)
    if case.outcome is RETRY:
        assert others == []
        assert state_of(world, scene_id) == (1, case.error, 0)
        assert first.retry_at is not None
        assert first.retry_at >= began + (2 if "429" in case.name else 0)
        world.drain(scene_id, **PATIENT)  # a person's save makes it due at once
    else:  # it cost no try, and in the same run all was made good
        assert [first, *others][-1].outcome in {SYNCED, Outcome.UNCHANGED}
    assert state_of(world, scene_id) == (0, None, 0)
    assert_shown_once(world, item)


def test_a_picture_that_plex_took_with_200_and_does_not_have_is_sent_again(
    world: SyncWorld, film: tuple[int, PlexItem]
) -> None:
    scene_id, item = film
    world.plex.fail_next(1, faults.empty(), only=IMAGE)
    attempts = world.drain(scene_id)
    if attempts[-1].outcome is RETRY:
        attempts += world.drain(scene_id)
    assert attempts[-1].outcome is SYNCED
    assert_shown_once(world, item)


def test_an_edit_of_locks_alone_that_plex_swallows_is_sent_again(world: SyncWorld, film: tuple[int, PlexItem]) -> None:
    scene_id, item = film
    world.plex.edit_by_hand(item, title="Harbour at dawn", title_sort="Harbour at dawn", summary="The first ferry.")
    world.plex.fail_next(1, faults.empty(), only=EDIT)  # only pictures differ, so this edit has nothing but locks
    attempts = world.drain(scene_id)
    if attempts[-1].outcome is RETRY:
        attempts += world.drain(scene_id)
    assert item.locked >= {"thumb", "art"}


def test_an_item_that_was_replaced_before_its_proof_is_synced_under_its_new_key(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_pauses(monkeypatch)
    scene_id, path, size = world.scene(title="Harbour at dawn")
    old = world.item(path, size)
    with world.working() as installation:
        installation.queue.put_job(scene_job(scene_id, time.time()))
        eventually(lambda: old.title == "Harbour at dawn")
        world.plex.remove_item(old.rating_key)  # Plex rescans the folder between the edit and its proof
        new = world.item(path, size)
        eventually(lambda: new.title == "Harbour at dawn")


def test_a_swallowed_edit_teaches_no_other_dialect(world: SyncWorld) -> None:
    live, winter, *marked = (world.stash.add_tag(name) for name in ("Live", "Winter", "Rock 'n' Roll", "Award: Gold"))
    one, _ = world.pair(title="One", tags=[live, winter])
    two, item = world.pair(title="Two", tags=[live, *marked])
    world.drain(one, two)
    world.stash.save(one, tags=[live])
    world.plex.fail_next(1, faults.empty(), only=EDIT)
    world.drain(one)
    world.stash.save(two, tags=[live])
    world.drain(two)
    assert item.genres == ("Live",)
    assert doubled_writes(world.plex) == []


@pytest.mark.parametrize("from_head", [False, True], ids=["body", "head"])
def test_a_dripping_answer_ends_at_the_deadline_and_holds_up_nobody(world: SyncWorld, *, from_head: bool) -> None:
    slow, _ = world.pair(title="Slow")
    others = [world.pair(title=f"Film {number}") for number in range(8)]
    world.plex.fail_next(1, faults.trickle(5.0, from_head=from_head), only=READ)
    with world.working(workers=2, **HASTY) as installation:
        installation.queue.put_job(scene_job(slow, time.time()))
        eventually(lambda: world.plex.counts().get(READ, 0) == 1)
        began = time.monotonic()
        installation.queue.put_many(scene_job(scene_id, time.time()) for scene_id, _ in others)
        eventually(lambda: any(attempt.scene_id == slow for attempt in world.attempts))
        waited_s = time.monotonic() - began
    (dripped,) = [attempt for attempt in world.attempts if attempt.scene_id == slow][:1]
    assert (dripped.outcome, dripped.error_type) == (RETRY, "PlexTemporaryError")
    assert waited_s < DRIP_ENDS_AFTER_S + 6.0  # drop by drop it would take 15 s and more
    assert [item.title for _, item in others] == [f"Film {number}" for number in range(8)]
