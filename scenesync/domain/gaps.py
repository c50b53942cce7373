"""Differences between the two libraries, and what they are called. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from scenesync.domain.fields import Field, empty_value
from scenesync.domain.members import plain_members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.domain.diff import Baseline, FieldChange
    from scenesync.domain.scene import Scene


@plain_members
class GapKind(StrEnum):
    """What is wrong with what Plex shows for a scene; where several things are, the first of these."""

    MISSING = "missing"
    """Plex has no item for it."""
    DRIFTED = "drifted"
    """Plex no longer shows what SceneSync wrote."""
    EMPTY = "empty"
    """Plex shows nothing where Stash has something, and SceneSync never wrote to the item."""
    STALE = "stale"
    """Plex shows something else than Stash has by now."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One scene that Plex does not show as it should; ``fields`` are those that differ, by their names in Plex."""

    kind: GapKind
    scene_id: int
    title: str
    path: str = ""
    rating_keys: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


def kind_of(changes: Sequence[FieldChange], baselines: Mapping[Field, Baseline], *, is_news: bool) -> GapKind:
    """Return what the difference of one item is, from the edit that would end it.

    ``is_news``: the scene changed in Stash since the worker read it last.
    """
    kinds = {_kind_of_field(change, baselines, is_news=is_news) for change in changes}
    return next(kind for kind in GapKind if kind in kinds)


def is_bare(scene: Scene) -> bool:
    """Say whether a scene has nothing worth showing yet, as one that was only scanned."""
    return not (scene.studio or scene.performers or scene.tags or scene.details or scene.date)


def takes_away(changes: Sequence[FieldChange], baselines: Mapping[Field, Baseline]) -> bool:
    """Say whether an edit would empty something that is shown now and that SceneSync never wrote."""
    return any(
        change.before != empty_value(change.field) == change.after and change.field not in baselines
        for change in changes
    )


def _kind_of_field(change: FieldChange, baselines: Mapping[Field, Baseline], *, is_news: bool) -> GapKind:
    if not baselines:
        return GapKind.EMPTY if change.before == empty_value(change.field) else GapKind.STALE
    baseline = baselines.get(change.field)
    if baseline is None:  # it was right when the item was written to
        return GapKind.STALE if is_news else GapKind.DRIFTED
    is_ours = change.before in (baseline.shown, baseline.written, baseline.replaced)
    return GapKind.STALE if is_ours else GapKind.DRIFTED
