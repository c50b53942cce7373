"""Requests for listings and items exactly as the product makes them, sent by a client that takes nothing apart.

By them the simulated Plex is made to render its items before something is measured, and a bare client is timed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import urllib3

from scenesync.plex.read_request import items_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.address import Address
    from bench.simulated_servers import ServerProcess

PAGE: Final = 1000
_START: Final = "X-Plex-Container-Start"
_OK: Final = 200


def page_targets(server: ServerProcess, ask_for_one: Callable[[], object], items: int) -> list[str]:
    """Return the targets (path and query) of all pages of a library of ``items``; ``ask_for_one`` asks for one."""
    server.take_records()
    ask_for_one()
    first = [record for record in server.take_records() if record.kind == "list"][-1]
    pages = (
        [(name, str(start) if name == _START else value) for name, value in first.query]
        for start in range(0, items, PAGE)
    )
    return [f"{first.path}?{urlencode(query, quote_via=quote)}" for query in pages]


def item_target(rating_keys: Sequence[str]) -> str:
    """Return the target of a read of these items in full."""
    return items_request(rating_keys).target


def answers_to(plex: Address, targets: Sequence[str]) -> Iterator[bytes]:
    """Ask for one after the other and yield the answers. Raises RuntimeError for one that Plex refuses."""
    headers = {"X-Plex-Token": plex.token, "Accept": "application/json"}
    with urllib3.connection_from_url(plex.url) as http:
        for target in targets:
            answer = http.urlopen("GET", target, headers=headers, retries=False)
            if answer.status != _OK:
                raise RuntimeError(f"Plex answered {answer.status} to {target.partition('?')[0]}")
            yield answer.data
