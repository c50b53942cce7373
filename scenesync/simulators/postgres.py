"""A PostgreSQL of one's own: a new cluster in a temporary folder, on loopback, gone afterwards.

The one server here that is not simulated: nothing but PostgreSQL behaves as PostgreSQL does. It is started from the
programs that the system has, and asks for a password that nobody else knows, since others of this machine can knock.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if sys.platform != "win32":
    import pwd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER: Final = "scenesync"
_HOST: Final = "127.0.0.1"
# A folder of mode 0700 is made in either.
_MEMORY: Final = "/dev/shm"  # noqa: S108 (as said)
_ANY_DISK: Final = "/tmp"  # noqa: S108 (as said)
_ROOM_BYTES: Final = 2_000_000_000
_START_PATIENCE_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.05
_PORTS_TRIED: Final = 3
_ROOT: Final = 0
_SERVANTS: Final = ("postgres", "nobody")
_OPTIONS: Final = {
    "listen_addresses": _HOST,
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
}
# That PostgreSQL survives a power cut is its own to prove.
_FORGETFUL: Final = {"fsync": "off", "full_page_writes": "off"}
_DEBIANS: Final = "/usr/lib/postgresql"
_HOW_TO_INSTALL: Final = (
    "Debian and Ubuntu: apt-get install postgresql; Alpine: apk add postgresql; macOS: brew install postgresql"
)


class NoPostgresHere(Exception):
    """There is none to be started; the message says why, and what to do."""


class _Servant(NamedTuple):
    """Who runs the server: what comes before its command, and to whom its folder is given (None: it stays ours)."""

    before: Sequence[str]
    uid: int | None = None


class PrivatePostgres:
    """A running cluster. ``url`` leads to one of its databases."""

    def __init__(self, programs: Path, folder: Path, before: Sequence[str], *, durable: bool) -> None:
        self._programs = programs
        self._folder = folder
        self._before = before
        self._options = {**_OPTIONS, **({} if durable else _FORGETFUL)}
        self._password = secrets.token_hex(12)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def url(self, database: str = "postgres", port: int = 0) -> str:
        """Return the address of a database, by way of ``port`` if another one than the server's leads to it."""
        return f"postgresql://{USER}:{self._password}@{_HOST}:{port or self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process that the server's other ones are children of; 0 while it is stopped."""
        return 0 if self._process is None else self._process.pid

    def make(self) -> None:
        """Make the cluster. Raises NoPostgresHere."""
        password = self._folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._password, encoding="ascii")
        os.chown(password, self._folder.stat().st_uid, -1)
        where = ("-D", str(self._folder / "cluster"), "-U", USER, "-A", "scram-sha-256", "--pwfile", str(password))
        done = self._run("initdb", *where, "-E", "UTF8", "--locale=C", "--no-sync", as_servant=True)
        if done.returncode != 0:
            raise NoPostgresHere(f"PostgreSQL's initdb fails: {done.stderr.strip()[-500:]}")

    def start(self) -> None:
        """Start it, again on the port that it had. Raises NoPostgresHere."""
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
        """Make an empty database and return its address. Raises RuntimeError."""
        done = self._run("createdb", "-h", _HOST, "-p", str(self.port), "-U", USER, "-w", name)
        if done.returncode != 0:
            raise RuntimeError(f"PostgreSQL's createdb fails: {done.stderr.strip()[-500:]}")
        return self.url(name)

    def _starts(self) -> bool:
        options = [word for name, value in self._options.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "cluster"), "-p", str(self.port)]
        with self._log().open("ab") as log:
            self._process = subprocess.Popen(
                [*self._before, *command, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder
            )
        until = time.monotonic() + _START_PATIENCE_S
        while self._process.poll() is None and time.monotonic() < until:
            if self._run("pg_isready", "-q", "-h", _HOST, "-p", str(self.port), "-U", USER).returncode == 0:
                return True
            time.sleep(_LOOK_EVERY_S)
        self.stop()
        return False

    def _run(self, program: str, *arguments: str, as_servant: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*(self._before if as_servant else ()), str(self._programs / program), *arguments],
            env={"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": self._password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
        )

    def _log(self) -> Path:
        return self._folder / "log"


@contextlib.contextmanager
def private_postgres(*, durable: bool = False) -> Iterator[PrivatePostgres]:
    """Start a cluster, stop it afterwards. Raises NoPostgresHere.

    What it has promised outlives its own crash; a power cut only if it is ``durable``, which costs what disks cost.
    """
    programs, servant = _programs(), _servant()
    place = _MEMORY if not durable and _has_room(_MEMORY) else _ANY_DISK
    # Not below the temporary folder of who asks, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="scenesync-postgres-", dir=place))
    server = PrivatePostgres(programs, folder, servant.before, durable=durable)
    try:
        if servant.uid is not None:
            os.chown(folder, servant.uid, -1)
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(folder: str) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > _ROOM_BYTES


def _programs() -> Path:
    """Return the folder of PostgreSQL's programs: Debian's newest, which is not on PATH, else the one on PATH."""
    found = sorted(Path(_DEBIANS).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise NoPostgresHere(f"No PostgreSQL is installed here. {_HOW_TO_INSTALL}.")
    return Path(on_path).parent


def _servant() -> _Servant:
    """Return who is not root, as whom PostgreSQL refuses to run. Where the system can, it dies with this process."""
    if sys.platform == "win32":
        raise NoPostgresHere("On Windows no PostgreSQL can be started from here; use WSL, Linux or macOS.")
    setpriv = shutil.which("setpriv")
    last_will = () if setpriv is None else (setpriv, "--pdeathsig", "QUIT")
    if os.geteuid() != _ROOT:
        return _Servant(last_will)
    if setpriv is None:
        raise NoPostgresHere("PostgreSQL does not run as root, and there is no setpriv (util-linux) to be another one.")
    for name in _SERVANTS:
        with contextlib.suppress(KeyError):
            who = pwd.getpwnam(name)
            return _Servant(
                (*last_will, f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"), who.pw_uid
            )
    raise NoPostgresHere("PostgreSQL does not run as root, and nobody else is here who could run it.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
