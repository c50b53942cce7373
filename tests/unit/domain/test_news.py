"""What people are told, and what they are not told twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scenesync.domain.news import (
    CHOSEN_BY_SETTINGS,
    GATHER_S,
    HOUR_S,
    LETTERS_AGAIN_AFTER_S,
    MOST_PROBLEMS_AN_HOUR,
    Day,
    Kind,
    Message,
    NewLetters,
    Seen,
    State,
    Stopped,
    Told,
    Trouble,
    Wanted,
    decide,
)

T = 1_000_000.0
ALL = Wanted(frozenset((*CHOSEN_BY_SETTINGS, Kind.DIGEST)), outage_after_s=600.0)
DOWN = Trouble(T)


class Listener:
    """Somebody who is told, look after look."""

    def __init__(self, wanted: Wanted = ALL) -> None:
        self.wanted = wanted
        self.told = Told()
        self.heard: list[Message] = []

    def look(self, after_s: float, **seen: Any) -> list[tuple[str, str]]:
        """Look ``after_s`` seconds after T; return kind and state of what is told for it."""
        self.told, messages = decide(self.told, Seen(T + after_s, **seen), self.wanted)
        self.heard += messages
        return [(message.kind.value, message.state.value) for message in messages]


@pytest.fixture
def listener() -> Listener:
    listener = Listener()
    assert listener.look(-1) == []
    return listener


def test_an_outage_is_told_once_when_it_lasts_and_once_when_it_is_over(listener: Listener) -> None:
    down = {"plex": DOWN}
    assert listener.look(0, outages=down) == []
    assert listener.look(599, outages=down) == []
    assert listener.look(600, outages=down, waiting=7) == [("outage", "problem")]
    assert [listener.look(600 + 5 * n, outages=down) for n in range(1, 100)] == [[]] * 99
    assert listener.look(4200, waiting=40) == [("outage", "recovered")]
    assert listener.look(4300) == []
    begun, over = listener.heard
    assert begun.title == "Plex is down"
    assert "10.0 min" in begun.text
    assert "7 jobs wait" in begun.text
    assert "after 1.2 h. 40 jobs" in over.text
    assert over.facts == {"service": "plex", "since": T, "lasted_s": 4200.0, "waiting": 40}


def test_a_short_outage_is_not_told_at_all(listener: Listener) -> None:
    for number in range(50):
        at = number * 700.0
        assert listener.look(at + 599, outages={"plex": Trouble(T + at)}) == []
        assert listener.look(at + 650) == []


def test_one_outage_after_the_other_is_told_as_two(listener: Listener) -> None:
    listener.look(600, outages={"plex": DOWN})
    again = {"plex": Trouble(T + 610)}
    assert listener.look(620, outages=again) == [("outage", "recovered")]
    assert listener.look(1210, outages=again) == [("outage", "problem")]
    assert listener.look(1300) == [("outage", "recovered")]


def test_both_servers_are_told_apart(listener: Listener) -> None:
    both = {"plex": DOWN, "stash": Trouble(T + 100)}
    assert listener.look(650, outages=both) == [("outage", "problem")]
    assert listener.look(700, outages=both) == [("outage", "problem")]
    assert listener.look(800, outages={"stash": both["stash"]}) == [("outage", "recovered")]
    assert [message.subject for message in listener.heard] == ["plex", "stash", "plex"]


def test_a_refusal_is_told_at_once_and_when_it_is_over(listener: Listener) -> None:
    refused = {"plex": Trouble(T, "Plex does not accept the token.")}
    assert listener.look(0, refusals=refused) == [("refused", "problem")]
    assert listener.look(5, refusals=refused) == []
    assert listener.look(5000) == [("refused", "recovered")]
    assert "does not accept the token" in listener.heard[0].text


def new(first_s: float, last_s: float | None = None, **by_error: int) -> NewLetters:
    return NewLetters(by_error, (T + first_s, 1), (T + (first_s if last_s is None else last_s), sum(by_error.values())))


def test_dead_letters_are_gathered_told_once_an_hour_and_when_none_is_left(listener: Listener) -> None:
    assert listener.look(1, letters=1, new_letters=new(0, PlexBusy=1)) == []
    storm = new(0, 50, PlexBusy=400, AmbiguousMatch=2)
    assert listener.look(GATHER_S, letters=402, new_letters=storm) == [("dead_letters", "problem")]
    assert listener.told.letters_until == storm.last
    assert listener.heard[-1].text.startswith(
        "402 jobs were given up: 400 PlexBusy, 2 AmbiguousMatch. 402 dead letters"
    )
    for minute in range(2, 60):
        assert listener.look(minute * 60, letters=402 + minute, new_letters=new(100, PlexBusy=minute)) == []
    at = GATHER_S + LETTERS_AGAIN_AFTER_S
    assert listener.look(at, letters=462, new_letters=new(100, at, PlexBusy=60)) == [("dead_letters", "problem")]
    assert listener.look(at + 60, letters=3) == []
    assert listener.look(at + 90, letters=0) == [("dead_letters", "recovered")]
    assert listener.look(at + 95, letters=0) == []


def test_dead_letters_of_before_are_no_news() -> None:
    listener = Listener()
    assert listener.look(0, letters=9, newest_letter=(T - 5, 30)) == []
    assert listener.told.letters_until == (T - 5, 30)
    assert listener.look(5, letters=9, newest_letter=(T - 5, 30)) == []


def test_a_clock_that_was_ahead_hides_no_dead_letters_for_long() -> None:
    listener = Listener()
    listener.look(0, letters=1, newest_letter=(T + 9999, 1))
    listener.look(10, letters=1, newest_letter=(T + 9999, 1))
    assert listener.told.letters_until == (T + 10, 0)


def test_each_stopped_run_is_told_once(listener: Listener) -> None:
    one, two = Stopped(1, "a studio was renamed", "700 items would change"), Stopped(2, "files vanished", "too many")
    assert listener.look(0, stopped=(one,)) == [("stopped_run", "problem")]
    assert listener.look(5, stopped=(one, two)) == [("stopped_run", "problem")]
    assert listener.look(10, stopped=(one, two)) == []
    assert listener.look(15, stopped=(two,)) == []
    assert "700 items would change" in listener.heard[0].text
    assert listener.told.stopped == (2,)


def test_the_day_is_told_once(listener: Listener) -> None:
    day = Day(T, {"synced": 12, "unchanged": 40, "dead": 1}, outages=2, down_s=900.0)
    assert listener.look(-60) == []
    assert listener.look(1, day=day, waiting=3) == [("digest", "note")]
    assert listener.look(6, day=day) == []
    text = listener.heard[0].text
    assert "12 scenes brought up to date, 40 found right, 1 given up" in text
    assert "2 outages, 15.0 min in all" in text
    assert listener.look(86_401, day=replace(day, moment=T + 86_400)) == [("digest", "note")]


def test_a_day_that_was_over_when_somebody_began_to_look_is_not_told(listener: Listener) -> None:
    over = Day(T - 3600, {"synced": 12}, outages=0, down_s=0.0)
    assert listener.look(0, day=over) == []
    assert listener.look(5, day=over) == []
    assert listener.look(82_800, day=replace(over, moment=T + 82_800)) == [("digest", "note")]
    listener.wanted = Wanted(frozenset(CHOSEN_BY_SETTINGS), 0.0)
    listener.look(100_000)
    listener.wanted = ALL
    assert listener.look(180_000, day=replace(over, moment=T + 169_200)) == [], "wanted anew"


def test_a_clock_that_was_ahead_puts_off_no_digest_for_long(listener: Listener) -> None:
    listener.look(86_400 * 365)
    assert listener.look(0) == []
    assert listener.look(60, day=Day(T + 30, {}, outages=0, down_s=0.0)) == [("digest", "note")]


def test_nothing_is_told_that_nobody_wants() -> None:
    listener = Listener(Wanted(frozenset({Kind.REFUSED}), 0.0))
    everything: dict[str, Any] = {
        "outages": {"plex": DOWN},
        "letters": 5,
        "new_letters": new(-1000, PlexBusy=5),
        "stopped": (Stopped(1, "a", "b"),),
        "day": Day(T, {}, 0, 0.0),
    }
    assert listener.look(0, **everything) == []
    assert listener.look(1000, **everything) == []
    assert listener.look(1001, **everything, refusals={"plex": DOWN}) == [("refused", "problem")]


def test_there_is_never_a_storm_and_what_lasts_is_told_when_its_turn_comes(listener: Listener) -> None:
    runs = tuple(Stopped(number, "renamed", "many") for number in range(1, 31))
    assert len(listener.look(0, stopped=runs)) == MOST_PROBLEMS_AN_HOUR
    assert listener.look(60, stopped=runs, refusals={"plex": DOWN}) == []
    assert len(listener.look(HOUR_S + 1, stopped=runs[:13], refusals={"plex": DOWN})) == 4
    flapping = 0
    for number in range(200):
        at = HOUR_S * 3 + number * 20.0
        flapping += len(listener.look(at, refusals={"plex": Trouble(T + at, "no.")} if number % 2 else {}))
    assert flapping <= 2 * 2 * (MOST_PROBLEMS_AN_HOUR + 1), "recoveries only of what was told"


def test_a_clock_that_was_set_back_silences_nobody(listener: Listener) -> None:
    runs = tuple(Stopped(number, "renamed", "many") for number in range(1, 31))
    listener.look(HOUR_S * 100, stopped=runs[:10])
    assert len(listener.look(0, stopped=runs)) == MOST_PROBLEMS_AN_HOUR


def test_no_message_names_a_scene_and_all_have_words(listener: Listener) -> None:
    listener.look(0, refusals={"stash": DOWN}, stopped=(Stopped(1, "a", "b"),))
    listener.look(700, outages={"plex": DOWN})
    assert all(message.title and message.text and message.at for message in listener.heard)
    assert {message.state for message in listener.heard} == {State.PROBLEM, State.RECOVERED}
