"""What one node does for all that work on a queue, beside its own work: listen, reconcile, tell, keep the schedules."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from scenesync.app.backup.schedule import backup_routine
from scenesync.app.running.background import Routine, beside
from scenesync.app.running.hearing_stash import hearing_stash
from scenesync.app.running.housekeeping import TIDY_EVERY_S, tidy
from scenesync.app.running.plex_side import hearing_plex
from scenesync.app.running.reconciliation_schedule import Schedule
from scenesync.app.telling.pulse import pulse_routines
from scenesync.app.telling.teller import telling

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from scenesync.app.installation import Installation
    from scenesync.intake.stash_activity import StashActivity
    from scenesync.worker.availability.plex_connection import PlexSession


@contextmanager
def duties_of(
    installation: Installation,
    require_session: Callable[[], PlexSession],
    activity: StashActivity,
    routines: Sequence[Routine],
    over: threading.Event,
) -> Iterator[None]:
    """Do during the block, until it is ``over``, what one does for all that work on the queue."""
    with ExitStack() as stack:
        stack.enter_context(hearing_plex(installation, require_session, over))
        stack.enter_context(beside("reconciliation", Schedule(installation, require_session).run, over))
        stack.enter_context(telling(installation, over))
        stack.enter_context(hearing_stash(installation, activity, routines[0].run_soon, over))
        for routine in routines:
            stack.enter_context(beside(routine.name, routine, over))
        yield


def routines_of(
    installation: Installation, require_session: Callable[[], PlexSession], activity: StashActivity
) -> Sequence[Routine]:
    """Return what is done now and then beside the work, the looks at Stash first."""
    looks = installation.looks(require_session, activity)
    interval_s = installation.settings.poll_interval
    return (
        Routine("poll", "Look at Stash for changes", interval_s, looks.look_if_possible),
        Routine("housekeeping", "Drop what is too old to be kept", TIDY_EVERY_S, lambda: tidy(installation)),
        backup_routine(installation.settings),
        *pulse_routines(installation.settings),
    )
