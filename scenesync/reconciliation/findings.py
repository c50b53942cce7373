"""What a comparison of both libraries found: counts of everything, and a few examples of each kind of gap."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from scenesync.domain.gaps import Gap, GapKind

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of one scene.

    ``gap`` is what is wrong, None if nothing is. ``looks``: it gets a job although nothing is known to be wrong, since
    the worker has not read it as it is now, and pictures cannot be judged from outside. ``left_out`` names why it takes
    no part, ``undecided`` why a person has to decide, ``is_bare`` that it would only take something away.
    """

    scene_id: int
    title: str = ""
    path: str = ""
    gap: Gap | None = None
    looks: bool = False
    left_out: str = ""
    undecided: str = ""
    is_bare: bool = False


@dataclass(slots=True)
class Findings:
    """Counts scenes: those with a gap by kind, those that are right, left out, undecided or not ready."""

    scenes: int = 0
    right: int = 0
    gaps: Counter[GapKind] = field(default_factory=Counter)
    examples: dict[GapKind, list[Gap]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    undecided: int = 0
    not_ready: int = 0
    to_look_at: int = 0
    enqueued: int = 0
    items_read: int = 0
    stopped: bool = False
    """The scenes that were found wait for a person, since that would have changed too much."""

    def count(self, looked: Looked) -> None:
        """Add one scene."""
        self.scenes += 1
        self.to_look_at += looked.looks
        if looked.left_out:
            self.left_out[looked.left_out] += 1
        elif looked.undecided:
            self.undecided += 1
        elif looked.is_bare:
            self.not_ready += 1
        elif looked.gap is None:
            self.right += 1
        else:
            self.gaps[looked.gap.kind] += 1
            examples = self.examples.setdefault(looked.gap.kind, [])
            if len(examples) < EXAMPLES:
                examples.append(looked.gap)

    @property
    def total(self) -> int:
        """How many scenes have a gap."""
        return self.gaps.total()

    def as_document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "scenes": self.scenes,
            "right": self.right,
            "gaps": {
                kind.value: {
                    "count": self.gaps[kind],
                    "examples": [_gap_document(gap) for gap in self.examples.get(kind, ())],
                }
                for kind in GapKind
            },
            "left_out": dict(self.left_out),
            "undecided": self.undecided,
            "not_ready": self.not_ready,
            "to_look_at": self.to_look_at,
            "enqueued": self.enqueued,
            "items_read_in_full": self.items_read,
            "stopped": self.stopped,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return what ``as_document`` wrote; nothing yet for an empty one."""
        if not document:
            return cls()
        gaps = document["gaps"]
        return cls(
            scenes=document["scenes"],
            right=document["right"],
            gaps=Counter({GapKind(kind): told["count"] for kind, told in gaps.items()}),
            examples={
                GapKind(kind): [_to_gap(gap) for gap in told["examples"]]
                for kind, told in gaps.items()
                if told["examples"]
            },
            left_out=Counter(document["left_out"]),
            undecided=document["undecided"],
            not_ready=document["not_ready"],
            to_look_at=document["to_look_at"],
            enqueued=document["enqueued"],
            items_read=document["items_read_in_full"],
            stopped=document["stopped"],
        )


def _gap_document(gap: Gap) -> dict[str, Any]:
    return {**asdict(gap), "kind": gap.kind.value, "rating_keys": list(gap.rating_keys), "fields": list(gap.fields)}


def _to_gap(document: Mapping[str, Any]) -> Gap:
    return Gap(
        GapKind(document["kind"]),
        document["scene_id"],
        document["title"],
        document["path"],
        tuple(document["rating_keys"]),
        tuple(document["fields"]),
    )
