"""What open pages cost the worker: scenes per second with ten of them beside none, and the processor's time they take.

The pages are opened by a process of its own: each listens to the events and asks for its changing part when the real
one does (static/app.js).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import statistics
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import urllib3
from pydantic import SecretStr

from bench.figures import Benchmark, Figure, at_least, at_most, interleaved, paired_ratio
from bench.product import Product, open_product
from bench.simulated_servers import ServerProcess, begin_both
from scenesync.app.configuration.model import KEYS
from scenesync.app.dashboard.serving import Dashboard
from scenesync.app.settings import CONFIG_FILE_NAME, LoadedSettings
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Event

    from scenesync.domain.outcome import Attempt

KEY: Final = "fake-benchmark-key-0123456789"
PAGES: Final = 10
SOON_S: Final = 0.5
PART_EVERY_S: Final = 5.0
"""As in static/app.js."""
_SPAWN: Final = multiprocessing.get_context("spawn")
_PATIENCE_S: Final = 180.0
_SERVER_THREADS: Final = ("web", "AnyIO worker")
_AT_LEAST: Final = 0.95
_SHORT: Final = 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """``scenes`` per run at ``latency_s`` per request of Plex, ``rounds`` times.

    After ``settled_s`` the pages are open, and what the server makes once is made.
    """

    scenes: int
    rounds: int
    settled_s: float = 2.0
    latency_s: float = 0.005
    workers: int = 4


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return both rates, their ratio, and what of the processor's time the pages took."""
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        rig = _Rig(plex, stash, sizes, folder)
        rig.rate(pages=0, scenes=sizes.scenes // _SHORT)  # the first run pays for everything that is loaded once
        rates = interleaved(
            sizes.rounds,
            {"alone": partial(rig.rate, 0, sizes.scenes), "watched": partial(rig.rate, PAGES, sizes.scenes)},
        )
    ratio = paired_ratio(rates["watched"], rates["alone"])
    cpu_ms = {
        pages: 1000 * statistics.median(spent[-sizes.rounds :]) / sizes.scenes for pages, spent in rig.cpu_s.items()
    }
    return [
        Figure("worker without dashboard", statistics.median(rates["alone"]), "scenes/s"),
        Figure(f"worker with {PAGES} open pages", statistics.median(rates["watched"]), "scenes/s"),
        Figure(
            f"worker with {PAGES} open pages / without dashboard",
            ratio,
            target=at_least(_AT_LEAST),
            headline=f"scenes per second with {PAGES} open pages, beside none",
        ),
        Figure("processor time per scene without dashboard", cpu_ms[0], "ms"),
        Figure(f"processor time per scene with {PAGES} open pages", cpu_ms[PAGES], "ms"),
        Figure(
            f"share of it that {PAGES} open pages take", statistics.median(rig.shares), target=at_most(1 - _AT_LEAST)
        ),
        # Their share rises where the machine is slower, since they ask by the clock; this does not.
        Figure(
            f"scenes that cost as much as {PAGES} open pages in a second",
            1000 * statistics.median(rig.pages_in_a_second) / cpu_ms[0],
        ),
    ]


class _Rig:
    """Both servers, begun anew for each run."""

    def __init__(self, plex: ServerProcess, stash: ServerProcess, sizes: Sizes, folder: Path) -> None:
        self._plex, self._stash, self._sizes, self._folder = plex, stash, sizes, folder
        self._runs = 0
        self.cpu_s: dict[int, list[float]] = {}
        """Of each run, by the number of pages, as this process spent it."""
        self.shares: list[float] = []
        """Of that with pages, what the threads of the server took."""
        self.pages_in_a_second: list[float] = []
        """The same in each second, whatever the worker did in it."""

    def rate(self, pages: int, scenes: int) -> float:
        """Work a full queue off and return scenes per second; without ``pages`` there is no dashboard at all."""
        there, here = begin_both(self._plex, self._stash, scenes, plex_latency_s=self._sizes.latency_s)
        self._runs += 1
        data_dir = self._folder / f"run-{self._runs}"
        with (
            open_product(data_dir, here, there, workers=self._sizes.workers) as product,
            contextlib.ExitStack() as stack,
        ):
            dashboard = stack.enter_context(_served(product)) if pages else None
            if dashboard is not None:
                stack.enter_context(_opened(str(dashboard.url), pages))
                time.sleep(self._sizes.settled_s)
            product.enqueue(here.scene_ids)
            began_s, pages_began_s = time.process_time(), _spent_on_pages_s()
            took_s = _drain(product, dashboard, self._sizes.workers)
            spent_s = time.process_time() - began_s
            self.cpu_s.setdefault(pages, []).append(spent_s)
            if pages:
                on_pages_s = _spent_on_pages_s() - pages_began_s
                self.shares.append(on_pages_s / spent_s)
                self.pages_in_a_second.append(on_pages_s / took_s)
            return len(here.scene_ids) / took_s


def _spent_on_pages_s() -> float:
    """Return the processor's time that the server's threads have taken so far; 0 where the system does not tell."""
    spent_ns = 0
    for thread in threading.enumerate():
        if thread.name.startswith(_SERVER_THREADS):
            with contextlib.suppress(OSError):
                spent_ns += int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[0])
    return spent_ns / 1e9


