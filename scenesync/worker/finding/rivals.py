"""Keep two scenes from taking turns at one item, which happens when Plex merges their files as versions of one film.

A person's pin decides, then the exact path; between equals nobody writes until a person has decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from scenesync.domain.errors import AmbiguousMatch, SceneSkipped
from scenesync.domain.matching import Match, MatchResult, Rule, grade
from scenesync.domain.participation import ELDER_STASH, Participation, Reason
from scenesync.domain.paths import file_name, path_key
from scenesync.plex.exceptions import PlexNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scenesync.domain.item import Item
    from scenesync.domain.scene import Scene


class SceneFinder(Protocol):
    """Where other scenes are looked up: Stash."""

    def scenes(self, ids: Sequence[int]) -> Mapping[int, Scene]:
        """Return the scenes that exist among ``ids``."""
        ...

    def scenes_with_files_named(self, names: Sequence[str]) -> Sequence[Scene]:
        """Return the scenes that have a file of one of these names, in whatever folder."""
        ...


class Writers(Protocol):
    """Who wrote to an item before."""

    def scenes_of(self, rating_key: str) -> frozenset[int]:
        """Return the scenes for which something was last written to the item."""
        ...


class Rivals:
    """Finds the other scenes that claim an item and settles whose it is. ``match`` asks the index alone.

    ``stash_showing`` names the other Stash whose scene an item shows and that goes before ours, "" for none.
    """

    def __init__(
        self,
        finder: SceneFinder,
        writers: Writers,
        match: Callable[[Scene], MatchResult],
        participation: Participation,
        stash_showing: Callable[[str], str] = lambda _rating_key: "",
    ) -> None:
        self._finder = finder
        self._writers = writers
        self._match = match
        self._participation = participation
        self._stash_showing = stash_showing

    def settle(self, scene: Scene, match: Match, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items that are this scene's to write.

        Raises AmbiguousMatch where another scene claims one with equal right, and, if every item is another's,
        SceneSkipped (a person gave it away, or another Stash goes first) or PlexNotFound (it plays exactly the other
        scene's file). Costs no request unless the item has files that are not this scene's, or another scene was
        written to it.
        """
        items = self._left_to_us(scene, items)
        ours = frozenset(path_key(file.path) for file in match.files)
        kept: list[Item] = []
        lost: list[tuple[Item, int, Rule]] = []
        for item in items:
            claims = self._claims(scene, ours, item)
            equal = [scene_id for scene_id, rule in claims.items() if grade(rule) == grade(match.rule)]
            stronger = [(scene_id, rule) for scene_id, rule in claims.items() if grade(rule) > grade(match.rule)]
            if stronger:
                lost.append((item, *max(stronger, key=lambda claim: grade(claim[1]))))
            elif equal:
                raise _shared(scene, item, equal)
            else:
                kept.append(item)
        if lost and not kept:
            raise _given_away(scene, *lost[0])
        return kept

    def are_unlikely(self, scene: Scene, match: Match, item: Item) -> bool:
        """Say whether ``settle`` keeps the item without asking anybody but the store."""
        ours = frozenset(path_key(file.path) for file in match.files)
        if self._stash_showing(item.rating_key):
            return False
        return self._writers.scenes_of(item.rating_key) <= {scene.id} and all(
            path_key(part.file) in ours for part in item.parts
        )

    def is_another_stashs(self, item: Item) -> bool:
        """Say whether the item shows a scene of a Stash that goes before ours."""
        return bool(self._stash_showing(item.rating_key))

    def _left_to_us(self, scene: Scene, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items but those of another Stash. Raises SceneSkipped if none is left."""
        stashes = {item.rating_key: self._stash_showing(item.rating_key) for item in items}
        left = [item for item in items if not stashes[item.rating_key]]
        if items and not left:
            key = items[0].rating_key
            raise SceneSkipped(
                f"The Plex item {key} shows a scene of {stashes[key]}, {ELDER_STASH}, and not scene {scene.id}.",
                reason=Reason.OTHER_STASH,
            )
        return left

    def claimants(self, gone: Scene, item: Item) -> Mapping[int, Rule]:
        """Return the scenes that would be written to the item now that ``gone`` is, and by which rule."""
        return self._claims(gone, frozenset(), item)

    def _claims(self, scene: Scene, ours: frozenset[str], item: Item) -> dict[int, Rule]:
        """Return the other scenes that would be written to the item now, and by which rule.

        ``ours`` are the paths (``path_key``) of which it is known that no other scene has them.
        """
        found: dict[int, Rule] = {}
        for other in self._others(scene, ours, item):
            if self._participation.left_out(other) is None:
                theirs = self._match(other)
                if isinstance(theirs, Match) and item.rating_key in theirs.rating_keys:
                    found[other.id] = theirs.rule
        return found

    def _others(self, scene: Scene, ours: frozenset[str], item: Item) -> Iterable[Scene]:
        others: dict[int, Scene] = {}
        before = self._writers.scenes_of(item.rating_key) - {scene.id}
        if before:
            others.update(self._finder.scenes(sorted(before)))
        foreign = [file_name(part.file) for part in item.parts if path_key(part.file) not in ours]
        if foreign:
            others.update({other.id: other for other in self._finder.scenes_with_files_named(foreign)})
        others.pop(scene.id, None)
        return others.values()


def _shared(scene: Scene, item: Item, others: Sequence[int]) -> AmbiguousMatch:
    scene_ids = (scene.id, *sorted(others))
    names = " and ".join(str(scene_id) for scene_id in scene_ids)
    files = "; ".join(part.file for part in item.parts)
    return AmbiguousMatch(
        f"Scenes {names} share the Plex item {item.rating_key} ({files}), which can show only one of them.",
        candidates=(item.rating_key,),
        scene_ids=scene_ids,
        advice="Split the item apart in Plex, or remove the duplicate, then replay. Or decide which scene it shows: "
        f"scenesync pin SCENE {item.rating_key}.",
    )


def _given_away(scene: Scene, item: Item, other: int, rule: Rule) -> SceneSkipped | PlexNotFound:
    if rule is Rule.PIN:
        return SceneSkipped(
            f"The Plex item {item.rating_key} shows scene {other}, which is pinned to it, and not scene {scene.id}.",
            reason=Reason.OTHER_SCENE,
        )
    return PlexNotFound(
        f"No Plex item plays scene {scene.id}: {item.rating_key}, which is like its file, plays that of scene {other}."
    )
