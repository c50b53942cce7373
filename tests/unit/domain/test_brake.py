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
    assert len(brake._passed) <= 12
