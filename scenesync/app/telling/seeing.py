"""See how things stand, for those who are told about it: from the stores alone, by connections that hold up nobody."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from scenesync.domain.errors import LibraryNotFound, StashUnauthorized
from scenesync.domain.news import NOWHERE, Day, NewLetters, Seen, Stopped, Trouble, may_tell_letters
from scenesync.plex.exceptions import PlexUnauthorized
from scenesync.store.automatic_runs import AutomaticRunStore
from scenesync.store.pauses import PauseStore
from scenesync.worker.availability.health import SERVICES

if TYPE_CHECKING:
    from scenesync.app.installation import Installation
    from scenesync.domain.news import Place, Told
    from scenesync.queue.port import Letters

DAY_S: Final = 86_400.0
REFUSALS: Final = {
    PlexUnauthorized.__name__: "Plex does not accept the token (plex_token).",
    StashUnauthorized.__name__: "Stash does not accept the API key (stash_api_key).",
    LibraryNotFound.__name__: "Plex has no library of a name that plex_libraries gives.",
}
"""Instead of the errors' own words, which name hosts and libraries."""
REFUSED: Final = "It refuses what SceneSync asks."
MOST_LETTERS: Final = 1_000
"""So many are counted in one message at most."""
LATE_BY_AT_MOST_S: Final = 6 * 3600.0
"""A digest whose time passed longer ago, while no daemon ran, is left out."""


def see(installation: Installation, told: Told) -> Seen:
    """Return how things stand. Raises StoreError, QueueError."""
    now, letters = time.time(), installation.dead_letters
    outages = {
        service: Trouble(outage.began_at)
        for service in SERVICES
        for outage in installation.outages.of_service(service, since=now)
        if outage.ended_at is None
    }
    refusals = {
        pause.service: Trouble(pause.since, REFUSALS.get(pause.error, REFUSED))
        for pause in PauseStore(installation.database).read()
    }
    day = _day(installation, told, now)
    # The queue counts its jobs one by one, during which nobody claims any: only where a message may need the number.
    may_need_it = outages or refusals or told.outages or told.refusals or day
    return Seen(
        at=now,
        outages=outages,
        refusals=refusals,
        waiting=installation.queue.total if may_need_it else 0,
        letters=letters.count(),
        newest_letter=_newest(letters),
        new_letters=_new(letters, told, now),
        stopped=tuple(
            Stopped(run.id, run.cause, run.reason.rstrip("."))
            for run in AutomaticRunStore(installation.database).stopped()
        ),
        day=day,
    )


def _newest(letters: Letters) -> Place:
    newest = letters.list(limit=1)
    return (newest[0].failed_at, newest[0].id) if newest else NOWHERE


def _new(letters: Letters, told: Told, now: float) -> NewLetters:
    """Return what came after the letters that were told, as far as that may be told now: they are read as a whole."""
    until = told.letters_until
    if until is None or not may_tell_letters(told, now) or _newest(letters) <= until:
        return NewLetters()
    found = letters.list(limit=MOST_LETTERS, newest_first=False, behind=until)
    if not found:
        return NewLetters()
    first, last = ((letter.failed_at, letter.id) for letter in (found[0], found[-1]))
    return NewLetters(Counter(letter.error_type for letter in found), first, last)


def _day(installation: Installation, told: Told, now: float) -> Day | None:
    moment = latest_moment(installation.settings.notify_digest_at, now)
    if moment is None or moment <= told.day or now - moment > LATE_BY_AT_MOST_S:
        return None
    since = now - DAY_S
    outages = [outage for service in SERVICES for outage in installation.outages.of_service(service, since=since)]
    down_s = sum((outage.ended_at or now) - max(since, outage.began_at) for outage in outages)
    return Day(moment, installation.attempts.outcomes_since(since), len(outages), max(0.0, down_s))


def latest_moment(clock_time: str, now: float) -> float | None:
    """Return when this time of day (HH:MM, this machine's zone) was last, None if there is none ("")."""
    if not clock_time:
        return None
    hour, minute = (int(part) for part in clock_time.split(":"))
    today = time.localtime(now)
    # Days are counted by the calendar, not by seconds: twice a year one has another length.
    candidates = [
        time.mktime((today.tm_year, today.tm_mon, today.tm_mday + days, hour, minute, 0, 0, 0, -1)) for days in (0, -1)
    ]
    return next(moment for moment in candidates if moment <= now)
