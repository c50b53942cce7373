"""Tells people what goes wrong, in a thread of its own: looks, decides, notes, sends.

A message is noted in the same write that makes it count as told, and sent afterwards. So a crash repeats at most one
that was just being sent (with the same id), and none is lost that a way takes within hours.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from scenesync.app.running.background import beside
from scenesync.app.telling.memo import FACT, Memo
from scenesync.app.telling.seeing import see
from scenesync.app.telling.ways import wanted_of, ways_of
from scenesync.domain.news import Told, decide
from scenesync.domain.outbox import Parcel, added
from scenesync.notify.apprise_way import MISSING, is_installed
from scenesync.notify.ways import NotTold
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from scenesync.app.installation import Installation
    from scenesync.domain.news import Message, Seen, Wanted
    from scenesync.notify.ways import Way

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
LONGEST_PASS_S: Final = 30.0
"""So long messages are sent before somebody looks again, however slowly they are taken."""


class Teller:
    """Looks and tells. ``see`` returns how things stand, given what people know; not for several threads at once."""

    def __init__(self, memory: Memory, see: Callable[[Told], Seen], ways: Sequence[Way], wanted: Wanted) -> None:
        self._memory = memory
        self._see = see
        self._ways = {way.key: way for way in ways}
        self._wanted = wanted

    def run(self, end: threading.Event) -> None:
        """Look now and then until the end. Raises StoreError, QueueError."""
        self._say_what_was_dropped()
        while not end.wait(LOOK_EVERY_S):
            self.look()
            self.send(end)

    def look(self) -> Sequence[Message]:
        """Note what is news now; return it. Raises StoreError, QueueError."""
        memo = self._recall()
        told, messages = decide(memo.told, self._see(memo.told), self._wanted)
        new = [self._parcel(way, message) for message in messages for way in self._ways]
        waiting, dropped = added(memo.waiting, new)
        if dropped:
            log.error("%d older messages are not sent any more: too many wait", dropped)
        self._keep(memo, Memo(told, waiting))
        return messages

    def send(self, end: threading.Event) -> None:
        """Send what is due, on each way in the order in which it happened, until the end. Raises StoreError.

        So nobody hears that Plex is down after having heard that it is back, and a way that fails is tried once a time.
        """
        now, held, began = time.time(), set[str](), time.monotonic()
        for parcel in self._recall().waiting:
            if end.is_set():
                return
            if parcel.way in held:
                continue
            left = self._sent(parcel) if parcel.is_due(now) else parcel
            if left is not None:
                held.add(parcel.way)
            self._settle(parcel, left)
            if time.monotonic() - began >= LONGEST_PASS_S:
                return

    @staticmethod
    def _parcel(way: str, message: Message) -> Parcel:
        return Parcel(str(uuid.uuid4()), way, message, message.at, message.at)

    def _sent(self, parcel: Parcel) -> Parcel | None:
        """Try to send; return what waits then, None if nothing does."""
        way, now = self._ways.get(parcel.way), time.time()
        if way is None:  # not in the settings any more
            return None
        if parcel.is_too_old(now):  # also if nobody was there to send it
            log.error("given up telling kind=%s way=%r tries=%d", parcel.message.kind.value, way.name, parcel.tries)
            return None
        try:
            way.tell(parcel.message, parcel.id)
        except NotTold as error:
            if error.for_good:
                log.error(  # noqa: TRY400 - the other side's fault, no traceback
                    "given up telling kind=%s way=%r tries=%d reason=%s",
                    parcel.message.kind.value,
                    way.name,
                    parcel.tries + 1,
                    error,
                )
                return None
            again = parcel.again(now, error.wait_s)
            log.warning(
                "could not tell kind=%s way=%r tries=%d again_in_s=%.0f reason=%s",
                parcel.message.kind.value,
                way.name,
                again.tries,
                again.next_at - now,
                error,
            )
            return again
        log.info("told kind=%s state=%s way=%r", parcel.message.kind.value, parcel.message.state.value, way.name)
        return None

    def _settle(self, parcel: Parcel, left: Parcel | None) -> None:
        """Note what became of a parcel, in what is noted by now: sending took its time, and others look meanwhile."""

        def settled(noted: str | None) -> str:
            memo = Memo.from_text(noted)
            others = [left if each.id == parcel.id else each for each in memo.waiting]
            return replace(memo, waiting=tuple(each for each in others if each is not None)).to_text()

        self._memory.change(FACT, settled)

    def _say_what_was_dropped(self) -> None:
        lost = [parcel for parcel in self._recall().waiting if parcel.way not in self._ways]
        if lost:
            log.warning("%d messages are dropped whose way is not in the settings any more", len(lost))

    def _recall(self) -> Memo:
        return Memo.from_text(self._memory.recall(FACT))

    def _keep(self, before: Memo, after: Memo) -> None:
        if after != before:
            self._memory.note(FACT, after.to_text())


@contextmanager
def telling(installation: Installation, end: threading.Event) -> Iterator[None]:
    """Tell people about this round while the block runs, if the settings name a way to."""
    ways = ways_of(installation.settings)
    if not ways:
        yield
        return
    if installation.settings.notify_urls is not None and not is_installed():
        log.error(MISSING)
    teller = Teller(Memory(installation.database), partial(see, installation), ways, wanted_of(installation.settings))
    with beside("notifications", teller.run, end):
        yield
