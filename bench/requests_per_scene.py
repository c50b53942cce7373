"""What a scene costs Plex in requests, as Plex itself counts them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.figures import Benchmark, Figure, Target, at_most
from bench.product import Product, open_product
from bench.request_kinds import RequestCounts, count_requests, keys_read
from bench.simulated_servers import ServerProcess, begin_both

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scenesync.simulators.plex.records import RequestRecord

_CHANGED_ONE_BY_ONE: Final = at_most(2.1)
_CHANGED_IN_BULK: Final = at_most(1.05)
_UNCHANGED: Final = at_most(0.01)
_EQUAL_IN_BULK: Final = at_most(0.1)
"""A hundred items in one edit, a hundred in one read and in one proof, and some room."""
_PROOFS_ONE_BY_ONE: Final = at_most(0.1)
_PROVEN_WITHIN_S: Final = at_most(2.0)
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

            def report(case: str, scenes: int, target: Target | None = None, *, pictures: int = 0) -> None:
                counts = count_requests(plex.take_records())
                figures.extend(_per_scene(case, scenes, counts, target, changed_pictures=pictures))

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
            report("new cover, bulk", len(some), pictures=2)
            stash.share_studio(everything, "Lantern Quay Films")
            _bulk(product, everything)
            report("one studio for all, bulk", sizes.scenes, _EQUAL_IN_BULK)
            stash.edit(some, 2)
            _one_by_one(product, some, sizes.save_every_s)
            records = plex.take_records()
            case = "changed, one at a time"
            counts = count_requests(records)
            figures += _per_scene(case, len(some), counts, _CHANGED_ONE_BY_ONE, proofs=_PROOFS_ONE_BY_ONE)
            figures.append(Figure(f"{case}: last edit until its proof", proven_after_s(records), "s", _PROVEN_WITHIN_S))
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


def proven_after_s(records: Sequence[RequestRecord]) -> float:
    """Return how long after the last edit its item was read back. Raises RuntimeError if it was not."""
    edit = max((record for record in records if record.kind == "edit"), key=lambda record: record.at_monotonic)
    key = dict(edit.query)["id"]
    for record in records:
        if record.kind == "read" and record.at_monotonic > edit.at_monotonic and key in keys_read(record):
            return record.at_monotonic - edit.at_monotonic
    raise RuntimeError("The last edit was not read back.")


def _per_scene(
    case: str,
    scenes: int,
    counts: RequestCounts,
    target: Target | None,
    *,
    changed_pictures: int = 0,
    proofs: Target | None = None,
) -> list[Figure]:
    """Return the requests of one case; ``changed_pictures`` are those of each scene, ``proofs`` the target of those."""
    parts = {
        "reads": counts.reads,
        "writes": counts.writes,
        "picture requests": counts.images,
        "proof reads": counts.proofs,
        "listings": counts.listings,
    }
    targets = {"picture requests": at_most(changed_pictures) if changed_pictures else None, "proof reads": proofs}
    shown = [
        Figure(f"{case}: {name}", count / scenes, target=targets.get(name)) for name, count in parts.items() if count
    ]
    # What a run costs once (finding the server, its libraries, the listing) is no cost of a scene.
    per_scene = counts.total - counts.listings - counts.other
    headline = f"requests to Plex per scene, {case}" if target else ""
    return [*shown, Figure(f"{case}: requests per scene", per_scene / scenes, target=target, headline=headline)]


BENCHMARK: Final = Benchmark(
    "requests",
    full=partial(run, Sizes(scenes=200, single=60)),
    quick=partial(run, Sizes(scenes=60, single=20)),
    against_servers=True,
    is_timed=False,  # but for the proof, which is given a second for others to join it
)
