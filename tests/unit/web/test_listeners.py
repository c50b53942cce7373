"""What listeners cost: one look for all of them, none without them, and nothing is told when nothing has happened."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import HTMLResponse

from scenesync.app.dashboard.standing import attempt_facts, status_of
from scenesync.app.overview import Overview
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.queue.records import QueueSnapshot
from scenesync.web import event_stream
from scenesync.web.event_stream import Audience, EventStream
from scenesync.web.events import EventRing
from scenesync.web.models import state
from scenesync.web.pages import frame
from scenesync.web.pages.frame import Pages
from scenesync.web.problems import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOK_S = 0.01


class Situation:
    """How things stand, and how often somebody asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.snapshot: Mapping[str, Any] = {}

    def status(self) -> state.Status:
        self.asked += 1
        known = {"pending": 0, "due": 0, "in_progress": 0, "dead_letters": 0, "completed_total": 0, "failed_total": 0}
        figures = {
            **known,
            "oldest_pending_s": float(self.asked),
            "waiting_by_error": {},
            "spooled": 0,
            **self.snapshot,
        }
        return status_of(Overview(QueueSnapshot(**figures), daemon_running=True))


@pytest.fixture
def situation() -> Situation:
    return Situation()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "LOOK_EVERY_S", LOOK_S)
    monkeypatch.setattr(event_stream, "STATUS_EVERY_S", 0.2)