def _drain(product: Product, dashboard: Dashboard | None, workers: int) -> float:
    """Work off as the daemon does, with the dashboard hearing of everything; return the seconds."""
    attempts: list[Attempt] = []
    observers = [attempts.append, *([dashboard.attempt] if dashboard is not None else [])]
    turn = None if dashboard is None else dashboard.turn
    loop = product.installation.work_loop(LoopLimits(workers=workers, until_idle=True), observers, on_turn=turn)
    started = time.monotonic()
    if dashboard is None:
        loop.run(threading.Event())
    else:
        with dashboard.shows(product.installation, dashboard.desk.loaded, loop.require_session, ()):
            loop.run(threading.Event())
    return time.monotonic() - started


@contextlib.contextmanager
def _served(product: Product) -> Iterator[Dashboard]:
    settings = product.installation.settings.model_copy(update={"http_api_key": SecretStr(KEY), "http_port": 0})
    loaded = LoadedSettings(settings, dict.fromkeys(KEYS, "default"), (), (settings.data_dir / CONFIG_FILE_NAME,))
    dashboard = Dashboard(loaded)
    dashboard.serve(loaded)
    try:
        yield dashboard
    finally:
        dashboard.close()


@contextlib.contextmanager
def _opened(url: str, pages: int) -> Iterator[None]:
    """Open pages in another process while the block runs."""
    begun, end = _SPAWN.Event(), _SPAWN.Event()
    process = _SPAWN.Process(target=_look_at, args=(url, pages, begun, end), name="open-pages", daemon=True)
    process.start()
    try:
        if not begun.wait(_PATIENCE_S):
            raise RuntimeError("The pages did not open.")
        yield
    finally:
        end.set()
        process.join(10)
        if process.exitcode is None:
            process.terminate()


def _look_at(url: str, pages: int, begun: Event, end: Event) -> None:
    http = urllib3.PoolManager(maxsize=2 * pages, retries=False, timeout=30)
    headers = {"X-Api-Key": KEY}
    threads = [threading.Thread(target=_one_page, args=(http, url, headers, end), daemon=True) for _ in range(pages)]
    for thread in threads:
        thread.start()
    begun.set()
    for thread in threads:
        thread.join()


def _one_page(http: urllib3.PoolManager, url: str, headers: dict[str, str], end: Event) -> None:
    """Be one open overview: hear how things stand, and ask for the part that changes soon after, now and then."""
    events = http.request("GET", f"{url}/api/v1/events?kinds=status", headers=headers, preload_content=False)
    asked_at = float("-inf")
    while not end.is_set():
        if b"event: status" not in events.read1(65_536):
            continue
        end.wait(max(SOON_S, asked_at + PART_EVERY_S - time.monotonic()))
        asked_at = time.monotonic()
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            http.request("GET", f"{url}/parts/overview", headers=headers)
    events.close()


BENCHMARK: Final = Benchmark(
    "web",
    full=partial(run, Sizes(scenes=900, rounds=3)),
    quick=partial(run, Sizes(scenes=150, rounds=1, settled_s=1.0)),
    against_servers=True,
    in_quick=False,  # a page's share of so short a run is chance
)
