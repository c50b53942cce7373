"""Performers' photos in Plex: whether one is due, as a pure function of what is wanted, shown and remembered.

A photo belongs to the person, in every item of the server, and is an address from which Plex fetches it without any key
(facts/plex.md 3.3). So what is remembered hangs on the name and not on an item, and what others put there stays unless
the policy says otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from scenesync.domain.diff import ConflictPolicy

MOST_TRIES: Final = 2
"""A server that took a photo so often and does not show it is left in peace until the photo changes."""

_VERSION: Final = re.compile(r"[?&]t=(\d{1,19})(?:&|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Photo:
    """The photo of an actor: the name as it is wanted in Plex, and which performer of Stash it is.

    ``version`` changes whenever the performer does, and with it maybe the photo; "" says that there is no photo.
    """

    name: str
    performer_id: int
    version: str

    def address(self, stash_url: str) -> str:
        """Return where the photo is to be had. It is built anew and not taken over, so that no key can be in it."""
        return f"{stash_url.rstrip('/')}/performer/{self.performer_id:d}/image?t={self.version}" if self.version else ""


@dataclass(frozen=True, slots=True)
class PhotoBaseline:
    """What SceneSync last did about an actor's photo.

    ``version`` is the one that was looked at, ``address`` what was written ("": the photo was taken away), ``etag`` the
    content behind it, ``shown`` what Plex had when last seen. ``tries`` counts writes that were not seen to arrive.
    """

    performer_id: int
    version: str
    address: str
    etag: str = ""
    shown: str = ""
    tries: int = 0


class Due(Enum):
    """What there is to do about a photo."""

    NOTHING = "nothing"
    NOTE = "note"
    """It arrived meanwhile, or is there already."""
    LOOK = "look"
    """The performer changed: whether the photo did, its content says."""
    WRITE = "write"
    CLEAR = "clear"


def version_of(image_url: str) -> str:
    """Return what tells versions of a photo apart in Stash's address for it, "" if it is a placeholder's."""
    if "default=true" in image_url:
        return ""
    found = _VERSION.search(image_url)
    return found[1] if found else "0" * bool(image_url)


def due(photo: Photo, address: str, shown: str, known: PhotoBaseline | None, policy: ConflictPolicy) -> Due:
    """Return what to do about a photo that Plex shows as ``shown`` ("" for none).

    ``known`` must be about the same performer (`concerns`).
    """
    return _due_first(photo, address, shown, policy) if known is None else _due_again(photo, shown, known, policy)


def _due_first(photo: Photo, address: str, shown: str, policy: ConflictPolicy) -> Due:
    if not photo.version:
        return Due.NOTHING
    if shown == address:
        return Due.NOTE
    return Due.WRITE if not shown or policy is ConflictPolicy.STASH or _is_of(shown, address) else Due.NOTHING


def _due_again(photo: Photo, shown: str, known: PhotoBaseline, policy: ConflictPolicy) -> Due:
    is_new = known.version != photo.version
    if not is_new and known.tries and shown == known.address:
        return Due.NOTE
    if not _may_write(shown, known, policy):
        return Due.NOTHING
    if not photo.version:
        return Due.CLEAR if is_new and known.address else Due.NOTHING
    if is_new:
        return Due.LOOK
    is_done = known.tries >= MOST_TRIES or (known.tries == 0 and shown == known.shown)
    return Due.NOTHING if is_done else Due.WRITE


def concerns(photo: Photo, known: PhotoBaseline) -> bool:
    """Say whether what is known is about this performer, and not about a namesake who has the same actor in Plex."""
    return photo.performer_id == known.performer_id or not known.address


def _may_write(shown: str, known: PhotoBaseline, policy: ConflictPolicy) -> bool:
    if policy is ConflictPolicy.STASH or shown in {known.shown, known.address}:
        return True
    return policy is ConflictPolicy.FILL and not shown


def _is_of(shown: str, address: str) -> bool:
    """Say whether both are the photo of the same performer at the same Stash: SceneSync wrote it, whoever forgot it."""
    return shown.partition("?")[0] == address.partition("?")[0]
