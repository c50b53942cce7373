from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from store_engines import on_sqlite
from store_samples import OTHER_SERVER, SERVER, film, name_lookup, path_lookup

from scenesync.domain.item import ListedItem, MediaPart
from scenesync.domain.matching import Match, PathIndex, Rule, match_files
from scenesync.domain.scene import SceneFile
from scenesync.store import path_index
from scenesync.store.database import open_database
from scenesync.store.path_index import BATCH_SIZE, IndexCounts, LibraryState, PathIndexStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scenesync.store.database import Database

DIE_IN_MID_PASS = """
import os, pathlib, signal, sys
sys.path.insert(0, sys.argv[2])
from store_samples import SERVER, film
from scenesync.store.database import open_database
from scenesync.store.path_index import BATCH_SIZE, PathIndexStore

def listing():
    for number in range(BATCH_SIZE + 10):
        yield film(number, f"/media/new place/{number}.mkv")
    os.kill(os.getpid(), signal.SIGKILL)

PathIndexStore(open_database(pathlib.Path(sys.argv[1])), SERVER).replace_library("1", listing(), started_at=2.0)
"""


class PlexWentAway(Exception):
    pass


def paths_of(index: PathIndexStore, path: str) -> list[str]:
    return [file.rating_key for file in index.files_at(path_lookup(path))]


def test_the_store_is_what_the_matcher_asks_for(index: PathIndexStore) -> None:
    asked: PathIndex = index
    index.upsert_items([film(7, "/media/films/Harbour at dawn.mkv")])
    found = match_files([SceneFile("/media/films/Harbour at dawn.mkv")], asked)
    assert isinstance(found, Match)
    assert (found.rule, found.rating_keys) == (Rule.PATH, ("7",))


def test_case_and_unicode_form_do_not_hide_a_file(index: PathIndexStore) -> None:
    index.upsert_items([film(1, "/media/Films/Cafe\u0301 am STRASSE.mkv")])
    assert paths_of(index, "/MEDIA/films/caf\u00e9 am strasse.MKV") == ["1"]
    assert [file.path for file in index.files_named(name_lookup("x/CAF\u00c9 am strasse.mkv"))] == [
        "/media/Films/Cafe\u0301 am STRASSE.mkv"
    ]


def test_a_found_file_has_all_that_the_rules_compare(index: PathIndexStore) -> None:
    part = MediaPart(r"D:\Films\Harbour.mkv", size_bytes=9_000_000_000_000, duration_ms=5_400_000)
    index.upsert_items([ListedItem("12", "3", (part, MediaPart(r"D:\Films\Unmeasured.mkv")))])
    (found,) = index.files_at(path_lookup(r"d:/films/harbour.mkv"))
    assert (found.rating_key, found.library_key, found.path) == ("12", "3", part.file)
    assert (found.size_bytes, found.duration_ms) == (9_000_000_000_000, 5_400_000)
    (unmeasured,) = index.files_named("unmeasured.mkv")
    assert (unmeasured.size_bytes, unmeasured.duration_ms) == (None, None)


def test_one_file_of_two_items_is_found_with_both(index: PathIndexStore) -> None:
    index.upsert_items([film(2, "/m/a.mkv", library="9"), film(1, "/m/a.mkv"), film(3, "/m/b.mkv")])
    assert paths_of(index, "/m/a.mkv") == ["1", "2"]


def test_each_server_sees_its_own_items_only(database: Database, index: PathIndexStore) -> None:
    other = PathIndexStore(database, OTHER_SERVER)
    index.upsert_items([film(1, "/m/ours.mkv")])
    other.upsert_items([film(1, "/m/theirs.mkv")])
    assert paths_of(index, "/m/theirs.mkv") == []
    assert other.forget_item("1", ["/m/theirs.mkv"])
    other.replace_library("1", [], started_at=1.0)
    other.drop_libraries_except([])
    assert paths_of(index, "/m/ours.mkv") == ["1"]


def test_new_and_moved_files_are_named_and_known_ones_are_not(index: PathIndexStore) -> None:
    first = film(1, "/m/Harbour.mkv", "/m/Harbour extra.mkv")
    assert index.upsert_items([first]) == {"harbour.mkv", "harbour extra.mkv"}
    assert index.upsert_items([first]) == frozenset()
    moved = film(1, "/m/Quay.mkv", "/m/Harbour extra.mkv")
    assert index.upsert_items([moved]) == {"quay.mkv"}
    assert paths_of(index, "/m/Harbour.mkv") == []


def test_a_file_that_grew_is_not_new_but_has_its_new_size(index: PathIndexStore) -> None:
    index.upsert_items([ListedItem("1", "1", (MediaPart("/m/a.mkv", 5, 6),))])
    assert index.upsert_items([ListedItem("1", "1", (MediaPart("/m/a.mkv", 50, 60),))]) == frozenset()
    assert [(file.size_bytes, file.duration_ms) for file in index.files_named("a.mkv")] == [(50, 60)]


