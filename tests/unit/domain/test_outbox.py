"""What becomes of a message that could not be sent."""

from __future__ import annotations

from scenesync.domain.news import trial_message
from scenesync.domain.outbox import GIVE_UP_AFTER_S, MOST, PAUSES_S, Parcel, added

T = 1_000_000.0


def parcel(number: int = 0) -> Parcel:
    return Parcel(f"id {number}", "webhook", trial_message(T), T, T)


def test_it_is_tried_again_later_and_later_and_given_up_after_hours() -> None:
    waiting, now, tries = parcel(), T, 0
    assert waiting.is_due(now)
    while not waiting.is_too_old(now):
        waiting = waiting.again(now)
        tries += 1
        assert not waiting.is_due(now)
        assert waiting.next_at - now == PAUSES_S[min(tries - 1, len(PAUSES_S) - 1)]
        now = waiting.next_at
        assert waiting.is_due(now)
    assert tries == waiting.tries
    assert GIVE_UP_AFTER_S < now - T <= GIVE_UP_AFTER_S + PAUSES_S[-1]
    assert tries < 20


def test_the_other_side_may_ask_for_a_longer_pause_but_not_for_any() -> None:
    assert parcel().again(T, least_s=90.0).next_at == T + 90
    assert parcel().again(T, least_s=1e9).next_at == T + PAUSES_S[-1]


def test_a_clock_that_was_set_back_does_not_hold_it_up() -> None:
    assert parcel().is_due(T - 86_400)


def test_the_oldest_go_when_too_many_wait() -> None:
    waiting, dropped = added((), [parcel(number) for number in range(MOST)])
    assert dropped == 0
    waiting, dropped = added(waiting, [parcel(MOST), parcel(MOST + 1)])
    assert dropped == 2
    assert len(waiting) == MOST
    assert waiting[-1].id == f"id {MOST + 1}"
    assert waiting[0].id == "id 2"
