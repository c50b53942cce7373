"""Requests for listings and items exactly as the product makes them, sent by a client that takes nothing apart.

By them the simulated Plex is made to render its items before something is measured, and a bare client is timed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import urllib3

from scenesync.plex.read_request import items_request
from scenesync.stash import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bench.address import Address
    from bench.simulated_servers import ServerProcess
    from scenesync.simulators.plex.records import RequestRecord
    from scenesync.stash.client import StashClient

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


def targets_of(records: Iterable[RequestRecord]) -> list[str]:
    """Return the targets of all reads among ``records``, in their order."""
    return [f"{record.path}?{urlencode(record.query, quote_via=quote)}" for record in records if record.method == "GET"]


def scene_bodies(stash: StashClient, scene_ids: Sequence[int]) -> list[bytes]:
    """Return the bodies of the requests for all scenes in full, page by page."""
    query = queries.scenes_after(stash.extras, stash.schema)
    variables = ({"last": last, "limit": PAGE} for last in (0, *scene_ids[PAGE - 1 : -1 : PAGE]))
    document = {"operationName": query.name, "query": query.text}
    return [json.dumps({**document, "variables": each}).encode() for each in variables]


def answers_to_bodies(stash: Address, bodies: Sequence[bytes]) -> Iterator[bytes]:
    """Ask Stash for one after the other and yield the answers. Raises RuntimeError for one that it refuses."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    with urllib3.connection_from_url(stash.url) as http:
        for body in bodies:
            answer = http.urlopen("POST", "/graphql", body=body, headers=headers, retries=False)
            if answer.status != _OK:
                raise RuntimeError(f"Stash answered {answer.status} to a page of scenes")
            yield answer.data
