"""What errors and lanes are called on a page, for people who have not read the manual."""

from __future__ import annotations

from typing import Final

ERRORS: Final = {
    "PlexServerDown": "Plex could not be reached",
    "PlexTemporaryError": "Plex failed again and again",
    "PlexBusy": "Plex was too busy to write",
    "PlexNotFound": "The file is not in Plex",
    "PlexUnauthorized": "Plex refused the token",
    "PlexPermanentError": "Plex refused the edit",
    "AmbiguousMatch": "Several items fit",
    "EditIgnored": "Plex did not keep the edit",
    "ImageTooLarge": "The cover is too large",
    "ImageUnusable": "The cover cannot be used",
    "StashUnavailable": "Stash could not be reached",
    "StashUnauthorized": "Stash refused the key",
    "StashRefused": "Stash refused to answer",
    "LibraryNotFound": "A library is missing in Plex",
    "WorkerCrash": "SceneSync ended while it worked on it",
}
LANES: Final = {
    "person": "saved by hand",
    "bulk": "one of many",
    "fan-out": "shown by many scenes",
}


def error_name(error_type: str) -> str:
    """Return what an error means; of one that is no error of ours, its class."""
    return ERRORS.get(error_type, error_type)


def lane_name(lane: str) -> str:
    """Return what kind of work a job is."""
    return LANES.get(lane, lane)
