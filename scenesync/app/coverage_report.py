"""How much of both libraries meets: gathered from Stash and the path index, told as counts, examples and advice."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from scenesync.app.settings import participation
from scenesync.domain.matching import Rule
from scenesync.domain.participation import Reason
from scenesync.reconciliation.coverage import Finding, Kind, compare
from scenesync.store.path_index import PathIndexStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scenesync.app.installation import Installation
    from scenesync.domain.scene import Scene
    from scenesync.stash.client import StashClient

PAGE_SCENES: Final = 500

_WHAT_TO_DO: Final = {
    Kind.SHARED_ITEM: "Split the item apart in Plex, or choose with `scenesync pin SCENE RATING_KEY`. Until then "
    "none is written to it.",
    Kind.AMBIGUOUS: "Set path_map (`scenesync doctor --write`), remove the duplicate in Plex, or choose with "
    "`scenesync pin SCENE RATING_KEY`.",
    Kind.NOT_IN_PLEX: "Let Plex scan the folder, add it to a library of plex_libraries, or mend path_map "
    "(`scenesync doctor`).",
    Kind.PIN_LOST: "Pin the scene to another item, or take the pin off with `scenesync unpin SCENE`.",
    Kind.NOT_IN_STASH: "Let Stash scan the folder, if these are meant to be there.",
    Kind.FILE_IN_TWO_ITEMS: "Nothing: every item with the file is kept up to date. Remove one if it is a mistake.",
}
_BY_RULE: Final = {
    Rule.SUFFIX: "Set path_map for an exact match (`scenesync doctor --write`).",
    Rule.NAME_SIZE: "Set path_map for an exact match (`scenesync doctor --write`).",
    Rule.NAME_DURATION: "Look at the examples: only name and length agree. Set path_map, or pin.",
    Rule.NAME: "Look at the examples: only the name agrees. Set path_map, or pin.",
}
_BY_REASON: Final = {
    Reason.NO_FILE: "Nothing, unless Stash should have a file for it.",
    Reason.OTHER_STASH: "Nothing, if that Stash is to go first; else let the two tables change places, or leave the "
    "scene out in one of them.",
    Reason.OTHER_SCENE: "Nothing, as decided by a pin; `scenesync unpin` takes it back.",
}


@dataclass(slots=True)
class CoverageClass:
    """One class with its count; ``side`` says whether scenes or items are counted."""

    kind: Kind
    detail: str
    count: int = 0
    examples: list[Finding] = field(default_factory=list)

    @property
    def side(self) -> str:
        """Whose objects are counted."""
        items = {Kind.NOT_IN_STASH, Kind.ITEM_LEFT_OUT, Kind.FILE_IN_TWO_ITEMS, Kind.SHARED_ITEM}
        return "plex" if self.kind in items else "stash"

    @property
    def what_to_do(self) -> str:
        """What a person can do about it, "" for nothing."""
        return advice(self.kind, self.detail)

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "class": self.kind.value,
            "detail": self.detail or None,
            "side": self.side,
            "count": self.count,
            "what_to_do": self.what_to_do,
            "examples": [
                {key: value for key, value in asdict(example).items() if key not in {"kind", "detail"}}
                for example in self.examples
            ],
        }


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """All classes that occur, the matched ones first; ``scenes`` and ``items`` count what was compared."""

    scenes: int
    items: int
    classes: tuple[CoverageClass, ...]

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "scenes": self.scenes,
            "items": self.items,
            "classes": [each.as_document() for each in self.classes],
        }


def advice(kind: Kind, detail: str) -> str:
    """Return what a person can do about a class, "" for nothing."""
    match kind:
        case Kind.MATCHED:
            return _BY_RULE.get(Rule(detail), "")
        case Kind.LEFT_OUT:
            return _BY_REASON.get(Reason(detail), f"Nothing, if it is meant; else change {detail}.")
        case _:
            return _WHAT_TO_DO.get(kind, "")


@dataclass(frozen=True, slots=True)
class Coverage:
    """A comparison that is about to be made; ``findings`` can be walked once."""

    findings: Iterator[Finding]
    scenes: Counter[str]
    items: int
    server_id: str


def gather(installation: Installation) -> Coverage:
    """Refresh the index and begin to compare. Raises what Stash, Plex and the stores raise, while walking too."""
    identity = installation.plex.identity()
    session = installation.session(identity)
    session.index.refresh()
    index = PathIndexStore(installation.database, identity.machine_identifier)
    rules = participation(installation.settings)
    seen: Counter[str] = Counter()
    scenes = _counted(_scenes(installation.stash, tags=rules.asks_for_tags), seen)
    return Coverage(
        compare(scenes, index, session.scene_sync.match, rules), seen, index.counts().items, identity.machine_identifier
    )


def summarize(coverage: Coverage, examples: int) -> CoverageReport:
    """Walk a comparison to its end and count; at most ``examples`` of each class are kept."""
    classes: dict[tuple[Kind, str], CoverageClass] = {}
    for finding in coverage.findings:
        key = (finding.kind, finding.detail)
        known = classes.setdefault(key, CoverageClass(*key))
        known.count += 1
        if len(known.examples) < examples:
            known.examples.append(finding)
    return CoverageReport(coverage.scenes["scenes"], coverage.items, tuple(sorted(classes.values(), key=_order)))


def _order(each: CoverageClass) -> tuple[int, int, str]:
    rules = list(Rule)
    by_rule = rules.index(Rule(each.detail)) if each.kind is Kind.MATCHED else 0
    return (list(Kind).index(each.kind), by_rule, each.detail)


def _scenes(stash: StashClient, *, tags: bool) -> Iterator[Scene]:
    last_id = 0
    while page := stash.scenes_to_match_after(last_id, PAGE_SCENES, tags=tags):
        yield from page
        last_id = page[-1].id


def _counted(scenes: Iterable[Scene], into: Counter[str]) -> Iterator[Scene]:
    for scene in scenes:
        into["scenes"] += 1
        yield scene
