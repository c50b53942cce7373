"""Files and folders that cannot be used: said clearly, never deleted, and the change is kept elsewhere."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest
from live_world import ROOT, STASH_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from live_world import LiveWorld, Ran

pytestmark = pytest.mark.e2e

NO_DATABASE = b"This is a shopping list, not a database.\n" * 200

DROP_RIGHTS = """
import ctypes, os, sys
if os.geteuid() == 0:
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    if ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0):
        sys.exit(f"rights cannot be dropped: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Starts a program for which mode bits count, also when the tests run as root."""


@pytest.fixture
def read_only_data_dir(world: LiveWorld) -> Iterator[Path]:
    if sys.platform != "linux":
        pytest.skip("mode bits and capabilities are Linux's")
    world.data_dir.mkdir(mode=0o500)
    probe = under_mode_bits(world, sys.executable, "-c", f"open({str(world.data_dir / 'probe')!r}, 'w')")
    if "PermissionError" not in probe.stderr:
        pytest.skip("this system does not let the tests drop their rights")
    yield world.data_dir
    world.data_dir.chmod(0o700)


def under_mode_bits(world: LiveWorld, *command: str, stdin: str = "") -> Ran:
    return world.run([sys.executable, "-c", DROP_RIGHTS, *command], stdin=stdin)


def saved_event(scene_id: int) -> str:
    return f'{{"server_connection":{{}},"args":{{"hookContext":{{"id":{scene_id},"type":"Scene.Update.Post"}}}}}}'


def test_a_hook_that_may_not_write_the_data_directory_keeps_the_event_in_the_temporary_folder(
    world: LiveWorld, read_only_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(world.temporary))  # where this process counts waiting events
    scene = world.add_scene("Harbour at dawn")
    hook = [str(STASH_PYTHON), "-I", "-S", str(world.plugin_dir / "hook.py")]
    ran = under_mode_bits(world, *hook, stdin=saved_event(scene.id))

    assert (ran.exit_code, ran.document()) == (0, {"output": "ok"})
    assert ran.stderr.startswith(f"\x01w\x02{read_only_data_dir} cannot be written: the change is kept in ")
    [folder] = world.temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert world.jobs() == 1

    read_only_data_dir.chmod(0o700)
    assert world.scenesync("drain").exit_code == 0
    assert world.item_of(scene).title == "Harbour at dawn"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", [("drain",), ("sync", "1"), ("run",)])
def test_a_command_that_may_not_write_the_data_directory_says_so(
    world: LiveWorld, read_only_data_dir: Path, command: tuple[str, ...]
) -> None:
    ran = under_mode_bits(world, sys.executable, "-m", "scenesync", *command)
    assert ran.exit_code == 1
    assert ran.stdout == ""
    assert str(read_only_data_dir) in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "ermission denied" in ran.stderr or "Cannot write" in ran.stderr


def test_doctor_says_that_the_data_directory_cannot_be_written(world: LiveWorld, read_only_data_dir: Path) -> None:
    ran = under_mode_bits(world, sys.executable, "-m", "scenesync", "doctor")
    assert ran.exit_code == 1
    assert f"FAIL data directory: {read_only_data_dir}:" in ran.stdout
    assert "-> Make it writable or set SCENESYNC_DATA_DIR." in ran.stdout


def test_doctor_says_it_of_a_data_directory_that_was_in_use_before(world: LiveWorld, read_only_data_dir: Path) -> None:
    read_only_data_dir.chmod(0o700)
    assert world.scenesync("drain").exit_code == 0
    inside = [read_only_data_dir, *read_only_data_dir.rglob("*")]
    before = [path.stat().st_mode for path in inside]
    for path, mode in reversed([*zip(inside, before, strict=True)]):
        path.chmod(mode & ~0o222)
    try:
        ran = under_mode_bits(world, sys.executable, "-m", "scenesync", "doctor")
    finally:
        for path, mode in zip(inside, before, strict=True):
            path.chmod(mode)
    assert ran.exit_code == 1
    assert f"FAIL data directory: {read_only_data_dir}:" in ran.stdout
    assert "can write" not in ran.stdout


def test_a_data_directory_that_is_a_file_is_an_error_with_its_path(world: LiveWorld) -> None:
    world.data_dir.write_text("occupied")
    ran = world.scenesync("drain")
    assert ran.exit_code == 2
    assert ran.stderr == f"scenesync: {world.data_dir}/scenesync.toml: cannot be read (Not a directory).\n"
    assert world.data_dir.read_text() == "occupied"


def test_a_queue_file_that_is_no_database_is_moved_aside_and_work_goes_on(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    folder = world.data_dir / "queue"
    folder.mkdir(parents=True)
    (folder / "data.db").write_bytes(NO_DATABASE)
    world.stash.save(scene, title="Harbour at dusk")  # its hook cannot use the file either

    ran = world.scenesync("drain")
    assert ran.exit_code == 0, ran.stderr
    [kept] = [path for path in folder.glob("data.db.damaged-*") if path.suffix not in {"-wal", "-shm"}]
    assert kept.read_bytes() == NO_DATABASE
    assert "The queue file was damaged (file is not a database)." in ran.stderr
    assert f"It is kept as {kept}" in ran.stderr
    assert world.item_of(scene).title == "Harbour at dusk"

    world.stash.save(scene, title="Harbour at noon")
    assert world.queue().pending == 1
    assert world.scenesync("drain").exit_code == 0
    assert world.item_of(scene).title == "Harbour at noon"


def test_status_says_that_the_queue_file_is_damaged_and_leaves_it(world: LiveWorld) -> None:
    file = world.data_dir / "queue" / "data.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(NO_DATABASE)
    ran = world.scenesync("status")
    assert ran.exit_code == 1
    assert "is damaged (file is not a database)" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [path.name for path in file.parent.iterdir()] == ["data.db"]
    assert file.read_bytes() == NO_DATABASE


LOOKING_AT_THE_QUEUE = (
    ("status",),
    ("queue", "list"),
    ("queue", "clear", "--all", "--yes"),
    ("dlq", "list"),
    ("dlq", "show", "1"),
    ("dlq", "replay", "--all"),
    ("doctor",),
)
LOOKING_AT_THE_STATE = (("status",), ("circuit", "show"), ("explain", "1"), ("doctor",))


@pytest.mark.parametrize(
    ("file", "named", "commands"),
    [("queue/data.db", "queue", LOOKING_AT_THE_QUEUE), ("scenesync.db", "scenesync.db", LOOKING_AT_THE_STATE)],
    ids=["queue", "state"],
)
def test_a_command_that_does_no_work_says_what_is_damaged_and_what_cures_it_and_leaves_it(
    world: LiveWorld, file: str, named: str, commands: tuple[tuple[str, ...], ...]
) -> None:
    scene = world.add_scene("Harbour at dawn")
    assert world.scenesync("drain").exit_code == 0  # makes both files
    world.stash.save(scene, title="Harbour at dusk")
    damaged = world.data_dir / file
    damaged.write_bytes(NO_DATABASE)
    for command in commands:
        ran = world.scenesync(*command)
        told = ran.stdout + ran.stderr
        assert ran.exit_code == 1, (command, told)
        assert f"{world.data_dir / named} is damaged (" in told, command
        assert "was left as it is. `scenesync drain`" in told, command
        assert "Traceback" not in told, command
    assert damaged.read_bytes() == NO_DATABASE
    assert list(world.data_dir.rglob("*.damaged-*")) == []

    assert world.scenesync("drain").exit_code == 0
    assert world.item_of(scene).title == "Harbour at dusk"


def test_a_state_file_that_is_no_database_is_moved_aside_and_no_job_is_lost(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    world.stash.save(scene, title="Harbour at dusk")
    (world.data_dir / "scenesync.db").write_bytes(NO_DATABASE)
    assert world.jobs() == 1

    ran = world.scenesync("drain")
    assert ran.exit_code == 0, ran.stderr
    [kept] = world.data_dir.glob("scenesync.db.damaged-*")
    assert kept.read_bytes() == NO_DATABASE
    assert "store damaged" in ran.stderr
    assert kept.name in ran.stderr
    assert world.item_of(scene).title == "Harbour at dusk"

    world.plex.clear_records()
    assert world.scenesync("sync", "--all").exit_code == 0
    assert world.plex.field_writes == []


def test_everything_in_the_data_directory_is_for_its_owner_alone(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    world.stash.save(scene, title="Harbour at dusk")
    before = os.umask(0)  # inherited by the daemon
    try:
        daemon = world.daemon()
    finally:
        os.umask(before)
    world.settle()
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [world.data_dir, *world.data_dir.rglob("*")]}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    "document",
    ["", "not JSON", "[]", '{"args": {"hookContext": {"id": "x", "type": "Scene.Update.Post"}}}', '{"args": {"hookCon'],
)
def test_a_hook_that_does_not_understand_its_input_says_so_and_fails_nobody(world: LiveWorld, document: str) -> None:
    world.stash.save(world.add_scene("Harbour at dawn"), details="Kept.")
    done = subprocess.run(
        [STASH_PYTHON, "-I", "-S", world.plugin_dir / "hook.py"],
        input=document,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=ROOT,
        env=world.environment(autostart="false"),
    )
    assert (done.returncode, done.stdout) == (0, '{"output": "not understood"}\n')
    assert done.stderr.startswith("\x01e\x02what Stash sent was not understood, nothing was stored: ")
    assert done.stderr.count("\n") == 1
    assert world.jobs() == 1
