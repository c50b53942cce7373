"""Which writes waited behind others is told from when they came and how long each takes."""

from __future__ import annotations

from bench.throughput import waited


def test_who_comes_after_the_one_ahead_is_done_waits_for_nobody() -> None:
    assert waited([0.0, 1.0, 2.5], 1.0) == 0


def test_who_comes_beside_another_waits() -> None:
    assert waited([0.0, 0.01, 2.0, 2.02], 1.0) == 2


def test_a_queue_goes_on_as_long_as_somebody_waits() -> None:
    assert waited([0.0, 0.0, 1.0, 2.0], 1.0) == 3


def test_who_comes_when_it_is_nearly_done_does_not_count() -> None:
    assert waited([0.0, 0.9], 1.0) == 0
