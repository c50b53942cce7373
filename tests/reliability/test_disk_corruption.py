"""A file was destroyed, in part or whole: it is kept aside, and Plex is right again with nobody doing anything."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest
from power_cut_disk import dice

from scenesync.domain.job import scene_job
from scenesync.queue.embedded import EmbeddedQueue
from tests.e2e.live_world import LiveWorld, eventually
from tests.e2e.shown_fields import all_differences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proofs import Bounds, Figures

pytestmark = pytest.mark.reliability

PAGE_BYTES: Final = 4096
SCENES: Final = 16
JOBS: Final = 400
CHANGED: Final = (3, 8, 13)
QUEUE, STATE = "queue/data.db", "scenesync.db"
FILES: Final = (QUEUE, STATE)
Damage = Callable[[bytearray], None]
SAID: Final = {QUEUE: "The queue file was damaged", STATE: "store damaged"}


def cut_short(content: bytearray) -> None:
    del content[len(content) // 2 + 100 :]


def a_garbage_page(content: bytearray) -> None:
    place = 2 * PAGE_BYTES  # a table's own, and never a free one
    content[place : place + PAGE_BYTES] = os.urandom(PAGE_BYTES)


def a_zeroed_header(content: bytearray) -> None:
    content[:100] = bytes(100)


def garbage_in_the_middle(content: bytearray) -> None:
    third = len(content) // 3
    content[third : 2 * third] = os.urandom(third)


def garbage_all_over(content: bytearray) -> None:
    content[:] = os.urandom(len(content))


SHORT_OF_IT: Final = {QUEUE: (cut_short,), STATE: (a_garbage_page,)}
DAMAGES: Final = (cut_short, a_garbage_page, a_zeroed_header, garbage_in_the_middle, garbage_all_over)


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    """Everything in sync."""
    with LiveWorld(tmp_path_factory.mktemp("household")) as world:
        world.fill(SCENES)
        assert world.scenesync("sync", "--all").exit_code == 0
        yield world


@pytest.fixture
def world(household: LiveWorld) -> Iterator[LiveWorld]:
    """Everything in sync but three scenes, whose events are in the queue."""
    for number, scene_id in enumerate(CHANGED):
        title = f"Harbour {time.monotonic()}, part {number}"
        household.stash.save(household.stash.library.scenes[scene_id], title=title)
    assert household.queue().pending == len(CHANGED)
    household.plex.clear_records()
    yield household
    for daemon in household._daemons:
        daemon.close()
    for kept in [path for file in FILES for path in kept_aside(household, file)]:
        kept.unlink()


def damage_file(file: Path, damage: Damage) -> bytes:
    """Damage a file in place and return what it holds then; a log beside it goes into it first."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    content = bytearray(file.read_bytes())
    damage(content)
    file.write_bytes(content)
    return bytes(content)


def wrong(world: LiveWorld) -> list[str]:
    scenes = list(world.stash.library.scenes.values())
    return all_differences(world.stash, world.plex, [(scene, world.item_of(scene)) for scene in scenes])


def written_items(world: LiveWorld) -> set[str]:
    return {write.rating_key for write in world.plex.field_writes}


def changed_items(world: LiveWorld) -> set[str]:
    return {world.item_of(world.stash.library.scenes[scene_id]).rating_key for scene_id in CHANGED}


def kept_aside(world: LiveWorld, file: str) -> list[Path]:
    folder, name = (world.data_dir / file).parent, (world.data_dir / file).name
    return [path for path in folder.glob(f"{name}.damaged-*") if not path.name.endswith(("-wal", "-shm", "-journal"))]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES)
