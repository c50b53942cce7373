"""Prove edits by reading them back, many items in one request.

Plex answers 200 to edits that it ignores (facts/plex.md 0.9), so a job is done only when a read shows what was written.
What stuck only in part is sent once more in the server's other dialect, what did not stick at all in the same one (and
in the other one after that, if it takes names off); then the job fails with the fields' names.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from scenesync.domain.diff import Baseline, ItemBaselines
from scenesync.domain.errors import AttemptCut, EditIgnored, PermanentError, TransientError
from scenesync.domain.fields import SHARED_LISTS, Field, FieldValue, shown_as
from scenesync.domain.matching import plays
from scenesync.plex.exceptions import PlexNotFound
from scenesync.worker.scene_sync import require_as_planned
from scenesync.worker.write_limit import STALE_AFTER_S, ReadLimit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.diff import Edit, FieldChange
    from scenesync.domain.item import Item
    from scenesync.domain.ports import MediaServer
    from scenesync.worker.artwork.images import ImageSync
    from scenesync.worker.artwork.photos import PhotoSync
    from scenesync.worker.books import Baselines, Journal
    from scenesync.worker.collections.upkeep import CollectionUpkeep
    from scenesync.worker.sync_plan import SyncResult, WrittenItem
    from scenesync.worker.write_limit import WriteLimit

log = logging.getLogger(__name__)

BATCH_ITEMS: Final = 100
MAX_AGE_S: Final = 1.0
"""An edit waits at most this long for others to be read back with it."""
TAG_LAG_S: Final = 1.2
"""Tag lists may lag about a second behind the edit (facts/plex.md 3.2)."""
SWALLOWED_OFTEN: Final = 2
_NOBODY_ELSE: Final[AbstractContextManager[object]] = nullcontext()
UNDER_WAY_S: Final = 30.0
"""An edit that was handed in within this time after a dialect was learned may have been written in the one before."""


@dataclass(slots=True, eq=False)
class Unproven:
    """A finished attempt that waits for its proof; ``on_settled`` is called once, with None or what went wrong."""

    scene_id: int
    result: SyncResult
    on_settled: Callable[[Exception | None], None]
    still_ours: Callable[[], bool]
    is_settled: bool = False
    is_proven: bool = False
    arrived: bool = False
    """Something of the edit is shown, if not all of it."""
    handed_in_at: float = field(default_factory=time.monotonic)

    def settle(self, error: Exception | None) -> None:
        """End the attempt."""
        self.is_settled, self.is_proven = True, error is None
        self.on_settled(error)


SettleProven = Callable[[Sequence[Unproven]], object]


def _items(claims: Sequence[Unproven]) -> int:
    return sum(len(claim.result.written) for claim in claims)


def _settle_each(proven: Sequence[Unproven]) -> None:
    for claim in proven:
        claim.settle(None)


class ProofDesk:
    """Collects written edits and proves them together. ``check`` may be called from any one thread.

    ``computing`` is held while what was read is compared; it is to be one that a thread can hold twice.
    """

    def __init__(
        self,
        server: MediaServer,
        baselines: Baselines,
        journal: Journal,
        images: ImageSync,
        collections: CollectionUpkeep,
        writing: WriteLimit,
        photos: PhotoSync | None = None,
        reading: ReadLimit | None = None,
        computing: AbstractContextManager[object] = _NOBODY_ELSE,
    ) -> None:
        self._writing = writing
        self._reading = reading or ReadLimit(1)
        self._collections = collections
        self._photos = photos
        self._server = server
        self._baselines = baselines
        self._journal = journal
        self._images = images
        self._lock = threading.Lock()
        self._waiting: list[Unproven] = []
        self._oldest_at = 0.0
        self._learned_at: float | None = None
        self._swallowed_together = 0
        self._computing = computing

    def add(self, claim: Unproven) -> None:
        """Take an edit in; its job stays claimed until the proof."""
        with self._lock:
            if not self._waiting:
                self._oldest_at = time.monotonic()
            self._waiting.append(claim)

    def due_in_s(self) -> float | None:
        """Return in how many seconds the next batch should be proven, None if nothing waits."""
        with self._lock:
            if not self._waiting:
                return None
            if _items(self._waiting) >= BATCH_ITEMS:
                return 0.0
            return max(0.0, self._oldest_at + MAX_AGE_S - time.monotonic())

    def check(
        self,
        stop: threading.Event,
        settle: SettleProven | None = None,
        *,
        only_whole_batches: bool = False,
    ) -> None:
        """Prove all that waits, in batches; every claim is settled when this returns.

        ``only_whole_batches`` leaves the rest until others have come to be read with it.

        ``settle`` gets the claims that one read has proven, to end them together (None: each ends itself).
        """
        for batch in self._take_batches(only_whole=only_whole_batches):
            try:
                self._check_batch(batch, stop, settle or _settle_each)
            except Exception as error:  # noqa: BLE001 - whatever it is, each job must be settled by the table
                for claim in batch:
                    if not claim.is_settled:
                        claim.settle(error)

    def has_whole_batch(self) -> bool:
        """Say whether so many wait as are read in one request."""
        with self._lock:
            return _items(self._waiting) >= BATCH_ITEMS

    def _take_batches(self, *, only_whole: bool) -> list[list[Unproven]]:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        batches: list[list[Unproven]] = [[]]
        for claim in waiting:
            if _items(batches[-1]) >= BATCH_ITEMS:
                batches.append([])
            batches[-1].append(claim)
        if only_whole and _items(batches[-1]) < BATCH_ITEMS:
            self._wait_on(batches.pop())
        return batches

    def _wait_on(self, claims: list[Unproven]) -> None:
        """Let claims wait again, before those that came meanwhile."""
        if claims:
            with self._lock:
                self._waiting = [*claims, *self._waiting]
                self._oldest_at = claims[0].handed_in_at

    def _check_batch(self, batch: list[Unproven], stop: threading.Event, settle: SettleProven) -> None:
        outstanding = self._unproven(batch, settle)
        if not outstanding:
            return
        self._wait_for_tags(stop)
        outstanding = self._unproven(outstanding, settle)
        # An edit of which nothing at all is shown was swallowed whole, which says nothing about dialects.
        misunderstood = [claim for claim in outstanding if claim.arrived and not self._is_from_before(claim)]
        swallowed = [claim for claim in outstanding if claim not in misunderstood]
        left = [*self._try_again(misunderstood, stop, in_other_dialect=True), *self._try_again(swallowed, stop)]
        twice_ignored = [claim for claim in left if claim in swallowed and _concerns_dialect(claim)]
        given_up = [claim for claim in left if claim not in twice_ignored]
        for claim in (*given_up, *self._try_again(twice_ignored, stop, in_other_dialect=True)):
            claim.settle(self._ignored(claim))

    def _try_again(
        self, claims: list[Unproven], stop: threading.Event, *, in_other_dialect: bool = False
    ) -> list[Unproven]:
        """Send once more what is not shown, and return the claims that are not proven even then."""
        if not claims:
            return []
        sent: dict[int, list[Edit]] = {}
        for claim in claims:
            try:
                sent[id(claim)] = self._send_again(claim, in_other_dialect=in_other_dialect)
            except (TransientError, PermanentError) as error:
                claim.settle(error)  # its own affair: the others were not refused
        self._wait_for_tags(stop)
        # A lock that is not shown even now is no reason to give the scene up: the next look at it tries again.
        still = self._unproven([claim for claim in claims if not claim.is_settled], _settle_each, with_locks=False)
        understood = [edit for claim in claims if claim.is_proven for edit in sent[id(claim)]]
        self._judge_shared_edits([claim for claim in claims if claim.is_proven])
        if in_other_dialect and any(map(_depends_on_dialect, understood)):
            self._server.adopt_other_dialect(understood)
            self._learned_at = time.monotonic()
        return still

    def _judge_shared_edits(self, proven: Sequence[Unproven]) -> None:
        """Give up naming several items in one edit where that is swallowed, and then taken for each by itself.

        Once may be an accident.
        """
        if any(_was_swallowed_with_others(claim) for claim in proven):
            self._swallowed_together += 1
            if self._swallowed_together >= SWALLOWED_OFTEN:
                self._server.edit_one_by_one()

    def _read(self, rating_keys: Sequence[str]) -> Mapping[str, Item]:
        with self._reading.slot():
            return self._server.read_items(rating_keys)

    def _is_from_before(self, claim: Unproven) -> bool:
        """Say whether the edit may have been written before the present dialect was learned: then that is the cure."""
        return self._learned_at is not None and claim.handed_in_at < self._learned_at + UNDER_WAY_S

    def _wait_for_tags(self, stop: threading.Event) -> None:
        if stop.wait(TAG_LAG_S):
            raise AttemptCut(
                "SceneSync is stopping; what could not be proven yet is looked at again at the next start."
            )

    def _unproven(self, claims: list[Unproven], settle: SettleProven, *, with_locks: bool = True) -> list[Unproven]:
        """Read the claims' items once, settle those that show what was written, return the rest."""
        for claim in claims:
            claim.result = self._collections.as_called_now(claim.result)
        keys = [written.edit.rating_key for claim in claims for written in claim.result.written]
        items = self._read(list(dict.fromkeys(keys)))
        claims = [claim for claim in claims if not self._settled_as_gone(claim, items)]
        with self._computing:
            rest = [claim for claim in claims if self._is_unproven(claim, items, with_locks=with_locks)]
            for claim in rest:
                claim.arrived = any(_shows_some_of(written.edit, items) for written in claim.result.written)
            proven = [claim for claim in claims if claim not in rest]
            self._remember_texts(proven, items)
        for claim in proven:
            self._confirm_pictures(claim, items)
        self._settle_proven([claim for claim in proven if not claim.is_settled], settle)
        return rest

    def _is_unproven(self, claim: Unproven, items: Mapping[str, Item], *, with_locks: bool) -> bool:
        left = [self._left_of(written, items) for written in claim.result.written]
        return any(edit if with_locks else edit.changes for edit in left)

    def _settled_as_gone(self, claim: Unproven, items: Mapping[str, Item]) -> bool:
        """Settle a claim whose item is no longer there, or plays another film by now.

        A rescan may have given its file a new item, which is still unwritten.
        """
        match = claim.result.match
        keys = (written.edit.rating_key for written in claim.result.written)
        gone = [key for key in keys if key not in items or not plays(items[key], match)]
        if gone:
            claim.settle(
                PlexNotFound(f"Plex item {gone[0]} of scene {claim.scene_id} vanished before its edit could be proven.")
            )
        return bool(gone)

    def _left_of(self, written: WrittenItem, items: Mapping[str, Item]) -> Edit:
        """Return what of an edit the item does not show yet, as an edit."""
        edit, item = written.edit, items[written.edit.rating_key]
        also_lock, also_unlock = edit.missing_locks(item.locked)
        sent = [self._as_sent(change) for change in edit.changes]
        if all(stuck(each, item.value(each.field)) for each in sent):
            return replace(edit, changes=(), also_lock=also_lock, also_unlock=also_unlock)
        left = [
            replace(each, before=item.value(each.field))
            for each in sent
            # A date that is still there may have been ignored with the rest.
            if not stuck(each, item.value(each.field)) or (_clears_date(each) and item.value(each.field))
        ]
        return replace(edit, changes=tuple(left), also_lock=also_lock, also_unlock=also_unlock)

    def _as_sent(self, change: FieldChange) -> FieldChange:
        """Return the change as this server could be sent it: the edit itself may have taught how long a text may be."""
        fitting = self._server.fit(change.field, change.after)
        return change if fitting == change.after else replace(change, after=fitting)

    def _remember_texts(self, proven: Sequence[Unproven], items: Mapping[str, Item]) -> None:
        """Note what all of them show, in one transaction: each would wait for the disk by itself."""
        baselines: list[ItemBaselines] = []
        otherwise: dict[str, Mapping[Field, FieldValue]] = {}
        for claim in proven:
            for written in claim.result.written:
                item = items[written.edit.rating_key]
                shown: dict[Field, Baseline] = {
                    change.field: Baseline(
                        change.written, item.value(change.field), locked=written.edit.locks(change.field)
                    )
                    for change in map(self._as_sent, written.edit.changes)
                }
                baselines.append(ItemBaselines(item.rating_key, claim.scene_id, shown))
                otherwise[item.rating_key] = {
                    change.field: item.value(change.field)
                    for change in written.edit.changes
                    if item.value(change.field) != change.after
                }
        if baselines:
            with self._baselines.together():
                self._baselines.write_all(baselines)
                self._journal.note_shown(otherwise)

    def _settle_proven(self, proven: Sequence[Unproven], settle: SettleProven) -> None:
        """End proven attempts, and see to the collections that they are about: for all of them together."""
        concerned = [claim for claim in proven if _concerns_collections(claim)]
        error: Exception | None = None
        if concerned:
            tasks = [task for claim in concerned for task in claim.result.collections]
            edits = [written.edit for claim in concerned for written in claim.result.written]
            try:
                self._collections.tend(tasks, edits, lambda: any(claim.still_ours() for claim in concerned))
            except (TransientError, PermanentError) as failure:
                error = failure
        failed = concerned if error is not None else []
        for claim in failed:
            claim.settle(error)
        done = [claim for claim in proven if claim not in failed]
        for claim in done:
            claim.is_settled = claim.is_proven = True
        settle(done)

    def _confirm_pictures(self, claim: Unproven, items: Mapping[str, Item]) -> None:
        try:
            for written in claim.result.written:
                item = items.get(written.edit.rating_key)
                if item is not None:
                    for change in written.images:
                        self._images.confirm(item, claim.scene_id, change, claim.still_ours)
                    if written.photos and self._photos is not None:
                        self._photos.bring_up_to_date(item.rating_key, written.photos, claim.still_ours)
        except (TransientError, PermanentError) as error:
            claim.settle(error)

    def _send_again(self, claim: Unproven, *, in_other_dialect: bool) -> list[Edit]:
        """Send what did not stick once more, from what the item shows now; return what was sent.

        Raises LeaseLost, and what reading and writing raise.
        """
        sent: list[Edit] = []
        send = self._server.apply_in_other_dialect if in_other_dialect else self._server.apply_edit
        items = self._read([written.edit.rating_key for written in claim.result.written])
        if self._settled_as_gone(claim, items):
            return sent
        for written in claim.result.written:
            again = self._left_of(written, items)
            if again:
                log.warning(
                    "edit did not stick, sending it in the %s dialect scene=%d item=%s fields=%s locks=%s",
                    "other" if in_other_dialect else "learned",
                    claim.scene_id,
                    again.rating_key,
                    ",".join(change.field.value for change in again.changes) or "-",
                    ",".join(field.value for field in (*again.also_lock, *again.also_unlock)) or "-",
                )
                with self._writing.slot(claim.still_ours) as waited_s:
                    if waited_s > STALE_AFTER_S:
                        require_as_planned(self._server, items[again.rating_key], again)
                    send(again)
                sent.append(again)
        return sent

    def _ignored(self, claim: Unproven) -> EditIgnored:
        items = self._read([written.edit.rating_key for written in claim.result.written])
        fields = sorted(
            {
                change.field.value
                for written in claim.result.written
                if written.edit.rating_key in items
                for change in self._left_of(written, items).changes
            }
        )
        return EditIgnored(
            f"Plex answered 200 to the edit of scene {claim.scene_id} and does not show it. "
            f"Fields that did not stick: {', '.join(fields)}.",
            fields=fields,
        )


