"""What it costs to compare two libraries, as ``scenesync reconcile --scope all`` does it, in a process of its own.

The simulated Plex has rendered all items once before, which is its own work and not what is measured. It shows nearly
everything as Stash has it, as after a full sync; one scene in a hundred was edited since, in Stash or in Plex.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Self

from bench.bare_pages import answers_to, answers_to_bodies, item_target, page_targets, scene_bodies, targets_of
from bench.child import peak_of_mib
from bench.figures import LIBRARIES, Benchmark, Beside, Curve, Figure, at_most
from bench.product import open_product
from bench.served_libraries import library
from scenesync.app.installation import showing_of
from scenesync.domain.batches import batched
from scenesync.domain.diff import Baseline, ItemBaselines
from scenesync.domain.fields import Field
from scenesync.store.baselines import BaselineStore
from scenesync.store.traces import TraceStore

if TYPE_CHECKING:
    import resource
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from bench.address import Address
    from bench.served_libraries import Library
    from bench.simulated_servers import ServerProcess
    from scenesync.app.installation import Installation
    from scenesync.domain.fields import FieldValue
    from scenesync.domain.scene import Scene
    from scenesync.simulators.plex.records import RequestRecord

PAGE: Final = 1000
EDITED_EVERY: Final = 200
"""In Stash one scene in so many, in Plex as many others."""
KIB_PER_MIB: Final = 1024
_LOOKED_AT_EVERY_S: Final = 0.02
_BY_HAND: Final = {
    Field.TITLE: "title",
    Field.SORT_TITLE: "title_sort",
    Field.SUMMARY: "summary",
    Field.DATE: "originally_available_at",
    Field.STUDIO: "studio",
    Field.ACTORS: "actors",
    Field.GENRES: "genres",
    Field.DIRECTORS: "directors",
}


@dataclass(frozen=True, slots=True)
class BareRead:
    """What it takes to read and parse the very same answers one after the other: what the machine makes of any client.

    ``servers_cpu_seconds`` is the part of the simulated servers.
    """

    seconds: float
    servers_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one comparison cost, and what it found. Time and memory (MiB) are those of its whole process."""

    scenes: int
    seconds: float
    cpu_seconds: float
    plex_requests: int
    stash_requests: int
    peak_memory_mb: float
    gaps: int
    items_read_in_full: int
    bare: BareRead

    @property
    def requests(self) -> int:
        """Those to both servers."""
        return self.plex_requests + self.stash_requests


def measure(scenes: int, folder: Path) -> Reconciled:
    """Compare so many scenes with as many items. Raises RuntimeError if it did not find the gaps."""
    with library(scenes) as served:
        plex, stash, there, here = served.plex, served.stash, served.there, served.here
        with open_product(served.data_dir, here, there) as product:
            _bring_in_line(product.installation, plex, there, dict(zip(here.scene_ids, there.rating_keys, strict=True)))
            asked = scene_bodies(product.installation.stash, here.scene_ids)
        edited = here.scene_ids[::EDITED_EVERY]
        stash.edit(edited, 1)
        drifted = here.scene_ids[1::EDITED_EVERY]
        plex.edit_in_plex(drifted)
        plex.take_records()
        before = stash.count_requests()
        found, seconds, cpu_seconds, peak_mb = _reconcile(folder, served.data_dir, here, there)
        records, stash_requests = plex.take_records(), stash.count_requests() - before
        bare = _read_alike(served, records, asked)
        done = Reconciled(
            scenes,
            seconds,
            cpu_seconds,
            len(records),
            stash_requests,
            peak_mb,
            sum(kind["count"] for kind in found["gaps"].values()),
            found["items_read_in_full"],
            bare,
        )
    if done.gaps != len(edited) + len(drifted):
        raise RuntimeError(f"{done.gaps} gaps were found of {len(edited) + len(drifted)}.")
    return done


def _bring_in_line(installation: Installation, plex: ServerProcess, there: Address, item_of: Mapping[int, str]) -> None:
    """Let Plex show all scenes as wanted, and SceneSync remember that it wrote so, without a request for each."""
    session = installation.session(installation.plex.identity())
    session.index.refresh()
    baselines = BaselineStore(installation.database, session.identity.machine_identifier)
    traces, showing = TraceStore(installation.database), showing_of(installation.settings)
    with _Rendering(plex, there) as rendering:
        for page in batched(_scenes(installation), PAGE):
            edits: list[tuple[str, Mapping[str, FieldValue]]] = []
            written: list[ItemBaselines] = []
            for scene in page:
                values = session.scene_sync.desired(scene).values
                key = item_of[scene.id]
                edits.append((key, {_BY_HAND[field]: value for field, value in values.items() if value}))
                entries = {field: Baseline(value, shown=value) for field, value in values.items()}
                written.append(ItemBaselines(key, scene.id, entries))
            rendering.show(edits)
            baselines.write_all(written)
            traces.keep([showing.trace(scene, read_at=time.time()) for scene in page])
        (shown_in,) = installation.plex.libraries()
        rendering.list_all(lambda: installation.plex.list_shown_items(shown_in.key, start=0, size=PAGE), len(item_of))


