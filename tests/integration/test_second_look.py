"""After damage every scene is looked at once more: until that has happened, and not twice."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from scenesync.app.running.housekeeping import tidy
from scenesync.app.running.second_look import make_good, unanswered_damage
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.errors import StashUnavailable
from scenesync.domain.fields import Field
from scenesync.domain.job import scene_job
from scenesync.domain.journal import JournalEntry
from scenesync.queue.snapshot import read_snapshot
from scenesync.store.database import open_database
from scenesync.store.journal import JournalStore
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sync_world import SyncWorld

pytestmark = pytest.mark.integration

DAY_S = 86_400.0
GARBAGE = b"This is a shopping list, not a database.\n" * 200


def damage_queue(world: SyncWorld) -> None:
    (world.data_dir / "queue" / "data.db").write_bytes(GARBAGE)


def damage_state(world: SyncWorld) -> None:
    for companion in ("-wal", "-shm"):
        (world.data_dir / f"scenesync.db{companion}").unlink(missing_ok=True)
    (world.data_dir / "scenesync.db").write_bytes(GARBAGE)


def test_where_nothing_is_damaged_a_state_that_cannot_be_asked_is_no_trouble(tmp_path: Path) -> None:
    database = open_database(tmp_path / "scenesync.db")
    database.close()
    assert unanswered_damage(tmp_path, Memory(database)) == []


@pytest.mark.parametrize("damage", [damage_queue, damage_state])
def test_after_damage_every_scene_is_enqueued_exactly_once(
    world: SyncWorld, damage: Callable[[SyncWorld], None]
) -> None:
    for _ in range(5):
        world.scene()
    with world.installed() as installation:
        assert make_good(installation, threading.Event()) is False
    damage(world)
    with world.installed() as installation:
        assert len(unanswered_damage(world.data_dir, Memory(installation.database))) == 1
        assert make_good(installation, threading.Event()) is True
        assert read_snapshot(world.data_dir / "queue").pending == 5
        assert make_good(installation, threading.Event()) is False
    with world.installed() as installation:
        assert make_good(installation, threading.Event()) is False


def test_a_look_that_was_cut_short_is_repeated(world: SyncWorld) -> None:
    world.scene()
    with world.installed():
        pass
    damage_queue(world)
    with world.installed(stash_url="http://127.0.0.1:1") as installation, pytest.raises(StashUnavailable):
        make_good(installation, threading.Event(), give_up_after_s=0)
    with world.installed() as installation:
        assert make_good(installation, threading.Event()) is True
        assert read_snapshot(world.data_dir / "queue").pending == 1


def test_the_look_waits_for_stash_but_not_longer_than_the_run(world: SyncWorld) -> None:
    with world.installed():
        pass
    damage_queue(world)
    end = threading.Event()
    threading.Timer(0.3, end.set).start()
    with world.installed(stash_url="http://127.0.0.1:1") as installation:
        assert make_good(installation, end) is True
        assert len(unanswered_damage(world.data_dir, Memory(installation.database))) == 1


def test_tidying_drops_old_dead_letters_and_edits(world: SyncWorld) -> None:
    now = time.time()
    with world.installed() as installation:
        for age_days in (29, 31):
            installation.dead_letters.add(
                DeadLetter.from_error(scene_job(1, now), ValueError("odd"), failed_at=now - age_days * DAY_S)
            )
        journal = JournalStore(installation.database, "server")
        for age_days in (366, 2, 1):
            journal.append([JournalEntry(now - age_days * DAY_S, 1, "101", Field.TITLE, "", "Quay", "sync")])
        tidy(installation)
        assert [round((now - letter.failed_at) / DAY_S) for letter in installation.dead_letters.list()] == [29]
        assert [round((now - entry.at) / DAY_S) for entry in journal.history("101")] == [2, 1]
    with world.installed(dead_letter_days=0, journal_days=0, journal_entries=1) as installation:
        installation.dead_letters.add(
            DeadLetter.from_error(scene_job(2, now), ValueError("odd"), failed_at=now - 4000 * DAY_S)
        )
        tidy(installation)
        assert installation.dead_letters.count() == 2
        kept = JournalStore(installation.database, "server").history("101")
        assert [round((now - entry.at) / DAY_S) for entry in kept] == [1]


@pytest.mark.parametrize("loss", ["emptied", "deleted"])
def test_a_queue_file_that_is_gone_counts_as_damage(world: SyncWorld, loss: str) -> None:
    for _ in range(3):
        world.scene()
    with world.installed():
        pass
    file = world.data_dir / "queue" / "data.db"
    for companion in ("-wal", "-shm"):
        file.with_name(f"data.db{companion}").unlink(missing_ok=True)
    if loss == "emptied":
        file.write_bytes(b"")
    else:
        file.unlink()
    with world.installed() as installation:
        assert make_good(installation, threading.Event()) is True
        assert read_snapshot(world.data_dir / "queue").pending == 3
    with world.installed() as installation:
        assert make_good(installation, threading.Event()) is False
