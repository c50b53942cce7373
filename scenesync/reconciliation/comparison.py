"""Hold scenes against what Plex shows for them: from listings as far as these tell, else from reads in full.

Whatever is not surely right is planned as the worker would do it, so that what is called a gap here is exactly what a
job would write.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from scenesync.domain.batches import batched
from scenesync.domain.desired import shown_title
from scenesync.domain.diff import needs_baseline, shows
from scenesync.domain.fields import IMAGE_FIELDS
from scenesync.domain.gaps import Gap, GapKind, is_bare, kind_of, takes_away
from scenesync.domain.glimpse import same_picture
from scenesync.domain.matching import Ambiguous, Match, NoMatch, plays
from scenesync.domain.shown_item import CUT_SHORT
from scenesync.plex.exceptions import PlexTemporaryError
from scenesync.reconciliation.ahead import ahead
from scenesync.reconciliation.findings import Looked
from scenesync.reconciliation.planning import PlannedScene, Syncing, Verdict, plan_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from scenesync.domain.desired import DesiredFields
    from scenesync.domain.diff import Baseline
    from scenesync.domain.fields import Field, FieldValue
    from scenesync.domain.glimpse import Glimpse, Glimpses
    from scenesync.domain.item import Item
    from scenesync.domain.matching import MatchResult
    from scenesync.domain.scene import Scene

log = logging.getLogger(__name__)

READ_AT_ONCE: Final = 500
"""Items in one read at most; a request line rarely has room for so many."""
READ_AT_LEAST: Final = 50
LOOKED_UP_AT_ONCE: Final = 250
"""Scenes whose files are asked for together, while what was made of their paths is still at hand (`domain.paths`)."""


class Comparing(Syncing, Protocol):
    """What is asked of the part that would do the work (``worker.scene_sync``), besides plans."""

    def foresee(self, scenes: Sequence[Scene]) -> None:
        """Look up in the stores, all at once, what is then asked of each of these scenes."""
        ...

    def match(self, scene: Scene) -> MatchResult:
        """Ask the path index alone; no request is made."""
        ...

    def desired(self, scene: Scene) -> DesiredFields:
        """Return what Plex should show for the scene under the settings."""
        ...

    def wanted(
        self, desired: DesiredFields, library_key: str, baselines: Mapping[Field, Baseline]
    ) -> Mapping[Field, FieldValue]:
        """Return the values that an item of this library is to show, as they can be sent."""
        ...

    def left_alone(self, scene: Scene) -> str:
        """Return in one word why the scene takes no part or is held, "" if it is to be looked at."""
        ...


class Written(Protocol):
    """What SceneSync last wrote."""

    def read_many(self, rating_keys: Iterable[str]) -> Mapping[str, Mapping[Field, Baseline]]:
        """Return what was written to items, field by field."""
        ...

    def pictures_shown(self, rating_keys: Iterable[str]) -> Mapping[str, Mapping[Field, str]]:
        """Return under which paths the items' pictures were last shown."""
        ...


class FullReads(Protocol):
    """Where items are read in full."""

    def in_parts(self, rating_keys: Sequence[str], *, at_once: int) -> Sequence[Sequence[str]]:
        """Return the keys in as many parts as it takes requests to read them."""
        ...

    def read_items(self, rating_keys: Sequence[str], *, at_once: int) -> Mapping[str, Item]:
        """Read items, so many in one request at most."""
        ...


@dataclass(frozen=True, slots=True)
class _Paired:
    scene: Scene
    match: Match
    desired: DesiredFields
    read: str | None
    """Which version of the scene the worker has read, None if it never did."""
    wanted: dict[str, Mapping[Field, FieldValue]] = field(default_factory=dict)
    """What items are to show, by library, as far as it was asked for."""


class _Known:
    """What SceneSync wrote to items, read when it is asked for, and the paths under which their pictures were shown."""

    def __init__(self, written: Written, rating_keys: Sequence[str]) -> None:
        self.pictures = written.pictures_shown(rating_keys)
        self._source = written
        self._written: dict[str, Mapping[Field, Baseline]] = {}

    def load(self, rating_keys: Iterable[str]) -> None:
        """Read what was written to these items, all at once."""
        keys = list(rating_keys)
        self._written |= {key: {} for key in keys}
        self._written |= self._source.read_many(keys)

    def written(self, rating_key: str) -> Mapping[Field, Baseline]:
        """Return what was written to one item."""
        if rating_key not in self._written:
            self.load([rating_key])
        return self._written[rating_key]


