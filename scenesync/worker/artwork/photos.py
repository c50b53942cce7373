"""Give actors their photos from Stash, once per photo, where Plex can fetch them without a key.

Whether it can is asked of Stash itself, for every photo that is to be written: without any key, as Plex will ask.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.errors import (
    AttemptCut,
    ImageTooLarge,
    ImageUnusable,
    PermanentError,
    StashUnauthorized,
    TransientError,
)
from scenesync.domain.fields import Field
from scenesync.domain.photos import Due, PhotoBaseline, concerns, due
from scenesync.worker.write_limit import STALE_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scenesync.domain.item import Item
    from scenesync.domain.photos import Photo
    from scenesync.domain.ports import Image
    from scenesync.worker.write_limit import WriteLimit

log = logging.getLogger(__name__)

ASK_AGAIN_AFTER_S: Final = 600.0
"""How long a Stash that asked for a key is not asked again."""


class OpenStash(Protocol):
    """Stash as somebody without a key sees it."""

    def image(self, url: str, *, known_etag: str = "") -> Image | None:
        """Return the picture, None if it is unchanged; empty for a placeholder. Raises StashUnauthorized and others."""
        ...


class PhotoServer(Protocol):
    """What is needed of Plex."""

    def read_items(self, rating_keys: Sequence[str]) -> Mapping[str, Item]:
        """Read items in full."""
        ...

    def set_photos(self, item: Item, photos: Mapping[str, str], *, lock: bool) -> None:
        """Give actors that the item shows their photos (name to address); whether the list is locked stays."""
        ...


class PhotoBaselines(Protocol):
    """Where it is kept what was done about each actor's photo."""

    def read(self, names: Sequence[str]) -> Mapping[str, PhotoBaseline]:
        """Return what is known, by name."""
        ...

    def write(self, entries: Mapping[str, PhotoBaseline]) -> None:
        """Remember what was done."""
        ...


@dataclass(frozen=True, slots=True)
class PhotoSettings:
    """Where Plex reaches Stash, and who wins where an actor has another photo already."""

    stash_url: str
    policy: ConflictPolicy = ConflictPolicy.FILL


