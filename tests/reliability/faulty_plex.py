"""A Plex that fails in every way known, one request at a time, and what became of each item in the end."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.simulators.plex import faults
from tests.e2e.shown_fields import needless_writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.simulators.http_server import Request
    from scenesync.simulators.plex.faults import Fault
    from scenesync.simulators.plex.server import PlexSimulator

PAUSE_S: Final = 0.1
"""Stands for the ten seconds after which a real server that cannot write answers 500."""
ONE_BYTE_A_SECOND: Final = 1.0

READ, EDIT, IMAGE, LOOK, IDENTITY = "read", "edit", "image", "list", "identity"
WRITES: Final = frozenset({EDIT, IMAGE})
SHARE_OF_BIG_READS: Final = 0.6

_OF_ITEMS: Final = re.compile(r"/library/metadata/([\d,]+)")


@dataclass(frozen=True, slots=True)
class Mishap:
    """One way to fail: what happens, to which requests, how often beside the others, how often in all (None: often).

    ``costs_retry`` is False for what the error table lets a job wait out.
    """

    name: str
    fault: Fault
    kinds: frozenset[str]
    weight: int = 4
    most: int | None = None
    most_per_item: int = 2
    costs_retry: bool = True


def _kinds(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


def mishaps(jobs: int) -> tuple[Mishap, ...]:
    """Return the whole mix for a history of so many jobs; what holds a worker for seconds stays rare."""
    rare = max(2, jobs // 100)
    return (
        Mishap("reset before the answer", faults.reset(), _kinds(READ, EDIT, IMAGE), most=rare),
        Mishap("reset in mid-body", faults.reset_in_body(), _kinds(READ, EDIT, IMAGE)),
        Mishap("truncated body", faults.truncated(), _kinds(READ, EDIT, IMAGE)),
        Mishap("half a document with 200", faults.broken_body(), _kinds(READ)),
        Mishap("HTML page with 200", faults.html_page(), _kinds(READ, EDIT, IMAGE)),
        Mishap("nothing with 200", faults.empty(), _kinds(READ)),
        Mishap("one byte a second", faults.trickle(ONE_BYTE_A_SECOND), _kinds(READ), most=rare),
        Mishap("401", faults.status(401), _kinds(READ, EDIT), most=rare, costs_retry=False),
        Mishap("404 on an item", faults.status(404), _kinds(READ, EDIT), most_per_item=1),
        Mishap("429 with Retry-After", faults.status(429, retry_after_s=1), _kinds(READ, EDIT, IMAGE)),
        Mishap("500 to a read", faults.status(500), _kinds(READ)),
        Mishap("500 to a listing", faults.status(500), _kinds(LOOK), most=rare),
        Mishap("500 after a pause", faults.status(500, delay_s=PAUSE_S), WRITES),
        Mishap("500 after a pause, applied", faults.status(500, applied=True, delay_s=PAUSE_S), WRITES),
        Mishap("silence", faults.hang(3600), _kinds(READ, EDIT), most=rare),
        Mishap("silence, applied", faults.hang(3600, applied=True), WRITES, most=rare),
        # Twice on one item it is a dead letter by the error table: EditIgnored.
        Mishap("200 with nothing done", faults.empty(), WRITES, most_per_item=1),
        Mishap("applied but the answer lost", faults.answer_lost(), WRITES, weight=10),
        Mishap("maintenance", faults.maintenance(), _kinds(READ, EDIT, IDENTITY), most=rare, costs_retry=False),
    )


class FaultMix:
    """Deals mishaps to a share of all requests: the n-th request of a kind about an item meets the same for one seed.

    No item is dealt more than ``most_per_item`` of its own that cost a retry, nor more than ``most_together`` in reads
    of many items. These cost the scene that came for them a retry, or all of them where edits were to be proven. So by
    the error table no job has to end as a dead letter, whatever the seed. There are few such reads, so they go wrong
    more often.
    """

    def __init__(
        self, rows: Sequence[Mishap], *, share: float, seed: int, most_per_item: int = 2, most_together: int = 2
    ) -> None:
        self.dealt: Counter[str] = Counter()
        self._rows = tuple(rows)
        self._share = share
        self._seed = seed
        self._most_per_item = most_per_item
        self._most_together = most_together
        self._lock = threading.Lock()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._charged: Counter[str] = Counter()
        self._charged_together: Counter[str] = Counter()
        self._of_item: Counter[tuple[str, str]] = Counter()

    def pick(self, request: Request, kind: str) -> Fault | None:
        """Return the fault for a request, None if it goes well."""
        keys = item_keys(request)
        subject = ",".join(keys) or request.path
        with self._lock:
            self._seen[kind, subject] += 1
            chance = random.Random(f"{self._seed}/{kind}/{subject}/{self._seen[kind, subject]}")  # noqa: S311
            rows = [row for row in self._rows if kind in row.kinds and self._may_befall(row, keys)]
            if not rows or chance.random() >= (SHARE_OF_BIG_READS if len(keys) > 1 else self._share):
                return None
            (row,) = chance.choices(rows, [row.weight for row in rows])
            self._note(row, keys)
            return row.fault

    def _may_befall(self, row: Mishap, keys: Sequence[str]) -> bool:
        if row.most is not None and self.dealt[row.name] >= row.most:
            return False
        if any(self._of_item[row.name, key] >= row.most_per_item for key in keys):
            return False
        if not row.costs_retry:
            return True
        if len(keys) > 1:
            return all(self._charged_together[key] < self._most_together for key in keys)
        return all(self._charged[key] < self._most_per_item for key in keys)

    def _note(self, row: Mishap, keys: Sequence[str]) -> None:
        self.dealt[row.name] += 1
        if len(keys) > 1:
            self._charged_together.update(dict.fromkeys(keys, int(row.costs_retry)))
            return
        for key in keys:
            self._of_item[row.name, key] += 1
            self._charged[key] += row.costs_retry


def item_keys(request: Request) -> tuple[str, ...]:
    """Return the rating keys that a request is about."""
    found = _OF_ITEMS.match(request.path)
    named = found[1] if found else dict(request.query).get("id", "") if request.method == "PUT" else ""
    return tuple(key for key in named.split(",") if key)


def doubled_writes(plex: PlexSimulator) -> list[str]:
    """Return one line for each write that changed nothing visible, or sent what was sent before; uploads too."""
    return [
        f"item {write.rating_key} {write.field}: {write.before!r} -> {write.value!r} changed={write.changed}"
        for write in needless_writes(plex)
    ]
