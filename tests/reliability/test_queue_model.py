"""The queue against a model of it: several handles on one file, crashes, late hooks, and a clock that jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import queue_model_clock
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from queue_model_machine import QueueMachine, Tally

if TYPE_CHECKING:
    from proofs import Bounds, Figures

pytestmark = pytest.mark.reliability

STEPS = 40


@pytest.mark.timeout(3600)
def test_queue_does_what_its_model_does_whatever_happens(
    bounds: Bounds, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    histories = bounds.pick(50, 3000)
    tally = Tally()

    class Machine(QueueMachine):
        clock = queue_model_clock.install(monkeypatch)

    Machine.tally = tally
    try:
        run_state_machine_as_test(
            seed(bounds.first_seed)(Machine),
            settings=settings(
                max_examples=histories,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,  # a failing history is repeated by its seed, not from a file in the checkout
                phases=(Phase.generate, Phase.shrink),
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
                verbosity=Verbosity.normal,
            ),
        )
    except BaseException as error:
        error.add_note(f"The steps above are the shortest that fail. Repeat with: {command(bounds)}")
        raise
    assert min(tally.steps, tally.claimed, tally.crashes, tally.refused) > histories // 4, (
        "the histories did too little"
    )
    figures(
        "queue against its model",
        f"{histories} histories, {tally.steps:,} steps, {tally.crashes:,} crashes",
        jobs=tally.events,
        lost=0,
        doubled=0,
        remarks=f"{tally.claimed:,} claims, {tally.refused:,} late steps refused",
    )


def command(bounds: Bounds) -> str:
    return (
        f"pytest tests/reliability/test_queue_model.py --seed {bounds.first_seed}{' --long' if bounds.is_long else ''}"
    )