class PhotoSync:
    """Brings the photos of the actors of one item up to date. May be used by several threads."""

    def __init__(
        self,
        stash: OpenStash,
        server: PhotoServer,
        baselines: PhotoBaselines,
        settings: PhotoSettings,
        writing: WriteLimit,
    ) -> None:
        self._stash = stash
        self._server = server
        self._baselines = baselines
        self._settings = settings
        self._writing = writing
        # One at a time: two scenes with the same new person would both write the photo.
        self._one_at_a_time = threading.Lock()
        self._closed_until = 0.0

    def bring_up_to_date(
        self, rating_key: str, photos: Sequence[Photo], still_ours: Callable[[], bool]
    ) -> tuple[str, ...]:
        """Write the photos that are due to an item, and return whose they are.

        Raises what asking Plex and Stash raises, LeaseLost, and AttemptCut if the item's cast changed meanwhile.
        """
        with self._one_at_a_time:
            # As it is now: another scene with the same person may have been written a moment ago.
            item = self._server.read_items([rating_key]).get(rating_key)
            if item is None:
                return ()
            steps = self._steps(item, photos)
            self._baselines.write({name: note for name, (write, note) in steps.items() if not write})
            sent = {name: note for name, (write, note) in steps.items() if write}
            if not sent:
                return ()
            # Noted before they are sent, or our own address would pass for somebody else's after a crash. Only a write
            # that Plex took counts as a try.
            self._baselines.write({name: replace(note, tries=max(1, note.tries - 1)) for name, note in sent.items()})
            with self._writing.slot(still_ours) as waited_s:
                if waited_s > STALE_AFTER_S:
                    self._require_same_cast(item)
                self._server.set_photos(
                    item, {name: note.address for name, note in sent.items()}, lock=Field.ACTORS.value in item.locked
                )
            self._note_what_arrived(item, sent)
            return tuple(sent)

    def _require_same_cast(self, item: Item) -> None:
        """Read the item once more: the whole cast goes with a photo, and would take back what somebody did to it."""
        now = self._server.read_items([item.rating_key]).get(item.rating_key)
        if now is None or now.value(Field.ACTORS) != item.value(Field.ACTORS):
            raise AttemptCut("The cast changed in Plex while a photo waited for other writes; it is looked at again.")

    def plan(self, item: Item, photos: Sequence[Photo], coming: Iterable[str] = ()) -> tuple[str, ...]:
        """Return whose photos would be written, writing nothing.

        Of the actors who are ``coming`` with an edit it is not known yet which photos they have.
        """
        due_now = (name for name, (write, _) in self._steps(item, photos).items() if write)
        return (*due_now, *_without_known_photo(item, photos, coming))

    def to_look_at(
        self, item: Item, photos: Sequence[Photo], coming: Iterable[str]
    ) -> tuple[tuple[Photo, ...], Exception | None]:
        """Return the photos to bring up to date once an edit is proven, and what kept them from being judged."""
        try:
            steps = self._steps(item, photos)
            self._baselines.write({name: note for name, (write, note) in steps.items() if not write})
            is_due = any(write for write, _ in steps.values()) or bool(_without_known_photo(item, photos, coming))
            return (tuple(photos) if is_due else ()), None
        except (TransientError, PermanentError) as error:
            error.add_note(
                "This is about the photos of the performers alone: the scene's text is written without them."
            )
            return (), error

    def _steps(self, item: Item, photos: Sequence[Photo]) -> Mapping[str, tuple[bool, PhotoBaseline]]:
        """Return by name about whose photo something is to be noted: whether it is to be written, and the note."""
        cast = item.value(Field.ACTORS)
        spelt = {name.casefold(): name for name in cast}
        wanted = {spelt[photo.name.casefold()]: photo for photo in photos if photo.name.casefold() in spelt}
        known = self._baselines.read(tuple(wanted)) if wanted else {}
        steps = {}
        for name, photo in wanted.items():
            step = self._step(photo, item.photos.get(name, ""), known.get(name))
            if step is not None:
                steps[name] = step
        return steps

    def _step(self, photo: Photo, shown: str, known: PhotoBaseline | None) -> tuple[bool, PhotoBaseline] | None:
        if known is not None and not concerns(photo, known):
            if not photo.version or not self._is_gone(known):
                return None
            known = replace(known, performer_id=photo.performer_id, version="", etag="")
        address = photo.address(self._settings.stash_url)
        note = PhotoBaseline(photo.performer_id, photo.version, address, shown=shown)
        match due(photo, address, shown, known, self._settings.policy):
            case Due.NOTHING:
                return None
            case Due.NOTE:
                return False, replace(known, tries=0, shown=shown) if known else note
            case Due.CLEAR:
                return True, replace(note, tries=1)
            case Due.WRITE:
                again = known is not None and known.version == photo.version
                return self._look(photo, note, tries=known.tries if known and again else 0)
            case Due.LOOK:
                return self._look(photo, note, known)

    def _look(
        self, photo: Photo, note: PhotoBaseline, known: PhotoBaseline | None = None, *, tries: int = 0
    ) -> tuple[bool, PhotoBaseline] | None:
        """Look at the photo as Plex will. None: it cannot be had so, and nothing is written."""
        if time.monotonic() < self._closed_until:
            return None
        try:
            image = self._stash.image(photo.address(""), known_etag=known.etag if known else "")
        except StashUnauthorized:
            self._closed_until = time.monotonic() + ASK_AGAIN_AFTER_S
            log.warning(
                "performers get no photos: Stash wants a key for them, and Plex has none to show (scenesync doctor)"
            )
            return None
        except (ImageUnusable, ImageTooLarge) as error:
            log.info("performer gets no photo performer=%d: %s", photo.performer_id, error)
            return None
        if known is not None and (image is None or (image.etag and image.etag == known.etag)):
            return False, replace(known, version=photo.version)
        return (True, replace(note, etag=image.etag, tries=tries + 1)) if image is not None and image.content else None

    def _is_gone(self, known: PhotoBaseline) -> bool:
        """Say whether the performer whose photo an actor has is no longer in Stash: merged into a namesake, say."""
        try:
            self._stash.image(known.address.rpartition("?")[0].removeprefix(self._settings.stash_url))
        except ImageUnusable:
            return True
        except (StashUnauthorized, ImageTooLarge):
            return False
        return False

    def _note_what_arrived(self, item: Item, sent: Mapping[str, PhotoBaseline]) -> None:
        """Read the item back. What is shown in another way than it was written is that server's way."""
        fresh = self._server.read_items([item.rating_key]).get(item.rating_key)
        shown = fresh.photos if fresh is not None else item.photos
        self._baselines.write({name: _after(note, shown.get(name, "")) for name, note in sent.items()})


def _after(note: PhotoBaseline, shown: str) -> PhotoBaseline:
    arrived = shown == note.address or shown != note.shown
    return replace(note, shown=shown, tries=0) if arrived else note


def _without_known_photo(item: Item, photos: Sequence[Photo], coming: Iterable[str]) -> tuple[str, ...]:
    """Return the actors who come with an edit: which photos they have in Plex is seen once the item shows them."""
    shown = {name.casefold() for name in item.value(Field.ACTORS)}
    new = {name for name in coming if name.casefold() not in shown}
    return tuple(photo.name for photo in photos if photo.version and photo.name in new)
