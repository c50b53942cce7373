"""What would change in Plex, scene by scene; nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.batches import batched
from scenesync.domain.blast_radius import NOWHERE, Reach
from scenesync.domain.desired import shown_title
from scenesync.domain.errors import AmbiguousMatch, ImageTooLarge, ImageUnusable, SceneSkipped
from scenesync.plex.exceptions import PlexNotFound, PlexPermanentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scenesync.domain.diff import Conflict, FieldChange
    from scenesync.domain.fields import Field
    from scenesync.domain.item import Item
    from scenesync.domain.matching import Match
    from scenesync.domain.scene import Scene
    from scenesync.worker.sync_plan import PlannedItem

SCENES_AT_ONCE: Final = 50


class Verdict(StrEnum):
    """What a plan says of a scene."""

    CHANGE = "change"
    UNCHANGED = "unchanged"
    UNMATCHED = "unmatched"
    AMBIGUOUS = "ambiguous"
    LEFT_OUT = "left_out"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ItemChanges:
    """What would change on one item: texts and lists, pictures that would be sent, actors who would get their photos.

    ``conflicts`` are the fields that a person edited or locked in Plex, overwritten or not.
    """

    rating_key: str
    changes: tuple[FieldChange, ...] = ()
    pictures: tuple[Field, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    photos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """What would become of one scene; ``reason`` says why nothing can be done, "" where something can.

    ``left_out_by`` names in one word why a scene takes no part (``domain.participation``). ``reach`` is what it counts
    for in a run that nobody asked for (``domain.blast_radius``).
    """

    scene_id: int
    title: str
    verdict: Verdict
    rule: str = ""
    items: tuple[ItemChanges, ...] = ()
    reason: str = ""
    left_out_by: str = ""
    reach: Reach = NOWHERE


@dataclass(slots=True)
class Totals:
    """How many scenes met which verdict, how many fields would be written, and how many of these emptied.

    Of the fields that persons edited or locked in Plex, ``overwritten`` would be and ``kept`` stay as they are.
    """

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    fields: int = 0
    cleared: int = 0
    pictures: int = 0
    overwritten: int = 0
    kept: int = 0
    reach: Reach = NOWHERE

    def count(self, planned: PlannedScene) -> None:
        """Add one scene."""
        self.verdicts[planned.verdict] += 1
        self.reach += planned.reach
        if planned.verdict is Verdict.LEFT_OUT:
            self.left_out[planned.left_out_by or "other"] += 1
        for item in planned.items:
            self.fields += len(item.changes)
            self.cleared += sum(not change.after and bool(change.before) for change in item.changes)
            self.pictures += len(item.pictures)
            self.overwritten += sum(conflict.is_overwritten for conflict in item.conflicts)
            self.kept += sum(not conflict.is_overwritten for conflict in item.conflicts)

    def as_document(self) -> dict[str, object]:
        """Return the totals for ``--json``."""
        return {
            **{verdict.value: self.verdicts[verdict] for verdict in Verdict},
            "fields": self.fields,
            "cleared_fields": self.cleared,
            "pictures": self.pictures,
            "edits_overwritten": self.overwritten,
            "edits_kept": self.kept,
            "left_out_by_reason": dict(self.left_out),
        }


class KnownScenes(Protocol):
    """Who knows of scenes that nothing is to be done for them (``worker.unchanged``)."""

    def among(self, scenes: Sequence[Scene], *, asked_at: float) -> Mapping[int, Match]:
        """Return the matches of those scenes that need no look at Plex."""
        ...


class Syncing(Protocol):
    """What a plan needs of the part that would do the work (``worker.scene_sync``)."""

    def read_ahead(self, scenes: Sequence[Scene]) -> Mapping[str, Item]:
        """Read the items of many scenes together."""
        ...

    @property
    def unchanged(self) -> KnownScenes:
        """What is known without asking Plex."""
        ...

    def plan(
        self, scene: Scene, items: Mapping[str, Item], *, with_pictures: bool, include_held: bool
    ) -> tuple[Match, Sequence[PlannedItem]]:
        """Return what would be written; without pictures these are not looked at, with ``include_held`` no holds."""
        ...


def plan_scenes(
    syncing: Syncing,
    scenes: Iterable[Scene],
    *,
    with_pictures: bool = True,
    include_held: bool = False,
    relying_since: float | None = None,
) -> Iterator[PlannedScene]:
    """Yield a plan for each scene, in order and in bounded memory; without pictures these are not looked at.

    ``include_held``: as for scenes that a person asks for, which ends their holds. ``relying_since`` (epoch seconds):
    as in a bulk that was asked for then, where scenes of which it is known that Plex shows them as wanted are not
    looked at; None: all are. Raises what the requests to Plex and Stash raise: a plan with holes would not be one.
    """
    for batch in batched(scenes, SCENES_AT_ONCE):
        known = {} if relying_since is None else syncing.unchanged.among(batch, asked_at=relying_since)
        items = syncing.read_ahead([scene for scene in batch if scene.id not in known])
        for scene in batch:
            if (match := known.get(scene.id)) is not None:
                yield PlannedScene(scene.id, shown_title(scene), Verdict.UNCHANGED, match.rule.value)
            else:
                yield plan_scene(syncing, scene, items, with_pictures=with_pictures, include_held=include_held)


def plan_scene(
    syncing: Syncing, scene: Scene, items: Mapping[str, Item], *, with_pictures: bool, include_held: bool
) -> PlannedScene:
    """Return the plan for one scene whose items were read a moment ago. Raises like ``plan_scenes``."""
    title = shown_title(scene)
    try:
        match, steps = syncing.plan(scene, items, with_pictures=with_pictures, include_held=include_held)
    except SceneSkipped as error:
        return PlannedScene(scene.id, title, Verdict.LEFT_OUT, reason=str(error), left_out_by=error.reason)
    except AmbiguousMatch as error:
        return PlannedScene(scene.id, title, Verdict.AMBIGUOUS, reason=str(error))
    except PlexNotFound as error:
        return PlannedScene(scene.id, title, Verdict.UNMATCHED, reason=str(error))
    except (ImageTooLarge, ImageUnusable, PlexPermanentError) as error:
        return PlannedScene(scene.id, title, Verdict.REFUSED, reason=str(error))
    touched = tuple(
        ItemChanges(step.item.rating_key, step.edit.changes, step.pictures, step.edit.conflicts, step.photos)
        for step in steps
        if step.edit.changes or step.pictures or step.photos or step.edit.conflicts
    )
    changes = any(item.changes or item.pictures or item.photos for item in touched)
    verdict = Verdict.CHANGE if changes else Verdict.UNCHANGED
    reach = sum((step.reach for step in steps), NOWHERE)
    return PlannedScene(scene.id, title, verdict, match.rule.value, touched, reach=reach)
