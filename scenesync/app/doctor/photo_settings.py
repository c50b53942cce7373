"""Whether Plex can fetch performers' photos from Stash: it asks for them itself, and has no key."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from scenesync.domain.errors import ImageTooLarge, ImageUnusable, StashUnauthorized, StashUnavailable

if TYPE_CHECKING:
    from scenesync.app.configuration.model import Settings
    from scenesync.stash.client import StashClient

_NOBODYS_PHOTO: Final = "/performer/0/image"
"""A Stash that is open answers 404 (facts/stash.md 3.6), one that is not its login page (3.1)."""


def photo_address(settings: Settings) -> str:
    """Return where Plex reaches Stash."""
    return settings.stash_url_for_plex or settings.stash_url


def why_photos_cannot_work(settings: Settings) -> str:
    """Return what in the settings keeps photos from working, "" for nothing."""
    if not settings.sync_performers:
        return "photos are those of actors, and sync_performers is off"
    if settings.stash_url_for_plex is None and _is_local(settings.stash_url) and not _is_local(settings.plex_url or ""):
        return (
            f"stash_url is {settings.stash_url}, which for Plex is the machine that Plex runs on; "
            "set stash_url_for_plex to the address under which Plex reaches Stash"
        )
    return ""


def why_plex_gets_no_photos(stash: StashClient) -> str:
    """Ask for a photo as Plex would, without a key; return what keeps it from getting one, "" for nothing."""
    try:
        stash.image(_NOBODYS_PHOTO)
    except StashUnauthorized:
        return (
            f"Stash at {stash.base_url} gives photos only to who has a key, and none may be put into Plex; "
            "they work once Stash asks for no password, or a proxy in front of it lets /performer/ through"
        )
    except StashUnavailable as error:
        return f"it is not known whether Plex can reach Stash there, SceneSync cannot: {error}"
    except (ImageUnusable, ImageTooLarge):
        return ""
    return ""


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
