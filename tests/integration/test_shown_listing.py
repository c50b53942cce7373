"""A listing tells what a read of the items tells, as far as it does, and is never taken for complete when it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.fields import Field
from scenesync.domain.item import Library
from scenesync.domain.shown_item import CUT_SHORT, TOLD_IN_FULL, ShownItem, ShownPage
from scenesync.simulators.sample_world import build_world
from scenesync.worker.finding.listing import ListingEndedEarly, shown_items

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = pytest.mark.integration


def test_what_a_listing_tells_is_what_a_read_tells(world: SyncWorld) -> None:
    scenes = build_world(world.stash, world.plex, 40, seed=3, with_covers=False, library_title="Films").scene_ids
    world.drain(*scenes, path_map=(), strict_matching=False)
    world.plex.clear_records()
    with world.installed() as installation:
        (library,) = [each for each in installation.plex.libraries() if each.title == "Films"]
        listed = {each.listed.rating_key: each for each in shown_items(installation.plex, library)}
        read = installation.plex.read_items(tuple(listed))
    assert len(read) == 40
    assert world.plex.counts()["list"] == 1
    for key, item in read.items():
        shown = listed[key]
        assert shown.listed.parts == item.parts
        assert shown.listed.updated_at == item.updated_at
        for field in TOLD_IN_FULL:
            assert shown.value(field) == item.value(field), field
        for field in CUT_SHORT:
            assert item.value(field)[: len(shown.beginnings.get(field, ()))] == shown.beginnings.get(field, ())
            assert not shown.rules_out(field, item.value(field))
    assert any(len(item.value(Field.ACTORS)) > len(listed[key].beginnings[Field.ACTORS]) for key, item in read.items())


class _Short:
    """A Plex that lists less than it says it has."""

    def __init__(self, items: tuple[ShownItem, ...], total: int | None) -> None:
        self._page = ShownPage(items, total)

    def list_shown_items(self, library_key: str, *, start: int, size: int) -> ShownPage:
        del library_key, size
        return self._page if start == 0 else replace(self._page, items=())


def test_a_listing_that_breaks_off_is_none(world: SyncWorld) -> None:
    del world
    with pytest.raises(ListingEndedEarly, match="0 of 3 items of library 'Scenes'"):
        list(shown_items(_Short((), 3), Library("1", "Scenes")))
    assert list(shown_items(_Short((), None), Library("1", "Scenes"))) == []
