"""Posters and backgrounds: upload a picture only when its content is new, select it when Plex already has it.

Two hashes tell what is new. The cover's own says whether anything has to be made or sent at all; that of what was made
of it is how Plex knows the upload.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from scenesync.domain.diff import ConflictPolicy, ImageBaseline
from scenesync.domain.errors import ImageTooLarge, ImageUnusable, LeaseLost, PermanentError, TransientError
from scenesync.domain.journal import SYNC, JournalEntry, Lock, lock_of
from scenesync.domain.undo import selected_key
from scenesync.plex.exceptions import PlexBusy
from scenesync.worker.artwork.covers import Covers, sha1_of
from scenesync.worker.artwork.side_by_side import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from scenesync.domain.fields import Field
    from scenesync.domain.item import Item, UploadedImage
    from scenesync.domain.ports import MediaServer, SceneSource
    from scenesync.worker.artwork.covers import PictureMaker
    from scenesync.worker.write_limit import WriteLimit


class PictureJournal(Protocol):
    """The history of edits, of which pictures are a part."""

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Keep the entries."""
        ...


class ImageBaselines(Protocol):
    """Where it is kept which pictures SceneSync uploaded."""

    def read_image(self, rating_key: str, field: Field) -> ImageBaseline | None:
        """Return what was last put there."""
        ...

    def write_image(self, rating_key: str, scene_id: int, field: Field, entry: ImageBaseline) -> None:
        """Remember what was put there."""
        ...

    def together(self) -> AbstractContextManager[object]:
        """Make all that is written in the block one step: baseline and journal."""
        ...


@dataclass(frozen=True, slots=True)
class ImageChange:
    """A picture that was uploaded or selected; ``before`` is the path that Plex served until then."""

    field: Field
    before: str


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What was done to one item's pictures: the changes, the fields whose lock is missing, what went wrong."""

    changes: tuple[ImageChange, ...] = ()
    missing_locks: tuple[Field, ...] = ()
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _PictureStep:
    """What there is to do about one picture: what to note, and what to upload or select, if anything."""

    note: ImageBaseline
    upload: bytes = b""
    select: UploadedImage | None = None
    candidates: Sequence[UploadedImage] | None = None
    """What the item has to choose from, if it was asked."""

    @property
    def sends(self) -> bool:
        return bool(self.upload) or self.select is not None


@dataclass(frozen=True, slots=True)
class _Edited:
    """One picture of one item, and for whom it is edited."""

    item: Item
    scene_id: int
    field: Field
    file: str


@dataclass(frozen=True, slots=True)
class _PictureDone:
    """What was done to one picture: whether it changed, whether its lock is missing, what went wrong."""

    change: ImageChange | None = None
    missing_lock: Field | None = None
    error: Exception | None = None


