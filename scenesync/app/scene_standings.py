"""Where scenes stand, as what looked at both sides found it: comparisons, plans and coverage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from scenesync.domain.gaps import GapKind
from scenesync.domain.scene_state import SceneStanding, SceneState
from scenesync.reconciliation.coverage import Kind
from scenesync.reconciliation.planning import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scenesync.reconciliation.coverage import Finding
    from scenesync.reconciliation.findings import Looked
    from scenesync.reconciliation.planning import PlannedScene
    from scenesync.store.scene_states import SceneStateStore

KEPT_AT_ONCE: Final = 500

_OF_VERDICT: Final = {
    Verdict.CHANGE: SceneState.DIFFERS,
    Verdict.UNCHANGED: SceneState.IN_SYNC,
    Verdict.UNMATCHED: SceneState.UNMATCHED,
    Verdict.AMBIGUOUS: SceneState.AMBIGUOUS,
    Verdict.LEFT_OUT: SceneState.LEFT_OUT,
    Verdict.REFUSED: SceneState.FAILED,
}
_OF_KIND: Final = {
    Kind.NOT_IN_PLEX: SceneState.UNMATCHED,
    Kind.PIN_LOST: SceneState.UNMATCHED,
    Kind.AMBIGUOUS: SceneState.AMBIGUOUS,
    Kind.SHARED_ITEM: SceneState.AMBIGUOUS,
    Kind.LEFT_OUT: SceneState.LEFT_OUT,
}
"""What coverage can say of a scene; of one that is matched it does not know whether it differs."""


def of_looked(looked: Looked) -> SceneStanding:
    """Return where a scene stands that was compared."""
    state, detail = _state_of_looked(looked)
    keys = looked.gap.rating_keys if looked.gap is not None else ()
    return SceneStanding(looked.scene_id, state, time.time(), looked.title, looked.path, detail, rating_keys=keys)


def _state_of_looked(looked: Looked) -> tuple[SceneState, str]:
    if looked.left_out:
        return SceneState.LEFT_OUT, looked.left_out
    if looked.undecided:
        return SceneState.AMBIGUOUS, looked.undecided
    if looked.is_bare:
        return SceneState.LEFT_OUT, "nothing to show yet"
    if looked.gap is None:
        return (SceneState.WAITING, "") if looked.looks else (SceneState.IN_SYNC, "")
    if looked.gap.kind is GapKind.MISSING:
        return SceneState.UNMATCHED, ""
    return SceneState.DIFFERS, ", ".join(looked.gap.fields)


def of_planned(planned: PlannedScene) -> SceneStanding:
    """Return where a scene stands that was planned."""
    fields = dict.fromkeys(change.field.value for item in planned.items for change in item.changes)
    detail = planned.reason or (", ".join(fields) if planned.verdict is Verdict.CHANGE else "")
    keys = tuple(item.rating_key for item in planned.items)
    state = _OF_VERDICT[planned.verdict]
    return SceneStanding(planned.scene_id, state, time.time(), planned.title, "", detail, planned.rule, keys)


def of_finding(finding: Finding) -> Iterator[SceneStanding]:
    """Yield where the scenes of a finding stand, as far as it tells."""
    state = _OF_KIND.get(finding.kind)
    if state is not None:
        path = finding.path if len(finding.scene_ids) == 1 else ""
        for scene_id in finding.scene_ids:
            yield SceneStanding(scene_id, state, time.time(), "", path, finding.text, "", finding.rating_keys)


class StandingsKeeper:
    """Keeps standings, many at a time; use as a context manager."""

    def __init__(self, store: SceneStateStore, server_id: str) -> None:
        self._store = store
        self._server_id = server_id
        self._kept: list[SceneStanding] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()

    def add(self, standings: Iterable[SceneStanding]) -> None:
        """Keep these, by and by. Raises StoreError."""
        self._kept += standings
        if len(self._kept) >= KEPT_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        kept: Sequence[SceneStanding]
        kept, self._kept = self._kept, []
        self._store.keep(self._server_id, kept)
