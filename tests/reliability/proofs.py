"""What a proof is given: how far to go, and where to write down what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Figures(Protocol):
    """Takes one row of the table; ``tried`` says how often what was done, e.g. "500 kills"."""

    def __call__(self, proof: str, tried: str, *, jobs: int, lost: int, doubled: int, remarks: str = "") -> None: ...


@dataclass(frozen=True)
class Bounds:
    """How far a proof goes: ``pick(short, long)`` chooses; histories are numbered from ``first_seed``.

    ``part`` is the part of the short form that is wanted.
    """

    is_long: bool
    first_seed: int
    part: float = 1.0

    def pick(self, short: int, long: int) -> int:
        return long if self.is_long else max(1, round(short * self.part))