class Heard:
    """A listener that leaves when told to."""

    def __init__(self, ring: EventRing, audience: Audience, **chosen: Any) -> None:
        self.text = ""
        self._leaves = asyncio.Event()
        self._news = asyncio.Event()
        self._stream = EventStream(ring, audience, **chosen)
        self._task = asyncio.ensure_future(self._stream({"type": "http"}, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._leaves.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.text += message.get("body", b"").decode()
        self._news.set()

    async def until(self, is_enough: Callable[[str], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_enough(self.text):
                self._news.clear()
                await self._news.wait()

    async def leave(self) -> None:
        self._leaves.set()
        await self._task


def test_ten_listeners_are_told_of_one_look_and_nobody_is_asked_without_them(situation: Situation) -> None:
    async def listen() -> None:
        audience, ring = Audience(situation.status), EventRing()
        await asyncio.sleep(5 * LOOK_S)
        assert situation.asked == 0

        listeners = [Heard(ring, audience) for _ in range(10)]
        for each in listeners:
            await each.until(lambda text: "event: status" in text)
        assert situation.asked <= 2  # ten would have asked ten times
        for each in listeners:
            await each.leave()
        assert audience.listeners == 0
        asked = situation.asked
        await asyncio.sleep(0.5)
        assert situation.asked == asked

    asyncio.run(listen())


def test_what_only_the_clock_has_changed_is_not_told_and_what_happened_is(situation: Situation) -> None:
    async def listen() -> None:
        listener = Heard(EventRing(), Audience(situation.status))
        await listener.until(lambda text: "event: status" in text)
        looks = situation.asked
        while situation.asked < looks + 3:  # noqa: ASYNC110 - each, in a thread, finds another age of the oldest job
            await asyncio.sleep(LOOK_S)
        assert listener.text.count("event: status") == 1
        situation.snapshot = {"pending": 7, "due": 7}
        await listener.until(lambda text: '"pending":7' in text)
        assert listener.text.count("event: status") == 2
        await listener.leave()

    asyncio.run(listen())


def test_after_a_long_silence_the_state_is_told_as_the_clock_has_it(
    situation: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "BREATH_EVERY_S", 0.3)

    async def listen() -> None:
        listener = Heard(EventRing(), Audience(situation.status))
        await listener.until(lambda text: text.count("event: status") == 2)
        await listener.leave()

    asyncio.run(listen())


def test_a_state_that_nobody_can_tell_is_an_empty_one() -> None:
    def closed() -> state.Status:
        raise Unavailable("The files are just being opened.")

    async def listen() -> None:
        listener = Heard(EventRing(), Audience(closed))
        await listener.until(lambda text: "event: status\ndata: {}" in text)
        await listener.leave()

    asyncio.run(listen())


def test_who_listens_for_one_scene_hears_no_attempt_at_another(situation: Situation) -> None:
    ring = EventRing()

    async def listen() -> None:
        listener = Heard(ring, Audience(situation.status), kinds=frozenset({"attempt", "task"}), scene_id=2)
        await listener.until(lambda text: "retry" in text)
        for scene_id in (1, 2, 3):
            ring.publish("attempt", lambda number=scene_id: {"scene": number}, scene_id=scene_id)  # type: ignore[misc]
        ring.publish("task", lambda: {"task": "of all"})
        await listener.until(lambda text: "of all" in text)
        assert listener.text.count("event: attempt") == 1
        assert '"scene": 2' in listener.text
        await listener.leave()

    asyncio.run(listen())


def test_an_attempt_is_told_as_the_api_shows_it() -> None:
    made = Attempt(1, Outcome.SYNCED, 5.0, 0.1, rule="path", rating_keys=("7",), changed_fields=("title",))
    facts = attempt_facts(made)
    assert set(facts) == set(state.Attempt.model_fields)
    assert state.Attempt.model_validate(facts).model_dump() == facts


class Made:
    """A part of a page, and how often it was made."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> HTMLResponse:
        self.times += 1
        return HTMLResponse(f"made {self.times}")


def test_pages_that_ask_together_get_one_answer_and_later_another(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()

    async def ask() -> None:
        pages = Pages("", "0")
        monkeypatch.setattr(frame, "TOGETHER_S", 60.0)
        answers = await asyncio.gather(*(pages.shared("part", made) for _ in range(10)))
        assert {bytes(answer.body) for answer in answers} == {b"made 1"}
        assert (await pages.shared("another part", made)).body == b"made 2"
        pages.forget("part")
        assert (await pages.shared("part", made)).body == b"made 3"
        monkeypatch.setattr(frame, "TOGETHER_S", 0.0)
        assert (await pages.shared("part", made)).body == b"made 4"

    asyncio.run(ask())


def test_a_part_that_was_changed_while_it_was_made_is_made_anew() -> None:
    made = Made()

    async def ask() -> None:
        pages = Pages("", "0")

        def make() -> HTMLResponse:
            pages.forget("part")
            return made()

        await pages.shared("part", make)
        assert (await pages.shared("part", made)).body == b"made 2"

    asyncio.run(ask())


class Held:
    """A part of a page whose making lasts until it may end."""

    def __init__(self, text: str) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self._text = text

    def __call__(self) -> HTMLResponse:
        self.begun.set()
        assert self.may_end.wait(10)
        return HTMLResponse(self._text)


def test_nobody_waits_for_the_making_of_another_part() -> None:
    held = Held("slow")

    async def ask() -> None:
        pages = Pages("", "0")
        slow = asyncio.create_task(pages.shared("slow", held))
        await asyncio.to_thread(held.begun.wait, 10)
        try:
            assert (await asyncio.wait_for(pages.shared("part", Made()), 10)).body == b"made 1"
        finally:
            held.may_end.set()
        assert (await slow).body == b"slow"

    asyncio.run(ask())


@pytest.mark.parametrize("kind", ["young", "old", "forgotten"])
def test_who_finds_a_part_being_made_gets_the_one_before_if_that_is_still_good(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(frame, "TOGETHER_S", 0.0)
    monkeypatch.setattr(frame, "STILL_GOOD_S", 0.0 if kind == "old" else 60.0)
    held = Held("new")

    async def ask() -> bytes:
        pages = Pages("", "0")
        await pages.shared("part", Made())
        making = asyncio.create_task(pages.shared("part", held))
        await asyncio.to_thread(held.begun.wait, 10)
        if kind == "forgotten":
            pages.forget("part")
        found = asyncio.create_task(pages.shared("part", lambda: HTMLResponse("newest")))
        if kind != "young":
            await asyncio.sleep(0.02)
            assert not found.done()
            held.may_end.set()
        body = bytes((await asyncio.wait_for(found, 10)).body)
        held.may_end.set()
        assert (await making).body == b"new"
        return body

    assert asyncio.run(ask()) == (b"made 1" if kind == "young" else b"newest")