def test_after_damage_the_daemon_makes_everything_right_by_itself(
    world: LiveWorld, bounds: Bounds, figures: Figures, file: str
) -> None:
    damages = DAMAGES if bounds.is_long else SHORT_OF_IT[file]
    for damage in damages:
        content = damage_file(world.data_dir / file, damage)
        daemon = world.daemon()
        daemon.wait_for_log("after damage: ")
        eventually(lambda: wrong(world) == [], "every scene equal in Plex")
        world.settle()

        assert daemon.is_running()
        assert written_items(world) <= changed_items(world), "what was right already is not written"
        [kept] = kept_aside(world, file)
        assert kept.read_bytes() == content, "the damaged file is evidence"
        assert SAID[file] in daemon.log
        assert f"after damage every scene is looked at again: damaged={kept.name}" in daemon.log
        assert "Traceback" not in daemon.log
        assert daemon.stop() == 0
        kept.unlink()
    figures(f"damage, {file}", f"{len(damages)} files", jobs=SCENES * len(damages), lost=0, doubled=0)


@pytest.mark.parametrize("command", [("drain",), ("sync", "1")])
def test_after_damage_to_both_files_a_single_run_makes_everything_right_too(
    world: LiveWorld, command: tuple[str, ...]
) -> None:
    for file in FILES:
        damage_file(world.data_dir / file, garbage_in_the_middle)
    ran = world.scenesync(*command)
    assert ran.exit_code == 0, ran.stderr
    assert wrong(world) == []
    assert written_items(world) == changed_items(world)
    assert "after damage every scene is looked at again" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "after damage" not in world.scenesync("drain").stderr, "one look is enough"


@pytest.mark.parametrize("file", FILES)
def test_damage_under_a_running_daemon_is_found_and_made_good(world: LiveWorld, file: str) -> None:
    daemon = world.daemon(poll_interval="1")
    world.settle()
    target = world.data_dir / file
    target.write_bytes(os.urandom(target.stat().st_size))
    for scene_id in CHANGED:
        world.stash.save(world.stash.library.scenes[scene_id], title=f"Harbour again, part {scene_id}")
    eventually(lambda: wrong(world) == [], "every scene equal in Plex")
    world.settle()
    assert daemon.is_running(), daemon.log
    assert "Traceback" not in daemon.log
    assert daemon.stop() == 0
    # What the daemon still knew of the file may have been enough so far.
    assert world.scenesync("drain").exit_code == 0
    assert kept_aside(world, file) != [], daemon.log


@pytest.mark.timeout(600)
def test_what_can_be_read_of_a_damaged_queue_is_saved_and_nothing_is_invented(
    tmp_path: Path, bounds: Bounds, figures: Figures
) -> None:
    whole = tmp_path / "whole"
    with contextlib.closing(EmbeddedQueue(whole)) as queue:
        queue.put_many([scene_job(number, 1e9, data={"title": f"Film {number}"}) for number in range(1, JOBS + 1)])
    known, saved, rounds = set(range(1, JOBS + 1)), 0, bounds.pick(4, 300)
    for number in range(rounds):
        rng = dice("damage", bounds.first_seed, number)
        folder = tmp_path / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        content = bytearray((whole / "data.db").read_bytes())
        size = rng.choice((1, 16, 512, PAGE_BYTES, 3 * PAGE_BYTES))
        place = rng.randrange(len(content))
        content[place : place + size] = rng.choice((rng.randbytes(size), bytes(size), b""))
        (folder / "data.db").write_bytes(content)
        with contextlib.closing(EmbeddedQueue(folder)) as queue:
            found = [pending.job["scene_id"] for pending in queue.list_pending(2 * JOBS)]
            with queue.reading() as connection:
                integrity = connection.execute("PRAGMA quick_check").fetchone()[0]
        where = f"--seed {bounds.first_seed}, damage {number}: {size} bytes at {place}"
        assert integrity == "ok", where
        assert len(found) == len(set(found)), where
        assert set(found) <= known, where
        saved += len(found)
    assert saved > 0.5 * JOBS * rounds
    figures(
        "damage, one place in a queue file",
        f"{rounds:,} files",
        jobs=JOBS * rounds,
        lost=0,
        doubled=0,
        remarks=f"{saved / JOBS / rounds:.0%} saved from the file, the rest comes from Stash",
    )
