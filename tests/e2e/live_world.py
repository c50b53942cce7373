"""A household as the tests see it: simulated Stash and Plex over HTTP, SceneSync as real processes between them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from scenesync.queue.snapshot import read_snapshot
from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.sample_world import build_world, png
from scenesync.simulators.stash.server import StashSimulator
from tests.e2e.warm_processes import ARE_POSSIBLE, WarmProcess, run_warm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenesync.queue.records import QueueSnapshot
    from scenesync.simulators.plex.behaviour import PlexBehaviour
    from scenesync.simulators.plex.model import PlexItem, PlexLibrary
    from scenesync.simulators.sample_world import World
    from scenesync.simulators.stash.records import Scene

ROOT = Path(__file__).parents[2]
STASH_PYTHON = Path(sys.executable).resolve()
"""As Stash has it: an interpreter without SceneSync's environment."""
PLEX_TOKEN = "fake-plex-token-0123456789"
STASH_ROOT, PLEX_ROOT = "/data/stash", "/mnt/media"
SCENESYNC: Final = (sys.executable, "-m", "scenesync")
PATIENCE_S = 30.0
LONGEST_S: Final = 90
"""So long a command may take."""
SELDOM_S = 0.1
NOT_SET_UP: dict[str, str | None] = dict.fromkeys(
    ("stash_url", "stash_api_key", "plex_url", "plex_token", "path_map"), None
)
"""What a daemon is not told that nobody has set up."""


def eventually(
    condition: Callable[[], object], what: str, within_s: float = PATIENCE_S, *, every_s: float = 0.02
) -> None:
    """Wait until ``condition`` holds; ``what`` says what was expected.

    It is asked less often as time goes by: what is waited for needs the processor that asking takes.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        time.sleep(every_s)
        every_s = max(every_s, min(1.2 * every_s, SELDOM_S))


def is_alive(pid: int) -> bool:
    """Say whether a process lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Login:
    """What Stash asks for; nothing if it is all empty."""

    api_key: str = ""
    username: str = ""
    password: str = ""


LOCKED: Final = Login("fake-api-key-eyJhbGciOiJIUzI1NiJ9", "harbourmaster", "fake-password-31415")


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str

    def document(self) -> Any:
        """Return stdout, which must be one JSON document and nothing else."""
        return json.loads(self.stdout)


class Daemon:
    """A running process, mostly ``scenesync run``; its output goes to a file, which nobody has to empty."""

    def __init__(self, process: subprocess.Popen[bytes] | WarmProcess, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_for_log(self, text: str, within_s: float = PATIENCE_S) -> None:
        eventually(lambda: text in self.log or not self.is_running(), f"{text!r} in the daemon's log", within_s)
        assert text in self.log, self.log

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = PATIENCE_S) -> int:
        """Ask it to end and return the exit status. Raises subprocess.TimeoutExpired."""
        self._process.send_signal(number)
        return self.wait(within_s)

    def wait(self, within_s: float = PATIENCE_S) -> int:
        return self._process.wait(within_s)

    def close(self) -> None:
        """See to it that nothing is left of it."""
        if self.is_running():
            self.kill()


