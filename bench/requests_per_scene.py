"""What a scene costs Plex in requests, as Plex itself counts them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.figures import Benchmark, Figure, Target, at_most
from bench.product import Product, open_product
from bench.request_kinds import RequestCounts, count_requests
from bench.simulated_servers import ServerProcess, begin_both

if TYPE_CHECKING:
    from pathlib import Path

_CHANGED_ONE_BY_ONE: Final = at_most(2.1)
_CHANGED_IN_BULK: Final = at_most(1.05)
_UNCHANGED: Final = at_most(0.01)
_SETTLES_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """``scenes`` in bulk; ``single`` of them also one at a time, a save every ``save_every_s``."""

    scenes: int
    single: int
    save_every_s: float = 0.08


def run(sizes: Sizes, folder: Path) -> list[Figure]:
    """Return requests per scene, case by case."""
    with ServerProcess("plex") as plex, ServerProcess("stash") as stash:
        there, here = begin_both(plex, stash, sizes.scenes, with_covers=True)
        everything, some = here.scene_ids, here.scene_ids[: sizes.single]
        figures: list[Figure] = []
        with open_product(folder / "data", here, there, with_pictures=True) as product:

            def report(case: str, scenes: int, target: Target | None = None) -> None:
                figures.extend(_per_scene(case, scenes, count_requests(plex.take_records()), target))

            _bulk(product, everything)
            report("new, bulk, 2 pictures each", sizes.scenes)
            # What changed within the second of its read may have changed again unseen, so all are looked at once more.
            time.sleep(_SETTLES_S)
            _bulk(product, everything)
            report("unchanged, bulk, first look after an edit", sizes.scenes)
            _bulk(product, everything)
            report("unchanged, bulk", sizes.scenes, _UNCHANGED)
            stash.edit(everything, 1)
            _bulk(product, everything)
            report("changed, bulk", sizes.scenes, _CHANGED_IN_BULK)
            stash.change_covers(some, 1)
            _bulk(product, some)
            report("new cover, bulk", len(some))
            stash.edit(some, 2)
            _one_by_one(product, some, sizes.save_every_s)
            report("changed, one at a time", len(some), _CHANGED_ONE_BY_ONE)
    return figures


def _bulk(product: Product, scene_ids: tuple[int, ...]) -> None:
    product.enqueue(scene_ids)
    product.drain(len(scene_ids))


def _one_by_one(product: Product, scene_ids: tuple[int, ...], save_every_s: float) -> None:
    with product.working():
        for scene_id in scene_ids:
            product.enqueue_one(scene_id)
            time.sleep(save_every_s)
        product.wait_until_done(len(scene_ids))


def _per_scene(case: str, scenes: int, counts: RequestCounts, target: Target | None) -> list[Figure]:
    parts = {
        "reads": counts.reads,
        "writes": counts.writes,
        "picture requests": counts.images,
        "proof reads": counts.proofs,
        "listings": counts.listings,
    }
    shown = [Figure(f"{case}: {name}", count / scenes) for name, count in parts.items() if count]
    # What a run costs once (finding the server, its libraries, the listing) is no cost of a scene.
    per_scene = counts.total - counts.listings - counts.other
    headline = f"requests to Plex per scene, {case}" if target else ""
    return [*shown, Figure(f"{case}: requests per scene", per_scene / scenes, target=target, headline=headline)]


BENCHMARK: Final = Benchmark(
    "requests",
    full=partial(run, Sizes(scenes=500, single=100)),
    quick=partial(run, Sizes(scenes=60, single=20)),
    against_servers=True,
)
