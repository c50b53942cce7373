"""The rival of the product's throughput: the same requests, prepared beforehand, over urllib3, and nothing else.

No queue, no Stash, no comparing, no bookkeeping, no proof: whatever a synchroniser adds is a loss against this.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scenesync.simulators.plex.records import RequestRecord

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class PreparedScene:
    """The targets (path and query) of the one read and the one write of a scene."""

    read: str
    write: str


def prepare(records: Iterable[RequestRecord]) -> list[PreparedScene]:
    """Return what ``records`` hold for each item that was edited: its first read and its first edit."""
    reads: dict[str, str] = {}
    writes: dict[str, str] = {}
    for record in records:
        target = f"{record.path}?{urlencode(record.query, quote_via=quote)}"
        if record.kind == "read":
            reads.setdefault(record.path.rpartition("/")[2], target)
        elif record.kind == "edit":
            writes.setdefault(dict(record.query)["id"], target)
    return [PreparedScene(reads[key], write) for key, write in writes.items() if key in reads]


def send_all(url: str, token: str, scenes: Sequence[PreparedScene], *, threads: int, seconds: float = 0.0) -> int:
    """Send every scene's requests, and all over again until ``seconds`` have passed; return how many scenes.

    Raises RuntimeError if Plex refuses one.
    """
    headers = {"Accept": "application/json", "X-Plex-Token": token}
    deadline = time.monotonic() + seconds

    def send(scene: PreparedScene) -> None:
        for method, target in (("GET", scene.read), ("PUT", scene.write)):
            answer = pool.urlopen(method, target, headers=headers, retries=False)
            if answer.status != _OK:
                raise RuntimeError(f"Plex answered {answer.status} to {method} {target.partition('?')[0]}")

    sent = 0
    with (
        urllib3.connection_from_url(url, maxsize=threads, block=True) as pool,
        ThreadPoolExecutor(threads) as executor,
    ):
        while sent == 0 or time.monotonic() < deadline:
            sent += sum(1 for _ in executor.map(send, scenes))
    return sent
