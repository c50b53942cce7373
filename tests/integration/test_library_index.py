"""The path index follows Plex with few requests, whatever Plex's listings are like."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scenesync.domain.errors import TransientError
from scenesync.domain.paths import path_key
from scenesync.store.database import open_database
from scenesync.store.path_index import PathIndexStore
from scenesync.worker.finding import library_index
from scenesync.worker.finding.full_pass_spacing import FullPassSpacing
from scenesync.worker.finding.library_index import LibraryIndex
from scenesync.worker.finding.listing import shown_items

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sync_world import SyncWorld

    from scenesync.domain.item import Library
    from scenesync.domain.shown_item import ShownItem
    from scenesync.plex.client import PlexClient
    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.integration

LIST = "list"


class Indexed:
    """A library of 250 films and the index of it; ``told`` has the names of files that appeared."""

    def __init__(self, world: SyncWorld, plex: PlexClient, store: PathIndexStore) -> None:
        self.world = world
        self.plex = plex
        self.store = store
        self.told: list[str] = []
        self.index = self.another()
        self.items = [world.item(f"Films/{number:03}.mp4", 1_000 + number) for number in range(250)]
        world.plex.clock_ahead_s += 100

    def another(self) -> LibraryIndex:
        """Return the index as another process would open it."""
        return LibraryIndex(self.plex, self.store, on_new_files=lambda names: self.told.extend(sorted(names)))

    def pages(self) -> int:
        """Refresh, and return how many pages that took."""
        self.world.plex.clear_records()
        self.index.refresh()
        return self.world.plex.counts()[LIST]

    def knows(self, item: PlexItem) -> bool:
        """Say whether the item's file is found."""
        return any(
            found.rating_key == item.rating_key for found in self.index.files_at(path_key(item.files[0]).casefold())
        )


@pytest.fixture
def indexed(world: SyncWorld, tmp_path: Path) -> Iterator[Indexed]:
    with world.installed() as installation, open_database(tmp_path / "index.db") as database:
        yield Indexed(world, installation.plex, PathIndexStore(database, "5f0c"))


class Follower:
    """The index as a node has it that is not elected, while ``led``."""

    def __init__(self, indexed: Indexed) -> None:
        self.led = True
        self.index = LibraryIndex(
            indexed.plex, indexed.store, on_new_files=indexed.told.extend, kept_by_another=lambda: self.led
        )


def behave(world: SyncWorld, **changes: object) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, **changes)  # type: ignore[arg-type] # names of PlexBehaviour


def test_a_refresh_of_what_did_not_change_is_one_page_although_all_films_have_one_time(indexed: Indexed) -> None:
    assert indexed.pages() == 1
    assert len(indexed.told) == 250
    assert [indexed.pages() for _ in range(3)] == [1, 1, 1]
    assert len({item.updated_at for item in indexed.items}) < 10
    assert len(indexed.told) == 250


def test_a_warm_index_needs_no_request(indexed: Indexed) -> None:
    indexed.index.refresh()
    indexed.world.plex.stop()
    again = indexed.another()
    (found,) = again.files_at(path_key(indexed.items[7].files[0]).casefold())
    assert found.rating_key == indexed.items[7].rating_key
    indexed.world.plex.start()


def test_what_appears_moves_and_vanishes_is_followed(indexed: Indexed) -> None:
    indexed.index.refresh()
    indexed.told.clear()
    new = indexed.world.item("Films/new.mp4", 5)
    moved, gone = indexed.items[:2]
    indexed.world.plex.rename_file(moved, "/mnt/media/Films/moved.mp4")
    assert indexed.pages() == 1
    assert sorted(indexed.told) == ["moved.mp4", "new.mp4"]
    assert indexed.knows(new)
    assert indexed.knows(moved)
    indexed.world.plex.remove_item(gone.rating_key)
    indexed.world.item("Films/newer.mp4", 6)  # so that there are as many as before
    assert indexed.pages() == 2
    assert not indexed.knows(gone)


def test_many_changes_are_read_in_large_pages(indexed: Indexed) -> None:
    indexed.index.refresh()
    for item in indexed.items:
        indexed.world.plex.edit_by_hand(item, title="Sea")
    assert indexed.pages() == 2


