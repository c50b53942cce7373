"""A PostgreSQL of the tests' own: a new cluster in a temporary folder, on loopback, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER: Final = "scenesync"
# A folder of mode 0700 is made in either.
MEMORY: Final = "/dev/shm"  # noqa: S108 (as said)
ANY_DISK: Final = "/tmp"  # noqa: S108 (as said)
ROOM_BYTES: Final = 2_000_000_000
_START_PATIENCE_S: Final = 60.0
_PORTS_TRIED: Final = 3
# What these tests are about is behaviour; that PostgreSQL survives a power cut is its own to prove.
_OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
}


class NoPostgresHere(Exception):
    """There is none to be started; the message says why."""


class PrivatePostgres:
    """A running cluster. ``url`` leads to one of its databases."""

    def __init__(self, programs: Path, folder: Path, as_user: Sequence[str]) -> None:
        self._programs = programs
        self._folder = folder
        self._as_user = as_user
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        for _ in range(_PORTS_TRIED):
            self.port = self.port or _free_port()
            if self._starts():
                return
            self.port = 0  # somebody else was quicker
        raise NoPostgresHere(f"PostgreSQL does not start: {self._log().read_text(errors='replace')[-500:]}")

    def stop(self) -> None:
        """End it as a power cut would, by its own process id; what it had promised is on its disk."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def new_database(self, name: str) -> str:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def _starts(self) -> bool:
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command = [
            str(self._programs / "postgres"),
            "-D",
            str(self._folder / "cluster"),
            "-p",
            str(self.port),
            *options,
        ]
        with self._log().open("ab") as log:
            self._process = subprocess.Popen([*self._as_user, *command], stdout=log, stderr=log, cwd=self._folder)
        until = time.monotonic() + _START_PATIENCE_S
        while self._process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=2).close()
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def _log(self) -> Path:
        return self._folder / "log"


@contextlib.contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """Start a cluster, stop it afterwards. Raises NoPostgresHere."""
    programs, (as_user, uid) = _programs(), _unprivileged()
    # Not below the tests' own folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="scenesync-postgres-", dir=MEMORY if _has_room(MEMORY) else ANY_DISK))
    server = PrivatePostgres(programs, folder, as_user)
    try:
        if uid is not None:
            os.chown(folder, uid, -1)
        initdb = [str(programs / "initdb"), "-D", str(folder / "cluster"), "-U", USER, "-A", "trust", "-E", "UTF8"]
        done = subprocess.run(
            [*as_user, *initdb, "--locale=C", "--no-sync"], capture_output=True, text=True, check=False, cwd=folder
        )
        if done.returncode != 0:
            raise NoPostgresHere(f"initdb fails: {done.stderr.strip()[-500:]}")
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(folder: str) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM_BYTES


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise NoPostgresHere("no PostgreSQL is installed (Debian: apt-get install postgresql)")
    return Path(on_path).parent


def _unprivileged() -> tuple[Sequence[str], int | None]:
    """Return what starts a program as somebody who is not root, which PostgreSQL refuses; it dies with this process."""
    if shutil.which("setpriv") is None:
        raise NoPostgresHere("no setpriv (util-linux) to start PostgreSQL with")
    last_will = ("setpriv", "--pdeathsig", "QUIT")
    if os.geteuid() != 0:
        return (*last_will, "--"), None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            who = pwd.getpwnam(name)
            ids = (f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups")
            return (*last_will, *ids, "--"), who.pw_uid
    raise NoPostgresHere("nobody but root is here to run PostgreSQL")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
