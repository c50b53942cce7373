"""One scene with two pictures, saved by itself: how long from its first request until Plex has all of it.

The product is at work, and has found out by other scenes how many writes at a time Plex bears.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import urllib3

from bench.figures import Benchmark, Beside, Figure, at_most
from bench.product import open_product
from bench.simulated_servers import ServerProcess, begin_both

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.address import Address
    from bench.product import Product
    from scenesync.simulators.plex.records import RequestRecord

_METADATA: Final = "/library/metadata/"
_OK: Final = 200
_WRITES: Final = frozenset({"edit", "image", "select"})
NEW, KNOWN = "a new scene with two pictures", "a known scene, new text and new cover"
_TARGETS: Final = {NEW: 0.9, KNOWN: 0.7}
"""Of a new one the edit waits for the pictures, which it locks; else everything is sent when the item is read."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """``warm`` scenes at once, then ``single`` ones, a save every ``save_every_s``, at ``latency_s`` per request.

    How long a request takes is found out by ``bare`` ones.
    """

    warm: int
    single: int
    bare: int = 12
    latency_s: float = 0.05
    save_every_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Saved:
    """What a scene took, from its first request to the answer to its last write."""

    seconds: float
    requests: int


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return how long a scene takes beside its requests one after the other."""
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        there, here = begin_both(
            plex, stash, sizes.warm + sizes.single, with_covers=True, plex_latency_s=sizes.latency_s
        )
        scenes = here.scene_ids[sizes.warm :]
        item_of = dict(zip(here.scene_ids, there.rating_keys, strict=True))
        with open_product(folder / "data", here, there, with_pictures=True) as product, product.working():
            product.enqueue(here.scene_ids[: sizes.warm])
            product.wait_until_done(sizes.warm)
            done = sizes.warm
            plex.take_records()
            read_one_by_one(there, there.rating_keys[: sizes.bare])
            request_s = between_arrivals_s(plex.take_records())
            figures: list[Figure] = []
            for case in (NEW, KNOWN):
                if case == KNOWN:
                    stash.edit(scenes, 1)
                    stash.change_covers(scenes, 1)
                plex.take_records()
                _save_one_by_one(product, scenes, sizes.save_every_s)
                done += len(scenes)
                product.wait_until_done(done)
                records = plex.take_records()
                saved = [what_it_took(records, item_of[each], sizes.latency_s) for each in scenes]
                figures.append(_figure(case, saved, sizes.latency_s, request_s))
    return figures


def _save_one_by_one(product: Product, scenes: Sequence[int], every_s: float) -> None:
    for scene_id in scenes:
        product.enqueue_one(scene_id)
        time.sleep(every_s)


def what_it_took(records: Sequence[RequestRecord], rating_key: str, latency_s: float) -> Saved:
    """Return how long all requests about an item took, until the last of them that writes.

    Raises RuntimeError if there was none.
    """
    mine = [record for record in records if is_about(record, rating_key)]
    writes = [record.at_monotonic for record in mine if record.kind in _WRITES]
    if not writes:
        raise RuntimeError(f"Nothing was written to item {rating_key}.")
    until = [record.at_monotonic for record in mine if record.at_monotonic <= max(writes)]
    return Saved(until[-1] + latency_s - until[0], len(until))


def is_about(record: RequestRecord, rating_key: str) -> bool:
    """Say whether a request is about this item alone."""
    if record.path.startswith(_METADATA):
        return record.path.removeprefix(_METADATA).partition("/")[0] == rating_key
    return ("id", rating_key) in record.query


def read_one_by_one(plex: Address, rating_keys: Sequence[str]) -> None:
    """Read items one after the other, as a client that does nothing else. Raises RuntimeError if Plex refuses one."""
    headers = {"Accept": "application/json", "X-Plex-Token": plex.token}
    with urllib3.connection_from_url(plex.url) as pool:
        for key in rating_keys:
            answer = pool.urlopen("GET", f"{_METADATA}{key}", headers=headers, retries=False)
            if answer.status != _OK:
                raise RuntimeError(f"Plex answered {answer.status} to the read of an item.")


def between_arrivals_s(records: Sequence[RequestRecord]) -> float:
    """Return how long after the one before it a request arrives, as the median of all."""
    arrivals = [record.at_monotonic for record in records]
    return statistics.median(after - before for before, after in pairwise(arrivals))


def _figure(case: str, saved: Sequence[Saved], latency_s: float, request_s: float) -> Figure:
    seconds = statistics.median(each.seconds for each in saved)
    requests = statistics.median(each.requests for each in saved)
    in_turn = requests * request_s
    return Figure(
        f"{case}, {latency_s * 1000:g} ms: until Plex has all of it",
        seconds * 1000,
        "ms",
        at_most(_TARGETS[case]),
        Beside(f"its {requests:g} requests one after the other", in_turn * 1000, seconds / in_turn),
        headline=f"{case}, beside its requests one after the other",
    )


BENCHMARK: Final = Benchmark(
    "pictures",
    full=partial(run, Sizes(warm=24, single=7, save_every_s=0.4)),
    quick=partial(run, Sizes(warm=9, single=2, bare=5, save_every_s=0.4)),
    against_servers=True,
    waits=True,
)
