"""A small world for tests of the worker: both simulated servers over real HTTP, and an installation between them."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from scenesync.app.clients import stash_client
from scenesync.app.installation import Installation, open_installation
from scenesync.app.settings import Settings
from scenesync.domain.job import scene_job
from scenesync.domain.paths import PathRule
from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.stash.server import StashSimulator
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scenesync.domain.outcome import Attempt
    from scenesync.simulators.plex.model import PlexItem
    from scenesync.worker.availability.plex_connection import PlexSession

TOKEN = "fake-plex-token"
STASH_ROOT, PLEX_ROOT = "/data/stash", "/mnt/media"


class SyncWorld:
    """Stash, Plex and SceneSync. Scenes and items are added in pairs: the same file under two mount points."""

    def __init__(self, data_dir: Path, *, stash_version: str = "v0.30.1") -> None:
        self.data_dir = data_dir
        self.plex = PlexSimulator(token=TOKEN)
        self.stash = StashSimulator(version=stash_version)
        self.attempts: list[Attempt] = []
        self._stack = ExitStack()
        self._files = 0

    def __enter__(self) -> Self:
        self._stack.enter_context(self.plex)
        self._stack.enter_context(self.stash)
        self.library = self.plex.add_library("Scenes", roots=[PLEX_ROOT])
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def settings(self, **changes: Any) -> Settings:
        values = {
            "stash_url": self.stash.url,
            "plex_url": self.plex.url,
            "plex_token": SecretStr(TOKEN),
            "path_map": (PathRule(STASH_ROOT, PLEX_ROOT),),
            "data_dir": self.data_dir,
            "connect_timeout": 1.0,
            "read_timeout": 2.0,
            **changes,
        }
        return Settings(**values)

    def pair(self, name: str = "", **fields: Any) -> tuple[int, PlexItem]:
        """Add a scene and the item with its file; return the scene's id and the item."""
        scene_id, path, size = self.scene(name, **fields)
        return scene_id, self.item(path, size)

    def scene(self, name: str = "", **fields: Any) -> tuple[int, str, int]:
        self._files += 1
        path = f"Films/{name or f'film {self._files}'}.mp4"
        size = 1_000_000 + self._files
        scene = self.stash.add_scene(path=f"{STASH_ROOT}/{path}", size_bytes=size, duration_s=60.0, **fields)
        return int(scene.id), path, size

    def item(self, path: str, size: int) -> PlexItem:
        return self.plex.add_item(self.library, file=f"{PLEX_ROOT}/{path}", size_bytes=size, duration_ms=60_000)

    @contextmanager
    def installed(self, *, patient_stash: bool = False, **changes: Any) -> Iterator[Installation]:
        """Open it; with ``patient_stash`` the time-outs among the changes are Plex's alone."""
        with ExitStack() as stack:
            patient = self.settings(**{**changes, "read_timeout": 30.0, "connect_timeout": 30.0})
            stash = stack.enter_context(stash_client(patient)) if patient_stash else None
            yield stack.enter_context(open_installation(self.settings(**changes), stash=stash, repairs=True))

    def drain(self, *scene_ids: int, **changes: Any) -> list[Attempt]:
        """Enqueue the scenes, work until nothing is due, and return the attempts made."""
        with self.installed(**changes) as installation:
            for scene_id in scene_ids:
                installation.queue.put_job(scene_job(scene_id, time.time()))
            attempts: list[Attempt] = []
            loop = installation.work_loop(LoopLimits(until_idle=True), [attempts.append], unreachable_for_s=10)
            loop.run(threading.Event())
        self.attempts += attempts
        return attempts

    def session(self, installation: Installation) -> PlexSession:
        session = installation.session(installation.plex.identity())
        session.index.refresh()
        return session

    @contextmanager
    def working(self, **changes: Any) -> Iterator[Installation]:
        """Run the loop in a thread, as the daemon does, while the block runs."""
        with self.installed(**changes) as installation:
            stop = threading.Event()
            limits = LoopLimits(refresh_index_every_s=0.5)
            loop = installation.work_loop(limits, [self.attempts.append])
            thread = threading.Thread(target=loop.run, args=(stop,))
            thread.start()
            try:
                yield installation
            finally:
                stop.set()
                thread.join()


def eventually(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    """Wait until the condition holds; fail if it does not in time.

    It is asked less often as time goes by: what is waited for needs the processor that asking takes.
    """
    deadline, pause_s = time.monotonic() + within_s, 0.02
    while not condition():
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(pause_s)
        pause_s = min(1.2 * pause_s, 0.1)