class Comparison:
    """Compares scenes page by page. ``glimpses`` is what listings showed, None where none were read.

    ``watched`` are the pictures that are Stash's to choose, so that another one than SceneSync put there is a gap.
    ``plainly``: what is wanted of an item does not depend on what was written to it.
    """

    def __init__(
        self,
        syncing: Comparing,
        written: Written,
        server: FullReads,
        glimpses: Glimpses | None,
        *,
        watched: frozenset[Field] = IMAGE_FIELDS,
        plainly: bool = True,
    ) -> None:
        self._syncing = syncing
        self._plainly = plainly
        self._watched = watched
        self._written = written
        self._server = server
        self._glimpses = glimpses
        self._at_once = READ_AT_ONCE
        self.items_read = 0

    def compare(self, scenes: Iterable[Scene], read: Mapping[int, str]) -> Iterator[Looked]:
        """Yield what became of each scene, in whatever order.

        ``read`` says which version of each the worker has read. Raises what the requests to Plex and Stash and the
        stores raise.
        """
        paired: list[_Paired] = []
        for some in batched(scenes, LOOKED_UP_AT_ONCE):
            self._syncing.foresee(some)
            for scene in some:
                found = self._pair(scene, read.get(scene.id))
                if isinstance(found, _Paired):
                    paired.append(found)
                else:
                    yield found
        yield from self._compare_pairs(paired)

    def _pair(self, scene: Scene, read: str | None) -> _Paired | Looked:
        """Return a scene with its items and what they are to show, or what became of it without."""
        reason = self._syncing.left_alone(scene)
        if reason:
            return _looked(scene, left_out=reason)
        match = self._syncing.match(scene)
        if isinstance(match, Match):
            return _Paired(scene, match, self._syncing.desired(scene), read)
        if isinstance(match, NoMatch) and not match.lost_pins:
            return _looked(scene, gap=_missing(scene))
        undecided = Verdict.AMBIGUOUS if isinstance(match, Ambiguous) else Verdict.UNMATCHED
        return _looked(scene, undecided=undecided.value, looks=read is None)

    def _compare_pairs(self, paired: Sequence[_Paired]) -> Iterator[Looked]:
        """Compare with the listings, first without what was written: nearly all that is right is plainly so."""
        known = _Known(self._written, [key for pair in paired for key in pair.match.rating_keys])
        doubtful: list[tuple[_Paired, Collection[Field] | None]] = []
        odd: list[tuple[_Paired, Mapping[str, Glimpse]]] = []
        for pair in paired:
            shown = self._glimpses_of(pair)
            if shown is None:
                doubtful.append((pair, None))
            elif (doubts := self._doubts(pair, shown, None)) and doubts <= CUT_SHORT:
                doubtful.append((pair, doubts))
            elif doubts or not self._plainly:
                odd.append((pair, shown))
            else:
                yield self._texts_are_right(pair, known, partial(_picture_in, shown))
        known.load(key for _, shown in odd for key in shown)
        for pair, shown in odd:
            if doubts := self._doubts(pair, shown, known):
                doubtful.append((pair, doubts))
            else:
                yield self._texts_are_right(pair, known, partial(_picture_in, shown))
        yield from self._in_full(doubtful, known)

    def _glimpses_of(self, pair: _Paired) -> Mapping[str, Glimpse] | None:
        """Return what listings showed of all items of a scene, None if one is in none."""
        if self._glimpses is None:
            return None
        shown: dict[str, Glimpse] = {}
        for key in pair.match.rating_keys:
            glimpse = self._glimpses.of(key)
            if glimpse is None:
                return None
            shown[key] = glimpse
        return shown

    def _doubts(self, pair: _Paired, shown: Mapping[str, Glimpse], known: _Known | None) -> set[Field]:
        doubts: set[Field] = set()
        for key, glimpse in shown.items():
            written = None if known is None else known.written(key)
            wanted = self._wanted(pair, glimpse.library_key, written or {})
            doubts.update(glimpse.doubts(wanted, written))
        return doubts

    def _wanted(self, pair: _Paired, library_key: str, written: Mapping[Field, Baseline]) -> Mapping[Field, FieldValue]:
        if not self._plainly:
            return self._syncing.wanted(pair.desired, library_key, written)
        if library_key not in pair.wanted:
            pair.wanted[library_key] = self._syncing.wanted(pair.desired, library_key, {})
        return pair.wanted[library_key]

    def _in_full(self, doubtful: Sequence[tuple[_Paired, Collection[Field] | None]], known: _Known) -> Iterator[Looked]:
        """Read the items of scenes and look at the fields that are in doubt, None for all of them."""
        keys = list(dict.fromkeys(key for pair, _ in doubtful for key in pair.match.rating_keys))
        reads = ahead(map(self._read, self._server.in_parts(keys, at_once=self._at_once)))
        asked: set[str] = set()
        items: dict[str, Item] = {}
        for pair, doubts in doubtful:
            while not asked.issuperset(pair.match.rating_keys):
                part, found = next(reads)
                asked.update(part)
                items |= found
            if all(self._is_right(pair, key, items, known, doubts) for key in pair.match.rating_keys):
                yield self._texts_are_right(pair, known, partial(_picture_of, items))
            else:
                planned = plan_scene(self._syncing, pair.scene, items, with_pictures=False, include_held=False)
                yield self._judged(pair, planned, items, known)

    def _is_right(
        self, pair: _Paired, key: str, items: Mapping[str, Item], known: _Known, doubts: Collection[Field] | None
    ) -> bool:
        """Say whether an item of a scene is there, plays its file and shows what is wanted."""
        item = items.get(key)
        if item is None or not plays(item, pair.match):
            return False
        wanted = self._wanted(pair, item.library_key, {} if self._plainly else known.written(key))
        return all(
            (item.value(field) == value and not needs_baseline(field, value))
            or shows(item, field, value, known.written(key).get(field))
            for field, value in wanted.items()
            if doubts is None or field in doubts
        )

    def _read(self, keys: Sequence[str]) -> tuple[Sequence[str], Mapping[str, Item]]:
        """Return the keys with the items that there are of them."""
        self.items_read += len(keys)
        while True:
            try:
                return keys, self._server.read_items(keys, at_once=self._at_once)
            except PlexTemporaryError:
                if self._at_once <= READ_AT_LEAST:
                    raise
                # So many at once may just be more than this server can give in time.
                self._at_once = max(READ_AT_LEAST, self._at_once // 4)
                log.info("Plex did not answer a large read, asking for fewer items at once most=%d", self._at_once)

    def _judged(self, pair: _Paired, planned: PlannedScene, items: Mapping[str, Item], known: _Known) -> Looked:
        scene = pair.scene
        match planned.verdict:
            case Verdict.LEFT_OUT:
                return _looked(scene, left_out=planned.left_out_by or "other")
            case Verdict.UNMATCHED:
                return _looked(scene, gap=_missing(scene))
            case Verdict.AMBIGUOUS | Verdict.REFUSED:
                return _looked(scene, undecided=planned.verdict.value, looks=pair.read is None)
            case Verdict.CHANGE:
                return _with_gap(pair, planned, known)
            case Verdict.UNCHANGED:
                return self._texts_are_right(pair, known, partial(_picture_of, items))

    def _texts_are_right(self, pair: _Paired, known: _Known, shown: Callable[[str, Field], str]) -> Looked:
        """Return what is to be said of a scene whose texts and lists are right, from its pictures."""
        scene, fields, pictures = pair.scene, tuple(pair.desired.images), known.pictures
        if not fields and not pictures:  # none is sent, and none ever was
            return _looked(scene, looks=pair.read is None)
        drifted = {
            field.value
            for key in pair.match.rating_keys
            for field in self._watched.intersection(fields)
            if (put := pictures.get(key, {}).get(field, "")) and not same_picture(shown(key, field), put)
        }
        if drifted:
            return _looked(scene, gap=_gap(GapKind.DRIFTED, scene, pair.match.rating_keys, sorted(drifted)))
        # With the version that it read the worker also saw the cover; a change of the cover alone makes a new version.
        is_news = pair.read is None or (bool(fields) and pair.read != scene.updated_at)
        unproven = any(shown == "" for key in pair.match.rating_keys for shown in pictures.get(key, {}).values())
        return _looked(scene, looks=is_news or unproven)


def _picture_in(shown: Mapping[str, Glimpse], rating_key: str, field: Field) -> str:
    return shown[rating_key].picture(field)


def _picture_of(items: Mapping[str, Item], rating_key: str, field: Field) -> str:
    item = items.get(rating_key)
    return "" if item is None else str(item.value(field))


def _looked(scene: Scene, **what: Any) -> Looked:  # noqa: ANN401 - fields of Looked
    return Looked(scene.id, shown_title(scene), _path(scene), **what)


def _gap(kind: GapKind, scene: Scene, rating_keys: tuple[str, ...], fields: Iterable[str]) -> Gap:
    return Gap(kind, scene.id, shown_title(scene), _path(scene), rating_keys, tuple(dict.fromkeys(fields)))


def _path(scene: Scene) -> str:
    return scene.files[0].path if scene.files else ""


def _missing(scene: Scene) -> Gap:
    return _gap(GapKind.MISSING, scene, (), ())


def _with_gap(pair: _Paired, planned: PlannedScene, known: _Known) -> Looked:
    scene, is_news = pair.scene, pair.read != pair.scene.updated_at
    changed = [item for item in planned.items if item.changes]
    if is_bare(scene) and any(takes_away(item.changes, known.written(item.rating_key)) for item in changed):
        return _looked(scene, is_bare=True)
    kinds = {kind_of(item.changes, known.written(item.rating_key), is_news=is_news) for item in changed}
    worst = next(kind for kind in GapKind if kind in kinds)
    fields = (change.field.value for item in changed for change in item.changes)
    return _looked(scene, gap=_gap(worst, scene, tuple(item.rating_key for item in changed), fields))