def test_an_item_that_went_to_another_library_is_found_there(index: PathIndexStore) -> None:
    index.upsert_items([film(1, "/m/a.mkv", library="1")])
    assert index.upsert_items([film(1, "/m/a.mkv", library="2")]) == frozenset()
    assert [file.library_key for file in index.files_named("a.mkv")] == ["2"]
    assert index.replace_library("1", [], started_at=1.0).removed == frozenset()
    assert paths_of(index, "/m/a.mkv") == ["1"]


def test_an_item_listed_twice_is_taken_as_it_was_last(index: PathIndexStore) -> None:
    told: list[frozenset[str]] = []
    listed = [film(1, "/m/old.mkv"), film(1, "/m/new.mkv")]
    result = index.replace_library("1", listed, started_at=1.0, on_appeared=told.append)
    assert (result.item_count, told) == (1, [frozenset({"new.mkv"})])
    assert paths_of(index, "/m/old.mkv") == []


def test_an_item_without_files_counts_too(index: PathIndexStore) -> None:
    index.upsert_items([ListedItem("5", "1", ())])
    assert index.library_state("1").item_count == 1
    assert index.counts() == IndexCounts(libraries=0, items=1, files=0)


def test_forgetting_an_item_takes_its_files_along(index: PathIndexStore) -> None:
    index.upsert_items([film(1, "/m/a.mkv", "/m/b.mkv"), film(2, "/m/c.mkv")])
    assert index.forget_item("1", ["/m/b.mkv"])
    assert not index.forget_item("1", ["/m/b.mkv"])
    assert index.counts() == IndexCounts(libraries=0, items=1, files=1)


def test_an_item_that_is_known_to_play_something_else_by_now_is_not_forgotten(index: PathIndexStore) -> None:
    index.upsert_items([film(1, "/m/before.mkv")])
    index.upsert_items([film(1, "/m/after.mkv")])
    assert not index.forget_item("1", ["/m/before.mkv", "/m/another.mkv"])
    assert paths_of(index, "/m/after.mkv") == ["1"]


def test_known_items_are_told_from_unknown_ones_in_any_number(index: PathIndexStore) -> None:
    index.upsert_items(map(film, range(0, 5_000, 2)))
    known = index.item_keys_known(str(number) for number in range(5_000))
    assert known == {str(number) for number in range(0, 5_000, 2)}
    assert index.item_keys_known([]) == frozenset()


def test_a_full_pass_forgets_what_it_did_not_see_in_its_own_library(index: PathIndexStore) -> None:
    index.upsert_items([film(1), film(2), film(3, library="2")])
    result = index.replace_library("1", [film(2), film(4)], started_at=50.0)
    assert (result.item_count, result.removed) == (2, frozenset({"1"}))
    assert index.item_keys_known(["1", "2", "3", "4"]) == {"2", "3", "4"}


def test_a_full_pass_of_an_unchanged_library_writes_no_file_row(index: PathIndexStore, database: Database) -> None:
    index.replace_library("1", map(film, range(50)), started_at=1.0)
    written: list[str] = []
    event.listen(database._engine._writer, "before_cursor_execute", lambda *args: written.append(str(args[2])))
    told: list[frozenset[str]] = []
    result = index.replace_library("1", map(film, range(50)), started_at=2.0, on_appeared=told.append)
    assert (result.item_count, told, result.removed) == (50, [], frozenset())
    assert written
    assert not [sql for sql in written if sql.startswith(("INSERT INTO plex_file", "DELETE"))]


def test_a_library_has_its_times_and_its_newest_change(index: PathIndexStore) -> None:
    assert index.library_state("1") == LibraryState(0, 0, None, None)
    index.replace_library("1", [film(1, updated_at=700), film(2, updated_at=900)], started_at=1_000.0)
    index.note_listing("1", surplus=3, seen_until=1_001)
    assert index.library_state("1") == LibraryState(2, 900, 1_000.0, 1_000.0, 3, 1_001)
    index.set_library_state("1", last_refresh_at=1_060.5, seen_until=1_059)
    assert index.library_state("1") == LibraryState(2, 900, 1_000.0, 1_060.5, 3, 1_059)
    index.set_library_state("2", last_refresh_at=7.0)
    assert index.library_state("2") == LibraryState(0, 0, None, 7.0)


def test_what_changed_of_late_is_counted_apart_from_the_rest(index: PathIndexStore) -> None:
    index.upsert_items([film(1, updated_at=700), film(2, updated_at=800), film(3, updated_at=900)])
    index.upsert_items([film(4, library="2", updated_at=950)])
    assert index.changed_since("1", 800) == (2, 700)
    assert index.changed_since("1", 901) == (0, 900)
    assert index.changed_since("1", 1) == (3, 0)
    assert index.changed_since("3", 1) == (0, 0)


def test_libraries_that_are_no_longer_wanted_go_with_their_state(index: PathIndexStore) -> None:
    for library in ("1", "2", "3"):
        index.replace_library(library, [film(int(library) * 10, library=library)], started_at=1.0)
    assert index.drop_libraries_except(["2"]) == 2
    assert index.counts() == IndexCounts(libraries=1, items=1, files=1)
    assert index.library_state("1") == LibraryState(0, 0, None, None)
    assert index.library_state("2").last_full_pass_at == 1.0