def test_films_that_change_while_they_are_listed_are_not_missed(indexed: Indexed) -> None:
    indexed.index.refresh()
    for item in indexed.items[:240]:
        indexed.world.plex.edit_by_hand(item, title="Sea")
    late = indexed.items[:230:10]
    indexed.world.plex.clock_ahead_s += 10

    def edit_more(offset: int) -> None:
        if offset == 0 and late:
            indexed.world.plex.edit_by_hand(late.pop(), title="Seaside")

    indexed.world.plex.on_page = edit_more
    assert indexed.pages() <= 5
    indexed.world.plex.on_page = None
    times = {item.rating_key: item.updated_at for item in indexed.items}
    changed, _ = indexed.store.changed_since("1", min(times.values()))
    assert changed == 250
    for since in sorted(set(times.values())):
        assert indexed.store.changed_since("1", since)[0] >= sum(at >= since for at in times.values()) - 1


@pytest.mark.parametrize("newer_change", [False, True])
def test_a_restored_backup_is_read_in_full(indexed: Indexed, *, newer_change: bool) -> None:
    item = indexed.items[3]
    before = item.updated_at
    indexed.index.refresh()
    indexed.world.plex.edit_by_hand(item, title="Sea")
    indexed.index.refresh()
    indexed.world.plex.clock_ahead_s += 100
    indexed.index.refresh()
    if newer_change:
        indexed.world.plex.edit_by_hand(indexed.items[4], title="Pier")
    item.updated_at = before
    item.fragments.clear()
    indexed.world.library.revision += 1
    assert indexed.pages() == 3
    assert indexed.store.changed_since("1", before + 50)[0] == (1 if newer_change else 0)
    assert indexed.pages() == 1


