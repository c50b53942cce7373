"""Rates, and which writes waited behind others, are told from when the edits came."""

from __future__ import annotations

from bench.throughput import rate_of, waited
from scenesync.simulators.plex.records import RequestRecord


def test_who_comes_after_the_one_ahead_is_done_waits_for_nobody() -> None:
    assert waited([0.0, 1.0, 2.5], 1.0) == 0


def test_who_comes_beside_another_waits() -> None:
    assert waited([0.0, 0.01, 2.0, 2.02], 1.0) == 2


def test_a_queue_goes_on_as_long_as_somebody_waits() -> None:
    assert waited([0.0, 0.0, 1.0, 2.0], 1.0) == 3


def test_who_comes_when_it_is_nearly_done_does_not_count() -> None:
    assert waited([0.0, 0.9], 1.0) == 0


def edit(at: float, kind: str = "edit") -> RequestRecord:
    return RequestRecord("PUT", "/library/sections/1/all", (), 200, at, kind)


def test_a_rate_is_that_of_the_edits_after_the_ramp() -> None:
    slow_then_quick = [edit(0.0), edit(9.0), edit(0.5, "read"), edit(10.0), edit(10.5), edit(11.0), edit(12.0)]

    assert rate_of(slow_then_quick, ramp_edits=2) == 3 / 2
