from __future__ import annotations

from scenesync.domain.brake import Brake


def test_each_thing_passes_a_few_times_and_then_not_until_time_has_gone_by() -> None:
    brake = Brake(3, 100.0)
    assert [brake.lets_through("a", now) for now in (0, 1, 2, 3, 4)] == [True, True, True, False, False]
    assert brake.lets_through("b", 4)
    assert brake.lets_through("a", 100.0), "the first of the three is forgotten by now"
    assert not brake.lets_through("a", 100.5)


def test_it_remembers_no_more_than_what_came_up_lately() -> None:
    brake = Brake(1, 10.0)
    for number in range(1000):
        brake.lets_through(number, float(number))
        if not brake.lets_through(number, float(number)):
            assert brake.refused_anew(number)
    assert len(brake._passed) <= 12
    assert len(brake._refused) <= 12


def test_a_refusal_is_news_once_until_the_thing_has_passed_again() -> None:
    brake = Brake(1, 10.0)
    assert brake.lets_through("a", 0)
    assert not brake.lets_through("a", 1)
    assert [brake.refused_anew("a") for _ in range(2)] == [True, False]
    assert brake.lets_through("a", 11)
    assert not brake.lets_through("a", 12)
    assert brake.refused_anew("a")
