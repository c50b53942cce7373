"""Decide what people are told: one message for what went wrong and one when it is over, however often one looks.

Pure: ``decide`` holds what is seen now against what was told before. What was told is kept by the caller, so a restart
repeats nothing. No message names a scene, a library or a host: it goes to other people's servers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scenesync.domain.quantities import counted, span

if TYPE_CHECKING:
    from collections.abc import Mapping

GATHER_S: Final = 60.0
"""So long dead letters are gathered before they are told, since what breaks one often breaks many."""
LETTERS_AGAIN_AFTER_S: Final = 3600.0
HOUR_S: Final = 3600.0
MOST_PROBLEMS_AN_HOUR: Final = 10
"""What goes wrong beyond that is told when its turn comes, if it still is wrong."""
_MORE: Final = "The dashboard or `scenesync status` says more."
NAMES: Final = {"plex": "Plex", "stash": "Stash"}

Fact = str | int | float | bool | None
Place = tuple[float, int]
"""Where a dead letter stands among all: when it failed (epoch seconds), and its number."""
NOWHERE: Final[Place] = (0.0, 0)


class Kind(StrEnum):
    """What a message is about."""

    OUTAGE = "outage"
    REFUSED = "refused"
    DEAD_LETTERS = "dead_letters"
    STOPPED_RUN = "stopped_run"
    DIGEST = "digest"
    TEST = "test"


CHOSEN_BY_SETTINGS: Final = (Kind.OUTAGE, Kind.REFUSED, Kind.DEAD_LETTERS, Kind.STOPPED_RUN)


class State(StrEnum):
    """Whether something went wrong, is over, or is only said."""

    PROBLEM = "problem"
    RECOVERED = "recovered"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell; ``at`` in epoch seconds, ``facts`` are for machines."""

    kind: Kind
    state: State
    subject: str
    title: str
    text: str
    at: float
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that lasts since then (epoch seconds), and a sentence about it, if there is one that names nothing."""

    since: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A run that waits for a person."""

    id: int
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class NewLetters:
    """Dead letters behind those that were told: how many of each error, and where the first and the last stand."""

    by_error: Mapping[str, int] = field(default_factory=dict)
    first: Place = NOWHERE
    last: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Day:
    """The figures of a day, if it is time to tell them: ``moment`` is when it became time (epoch seconds)."""

    moment: float
    outcomes: Mapping[str, int]
    outages: int
    down_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """How things stand at ``at`` (epoch seconds). ``newest_letter`` is where the latest dead letter stands."""

    at: float
    outages: Mapping[str, Trouble] = field(default_factory=dict)
    refusals: Mapping[str, Trouble] = field(default_factory=dict)
    waiting: int = 0
    letters: int = 0
    newest_letter: Place = NOWHERE
    new_letters: NewLetters = field(default_factory=NewLetters)
    stopped: tuple[Stopped, ...] = ()
    day: Day | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What people know. ``letters_until`` is None before anything was looked at: what is old by then is no news.

    ``day`` is up to when a digest was told, or when somebody began to want one (epoch seconds); 0 if nobody does.
    """

    outages: Mapping[str, float] = field(default_factory=dict)
    refusals: Mapping[str, float] = field(default_factory=dict)
    letters_until: Place | None = None
    letters_at: float | None = None
    letters_open: bool = False
    stopped: tuple[int, ...] = ()
    day: float = 0.0
    problems_at: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to be told; an outage only when it has lasted for so long."""

    kinds: frozenset[Kind]
    outage_after_s: float


def decide(told: Told, seen: Seen, wanted: Wanted) -> tuple[Told, tuple[Message, ...]]:
    """Return what people know afterwards, and what they are told for it."""
    # In a list that was noted by a clock ahead of ours, nothing would ever grow old.
    lately = tuple(at for at in told.problems_at if 0 <= seen.at - at < HOUR_S)
    told = replace(told, problems_at=lately)
    messages: list[Message] = []
    for rule in (_outages, _refusals, _letters, _stopped, _day):
        told, more = rule(told, seen, wanted)
        messages += more
        told = replace(
            told, problems_at=(*told.problems_at, *(seen.at for each in more if each.state is State.PROBLEM))
        )
    return told, tuple(messages)