class ImageSync:
    """Brings an item's pictures in line with the scene's cover."""

    def __init__(
        self,
        source: SceneSource,
        server: MediaServer,
        baselines: ImageBaselines,
        journal: PictureJournal,
        pictures: PictureMaker,
        *,
        policy: ConflictPolicy = ConflictPolicy.STASH,
        policies: Mapping[Field, ConflictPolicy] | None = None,
        lock: bool = True,
        writing: WriteLimit,
    ) -> None:
        self._writing = writing
        self._source = source
        self._server = server
        self._baselines = baselines
        self._journal = journal
        self._pictures = pictures
        self._policy = policy
        self._policies = policies or {}
        self._lock = lock

    def covers(self) -> Covers:
        """Return what the pictures of one attempt are to be fetched and made by."""
        return Covers(self._source, self._pictures)

    def fetch_ahead(self, covers: Covers, rating_keys: Sequence[str], images: Mapping[Field, str]) -> None:
        """Fetch and make what ``bring_up_to_date`` will probably ask for, while its items are not read yet.

        What goes wrong is no matter here: whoever needs the picture meets it again.
        """
        for key in rating_keys:
            for field, url in images.items():
                known = self._made_alike(field, self._baselines.read_image(key, field))
                with contextlib.suppress(TransientError, PermanentError):
                    image = covers.fetch(url, known.etag if known else "")
                    if image and image.content and not (known and known.source_sha1 == sha1_of(image.content)):
                        covers.made(field, image.content)

    def has_to_go_first(self, item: Item, images: Mapping[Field, str]) -> bool:
        """Say whether the pictures have to be there before the item's edit, which then locks them.

        Onto a locked picture an upload may be ignored (facts/plex.md 4), and a lock by itself would be one more edit.
        """
        return self._lock and any(field.value not in item.locked for field in images)

    def bring_up_to_date(
        self,
        item: Item,
        scene_id: int,
        images: Mapping[Field, str],
        still_ours: Callable[[], bool],
        *,
        file: str = "",
        covers: Covers | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> ImageResult:
        """Upload or select what differs, all of it at the same time. An error is returned, not raised.

        The rest of the edit must not suffer; only LeaseLost is raised: ``still_ours`` is asked before each picture is
        sent. ``file`` is what the item was matched for, to be noted in the journal. ``meanwhile`` is done beside the
        pictures, in this thread, and what it raises is raised when they are done.
        """
        fetched = covers or self.covers()
        tasks = [
            partial(self._bring_one_up_to_date, _Edited(item, scene_id, field, file), url, fetched, still_ours)
            for field, url in images.items()
        ]
        if meanwhile is not None:
            tasks.insert(0, partial(_beside, meanwhile))
        done = side_by_side(tasks)
        return ImageResult(
            tuple(each.change for each in done if each.change is not None),
            tuple(each.missing_lock for each in done if each.missing_lock is not None),
            next((each.error for each in done if each.error is not None), None),
        )

    def _bring_one_up_to_date(
        self, edited: _Edited, url: str, covers: Covers, still_ours: Callable[[], bool]
    ) -> _PictureDone:
        item, field = edited.item, edited.field
        done = _PictureDone()
        try:
            step = self._decide(edited.item, edited.scene_id, field, url, covers)
            sent = step is not None and self._carry_out(step, edited, still_ours)
            if sent:
                done = replace(done, change=ImageChange(field, str(item.value(field))))
            if self._lock and field.value not in item.locked and self._baselines.read_image(item.rating_key, field):
                done = replace(done, missing_lock=field)
                if not sent:
                    self._note_lock(edited)
        except LeaseLost:
            raise
        except (TransientError, PermanentError) as failure:
            failure.add_note(
                f"This is about the {field.name.lower()} of Plex item {item.rating_key} alone: the scene's text is "
                "written without it."
            )
            return replace(done, error=failure)
        return done

    def confirm(self, item: Item, scene_id: int, change: ImageChange, still_ours: Callable[[], bool]) -> None:
        """Note under which path Plex now serves the picture, and select it if the upload alone did not.

        Raises PlexBusy if Plex took the upload and has nothing to show for it: the next attempt sends it again.
        """
        baseline = self._baselines.read_image(item.rating_key, change.field)
        if baseline is None:
            return
        shown = str(item.value(change.field))
        if shown in {"", change.before}:
            # Known bytes are not selected by a second upload (facts/plex.md 4), and one second may hold both paths.
            found = _candidate_of(self._server.uploaded_images(item.rating_key, change.field), baseline.sha1)
            if found is None:
                raise PlexBusy(
                    f"Plex answered 200 to the upload of a {change.field.value} and does not have it (item "
                    f"{item.rating_key}); it is sent again."
                )
            if not found.selected:
                self._send_selection(item, change.field, found, still_ours)
            shown = ""
        self._baselines.write_image(item.rating_key, scene_id, change.field, replace(baseline, shown=shown))

    def plan(self, item: Item, scene_id: int, images: Mapping[Field, str]) -> tuple[Field, ...]:
        """Return the pictures that ``bring_up_to_date`` would upload or select, changing nothing.

        Raises what asking Stash and Plex raises, ImageTooLarge and ImageUnusable.
        """
        covers = self.covers()
        steps = {field: self._decide(item, scene_id, field, url, covers) for field, url in images.items()}
        return tuple(field for field, step in steps.items() if step is not None and step.sends)

    def _carry_out(self, step: _PictureStep, edited: _Edited, still_ours: Callable[[], bool]) -> bool:
        """Do what was decided; say whether anything was sent."""
        item, field = edited.item, edited.field
        before = self._key_before(step, edited) if step.sends else ""
        # Noted before it is sent: after a crash in between, the next attempt looks whether the upload arrived.
        with self._baselines.together():
            if step.sends:
                after = step.select.key if step.select is not None else step.note.sha1
                self._journal.append([self._entry(edited, before, after)])
            self._baselines.write_image(item.rating_key, edited.scene_id, field, step.note)
        if step.select is not None:
            self._send_selection(item, field, step.select, still_ours)
        if step.upload:
            with self._writing.slot(still_ours):
                self._server.upload_image(item.rating_key, field, step.upload)
        return step.sends

    def _key_before(self, step: _PictureStep, edited: _Edited) -> str:
        """Return the key of the candidate that is selected now, for undo; asked for only where it is not known."""
        if edited.item.value(edited.field) == "":
            return ""
        known = self._baselines.read_image(edited.item.rating_key, edited.field)
        if known is not None and known.sha1 and known.shown == edited.item.value(edited.field):
            return known.sha1
        candidates = step.candidates
        if candidates is None:
            candidates = self._server.uploaded_images(edited.item.rating_key, edited.field)
        return selected_key(candidates)

    def _note_lock(self, edited: _Edited) -> None:
        """Note that a picture which is there already is locked with the coming edit."""
        known = self._baselines.read_image(edited.item.rating_key, edited.field)
        if known is not None:
            self._journal.append([self._entry(edited, known.sha1, known.sha1)])

    def _entry(self, edited: _Edited, before: str, after: str) -> JournalEntry:
        known = self._baselines.read_image(edited.item.rating_key, edited.field)
        lock = lock_of(is_locked=edited.field.value in edited.item.locked, ours=known is not None)
        return JournalEntry(
            at=time.time(),
            scene_id=edited.scene_id,
            rating_key=edited.item.rating_key,
            field=edited.field,
            before=before,
            after=after,
            cause=SYNC,
            lock_before=lock,
            lock_after=Lock.OURS if self._lock and lock is Lock.NONE else lock,
            file=edited.file,
        )

    def _made_alike(self, field: Field, baseline: ImageBaseline | None) -> ImageBaseline | None:
        """Return what is known of the picture if it was made of its cover as it would be made now."""
        return baseline if baseline is not None and baseline.fit is self._pictures.fit(field) else None

    def _decide(self, item: Item, scene_id: int, field: Field, url: str, covers: Covers) -> _PictureStep | None:
        """Return what there is to do about one picture, None for nothing at all."""
        baseline = self._baselines.read_image(item.rating_key, field)
        untouched = baseline is not None and baseline.shown != "" and baseline.shown == item.value(field)
        if not untouched and not self._may_write(item, field, baseline):
            return None
        known = self._made_alike(field, baseline)
        image = covers.fetch(url, known.etag if known and untouched else "")
        if image is None or not image.content:
            return None
        source_sha1 = sha1_of(image.content)
        if known is not None and known.source_sha1 == source_sha1:
            # Made of the same cover in the same way: it is the same picture, whatever would be made of it today.
            wanted, picture = replace(known, shown="", etag=image.etag), b""
        else:
            picture = _made(covers, scene_id, field, image.content)
            wanted = ImageBaseline(sha1_of(picture), "", image.etag, source_sha1, self._pictures.fit(field))
        if baseline is not None and untouched and baseline.sha1 == wanted.sha1:
            return _PictureStep(replace(wanted, shown=baseline.shown))
        may_be_there = baseline.sha1 == wanted.sha1 if baseline else field.value in item.locked
        candidates = self._server.uploaded_images(item.rating_key, field) if may_be_there else None
        if candidates is not None and (found := _candidate_of(candidates, wanted.sha1)) is not None:
            if found.selected:
                return _PictureStep(replace(wanted, shown=str(item.value(field))))
            return _PictureStep(wanted, select=found, candidates=candidates)
        picture = picture or _made(covers, scene_id, field, image.content)
        return _PictureStep(replace(wanted, sha1=sha1_of(picture)), upload=picture, candidates=candidates)

    def _may_write(self, item: Item, field: Field, baseline: ImageBaseline | None) -> bool:
        """Apply the conflict policy to a picture that is not the one SceneSync last saw there."""
        policy = self._policies.get(field, self._policy)
        if policy is ConflictPolicy.STASH:
            return True
        unproven = baseline is not None and baseline.shown == ""
        if policy is ConflictPolicy.FILL:
            return unproven or item.value(field) == ""
        return unproven or (baseline is None and field.value not in item.locked)

    def _send_selection(
        self, item: Item, field: Field, candidate: UploadedImage, still_ours: Callable[[], bool]
    ) -> None:
        with self._writing.slot(still_ours):
            self._server.select_image(item.rating_key, field, candidate.key)


def _made(covers: Covers, scene_id: int, field: Field, cover: bytes) -> bytes:
    try:
        return covers.made(field, cover)
    except (ImageUnusable, ImageTooLarge) as error:
        raise type(error)(f"The cover of scene {scene_id} cannot be used. {error}") from error


def _beside(task: Callable[[], object]) -> _PictureDone:
    """Do what is done beside the pictures and has nothing to do with them."""
    task()
    return _PictureDone()


def _candidate_of(candidates: Sequence[UploadedImage], sha1: str) -> UploadedImage | None:
    return next((candidate for candidate in candidates if candidate.key.endswith(sha1)), None)
