"""The rival of simple scripts: look the title up, read the item, send one edit per field, one scene after the other.

It gets what it is to write for nothing: no Stash is asked, nothing is compared, queued, noted or proven.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import urllib3

from bench.figures import Benchmark, Beside, Figure, at_least, paired_ratio
from bench.product import open_product
from bench.simulated_servers import ServerProcess, begin_both

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from scenesync.simulators.plex.records import RequestRecord

_OK: Final = 200
_NO_SLOWER: Final = at_least(1.0)
_NAMES_THE_ITEM: Final = ("type", "id")


@dataclass(frozen=True, slots=True)
class Sizes:
    """``scenes`` per run of the product at each of ``latencies_s`` per request, ``rounds`` times, with ``workers``.

    Of the slow client's rate the few that it does in ``naive_s`` say as much.
    """

    latencies_s: tuple[float, ...]
    scenes: int
    naive_s: float
    rounds: int
    workers: int = 4


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be done about one item: its title to search for, its key, the edit of each field."""

    title: str
    rating_key: str
    section: str
    edits: tuple[str, ...]

    @property
    def requests(self) -> int:
        """How many requests that is: search, read, edits."""
        return 2 + len(self.edits)


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return for each latency both rates, and what a scene costs each in requests."""
    figures: list[Figure] = []
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        for latency_s in sizes.latencies_s:
            ours, theirs, errands = [], [], list[Errand]()
            for number in range(sizes.rounds):
                there, here = begin_both(plex, stash, sizes.scenes, plex_latency_s=latency_s)
                data_dir = folder / f"{latency_s}-{number}"
                with open_product(data_dir, here, there, workers=sizes.workers) as product:
                    product.enqueue(here.scene_ids)
                    ours.append(sizes.scenes / product.drain(sizes.scenes))
                records = plex.take_records()
                there = plex.begin(sizes.scenes)
                errands = prepare(records, there.url, there.token)
                plex.set_latency(latency_s)
                theirs.append(walk(there.url, there.token, errands, sizes.naive_s))
            figures += _compared(latency_s, ours, theirs, errands)
    return figures


def prepare(records: Iterable[RequestRecord], url: str, token: str) -> list[Errand]:
    """Return an errand for each item that ``records`` edit; its title is asked for at ``url``."""
    edits = {dict(record.query)["id"]: record for record in records if record.kind == "edit"}
    with urllib3.connection_from_url(url) as pool:
        titles = {key: _title(pool, token, key) for key in edits}
    return [Errand(titles[key], key, record.path, tuple(_one_by_one(record))) for key, record in edits.items()]


def walk(url: str, token: str, errands: Iterable[Errand], seconds: float) -> float:
    """Do one errand after the other until ``seconds`` have passed, and the last to its end; return scenes per second.

    Raises RuntimeError if Plex refuses something, or a title is not found.
    """
    started, done = time.monotonic(), 0
    headers = {"Accept": "application/json", "X-Plex-Token": token}
    with urllib3.connection_from_url(url) as pool:
        for errand in errands:
            if time.monotonic() - started >= seconds:
                break
            search = urlencode({"type": "1", "title": errand.title}, quote_via=quote)
            found = pool.urlopen("GET", f"{errand.section}?{search}", headers=headers, retries=False)
            if not any(item["ratingKey"] == errand.rating_key for item in found.json()["MediaContainer"]["Metadata"]):
                raise RuntimeError(f"{errand.title} was not found.")
            targets = [("GET", f"/library/metadata/{errand.rating_key}"), *(("PUT", edit) for edit in errand.edits)]
            for method, target in targets:
                answer = pool.urlopen(method, target, headers=headers, retries=False)
                if answer.status != _OK:
                    raise RuntimeError(f"Plex answered {answer.status} to {method} {target.partition('?')[0]}")
            done += 1
    return done / (time.monotonic() - started)


def _title(pool: urllib3.HTTPConnectionPool, token: str, key: str) -> str:
    answer = pool.urlopen(
        "GET", f"/library/metadata/{key}", headers={"Accept": "application/json", "X-Plex-Token": token}
    )
    return str(answer.json()["MediaContainer"]["Metadata"][0]["title"])


def _one_by_one(record: RequestRecord) -> list[str]:
    """Return the targets of one edit per field that together write what ``record`` wrote at once."""
    item = [pair for pair in record.query if pair[0] in _NAMES_THE_ITEM]
    fields: dict[str, list[tuple[str, str]]] = {}
    for name, value in record.query:
        if name not in _NAMES_THE_ITEM:
            fields.setdefault(name.partition(".")[0].partition("[")[0], []).append((name, value))
    return [f"{record.path}?{urlencode([*item, *pairs], quote_via=quote)}" for pairs in fields.values()]


def _compared(
    latency_s: float, ours: Sequence[float], theirs: Sequence[float], errands: Sequence[Errand]
) -> list[Figure]:
    case = f"{latency_s * 1000:g} ms"
    naive = statistics.median(theirs)
    requests = sum(errand.requests for errand in errands) / len(errands)
    beside = Beside("scenes/s: naive client", naive, paired_ratio(ours, theirs))
    return [
        Figure(
            f"{case}: product, start to last proof",
            statistics.median(ours),
            "scenes/s",
            _NO_SLOWER,
            beside,
            headline=f"scenes/s beside a naive client, {case} per request",
        ),
        Figure(f"{case}: naive client, requests per scene", requests),
    ]


BENCHMARK: Final = Benchmark(
    "naive",
    full=partial(run, Sizes(latencies_s=(0.005, 0.05), scenes=120, naive_s=2.5, rounds=1)),
    quick=partial(run, Sizes(latencies_s=(0.005,), scenes=60, naive_s=0.8, rounds=1)),
    against_servers=True,
    waits=True,
)