class LiveWorld:
    """Both servers, a plugin folder in Stash, a data directory, and what it takes to run SceneSync between them.

    ``login`` makes Stash ask for a password; ``hook_settings`` are further variables of Stash's own environment.
    Without ``plugin`` Stash has none, and no hook is ever started. Without ``warm`` no command is forked by a process
    that has imported all: for what is asked of interpreters and command lines.
    """

    def __init__(
        self,
        folder: Path,
        *,
        behaviour: PlexBehaviour | None = None,
        login: Login | None = None,
        hook_settings: Mapping[str, str] | None = None,
        plugin: bool = True,
        warm: bool = True,
    ) -> None:
        self.folder = folder
        self._warm = warm and ARE_POSSIBLE
        self.login = login or Login()
        self.data_dir = folder / "data"
        self.temporary = folder / "system-tmp"
        self.temporary.mkdir()
        self.plugin_dir = folder / "stash" / "plugins" / "scenesync"
        self.plugin_dir.parent.mkdir(parents=True)
        if plugin:
            self._install_plugin()
        self.plex = PlexSimulator(token=PLEX_TOKEN, behaviour=behaviour)
        hook_environment = {
            "SCENESYNC_DATA_DIR": str(self.data_dir),
            "SCENESYNC_AUTOSTART": "false",
            "TMPDIR": str(self.temporary),
            **(hook_settings or {}),
        }
        self.stash = StashSimulator(
            self.plugin_dir.parent,
            hook_env=hook_environment,
            python=STASH_PYTHON,
            api_key=self.login.api_key,
            username=self.login.username,
            password=self.login.password,
        )
        self._daemons: list[Daemon] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.plex)
        self._open.enter_context(self.stash)
        return self

    def __exit__(self, *_exc: object) -> None:
        for daemon in self._daemons:
            daemon.close()
        self._open.close()

    def _install_plugin(self) -> None:
        self.plugin_dir.mkdir()
        for name in ("hook.py", "scenesync.yml"):
            shutil.copy(ROOT / name, self.plugin_dir)
        (self.plugin_dir / "scenesync").symlink_to(ROOT / "scenesync")

    # -- content

    def fill(self, scenes: int, *, seed: int = 1) -> World:
        """Put invented scenes into Stash and their files into Plex."""
        return build_world(self.stash, self.plex, scenes, seed=seed, stash_root=STASH_ROOT, plex_root=PLEX_ROOT)

    @property
    def library(self) -> PlexLibrary:
        """The one library of Plex, made when it is first asked for."""
        try:
            return self.plex.library("Films")
        except KeyError:
            return self.plex.add_library("Films", [PLEX_ROOT])

    def add_scene(self, title: str, *, in_plex: bool = True, **fields: Any) -> Scene:
        """Add a scene with a file and, unless told otherwise, the item that plays it."""
        path = f"/Films/{title}.mp4"
        values: dict[str, Any] = {"cover": png(len(title)), "size_bytes": 1_000_000, **fields}
        scene = self.stash.add_scene(title=title, path=STASH_ROOT + path, **values)
        if in_plex:
            self.add_item(title, size_bytes=values["size_bytes"])
        return scene

    def add_item(self, title: str, *, size_bytes: int = 1_000_000) -> PlexItem:
        """Let Plex have the file of the scene of this title."""
        return self.plex.add_item(self.library, file=f"{PLEX_ROOT}/Films/{title}.mp4", size_bytes=size_bytes)

    def item_of(self, scene: Scene) -> PlexItem:
        """Return the item that plays the scene's file."""
        return self.plex.item_by_file(PLEX_ROOT + scene.path.removeprefix(STASH_ROOT))

    # -- processes

    def environment(self, **settings: str | None) -> dict[str, str]:
        """Return a child's environment; ``settings`` by their keys, None leaves one out."""
        wanted: dict[str, str | None] = {
            "data_dir": str(self.data_dir),
            "stash_url": self.stash.url,
            "stash_api_key": self.login.api_key or None,
            "plex_url": self.plex.url,
            "plex_token": PLEX_TOKEN,
            "path_map": f"{STASH_ROOT} => {PLEX_ROOT}",
            "sync_collection": "true",
            "http_enabled": "false",
            **settings,
        }
        # The rest is inherited, as from a shell.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SCENESYNC_")}  # noqa: TID251
        ours = {f"SCENESYNC_{key.upper()}": value for key, value in wanted.items() if value is not None}
        return {**inherited, "TMPDIR": str(self.temporary), "COLUMNS": "200", **ours}

    def scenesync(self, *arguments: str, stdin: str = "", **settings: str | None) -> Ran:
        """Run a command to its end."""
        if not self._warm:
            return self.run([*SCENESYNC, *arguments], stdin=stdin, **settings)
        return Ran(*run_warm(arguments, stdin=stdin, environment=self.environment(**settings), timeout_s=LONGEST_S))

    def run(self, command: list[str], *, stdin: str = "", **settings: str | None) -> Ran:
        """Run any program to its end, in the environment of SceneSync's commands."""
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
            cwd=ROOT,
            env=self.environment(**settings),
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def daemon(self, *, wait: bool = True, **settings: str | None) -> Daemon:
        """Start ``scenesync run`` and, with ``wait``, return when it works."""
        daemon = self._start_warm("run", **settings) if self._warm else self.start([*SCENESYNC, "run"], **settings)
        if wait:
            daemon.wait_for_log("working data_dir=")
        return daemon

    def start(self, command: list[str], **settings: str | None) -> Daemon:
        """Start any program in the environment of SceneSync's commands."""
        log = self._next_log()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=self.environment(**settings),
            )
        return self._watched(process, log)

    def _start_warm(self, *arguments: str, **settings: str | None) -> Daemon:
        log = self._next_log()
        with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
            files = [nothing.fileno(), output.fileno(), output.fileno()]
            return self._watched(WarmProcess(arguments, files, self.environment(**settings)), log)

    def _next_log(self) -> Path:
        return self.folder / f"daemon-{len(self._daemons) + 1}.log"

    def _watched(self, process: subprocess.Popen[bytes] | WarmProcess, log: Path) -> Daemon:
        daemon = Daemon(process, log)
        self._daemons.append(daemon)
        return daemon

    # -- looking

    def queue(self) -> QueueSnapshot:
        """Return the state of the queue."""
        return read_snapshot(self.data_dir / "queue")

    def jobs(self) -> int:
        """Return how many jobs there are, waiting, in progress or dead: what must never shrink by itself."""
        queue = self.queue()
        return queue.pending + queue.in_progress + queue.dead_letters

    def settle(self, within_s: float = PATIENCE_S, *, every_s: float = 0.02) -> None:
        """Wait until no job waits or is in progress."""

        def is_empty() -> bool:
            queue = self.queue()
            return queue.pending + queue.in_progress == 0

        eventually(is_empty, "an empty queue", within_s, every_s=every_s)