def trial_message(at: float) -> Message:
    """Return what shows that a way works."""
    text = "This is a test. If you can read it, SceneSync can tell you what goes wrong."
    return Message(Kind.TEST, State.NOTE, "test", "SceneSync: a test", text, at)


def _has_room(told: Told, messages: list[Message]) -> bool:
    return len(told.problems_at) + len(messages) < MOST_PROBLEMS_AN_HOUR


def _outages(told: Told, seen: Seen, wanted: Wanted) -> tuple[Told, list[Message]]:
    known, messages = dict(told.outages), []
    for service, since in told.outages.items():
        now = seen.outages.get(service)
        if now is None or now.since != since:
            del known[service]
            if Kind.OUTAGE in wanted.kinds:
                messages.append(_back(service, since, seen))
    for service, trouble in seen.outages.items():
        is_news = service not in known and seen.at - trouble.since >= wanted.outage_after_s
        if is_news and Kind.OUTAGE in wanted.kinds and _has_room(told, messages):
            known[service] = trouble.since
            messages.append(_down(service, trouble, seen))
    return replace(told, outages=known), messages


def _down(service: str, trouble: Trouble, seen: Seen) -> Message:
    lasted_s = seen.at - trouble.since
    text = (
        f"{NAMES[service]} has been down for {span(lasted_s)}. {counted(seen.waiting, 'job')} "
        f"{'waits' if seen.waiting == 1 else 'wait'}; none is lost, and work goes on by itself when it is back. "
        f"{_MORE}"
    )
    facts: dict[str, Fact] = {"service": service, "since": trouble.since, "lasted_s": lasted_s, "waiting": seen.waiting}
    return Message(Kind.OUTAGE, State.PROBLEM, service, f"{NAMES[service]} is down", text, seen.at, facts)


def _back(service: str, since: float, seen: Seen) -> Message:
    lasted_s = max(0.0, seen.at - since)
    text = f"{NAMES[service]} is back after {span(lasted_s)}. {counted(seen.waiting, 'job')} to work off."
    facts: dict[str, Fact] = {"service": service, "since": since, "lasted_s": lasted_s, "waiting": seen.waiting}
    return Message(Kind.OUTAGE, State.RECOVERED, service, f"{NAMES[service]} is back", text, seen.at, facts)


def _refusals(told: Told, seen: Seen, wanted: Wanted) -> tuple[Told, list[Message]]:
    known, messages = dict(told.refusals), []
    for service, since in told.refusals.items():
        if service not in seen.refusals:
            del known[service]
            if Kind.REFUSED in wanted.kinds:
                facts: dict[str, Fact] = {"service": service, "since": since}
                text = f"{NAMES[service]} accepts SceneSync again, and work goes on."
                title = f"SceneSync works again ({NAMES[service]})"
                messages.append(Message(Kind.REFUSED, State.RECOVERED, service, title, text, seen.at, facts))
    for service, trouble in seen.refusals.items():
        if service not in known and Kind.REFUSED in wanted.kinds and _has_room(told, messages):
            known[service] = trouble.since
            facts = {"service": service, "since": trouble.since, "waiting": seen.waiting}
            text = f"{trouble.words} Work waits until somebody changes that; no job is lost. {_MORE}"
            title = f"SceneSync waits for you ({NAMES[service]})"
            messages.append(Message(Kind.REFUSED, State.PROBLEM, service, title, text, seen.at, facts))
    return replace(told, refusals=known), messages


def may_tell_letters(told: Told, now: float) -> bool:
    """Say whether it is so long since dead letters were told that others may be."""
    return told.letters_at is None or not 0 <= now - told.letters_at < LETTERS_AGAIN_AFTER_S


