"""Know of many scenes that Plex still shows them as wanted, without asking Plex for a single one.

What a read found right is kept as a proof: for which scene, under which settings, and the item's time of change. It
holds as long as the index, fresh from Plex, has that very time: equal, not later or earlier, since a Plex that was
restored from a backup goes back in time. Two things leave no trace there and are noticed only by those who always look
(``reconcile``, a person who names a scene, ``--force``): that a film was taken out of a collection by hand, and
what a server changes without touching the item's time.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.domain.matching import Match
from scenesync.domain.paths import path_key
from scenesync.domain.proven import Proof, fingerprint
from scenesync.stash.parse import to_time
from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from scenesync.domain.desired import DesiredFields
    from scenesync.domain.holds import Hold
    from scenesync.domain.item import Item
    from scenesync.domain.matching import MatchResult
    from scenesync.domain.participation import Participation
    from scenesync.domain.scene import Scene
    from scenesync.worker.collections.membership import Collections
    from scenesync.worker.finding.library_index import LibraryIndex
    from scenesync.worker.sync_plan import Decided
    from scenesync.worker.wanted import Wanted

log = logging.getLogger(__name__)

COVER_SETTLES_S: Final = 2.0
"""A cover's address holds whole seconds, so one that is younger may be replaced under the same address."""


class Proofs(Protocol):
    """Where proofs are kept (``store.proofs``)."""

    def of_scenes(self, scene_ids: Sequence[int]) -> Mapping[int, Sequence[Proof]]:
        """Return the proofs of scenes whose items did not change since, as far as the index knows."""
        ...

    def whenever_made(self, scene_ids: Sequence[int]) -> Mapping[int, Sequence[Proof]]:
        """Return all proofs of scenes."""
        ...

    def put(self, proofs: Sequence[Proof]) -> None:
        """Keep proofs."""
        ...


class Writers(Protocol):
    """Who wrote to an item before."""

    def scenes_of(self, rating_key: str) -> frozenset[int]:
        """Return the scenes for which something was last written to the item."""
        ...

    def looking_up(self) -> AbstractContextManager[object]:
        """Let what is looked up in the store in the block cost less, all as it is now."""
        ...


class Holds(Protocol):
    """Which scenes are left alone since they were undone."""

    def of_scene(self, scene_id: int) -> Hold | None:
        """Return the scene's hold, None if it is not held."""
        ...


class Unchanged:
    """Keeps proofs and relies on them. Thread-safe; ``settings`` is a ``settings_mark``."""

    def __init__(
        self,
        proofs: Proofs,
        index: LibraryIndex,
        match: Callable[[Scene], MatchResult],
        wanted: Wanted,
        participation: Participation,
        holds: Holds,
        writers: Writers,
        collections: Collections,
        settings: str,
    ) -> None:
        self._proofs = proofs
        self._index = index
        self._match = match
        self._wanted = wanted
        self._participation = participation
        self._holds = holds
        self._writers = writers
        self._collections = collections
        self._settings = settings

    def among(self, scenes: Sequence[Scene], *, asked_at: float) -> Mapping[int, Match]:
        """Return the matches of those scenes of which it is known that nothing is to be done.

        The index is brought up to date first unless that was done since ``asked_at`` (epoch seconds), when somebody
        asked for the scenes; if that is not possible the answer is empty.
        """
        with self._writers.looking_up():
            if self._index.is_current(asked_at):
                return dict(self._known(scenes, self._proofs.of_scenes))
            # Only where it may spare a read is it worth a look at what changed in Plex.
            is_worth_it = any(self._known(scenes, self._proofs.whenever_made))
        if is_worth_it and self._is_index_current(asked_at):
            with self._writers.looking_up():
                return dict(self._known(scenes, self._proofs.of_scenes))
        return {}

    def note(self, decided: Sequence[Decided]) -> None:
        """Keep that these items, as they were read, need nothing for their scenes, not even a picture.

        Not kept is what the next look has to decide anew: an item that may have changed once more in the second of its
        last change, one that another scene may claim, what a person has to do with, a cover that was made this moment.
        A store in trouble costs no more than another look at them.
        """
        try:
            self._proofs.put([proof for each in decided if self._may_rely_on(each) for proof in self._proven(each)])
        except StoreError as error:
            log.debug("not kept that scenes need nothing scenes=%d: %s", len(decided), error)

    def _known(
        self, scenes: Sequence[Scene], proofs_of: Callable[[Sequence[int]], Mapping[int, Sequence[Proof]]]
    ) -> Iterator[tuple[int, Match]]:
        proofs = proofs_of([scene.id for scene in scenes])
        for scene in scenes:
            known = {proof.rating_key: proof for proof in proofs.get(scene.id, ())}
            match = self._still(scene, known) if known else None
            if match is not None:
                yield scene.id, match

    def _is_index_current(self, asked_at: float) -> bool:
        try:
            return self._index.bring_up_to_date(asked_at)
        except (TransientError, PermanentError) as error:  # whoever looks at the scenes instead meets it again
            log.debug("path index not refreshed: %s", error)
            return False

    def _still(self, scene: Scene, known: Mapping[str, Proof]) -> Match | None:
        """Return the scene's match if all that is known of its items still holds."""
        if self._participation.left_out(scene) is not None or self._holds.of_scene(scene.id) is not None:
            return None
        match = self._match(scene)
        if not isinstance(match, Match) or set(match.rating_keys) != known.keys():
            return None
        desired = self._wanted.fields(scene)
        for key, library_key in {file.rating_key: file.library_key for file in match.files}.items():
            files = (file.path for file in self._index.files_of(key))
            now = self._fingerprint(match, library_key, desired, files)
            if now != known[key].fingerprint or not self._collections_need_nothing(library_key, key, desired):
                return None
        return match

    def _proven(self, decided: Decided) -> Iterator[Proof]:
        for step in decided.planned:
            files = (part.file for part in step.item.parts)
            mark = self._fingerprint(decided.match, step.item.library_key, decided.desired, files)
            yield Proof(step.item.rating_key, decided.scene.id, mark, step.item.updated_at)

    def _may_rely_on(self, decided: Decided) -> bool:
        scene, match = decided.scene, decided.match
        if decided.desired.images and not _is_older(scene.updated_at, COVER_SETTLES_S):
            return False
        return len(decided.planned) == len(match.rating_keys) and all(
            step.item.is_settled and not step.edit.conflicts and self._is_this_scenes(scene, match, step.item)
            for step in decided.planned
        )

    def _fingerprint(self, match: Match, library_key: str, desired: DesiredFields, files: Iterable[str]) -> str:
        values = self._wanted.values(library_key, desired)
        return fingerprint(desired, values, rule=match.rule, files=files, settings=self._settings)

    def _is_this_scenes(self, scene: Scene, match: Match, item: Item) -> bool:
        """Say whether no other scene has to do with the item: by one of its files, or by what was written to it."""
        ours = {path_key(file.path) for file in match.files}
        foreign = any(path_key(part.file) not in ours for part in item.parts)
        return not foreign and self._writers.scenes_of(item.rating_key) <= {scene.id}

    def _collections_need_nothing(self, library_key: str, rating_key: str, desired: DesiredFields) -> bool:
        for each in desired.collections:
            if self._collections.renamed_from(library_key, each) is not None:
                return False
            known = self._collections.known(library_key, each)
            if known is not None and self._collections.is_due(known, each, rating_key):
                return False
        return True


def _is_older(updated_at: str, age_s: float) -> bool:
    at = to_time(updated_at)
    return at is not None and time.time() - at.timestamp() >= age_s
