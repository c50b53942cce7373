"""The product as the command line joins it, between two simulated servers, for as long as a measurement takes."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from bench.child import peak_mib
from scenesync.app.installation import Installation, open_installation
from scenesync.app.running.spare_memory import share_heaps
from scenesync.app.settings import Settings
from scenesync.domain.job import scene_job
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.domain.paths import PathRule
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.address import Address

_DEADLINE_S = 300.0


class Product:
    """An open installation, and what became of its attempts."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self._outcomes: list[Outcome] = []

    def enqueue(self, scene_ids: Sequence[int]) -> None:
        """Put the scenes into the queue in one call, as ``scenesync sync`` does."""
        now = time.time()
        self.installation.queue.put_many(scene_job(scene_id, now) for scene_id in scene_ids)

    def enqueue_one(self, scene_id: int) -> None:
        """Put one scene into the queue, as a hook does."""
        self.installation.queue.put_job(scene_job(scene_id, time.time()))

    def drain(self, expected: int) -> float:
        """Work the queue off and return how many seconds that took. Raises RuntimeError unless all went well."""
        self._outcomes.clear()
        started = time.monotonic()
        workers = self.installation.settings.workers
        limits = LoopLimits(workers=workers, until_idle=True, deadline_s=_DEADLINE_S)
        self.installation.work_loop(limits, [self._note]).run(threading.Event())
        seconds = time.monotonic() - started
        self._require(expected)
        return seconds

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Work as the daemon does while the block runs; leaving it waits for nothing."""
        self._outcomes.clear()
        stop = threading.Event()
        loop = self.installation.work_loop(LoopLimits(workers=self.installation.settings.workers), [self._note])
        thread = threading.Thread(target=loop.run, args=(stop,), name="bench-daemon", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def wait_until_done(self, expected: int) -> None:
        """Wait until so many attempts have ended. Raises RuntimeError if that takes too long or one went wrong."""
        self.wait_for_attempts(expected)
        self._require(expected)

    def wait_for_attempts(self, count: int) -> None:
        """Wait until so many attempts have ended, however, or for as long as is reasonable."""
        deadline = time.monotonic() + _DEADLINE_S
        while len(self._outcomes) < count and time.monotonic() < deadline:
            time.sleep(0.01)

    def _note(self, attempt: Attempt) -> None:
        self._outcomes.append(attempt.outcome)

    def _require(self, expected: int) -> None:
        good = sum(outcome in {Outcome.SYNCED, Outcome.UNCHANGED} for outcome in self._outcomes)
        if good != expected or len(self._outcomes) != expected:
            raise RuntimeError(f"Of {expected} scenes {good} went well in {len(self._outcomes)} attempts.")


@contextlib.contextmanager
def open_product(
    data_dir: Path,
    stash: Address,
    plex: Address,
    *,
    workers: int = 4,
    with_pictures: bool = False,
    recovery_ramp: float = 0,
    database_url: str = "",
) -> Iterator[Product]:
    """Open the product in an empty ``data_dir``, or on an empty database, with nothing taken from the environment."""
    settings = Settings(
        stash_url=stash.url,
        plex_url=plex.url,
        plex_token=SecretStr(plex.token),
        data_dir=data_dir,
        database_url=SecretStr(database_url) if database_url else None,
        path_map=(PathRule(*plex.path_map),),
        workers=workers,
        recovery_ramp=recovery_ramp,
        sync_poster=with_pictures,
        sync_background=with_pictures,
    )
    share_heaps()
    with open_installation(settings) as installation:
        yield Product(installation)


def sync_some(answer: Any, data_dir: str, stash: Address, plex: Address, first: int, count: int) -> None:  # noqa: ANN401 - a private class
    """Be a process of its own that syncs so many scenes; answer with its seconds and its peak memory (MiB)."""
    started = time.monotonic()
    with open_product(Path(data_dir), stash, plex) as product:
        product.enqueue(stash.scene_ids[first : first + count])
        product.drain(count)
        answer.send((time.monotonic() - started, peak_mib()))
