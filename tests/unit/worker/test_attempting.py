"""Desks where edits wait for their proof: kept as long as something waits there, and no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from scenesync.worker.attempting import Attempting

if TYPE_CHECKING:
    import threading

    from scenesync.worker.attempting import UnprovenJob
    from scenesync.worker.proof import ProofDesk, Unproven

NOTHING: Any = None


class Desk:
    """Takes edits in, and proves all of them when it is asked to."""

    def __init__(self) -> None:
        self.waiting: list[Unproven] = []
        self.checks = 0

    def add(self, claim: Unproven) -> None:
        self.waiting.append(claim)

    def due_in_s(self) -> float | None:
        return 0.0 if self.waiting else None

    def has_whole_batch(self) -> bool:
        return False

    def check(self, _stop: threading.Event, _settle: object, *, only_whole_batches: bool) -> None:
        assert not only_whole_batches
        self.checks += 1
        self.waiting.clear()


def test_a_desk_is_let_go_of_when_nothing_waits_there_any_more() -> None:
    attempting = Attempting(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)
    desks = [Desk() for _ in range(5)]  # one for each Plex server that answered in turn
    for desk in desks:
        attempting._hand_in(cast("ProofDesk", desk), cast("UnprovenJob", object()))
        attempting.prove(in_a_hurry=False)
        attempting.prove(in_a_hurry=False)
    assert [desk.checks for desk in desks] == [1] * 5
    assert attempting._desks == []
    attempting._hand_in(cast("ProofDesk", desks[0]), cast("UnprovenJob", object()))
    attempting.prove(in_a_hurry=False)
    assert desks[0].checks == 2
