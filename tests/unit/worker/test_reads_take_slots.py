"""Reads of items take their turn at a limit of their own, which follows the server's failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from scenesync.domain.item import Item
from scenesync.domain.matching import IndexedFile, Match, Rule
from scenesync.plex.exceptions import PlexTemporaryError
from scenesync.worker.finding.locator import Locator
from scenesync.worker.write_limit import ReadLimit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.domain.ports import MediaServer
    from scenesync.worker.finding.library_index import LibraryIndex


class OneAnswer:
    """A server that fails its first read."""

    def __init__(self) -> None:
        self.reads = 0

    def read_items(self, rating_keys: Sequence[str]) -> Mapping[str, Item]:
        self.reads += 1
        if self.reads == 1:
            raise PlexTemporaryError("500")
        return {key: Item(key, "4", (), {}) for key in rating_keys}


def test_a_read_that_fails_halves_the_number_of_reads_at_once(match_of_one_item: Match) -> None:
    server, reading = OneAnswer(), ReadLimit(4)
    locator = Locator(cast("MediaServer", server), cast("LibraryIndex", None), reading=reading)
    with pytest.raises(PlexTemporaryError):
        locator.read_found([match_of_one_item])
    assert reading.limit == 2
    assert list(locator.read_found([match_of_one_item])) == ["101"]


@pytest.fixture
def match_of_one_item() -> Match:
    return Match(Rule.PATH, (IndexedFile("101", "4", "/films/harbour.mp4", 1, None),))
