"""The disk is full, read-only or failing while SceneSync works: said once, nothing lost, and it goes on by itself."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import scene_job
from scenesync.queue.embedded import EmbeddedQueue
from tests.e2e.live_world import STASH_PYTHON, LiveWorld, eventually
from tests.e2e.shown_fields import all_differences, needless_writes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs import Bounds, Figures

    from tests.e2e.live_world import Daemon

pytestmark = pytest.mark.reliability

DISK_BYTES: Final = 8 * 1024 * 1024
DRAIN: Final = [sys.executable, "-m", "scenesync", "drain"]
RUN: Final = [sys.executable, "-m", "scenesync", "run"]
QUEUE_FILES: Final = ("queue/data.db", "queue/data.db-wal")
STATE_FILES: Final = ("scenesync.db", "scenesync.db-wal")


class SmallDisk:
    """A disk of its own for the data directory; it can be filled to the last byte, and write-protected."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room at all, not even the rest of a page."""
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            for size in (65_536, 4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\1" * size):
                        pass
        assert shutil.disk_usage(self.folder).free == 0

    def make_room(self) -> None:
        self._ballast.unlink()

    def protect(self, *, on: bool) -> None:
        """Make it read-only, or writable again; nobody may have a file of it open."""
        mode = "ro" if on else "rw"
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.folder)], check=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    with LiveWorld(tmp_path) as world:
        yield world


@pytest.fixture
def disk(world: LiveWorld) -> Iterator[SmallDisk]:
    world.data_dir.mkdir()
    tried = [mounted(world.data_dir, world.folder / "disk.img", kind) for kind in ("tmpfs", "ext4")]
    if all(tried):
        pytest.skip(f"no small disk can be mounted here: {'; '.join(map(str, tried))}")
    try:
        yield SmallDisk(world.data_dir)
    finally:
        for daemon in world._daemons:  # whoever has a file open there must be gone
            daemon.close()
        subprocess.run(["umount", str(world.data_dir)], check=True)


def mounted(folder: Path, image: Path, kind: str) -> str | None:
    """Mount a small disk on ``folder`` unless there is one; return why that is impossible."""
    if folder.is_mount():
        return None
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root may mount"
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs"]
    if kind == "ext4":
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        if shutil.which("mkfs.ext4") is None:
            return "there is no mkfs.ext4"
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, capture_output=True)
        command = ["mount", "-o", "loop", str(image)]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    return done.stderr.strip() or None


def with_jobs(world: LiveWorld, scenes: int) -> None:
    """Fill both servers and have a job wait for every scene."""
    ids = world.fill(scenes).scene_ids
    with contextlib.closing(EmbeddedQueue(world.data_dir / "queue")) as queue:
        queue.put_many([scene_job(scene_id, time.time()) for scene_id in ids])
    world.plex.write_latency_s = 0.03


def wait_for_edits(world: LiveWorld, edits: int) -> None:
    eventually(lambda: len({write.rating_key for write in world.plex.field_writes}) >= edits, f"{edits} edits")


def assert_all_is_right(world: LiveWorld) -> None:
    """Every scene is shown as it is in Stash, and nothing was written twice."""
    scenes = list(world.stash.library.scenes.values())
    wrong = all_differences(world.stash, world.plex, [(scene, world.item_of(scene)) for scene in scenes])
    assert wrong == []
    assert needless_writes(world.plex) == []


def complaints(log: str) -> list[str]:
    """Return the lines that are more than information."""
    return [line for line in log.splitlines() if " ERROR " in line or " WARNING " in line or "scenesync:" in line]


def assert_said_once(log: str, *words: str) -> None:
    """One cause is told in a few lines, however often it is met."""
    told = complaints(log)
    assert any(word in line for line in told for word in words), log
    assert len(told) <= 8, "\n".join(told)
    assert "Traceback" not in log


def note(figures: Figures, what: str, world: LiveWorld) -> None:
    figures(f"disk, {what}", "1 fault", jobs=len(world.stash.library.scenes), lost=0, doubled=0)


# -- full


def test_a_drain_that_fills_the_disk_ends_with_a_message_and_the_next_one_finishes(
    world: LiveWorld, disk: SmallDisk, bounds: Bounds, figures: Figures
) -> None:
    with_jobs(world, bounds.pick(30, 300))
    drain = world.start(DRAIN)
    wait_for_edits(world, 5)
    disk.fill()
    assert drain.wait() == 1, drain.log
    assert_said_once(drain.log, "No room left on the disk", "SQLITE_FULL")
    assert world.queue().dead_letters == 0

    disk.make_room()
    ran = world.scenesync("drain")
    assert ran.exit_code == 0, ran.stderr
    assert_all_is_right(world)
    note(figures, "full, drain", world)