def test_a_listing_that_breaks_off_forgets_nothing(index: PathIndexStore) -> None:
    index.replace_library("1", map(film, range(BATCH_SIZE * 2)), started_at=1.0)

    def listing() -> Iterator[ListedItem]:
        yield from map(film, range(BATCH_SIZE + 5))
        raise PlexWentAway

    with pytest.raises(PlexWentAway):
        index.replace_library("1", listing(), started_at=2.0)
    assert index.library_state("1") == LibraryState(BATCH_SIZE * 2, 1_700_000_000, 1.0, 1.0)
    assert index.replace_library("1", [film(1)], started_at=3.0).removed >= {"0", str(BATCH_SIZE * 2 - 1)}
    assert index.counts().items == 1


def test_a_process_killed_in_mid_pass_leaves_the_old_rows_usable(database_path: Path) -> None:
    with open_database(database_path) as database:
        PathIndexStore(database, SERVER).replace_library("1", map(film, range(BATCH_SIZE * 2)), started_at=1.0)
    here = str(__file__).rpartition("/")[0]
    command = [sys.executable, "-c", DIE_IN_MID_PASS, str(database_path), here]
    assert subprocess.run(command, timeout=60, check=False).returncode == -9
    with open_database(database_path) as database:
        index = PathIndexStore(database, SERVER)
        assert index.library_state("1").last_full_pass_at == 1.0
        assert index.counts().items == BATCH_SIZE * 2
        untouched, reached = BATCH_SIZE * 2 - 1, 5
        assert paths_of(index, film(untouched).parts[0].file) == [str(untouched)]
        assert paths_of(index, f"/media/new place/{reached}.mkv") == [str(reached)]


def test_items_that_come_in_during_a_pass_survive_its_end(index: PathIndexStore) -> None:
    def listing() -> Iterator[ListedItem]:
        yield from map(film, range(BATCH_SIZE))
        index.upsert_items([film(9_999)])  # announced by the server after its page had been read
        yield film(BATCH_SIZE)

    assert index.replace_library("1", listing(), started_at=1.0).removed == frozenset()
    assert index.item_keys_known(["9999"]) == {"9999"}


def test_two_passes_at_once_do_each_other_no_harm(index: PathIndexStore) -> None:
    index.upsert_items([film(5_000_000)])

    def listing() -> Iterator[ListedItem]:
        yield from map(film, range(BATCH_SIZE))
        inner = index.replace_library("1", map(film, range(BATCH_SIZE + 3)), started_at=2.0)
        assert inner.removed == {"5000000"}
        yield from map(film, range(BATCH_SIZE, BATCH_SIZE + 3))

    assert index.replace_library("1", listing(), started_at=1.0).removed == frozenset()
    assert index.counts().items == BATCH_SIZE + 3


def test_an_older_pass_does_not_take_away_what_a_newer_one_has_seen(index: PathIndexStore) -> None:
    older_began, newer_has_seen = threading.Event(), threading.Event()

    def older_listing() -> Iterator[ListedItem]:
        older_began.set()
        assert newer_has_seen.wait(30)
        yield from map(film, range(BATCH_SIZE))

    older = threading.Thread(target=lambda: index.replace_library("1", older_listing(), started_at=1.0))

    def newer_listing() -> Iterator[ListedItem]:
        yield from map(film, range(BATCH_SIZE))
        newer_has_seen.set()
        older.join()
        yield film(BATCH_SIZE)

    older.start()
    assert older_began.wait(30)
    assert index.replace_library("1", newer_listing(), started_at=2.0).removed == frozenset()
    assert index.counts().items == BATCH_SIZE + 1


def test_no_transaction_is_open_while_the_listing_is_awaited(database: Database, index: PathIndexStore) -> None:
    def listing() -> Iterator[ListedItem]:
        for number in range(BATCH_SIZE + 1):
            assert database._engine._writer.pool.checkedout() == 0  # type: ignore[attr-defined]
            yield film(number)

    assert index.replace_library("1", listing(), started_at=1.0).item_count == BATCH_SIZE + 1


@on_sqlite  # what a server adds to each look-up is the way there and back
def test_five_thousand_items_are_taken_over_quickly_and_looked_up_by_seeks(index: PathIndexStore) -> None:
    started = time.monotonic()
    assert index.replace_library("1", map(film, range(5_000)), started_at=1.0).item_count == 5_000
    assert time.monotonic() - started < 10.0  # 0.3 s on an idle machine; quadratic work would need minutes
    started = time.monotonic()
    for number in range(0, 5_000, 5):
        assert paths_of(index, film(number).parts[0].file) == [str(number)]
    assert time.monotonic() - started < 2.0  # 0.07 s on an idle machine; scanning would need 3 s


def test_batches_are_small_enough_for_every_database() -> None:
    # PostgreSQL takes 65,535 parameters in a statement, SQLite 32,766; the largest here has one per item, and a few.
    assert path_index.BATCH_SIZE + 10 < 32_766
