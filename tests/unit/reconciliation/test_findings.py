"""Findings outlive the process that made them."""

from __future__ import annotations

import json

from scenesync.domain.gaps import Gap, GapKind
from scenesync.reconciliation.findings import EXAMPLES, Findings, Looked


def test_they_are_the_same_after_they_were_kept_and_counted_on() -> None:
    found, other = Findings(), Findings()
    looks = [
        *(Looked(n, gap=Gap(GapKind.STALE, n, f"Film {n}", "/a", (str(n),), ("summary",))) for n in range(8)),
        Looked(10),
        Looked(11, looks=True),
        Looked(12, left_out="held"),
        Looked(13, undecided="ambiguous", looks=True),
        Looked(14, is_bare=True),
    ]
    for number, looked in enumerate(looks):
        found.count(looked)
        other.count(looked)
        if number == 6:
            other = Findings.from_document(json.loads(json.dumps(other.as_document())))
    assert other == found
    assert (found.scenes, found.total, found.right, found.to_look_at) == (13, 8, 2, 2)
    assert len(found.examples[GapKind.STALE]) == EXAMPLES
    assert Findings.from_document({}) == Findings()
