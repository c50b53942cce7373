from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scenesync.app.running.spare_memory import give_memory_back
from scenesync.domain.item import ListedItem, MediaPart
from scenesync.store.database import Database, open_database
from scenesync.store.path_index import PathIndexStore

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUS = Path("/proc/self/status")
ITEMS = 20_000

on_linux = pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells here what a process has in memory")
with_glibc = pytest.mark.skipif(
    sys.platform != "linux" or any(Path("/lib").glob("ld-musl-*")), reason="other C libraries give back by themselves"
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "data" / "scenesync.db") as opened:
        yield opened


def index_of(database: Database) -> PathIndexStore:
    return PathIndexStore(database, "a-server")


def resident_mib() -> float:
    found = re.search(r"^VmRSS:\s+(\d+) kB", STATUS.read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def items() -> Iterator[ListedItem]:
    for number in range(ITEMS):
        path = f"/films/{number % 211:03d} harbours/Harbour {number * 7919 % ITEMS:06d} at dusk.mkv"
        yield ListedItem(str(number), "1", (MediaPart(path, 1_000_000 + number, 60_000),))


EIGHT_THREADS_TAKE_MEMORY = """
import ctypes, threading
from scenesync.app.running.spare_memory import share_heaps

share_heaps()
all_there = threading.Barrier(8)
threads = [threading.Thread(target=lambda: (bytearray(9_000), all_there.wait())) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
libc = ctypes.CDLL(None)
stdout = ctypes.c_void_p.in_dll(libc, "stdout")
libc.malloc_info(0, stdout)
libc.fflush(stdout)
"""


@with_glibc
def test_threads_share_two_heaps() -> None:
    program = [sys.executable, "-c", EIGHT_THREADS_TAKE_MEMORY]

    told = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stdout

    assert 1 <= told.count("<heap nr=") <= 2


@on_linux
@with_glibc
def test_pages_that_a_large_pass_left_behind_are_given_back(database: Database) -> None:
    index_of(database).replace_library("1", items(), started_at=1.0)
    before = resident_mib()

    give_memory_back(database)

    assert before - resident_mib() > 6  # of 16 MiB that the connection which writes may have during the pass


def test_it_waits_for_who_writes_and_takes_nothing_from_them(database: Database) -> None:
    giving = threading.Thread(target=give_memory_back, args=(database,))
    with database.transaction():
        giving.start()
        index_of(database).upsert_items(item for item in items() if int(item.rating_key) < 10)
        assert giving.is_alive()

    giving.join(10)
    assert not giving.is_alive()
    assert len(index_of(database).items_after("", 100)) == 10
