"""One look at Stash after the other: at what, how thoroughly, and what waits while Stash is at work itself."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from scenesync.app.running.looked import LOOKED
from scenesync.domain.errors import StashRefused, TransientError
from scenesync.stash.client import ANY_ZONE_SLACK_S, DST_SLACK_S

if TYPE_CHECKING:
    from scenesync.intake.entity_poll import EntityPoll
    from scenesync.intake.polling import Poll
    from scenesync.intake.stash_activity import StashActivity
    from scenesync.stash.client import StashClient
    from scenesync.store.memory import Memory

log = logging.getLogger(__name__)

THOROUGHLY_EVERY_S: Final = 3600.0


class StashLooks:
    """Looks at Stash; not for several threads at once."""

    def __init__(
        self, stash: StashClient, poll: Poll, entity_poll: EntityPoll, activity: StashActivity, memory: Memory
    ) -> None:
        self._stash = stash
        self._poll = poll
        self._entity_poll = entity_poll
        self._activity = activity
        self._memory = memory
        self._looked_thoroughly_at: float | None = None

    def look_if_possible(self) -> None:
        """Look once. Servers that are down or refuse are told of by the loop, once; the next look finds it all.

        Raises what the queue and the store raise.
        """
        try:
            if self._poll.has_begun():  # until then the first reconciliation looks at everything
                self.look()
        except (TransientError, StashRefused) as error:
            self._activity.forget()
            log.debug("not looked for changes in Stash: %s", error)

    def look(self) -> None:
        """Look once. Raises what Stash's client, the queue, the store and the judge raise."""
        now = time.monotonic()
        is_due = self._looked_thoroughly_at is None or now - self._looked_thoroughly_at >= THOROUGHLY_EVERY_S
        self._activity.asked(self._stash.jobs())
        self._poll.look(
            thoroughly=is_due,
            holds_bulk=self._activity.holds_bulk(),
            is_busy=self._activity.is_busy(),
            tells_tasks=self._stash.tells_jobs(),
        )
        self._entity_poll.look(zone_slack_s=ANY_ZONE_SLACK_S if is_due else DST_SLACK_S, thoroughly=is_due)
        if is_due:
            self._looked_thoroughly_at = now
        self._memory.note(LOOKED, repr(time.time()))
