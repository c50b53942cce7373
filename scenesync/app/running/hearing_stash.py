"""Hear what Stash says of its own tasks, and look at it at once when one has ended.

Its news come over a websocket that is opened again by itself; everything works without it, up to one look later.
"""

from __future__ import annotations

import logging
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scenesync.app.running.background import beside
from scenesync.app.running.looked import LISTENING, Listening
from scenesync.domain.errors import PermanentError, TransientError
from scenesync.stash.subscription import open_news
from scenesync.store.errors import StoreError
from scenesync.store.memory import Memory
from scenesync.worker.backoff import calculate_delay

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from scenesync.app.installation import Installation
    from scenesync.intake.stash_activity import StashActivity
    from scenesync.network.websocket import KeepAlive
    from scenesync.stash.client import StashClient
    from scenesync.stash.subscription import News

log = logging.getLogger(__name__)

LISTEN_S: Final = 1.0
"""So long the listener waits for a word before it asks whether it should end."""
BACKOFF_BASE_S, BACKOFF_CAP_S = 1.0, 60.0
LASTED_S: Final = 30.0
"""A connection that held so long was a good one: after its end the pauses begin anew."""


class StashListener:
    """Hears Stash's news for as long as it is asked to, over one connection after the other.

    ``over`` is called when a task of Stash has ended. At its end it leaves word that nobody listens, unless somebody
    else does by then (``is_succeeded``). ``jitter_seed`` makes the pauses repeatable.
    """

    def __init__(
        self,
        stash: StashClient,
        activity: StashActivity,
        memory: Memory,
        over: Callable[[], None],
        *,
        is_succeeded: Callable[[], bool] = lambda: False,
        keep_alive: KeepAlive | None = None,
        jitter_seed: int | None = None,
    ) -> None:
        self._stash = stash
        self._activity = activity
        self._memory = memory
        self._over = over
        self._is_succeeded = is_succeeded
        self._keep_alive = keep_alive
        self._random = random.Random(jitter_seed)  # noqa: S311 - pauses, no secrets
        self._failures = 0

    def run(self, end: threading.Event) -> None:
        """Listen until ``end``."""
        while not end.is_set():
            began = time.monotonic()
            try:
                self._listen(end)
            except (TransientError, PermanentError, StoreError) as error:
                if time.monotonic() - began >= LASTED_S:
                    self._failures = 0
                self._note(Listening(is_up=False, since=time.time(), reason=str(error)))
                end.wait(self._pause_s())
        if not self._is_succeeded():
            self._note(Listening(is_up=False, since=time.time(), reason="SceneSync does not run."))

    def _listen(self, end: threading.Event) -> None:
        with open_news(self._stash.door(), self._stash.schema, self._keep_alive) as stream:
            self._note(Listening(is_up=True, since=time.time()))
            self._over()  # what was said while nobody listened
            while not end.is_set():
                news = stream.next(LISTEN_S)
                if news is not None:
                    self._heed(news)

    def _heed(self, news: News) -> None:
        if news.job is not None:
            self._activity.heard_of(news.job)
        if news.scan_is_over or (news.job is not None and news.job.is_over):
            self._over()

    def _pause_s(self) -> float:
        """Return how long to wait: longer with each failure, and never nothing."""
        delay_s = calculate_delay(self._failures, BACKOFF_BASE_S, BACKOFF_CAP_S, self._random.randrange(2**32))
        self._failures += 1
        return max(BACKOFF_BASE_S / 2, delay_s)

    def _note(self, now: Listening) -> None:
        """Leave word for ``status``; to listen goes on where that cannot be."""
        try:
            before = Listening.from_text(self._memory.recall(LISTENING))
            if before is not None and (before.is_up, before.reason) == (now.is_up, now.reason):
                return
            log.debug("news of Stash: %s", "heard" if now.is_up else now.reason)
            self._memory.note(LISTENING, now.to_text())
        except StoreError as error:
            log.debug("not noted whether Stash's news are heard: %s", error)


@contextmanager
def hearing_stash(
    installation: Installation, activity: StashActivity, over: Callable[[], None], end: threading.Event
) -> Iterator[None]:
    """Listen to Stash's news during the block, unless it is never to be looked at; the rest as in ``StashListener``."""
    if not installation.settings.poll_interval:
        yield
        return
    listener = StashListener(
        installation.stash,
        activity,
        Memory(installation.database),
        over,
        is_succeeded=installation.queue.fleet.somebody_else_leads,
    )
    with beside("news", listener.run, end):
        yield