def _shows_some_of(edit: Edit, items: Mapping[str, Item]) -> bool:
    item = items[edit.rating_key]
    return any(
        stuck(change, item.value(change.field)) or not _added_names(change).isdisjoint(item.value(change.field))
        for change in edit.changes
    )


def _added_names(change: FieldChange) -> frozenset[str]:
    if isinstance(change.after, str) or isinstance(change.before, str):
        return frozenset()
    return frozenset(change.after) - frozenset(change.before)


def _concerns_collections(claim: Unproven) -> bool:
    changes = (change for written in claim.result.written for change in written.edit.changes)
    return bool(claim.result.collections) or any(change.field is Field.COLLECTIONS for change in changes)


def _was_swallowed_with_others(claim: Unproven) -> bool:
    """Say whether nothing was shown of an edit that named several items."""
    return not claim.arrived and any(written.is_shared for written in claim.result.written)


def _concerns_dialect(claim: Unproven) -> bool:
    return any(_depends_on_dialect(written.edit) for written in claim.result.written)


def _depends_on_dialect(edit: Edit) -> bool:
    return any(change.removed or change.field is Field.RATING for change in edit.changes)


def _clears_date(change: FieldChange) -> bool:
    return change.field is Field.DATE and change.after == ""


def stuck(change: FieldChange, shown: FieldValue) -> bool:
    """Say whether ``shown`` is what the change asked for, as far as a server may have its own way of showing it."""
    if _clears_date(change):
        return True  # whether a server can be left without a date is not known (facts/plex.md 3.2)
    if shown == change.after:
        return True
    if change.field in SHARED_LISTS:
        # What a person adds or takes away meanwhile says nothing about our edit.
        names = {name.casefold() for name in shown}
        gone = {name.casefold() for name in change.removed}
        return {name.casefold() for name in change.written} <= names and not gone & names
    return shown_as(change.field, shown, change.after)
