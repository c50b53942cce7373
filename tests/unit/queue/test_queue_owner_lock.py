import subprocess
import sys
from pathlib import Path

import pytest

from scenesync.queue import inbox, owner_lock
from scenesync.queue.file_lock import held_elsewhere
from scenesync.queue.owner_lock import KernelLock

ROOT = Path(owner_lock.__file__).parents[2]


def test_lock_is_exclusive_and_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    assert not held_elsewhere(path)
    assert not path.exists()
    first, second = KernelLock(path), KernelLock(path)
    assert first.acquire()
    assert first.acquire(), "taking it twice is no error"
    assert held_elsewhere(path)
    assert not second.acquire(patience_s=0.02)
    first.release()
    first.release()
    assert not held_elsewhere(path)
    assert second.acquire()
    second.release(remove=True)
    assert not path.exists()


def test_lock_on_a_deleted_file_is_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    old = KernelLock(path)
    assert old.acquire()
    path.unlink()
    new = KernelLock(path)
    assert new.acquire()
    assert held_elsewhere(path)
    old.release()
    assert held_elsewhere(path)
    new.release()


def test_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from scenesync.queue.owner_lock import KernelLock; "
        f"print(KernelLock({str(path)!r}).acquire(), flush=True); lock = KernelLock({str(path)!r}); lock.acquire(); "
        "print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "True\n"
        assert child.stdout.readline() == "held\n"
        assert held_elsewhere(path)
    finally:
        child.kill()
        child.communicate()
    assert not held_elsewhere(path)


HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from scenesync.queue.file_lock import held_elsewhere
from scenesync.queue.owner_lock import KernelLock
lock = KernelLock(sys.argv[2])
print(lock.acquire(), flush=True)
sys.stdin.readline()
print(held_elsewhere(sys.argv[2]), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there a lock is marked")
def test_hook_sees_the_mark_of_a_lock_and_does_without_it(tmp_path: Path) -> None:
    lock = tmp_path / inbox.DAEMON_LOCK
    assert not inbox._daemon_runs(str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ROOT), str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "True\n"
            assert inbox._is_marked(str(lock))
            assert inbox._daemon_runs(str(tmp_path))

            child.stdin.write("ask for your own lock\n")
            child.stdin.flush()
            assert child.stdout.readline() == "True\n"
            assert not inbox._is_marked(str(lock)), "whoever closes the file loses the mark"
            assert inbox._daemon_runs(str(tmp_path)), "but not the lock"
        finally:
            child.kill()
    assert not inbox._daemon_runs(str(tmp_path))


def test_name_that_is_no_owner_never_becomes_a_path(tmp_path: Path) -> None:
    (tmp_path / "x.lock").touch()
    assert not owner_lock.is_alive(str(tmp_path / "owners"), "../x")


def test_owner_lives_until_it_retires(tmp_path: Path) -> None:
    folder = str(tmp_path / "owners")
    owner = owner_lock.Owner(folder)
    assert not owner_lock.is_alive(folder, owner.name)
    owner.prove_alive()
    owner.prove_alive()
    assert owner_lock.living_owners(folder) == [owner.name]
    owner.retire()
    assert owner_lock.living_owners(folder) == []
    assert list(Path(folder).iterdir()) == []
    assert owner_lock.living_owners(str(tmp_path / "nowhere")) == []