def _letters(told: Told, seen: Seen, wanted: Wanted) -> tuple[Told, list[Message]]:
    if told.letters_until is None or Kind.DEAD_LETTERS not in wanted.kinds:
        return replace(told, letters_until=seen.newest_letter, letters_open=False), []
    if told.letters_until[0] > seen.at:  # noted by a clock that was ahead
        return replace(told, letters_until=(seen.at, 0)), []
    if told.letters_open and seen.letters == 0:
        text = "There are no dead letters any more."
        over = Message(Kind.DEAD_LETTERS, State.RECOVERED, "queue", "No dead letters left", text, seen.at, {"left": 0})
        return replace(told, letters_open=False), [over]
    new = seen.new_letters
    if not new.by_error or 0 <= seen.at - new.first[0] < GATHER_S:
        return told, []
    if not may_tell_letters(told, seen.at) or not _has_room(told, []):
        return told, []
    return replace(told, letters_until=new.last, letters_at=seen.at, letters_open=True), [_given_up(seen)]


def _given_up(seen: Seen) -> Message:
    by_error = dict(sorted(seen.new_letters.by_error.items(), key=lambda each: (-each[1], each[0])))
    count = sum(by_error.values())
    what = ", ".join(f"{number} {error}" for error, number in by_error.items())
    text = (
        f"{counted(count, 'job')} {'was' if count == 1 else 'were'} given up: {what}. "
        f"{counted(seen.letters, 'dead letter')} in all; the dashboard or `scenesync dlq list` says what would help."
    )
    facts: dict[str, Fact] = {
        "new": count,
        "dead_letters": seen.letters,
        **{f"new_{key}": n for key, n in by_error.items()},
    }
    return Message(Kind.DEAD_LETTERS, State.PROBLEM, "queue", "Jobs were given up", text, seen.at, facts)


def _stopped(told: Told, seen: Seen, wanted: Wanted) -> tuple[Told, list[Message]]:
    lasting = tuple(run.id for run in seen.stopped)
    known = tuple(run for run in told.stopped if run in lasting)
    messages: list[Message] = []
    for run in seen.stopped:
        if run.id not in known and Kind.STOPPED_RUN in wanted.kinds and _has_room(told, messages):
            known = (*known, run.id)
            text = (
                f"A run that nobody asked for ({run.cause}) was stopped before its first write: {run.reason}. "
                f"`scenesync stopped` or the dashboard shows what it would change, and lets it go on or drops it."
            )
            facts: dict[str, Fact] = {"run": run.id}
            title = "A run waits for you"
            messages.append(Message(Kind.STOPPED_RUN, State.PROBLEM, f"run {run.id}", title, text, seen.at, facts))
    return replace(told, stopped=known), messages


def _day(told: Told, seen: Seen, wanted: Wanted) -> tuple[Told, list[Message]]:
    if Kind.DIGEST not in wanted.kinds:
        return replace(told, day=0.0), []
    if not 0 < told.day <= seen.at:  # the first look, or one after a look by a clock that was ahead
        return replace(told, day=seen.at), []
    day = seen.day
    if day is None or told.day >= day.moment:
        return told, []
    synced, dead = day.outcomes.get("synced", 0), day.outcomes.get("dead", 0)
    right = day.outcomes.get("unchanged", 0)
    parts = [
        f"{counted(synced, 'scene')} brought up to date, {right} found right, {dead} given up in the last 24 hours.",
        f"{counted(seen.waiting, 'job')} waiting, {counted(seen.letters, 'dead letter')}.",
    ]
    if day.outages:
        parts.append(f"{counted(day.outages, 'outage')}, {span(day.down_s)} in all.")
    if seen.stopped:
        parts.append(f"{counted(len(seen.stopped), 'run')} waiting for you.")
    facts: dict[str, Fact] = {
        **day.outcomes,
        "outages": day.outages,
        "down_s": day.down_s,
        "waiting": seen.waiting,
        "dead_letters": seen.letters,
    }
    note = Message(Kind.DIGEST, State.NOTE, "day", "SceneSync: the last day", " ".join(parts), seen.at, facts)
    return replace(told, day=day.moment), [note]