def test_a_total_that_counts_more_than_is_listed_costs_nothing_once_it_is_known(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave(indexed.world, counted_not_listed=3)
    with pytest.raises(TransientError, match="listed 250 of 253 items"):
        indexed.index.refresh()
    with pytest.raises(TransientError):
        indexed.index.refresh()  # so soon after the first time it may be the same accident
    monkeypatch.setattr(library_index, "SAME_AGAIN_AFTER_S", 0.0)
    indexed.index.refresh()
    assert indexed.knows(indexed.items[249])
    assert [indexed.pages() for _ in range(3)] == [1, 1, 1]
    indexed.index = indexed.another()
    assert indexed.pages() == 1, "it is remembered"
    indexed.world.plex.remove_item(indexed.items[249].rating_key)
    indexed.index.refresh()
    assert not indexed.knows(indexed.items[249])


def test_a_listing_that_gives_nothing_at_all_is_never_believed(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed.index.refresh()
    monkeypatch.setattr(library_index, "SAME_AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(library_index, "FULL_PASS_EVERY_S", 0.0)
    items, indexed.world.library.items = indexed.world.library.items, {}
    indexed.world.library.revision += 1
    behave(indexed.world, counted_not_listed=250)
    for _ in range(3):
        with pytest.raises(TransientError, match="listed 0 of 250"):
            indexed.index.refresh()
    indexed.world.library.items = items
    assert indexed.store.counts().items == 250


def test_a_server_that_does_not_sort_is_read_in_full_ever_more_rarely(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, item in enumerate(indexed.items):
        indexed.world.plex.clock_ahead_s = 200 + number
        indexed.world.plex.edit_by_hand(item, title=f"Sea {number % 7}")
    indexed.index.refresh()
    behave(indexed.world, sort_honoured=False)
    assert indexed.pages() == 2
    assert [indexed.pages() for _ in range(3)] == [1, 1, 1], "it is too early for another full pass"
    assert not indexed.index.bring_up_to_date(0.0), "and nobody may rely on times of change"
    monkeypatch.setattr(library_index, "CURRENT_S", 0.0)
    behave(indexed.world, sort_honoured=True)
    monkeypatch.setattr(library_index, "AT_MOST_EVERY_S", 0.0)
    assert indexed.index.bring_up_to_date(0.0), "as soon as it sorts again they may"


def test_the_time_between_full_passes_doubles_until_something_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("scenesync.worker.finding.full_pass_spacing.time.monotonic", lambda: now[0])
    spacing, waits = FullPassSpacing(), []
    for _ in range(6):
        assert not spacing.is_too_early()
        spacing.made_one(found_something=False)
        began = now[0]
        while spacing.is_too_early():
            now[0] += 10
        waits.append(now[0] - began)
    assert waits == [60, 120, 240, 480, 600, 600]
    spacing.made_one(found_something=True)
    assert not spacing.is_too_early()
    spacing.made_one(found_something=False)
    spacing.none_was_needed()
    assert not spacing.is_too_early()


def test_a_first_build_tells_of_new_files_as_it_goes(indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenesync.store.path_index.BATCH_SIZE", 50)
    monkeypatch.setattr(library_index, "NAMES_AT_ONCE", 50)
    told: list[int] = []
    LibraryIndex(indexed.plex, indexed.store, on_new_files=lambda names: told.append(len(names))).refresh()
    assert told == [50] * 5, "memory does not grow with the library"


def test_the_clock_of_a_server_that_goes_back_means_a_full_pass(indexed: Indexed) -> None:
    indexed.index.refresh()
    indexed.index.refresh()
    indexed.world.plex.clock_ahead_s = -5_000
    new = indexed.world.item("Films/new.mp4", 5)
    indexed.index.refresh()
    assert indexed.knows(new)


def test_nobody_waits_while_a_whole_library_is_read(indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_index, "MISS_REFRESH_EVERY_S", 0.1)
    indexed.index.refresh()
    reading, go_on = threading.Event(), threading.Event()

    def slowly(library: Library) -> Iterator[ShownItem]:
        reading.set()
        go_on.wait(20)
        return shown_items(indexed.plex, library)

    reader = threading.Thread(target=indexed.index.read_showing, args=(slowly, lambda _shown: None))
    reader.start()
    try:
        assert reading.wait(5)
        began = time.monotonic()
        indexed.index.refresh_unless_under_way()
        assert not indexed.index.bring_up_to_date(time.time())
        assert not indexed.index.refresh_after_miss(time.monotonic())
        assert time.monotonic() - began < 10
    finally:
        go_on.set()
        reader.join(20)
    assert indexed.index.refresh_after_miss(began)
    assert all(map(indexed.knows, indexed.items))


def test_a_node_that_is_not_elected_reads_no_listing_and_finds_what_the_elected_one_read(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(library_index, "AT_MOST_EVERY_S", 0.0)
    caplog.set_level("INFO")
    follower = Follower(indexed)
    indexed.world.plex.clear_records()
    follower.index.refresh()
    assert not follower.index.is_there()
    assert "work waits until the elected node has read library=Scenes" in caplog.text
    assert LIST not in indexed.world.plex.counts()

    indexed.index.refresh()
    indexed.world.plex.clear_records()
    follower.index.refresh()

    assert follower.index.is_there()
    assert follower.index.library_keys == indexed.index.library_keys
    assert follower.index.files_at(path_key(indexed.items[7].files[0]).casefold())
    assert LIST not in indexed.world.plex.counts()
    assert not follower.index.is_current(time.time() - 60)  # by whose clock that was is not known
    assert not follower.index.bring_up_to_date(time.time())


def test_a_miss_is_looked_up_again_only_if_the_elected_node_has_been_there_since(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(indexed)
    indexed.index.refresh()
    follower.index.refresh()
    missed_at = time.monotonic()
    monkeypatch.setattr(library_index, "AT_MOST_EVERY_S", 0.0)
    monkeypatch.setattr(library_index, "MISS_REFRESH_EVERY_S", 0.0)
    assert not follower.index.refresh_after_miss(missed_at)

    indexed.index.refresh()

    assert follower.index.refresh_after_miss(missed_at)


def test_a_node_that_nobody_leads_any_more_reads_plex_itself(indexed: Indexed) -> None:
    follower = Follower(indexed)
    follower.index.refresh()
    follower.led = False

    follower.index.refresh()

    assert follower.index.is_there()
    assert follower.index.files_at(path_key(indexed.items[7].files[0]).casefold())
