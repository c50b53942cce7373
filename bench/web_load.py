"""What dashboard and API cost: scenes per second with ten open pages beside those without; pages of a large library.

The pages are opened by a process of its own: each listens to the events and asks for its changing part as often as the
real one does.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import statistics
import threading
import time
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import urllib3
from pydantic import SecretStr

from bench.figures import Benchmark, Figure, at_least, at_most, interleaved, paired_ratio
from bench.product import Product, open_product
from bench.simulated_servers import ServerProcess
from scenesync.app.dashboard.serving import Dashboard
from scenesync.app.settings import CONFIG_FILE_NAME, LoadedSettings
from scenesync.app.settings_model import KEYS
from scenesync.domain.scene_state import SceneStanding, SceneState
from scenesync.store.scene_states import SceneStateStore
from scenesync.worker.loop import LoopLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.synchronize import Event
    from pathlib import Path

    from scenesync.domain.outcome import Attempt

KEY: Final = "fake-benchmark-key-0123456789"
PAGES: Final = 10
PART_EVERY_S: Final = 2.0
"""As in static/app.js."""
_SPAWN: Final = multiprocessing.get_context("spawn")
_PATIENCE_S: Final = 180.0
_AT_LEAST: Final = 0.95
_PAGE_MS: Final = 200


@dataclass(frozen=True, slots=True)
class Sizes:
    """``scenes`` per run at ``latency_s`` per request of Plex, ``rounds`` times; a library of ``library`` scenes."""

    scenes: int
    rounds: int
    library: int
    latency_s: float = 0.005
    workers: int = 4


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return both rates, their ratio, and how long pages of a large library take."""
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        rig = _Rig(plex, stash, sizes, folder)
        rig.rate(pages=0)  # the first run pays for everything that is loaded once
        rates = interleaved(
            sizes.rounds, {"alone": partial(rig.rate, pages=0), "watched": partial(rig.rate, pages=PAGES)}
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
        *_pages(sizes.library, folder / "library"),
    ]


class _Rig:
    """Both servers, begun anew for each run."""

    def __init__(self, plex: ServerProcess, stash: ServerProcess, sizes: Sizes, folder: Path) -> None:
        self._plex, self._stash, self._sizes, self._folder = plex, stash, sizes, folder
        self._runs = 0
        self.cpu_s: dict[int, list[float]] = {}
        """Of each run, by the number of pages, as this process spent it."""

    def rate(self, pages: int) -> float:
        """Work a full queue off and return scenes per second; without ``pages`` there is no dashboard at all."""
        there = self._plex.begin(self._sizes.scenes, latency_s=self._sizes.latency_s)
        here = self._stash.begin(self._sizes.scenes)
        self._runs += 1
        data_dir = self._folder / f"run-{self._runs}"
        with (
            open_product(data_dir, here, there, workers=self._sizes.workers) as product,
            contextlib.ExitStack() as stack,
        ):
            dashboard = stack.enter_context(_served(product)) if pages else None
            if dashboard is not None:
                stack.enter_context(_opened(str(dashboard.url), pages))
            product.enqueue(here.scene_ids)
            began_cpu_s = time.process_time()
            rate = len(here.scene_ids) / _drain(product, dashboard, self._sizes.workers)
            self.cpu_s.setdefault(pages, []).append(time.process_time() - began_cpu_s)
            return rate


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
    events = http.request(
        "GET", f"{url}/api/v1/events?kinds=status&kinds=attempt", headers=headers, preload_content=False
    )
    asked_at = 0.0
    while not end.is_set():
        events.read1(65_536)
        if time.monotonic() - asked_at >= PART_EVERY_S:
            asked_at = time.monotonic()
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                http.request("GET", f"{url}/parts/overview", headers=headers)
    events.close()


def _pages(library: int, data_dir: Path) -> Sequence[Figure]:
    """Return how long the server takes for pages when so many scenes are known."""
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        there, here = plex.begin(3), stash.begin(3)
        with open_product(data_dir, here, there) as product, _served(product) as dashboard:
            product.enqueue(here.scene_ids)
            _drain(product, None, 2)
            _fill(product, library)
            loop = product.installation.work_loop(LoopLimits(until_idle=True))
            loop.run(threading.Event())
            with dashboard.shows(product.installation, dashboard.desk.loaded, loop.require_session, ()):
                return [_page(str(dashboard.url), library, path) for path in _PATHS]


_PATHS: Final = (
    "/",
    "/api/v1/status",
    "/api/v1/scenes?limit=100",
    "/api/v1/scenes?state=differs&limit=100",
    "/api/v1/scenes?search=evening+99999&limit=100",
    "/api/v1/scenes/counts",
    "/api/v1/queue?limit=100",
    "/api/v1/dead-letters?limit=100",
    "/api/v1/journal?limit=100",
    "/metrics",
)


def _page(url: str, library: int, path: str) -> Figure:
    times_ms = []
    http = urllib3.PoolManager(retries=False, timeout=30)
    for _ in range(7):
        started = time.monotonic()
        answer = http.request("GET", url + path, headers={"X-Api-Key": KEY})
        times_ms.append(1000 * (time.monotonic() - started))
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{path} answered {answer.status}.")
    return Figure(f"{path}, {library} scenes", statistics.median(times_ms), "ms", target=at_most(_PAGE_MS))


def _fill(product: Product, scenes: int) -> None:
    """Let so many scenes be known, a thousandth of them differing."""
    server_id = product.installation.plex.identity().machine_identifier
    states = SceneStateStore(product.installation.database)
    for start in range(100, scenes + 100, 5_000):
        states.keep(
            server_id,
            (
                SceneStanding(
                    number,
                    SceneState.DIFFERS if number % 1_000 == 0 else SceneState.IN_SYNC,
                    time.time(),
                    f"Harbour concert, evening {number}",
                    f"/data/concerts/{number // 100}/Harbour concert, evening {number}.mkv",
                    rule="path",
                    rating_keys=(str(number),),
                )
                for number in range(start, min(start + 5_000, scenes + 100))
            ),
        )


BENCHMARK: Final = Benchmark(
    "web",
    full=partial(run, Sizes(scenes=600, rounds=5, library=100_000)),
    quick=partial(run, Sizes(scenes=150, rounds=1, library=10_000)),
    against_servers=True,
)