def test_a_daemon_waits_for_room_on_the_disk_and_goes_on_by_itself(
    world: LiveWorld, disk: SmallDisk, bounds: Bounds, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(world.temporary))  # where this process counts waiting events
    with_jobs(world, bounds.pick(30, 300))
    daemon = world.daemon()
    wait_for_edits(world, 5)
    disk.fill()
    scene = world.stash.library.scenes[1]
    world.stash.save(scene, title="Harbour at noon")  # its hook finds no room either
    time.sleep(bounds.pick(4, 20))
    assert daemon.is_running(), daemon.log
    assert_said_once(daemon.log, "No room left on the disk", "SQLITE_FULL")

    disk.make_room()
    world.settle()
    eventually(lambda: world.item_of(scene).title == "Harbour at noon", "the change that came without room")
    assert daemon.stop() == 0
    assert_all_is_right(world)
    assert world.queue().dead_letters == 0
    note(figures, "full, daemon", world)


@pytest.mark.parametrize("known", [True, False], ids=["with a queue", "without anything"])
def test_a_daemon_that_starts_on_a_full_disk_waits_for_room(world: LiveWorld, disk: SmallDisk, known: bool) -> None:  # noqa: FBT001 - parametrised
    if known:
        with_jobs(world, 3)
    else:
        world.fill(3)
    disk.fill()
    daemon = world.start(RUN)
    daemon.wait_for_log("No room left on the disk mounted at")
    time.sleep(3)
    assert daemon.is_running(), daemon.log
    assert daemon.log.count("No room left") == 1
    assert str(world.data_dir) in daemon.log

    disk.make_room()
    daemon.wait_for_log("working data_dir=")
    if not known:
        world.stash.save(world.stash.library.scenes[1], title="Harbour at noon")
    eventually(lambda: world.plex.field_writes, "an edit")
    world.settle()
    assert daemon.stop() == 0
    assert "the data directory can be used again" in daemon.log
    assert world.queue().dead_letters == 0


def test_a_daemon_that_waits_for_room_can_be_stopped(world: LiveWorld, disk: SmallDisk) -> None:
    disk.fill()
    daemon = world.start(RUN)
    daemon.wait_for_log("No room left on the disk mounted at")
    assert daemon.stop() == 0


@pytest.mark.parametrize("command", [("drain",), ("sync", "1"), ("queue", "clear", "--all", "--yes")], ids=" ".join)
def test_a_command_on_a_full_disk_says_which_disk_is_full(
    world: LiveWorld, disk: SmallDisk, command: tuple[str, ...]
) -> None:
    with_jobs(world, 3)
    disk.fill()
    ran = world.scenesync(*command)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert f"No room left on the disk mounted at {world.data_dir} (0.0 of 8.4 MB free)" in ran.stderr
    assert "I/O" not in ran.stderr
    assert "Traceback" not in ran.stderr
    assert world.scenesync("status", "--json").document()["pending"] == 3
    disk.make_room()
    assert world.scenesync("drain").exit_code == 0


# -- read-only


def test_a_command_on_a_read_only_disk_says_so_and_changes_nothing(world: LiveWorld, disk: SmallDisk) -> None:
    with_jobs(world, 3)
    disk.protect(on=True)
    before = {path: path.read_bytes() for path in world.data_dir.rglob("*") if path.is_file()}
    for command in ("drain", "run"):
        ran = world.scenesync(command)
        assert (ran.exit_code, ran.stdout) == (1, ""), command
        assert_said_once(ran.stderr, "Read-only file system", "read-only")
    assert world.scenesync("status", "--json").document()["pending"] == 3
    assert {path: path.read_bytes() for path in world.data_dir.rglob("*") if path.is_file()} == before

    disk.protect(on=False)
    assert world.scenesync("drain").exit_code == 0
    assert_all_is_right(world)


@pytest.mark.parametrize("left", ["closed", "killed", "killed, without the logs' indexes"])
def test_what_there_is_can_be_looked_at_on_a_read_only_disk(world: LiveWorld, disk: SmallDisk, left: str) -> None:
    with_jobs(world, 3)
    world.plex.down()
    daemon = world.daemon()
    daemon.wait_for_log("plex is not available")
    world.stash.save(world.stash.library.scenes[1], title="Harbour at noon")
    daemon.stop() if left == "closed" else daemon.kill()
    if "without" in left:
        for index in world.data_dir.rglob("*-shm"):
            index.unlink()
    with contextlib.closing(EmbeddedQueue(world.data_dir / "queue")) if left == "closed" else nullcontext() as queue:
        if queue is not None:
            job = queue.claim()[0]
            queue.bury(job, DeadLetter.from_error(job.job, ValueError("odd"), failed_at=time.time()))
    disk.protect(on=True)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in everything(world)}

    status = world.scenesync("status", "--json").document()
    assert (status["pending"] + status["in_progress"] + status["dead_letters"], status["plex"]) == (3, "down")
    assert status["outages"][0]["service"] == "plex"
    listed = world.scenesync("queue", "list", "--json")
    assert listed.exit_code == 3
    assert len(listed.document()) == status["pending"]
    letters = world.scenesync("dlq", "list", "--json").document()
    assert len(letters) == status["dead_letters"]
    for letter in letters:
        assert world.scenesync("dlq", "show", str(letter["id"])).exit_code == 0
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in everything(world)} == before


