"""What to do about an actor's photo, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.photos import MOST_TRIES, Due, Photo, PhotoBaseline, concerns, due, version_of

STASH = "http://stash.example:9999"
PHOTO = Photo("Ann", 5, "100")
ADDRESS = f"{STASH}/performer/5/image?t=100"
AGENTS = "https://agent.example/ann.jpg"
NONE = replace(PHOTO, version="")
DONE = PhotoBaseline(5, "100", ADDRESS, '"etag"', ADDRESS)
SENT = replace(DONE, shown="", tries=1)
FILL, PLEX, OURS = ConflictPolicy.FILL, ConflictPolicy.PLEX, ConflictPolicy.STASH


@pytest.mark.parametrize(
    ("photo", "shown", "known", "policy", "wanted"),
    [
        # nothing is known yet
        (PHOTO, "", None, FILL, Due.WRITE),
        (PHOTO, "", None, PLEX, Due.WRITE),
        (PHOTO, ADDRESS, None, FILL, Due.NOTE),
        (PHOTO, f"{STASH}/performer/5/image?t=99", None, FILL, Due.WRITE),
        (PHOTO, f"{STASH}/performer/6/image?t=99", None, FILL, Due.NOTHING),
        (PHOTO, AGENTS, None, FILL, Due.NOTHING),
        (PHOTO, AGENTS, None, PLEX, Due.NOTHING),
        (PHOTO, AGENTS, None, OURS, Due.WRITE),
        (NONE, "", None, OURS, Due.NOTHING),
        (NONE, AGENTS, None, OURS, Due.NOTHING),
        # it was written and seen
        (PHOTO, ADDRESS, DONE, FILL, Due.NOTHING),
        (PHOTO, "proxied", replace(DONE, shown="proxied"), FILL, Due.NOTHING),
        (PHOTO, "", DONE, FILL, Due.WRITE),
        (PHOTO, "", DONE, PLEX, Due.NOTHING),
        (PHOTO, AGENTS, DONE, FILL, Due.NOTHING),
        (PHOTO, AGENTS, DONE, OURS, Due.WRITE),
        # it was written and not seen yet
        (PHOTO, ADDRESS, SENT, FILL, Due.NOTE),
        (PHOTO, "", SENT, PLEX, Due.WRITE),
        (PHOTO, "", replace(SENT, tries=MOST_TRIES), OURS, Due.NOTHING),
        (PHOTO, ADDRESS, replace(SENT, tries=MOST_TRIES), FILL, Due.NOTE),
        # the performer changed
        (replace(PHOTO, version="101"), ADDRESS, DONE, PLEX, Due.LOOK),
        (replace(PHOTO, version="101"), AGENTS, DONE, FILL, Due.NOTHING),
        (replace(PHOTO, version="101"), "", replace(SENT, tries=MOST_TRIES), FILL, Due.LOOK),
        # the photo was taken away
        (NONE, ADDRESS, DONE, FILL, Due.CLEAR),
        (NONE, AGENTS, DONE, FILL, Due.NOTHING),
        (NONE, "", replace(DONE, version="", address="", shown=""), FILL, Due.NOTHING),
        (NONE, ADDRESS, replace(DONE, version="", address="", tries=1), FILL, Due.NOTHING),
    ],
)
def test_what_is_due(
    photo: Photo, shown: str, known: PhotoBaseline | None, policy: ConflictPolicy, wanted: Due
) -> None:
    assert due(photo, photo.address(STASH), shown, known, policy) is wanted


@pytest.mark.parametrize(
    ("url", "version"),
    [
        ("http://stash:9999/performer/5/image?t=1700000000", "1700000000"),
        ("http://stash:9999/performer/5/image?t=1700000000&default=true", ""),
        ("http://stash:9999/performer/5/image?apikey=SECRET&t=17", "17"),
        ("http://stash:9999/performer/5/image", "0"),
        ("", ""),
    ],
)
def test_the_version_is_all_that_is_taken_from_stashs_own_address(url: str, version: str) -> None:
    assert version_of(url) == version
    address = Photo("Ann", 5, version_of(url)).address(f"{STASH}/")
    assert "SECRET" not in address
    assert address == (f"{STASH}/performer/5/image?t={version}" if version else "")


def test_a_namesakes_photo_is_not_taken_for_this_performers() -> None:
    assert concerns(PHOTO, DONE)
    assert not concerns(PHOTO, replace(DONE, performer_id=6))
    assert concerns(PHOTO, replace(DONE, performer_id=6, address="")), "one that was taken away is nobody's"
