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
    """The targets (path and query) of a scene's write and of the read before it; "" if an earlier one read for it."""

    read: str
    write: str

    @property
    def requests(self) -> int:
        """How many requests this is."""
        return 1 + bool(self.read)


def prepare(records: Iterable[RequestRecord]) -> list[PreparedScene]:
    """Return what ``records`` hold for each item that was edited: its first edit, and its first read where that is new.

    One read may be for many items.
    """
    reads: dict[str, str] = {}
    writes: dict[str, str] = {}
    for record in records:
        target = f"{record.path}?{urlencode(record.query, quote_via=quote)}"
        if record.kind == "read":
            for key in record.path.rpartition("/")[2].split(","):
                reads.setdefault(key, target)
        elif record.kind == "edit":
            writes.setdefault(dict(record.query)["id"], target)
    sent: set[str] = {""}
    scenes = []
    for key, write in writes.items():
        read = reads.get(key, "")
        scenes.append(PreparedScene("" if read in sent else read, write))
        sent.add(read)
    return scenes


def send_all(url: str, token: str, scenes: Sequence[PreparedScene], *, threads: int, seconds: float = 0.0) -> int:
    """Send every scene's requests, and all over again until ``seconds`` have passed; return how many requests.

    Raises RuntimeError if Plex refuses one.
    """
    headers = {"Accept": "application/json", "X-Plex-Token": token}
    deadline = time.monotonic() + seconds

    def send(scene: PreparedScene) -> int:
        for method, target in (("GET", scene.read), ("PUT", scene.write)):
            if not target:
                continue
            answer = pool.urlopen(method, target, headers=headers, retries=False)
            if answer.status != _OK:
                raise RuntimeError(f"Plex answered {answer.status} to {method} {target.partition('?')[0]}")
        return scene.requests

    sent = 0
    with (
        urllib3.connection_from_url(url, maxsize=threads, block=True) as pool,
        ThreadPoolExecutor(threads) as executor,
    ):
        while sent == 0 or time.monotonic() < deadline:
            sent += sum(executor.map(send, scenes))
    return sent