def everything(world: LiveWorld) -> list[Path]:
    return [path for path in world.data_dir.rglob("*") if path.is_file()]


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_a_hook_without_a_disk_keeps_its_event_in_the_temporary_folder(
    world: LiveWorld, disk: SmallDisk, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(world.temporary))
    with_jobs(world, 2)
    disk.fill() if state == "full" else disk.protect(on=True)
    event = '{"args":{"hookContext":{"id":2,"type":"Scene.Update.Post","input":{"title":"Harbour at noon"}}}}'
    ran = world.run([str(STASH_PYTHON), "-I", "-S", str(world.plugin_dir / "hook.py")], stdin=event, autostart="false")
    assert (ran.exit_code, ran.document()) == (0, {"output": "ok"})
    assert ran.stderr.startswith(f"\x01w\x02{world.data_dir} cannot be written: the change is kept in ")
    assert ran.stderr.count("\n") == 1
    assert world.queue().spooled == 1

    disk.make_room() if state == "full" else disk.protect(on=False)
    assert world.scenesync("drain").exit_code == 0
    assert world.queue().spooled == 0
    assert_all_is_right(world)


# -- failing


@contextlib.contextmanager
def failing(daemon: Daemon, world: LiveWorld, files: tuple[str, ...]) -> Iterator[None]:
    """Let every write of a running process to these files fail with an I/O error during the block."""
    paths = [option for file in files for option in ("-P", str(world.data_dir / file))]
    calls = "pwrite64,fdatasync,fsync,ftruncate"
    command = ["strace", "-f", "-p", str(daemon.pid), *paths, "-e", f"inject={calls}:error=EIO"]
    strace = subprocess.Popen([*command, "-o", str(trace_of(world))], stderr=subprocess.PIPE)
    try:
        eventually(lambda: is_traced(daemon.pid) or strace.poll() is not None, "strace to be attached")
        if strace.poll() is not None:
            pytest.skip(f"strace may not watch processes here: {(strace.stderr or sys.stdin).read()!r:.200}")
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=30)
    assert a_write_failed(world)


def trace_of(world: LiveWorld) -> Path:
    return world.folder / "strace.log"


def a_write_failed(world: LiveWorld) -> bool:
    return "EIO" in trace_of(world).read_text()


def is_traced(pid: int) -> bool:
    tasks = [task / "status" for task in Path(f"/proc/{pid}/task").iterdir()]
    return all("TracerPid:\t0\n" not in task.read_text() for task in tasks)


@pytest.mark.parametrize("files", [QUEUE_FILES, STATE_FILES], ids=["queue", "state"])
def test_a_daemon_outlives_a_failing_disk_and_goes_on_by_itself(
    world: LiveWorld, bounds: Bounds, figures: Figures, files: tuple[str, ...]
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace, to let writes fail")
    world.data_dir.mkdir()
    with_jobs(world, bounds.pick(30, 300))
    daemon = world.start(RUN)
    wait_for_edits(world, 5)
    with failing(daemon, world, files):
        for scene in world.stash.scenes()[:5]:  # the first jobs may all have ended before the first write failed
            world.stash.save(scene, title=f"Saved while the disk failed, {scene.id}")
        eventually(lambda: a_write_failed(world), "a write that fails")
        time.sleep(bounds.pick(2, 20))
    assert daemon.is_running(), daemon.log
    assert_said_once(daemon.log, "The disk failed", "SQLITE_IOERR")

    world.settle()
    assert daemon.stop() == 0
    assert_all_is_right(world)
    assert world.queue().dead_letters == 0
    note(figures, f"I/O errors in {files[0]}", world)


@pytest.mark.parametrize("file", [QUEUE_FILES[1], STATE_FILES[1]], ids=["queue", "state"])
def test_a_drain_on_a_failing_disk_ends_with_a_message_and_the_next_one_finishes(
    world: LiveWorld, bounds: Bounds, figures: Figures, file: str
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace, to let writes fail")
    world.data_dir.mkdir()
    with_jobs(world, bounds.pick(30, 300))
    inject = ["-P", str(world.data_dir / file), "-e", f"inject=pwrite64:error={errno.errorcode[errno.EIO]}:when=10+"]
    drain = world.start(["strace", "-f", "-o", str(world.folder / "strace.log"), *inject, *DRAIN])
    assert drain.wait() == 1, drain.log
    assert_said_once(drain.log, "The disk failed", "SQLITE_IOERR")

    ran = world.scenesync("drain")
    assert ran.exit_code == 0, ran.stderr
    assert_all_is_right(world)
    note(figures, f"I/O errors in {file.rsplit('/', maxsplit=1)[-1]}, drain", world)