class _Rendering:
    """Lets the simulated Plex show and render what it is told to, beside whatever else is got ready.

    Whatever goes wrong is raised at the end of the block, in which nobody else tells that Plex anything.
    """

    def __init__(self, server: ServerProcess, plex: Address) -> None:
        self._server = server
        self._plex = plex
        self._pool = ThreadPoolExecutor(1)
        self._begun: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._pool:
            for each in self._begun:
                each.result()

    def show(self, edits: Sequence[tuple[str, Mapping[str, FieldValue]]]) -> None:
        """Have these items show these fields, and rendered in full."""
        self._begun.append(self._pool.submit(self._server.show, edits))
        self._begun.append(self._pool.submit(self._ask, [item_target([key for key, _ in edits])]))

    def list_all(self, ask_for_page: Callable[[], object], items: int) -> None:
        """Have all pages rendered of which ``ask_for_page`` asks for one."""
        self._begun.append(self._pool.submit(self._list, ask_for_page, items))

    def _list(self, ask_for_page: Callable[[], object], items: int) -> None:
        self._ask(page_targets(self._server, ask_for_page, items))

    def _ask(self, targets: Sequence[str]) -> None:
        for _ in answers_to(self._plex, targets):
            pass


def _read_alike(served: Library, records: Sequence[RequestRecord], scenes_asked: Sequence[bytes]) -> BareRead:
    spent_s = [server.processor_s() for server in (served.plex, served.stash)]
    started = time.perf_counter()
    for answer in chain(answers_to(served.there, targets_of(records)), answers_to_bodies(served.here, scenes_asked)):
        json.loads(answer)
    seconds = time.perf_counter() - started
    return BareRead(seconds, served.plex.processor_s() + served.stash.processor_s() - sum(spent_s))


def _scenes(installation: Installation) -> Iterator[Scene]:
    last_id = 0
    while page := installation.stash.scenes_after(last_id, PAGE):
        yield from page
        last_id = page[-1].id


def _reconcile(
    folder: Path, data_dir: Path, stash: Address, plex: Address
) -> tuple[dict[str, Any], float, float, float]:
    """Run the command; return its document, seconds by clock and by processor, and its peak of memory in MiB."""
    settings = {
        "DATA_DIR": str(data_dir),
        "STASH_URL": stash.url,
        "PLEX_URL": plex.url,
        "PLEX_TOKEN": plex.token,
        "PATH_MAP": " => ".join(plex.path_map),
        "SYNC_POSTER": "false",
        "SYNC_BACKGROUND": "false",
    }
    environment = {f"SCENESYNC_{key}": value for key, value in settings.items()}
    command = [sys.executable, "-m", "scenesync", "reconcile", "--scope", "all", "--no-wait", "--json"]
    folder.mkdir(parents=True, exist_ok=True)
    answer = folder / "answer.json"
    began = time.monotonic()
    with answer.open("wb") as stdout:
        process = subprocess.Popen(command, env=environment, stdout=stdout)
        peak_mib, usage = _watched(process)
    seconds = time.monotonic() - began
    document = json.loads(answer.read_text(encoding="utf-8"))
    return document, seconds, usage.ru_utime + usage.ru_stime, peak_mib


def _watched(process: subprocess.Popen[bytes]) -> tuple[float, resource.struct_rusage]:
    """Wait for the end of a process; return the most memory that it had (MiB), and what else it used."""
    seen_mib = 0.0
    while True:
        ended, _, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            return seen_mib or usage.ru_maxrss / KIB_PER_MIB, usage
        with contextlib.suppress(OSError, StopIteration):  # no Linux, or it has just ended
            seen_mib = peak_of_mib(process.pid)
        time.sleep(_LOOKED_AT_EVERY_S)


def run(libraries: Sequence[int], folder: Path) -> list[Figure | Curve]:
    """Return the figures of a comparison of the largest of ``libraries``, and curves of all; sizes are in scenes."""
    done = [measure(scenes, folder / str(scenes)) for scenes in libraries]
    return [*_figures(done[-1]), *_curves(done)]


def _figures(largest: Reconciled) -> list[Figure]:
    size = f"{largest.scenes:,} scenes x {largest.scenes:,} items"
    judged = (
        ("time", largest.seconds, "s", at_most(60)),
        ("requests", largest.requests, "", at_most(400)),
        ("peak memory", largest.peak_memory_mb, "MiB", at_most(350)),
    )
    return [
        *(
            Figure(f"{size}: {what}", value, unit, target, headline=f"reconcile {size}: {what}")
            for what, value, unit, target in judged
        ),
        Figure(
            f"{size}: time",
            largest.seconds,
            "s",
            beside=Beside(
                "a client that only reads and parses the same",
                largest.bare.seconds,
                largest.seconds / largest.bare.seconds,
            ),
        ),
        Figure(f"{size}: processor time of the servers for that client", largest.bare.servers_cpu_seconds, "s"),
        Figure(f"{size}: processor time", largest.cpu_seconds, "s"),
        Figure(f"{size}: requests to Plex", largest.plex_requests),
        Figure(f"{size}: gaps found", largest.gaps),
        Figure(f"{size}: items read in full", largest.items_read_in_full),
    ]


def _curves(done: Sequence[Reconciled]) -> list[Curve]:
    values: dict[str, Callable[[Reconciled], float]] = {
        "seconds": lambda one: one.seconds,
        "requests": lambda one: one.plex_requests,
        "memory": lambda one: one.peak_memory_mb,
    }
    return [
        Curve(f"growth: {plot}", "reconcile --scope all", tuple((one.scenes, value(one)) for one in done))
        for plot, value in values.items()
    ]


BENCHMARK: Final = Benchmark(
    "reconcile",
    full=partial(run, (1_000, 10_000, 100_000)),
    quick=partial(run, (1_000,)),
    against_servers=True,
    group=LIBRARIES,
)
