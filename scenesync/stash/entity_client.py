"""What Stash says of performers, studios, tags and groups as such: which there are, and when each changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from scenesync.stash import queries
from scenesync.stash.change_walk import walk_by_change
from scenesync.stash.parse import to_int

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from scenesync.domain.entities import Entity
    from scenesync.stash.queries import Query
    from scenesync.stash.schema import Schema

    Fetch = Callable[[Query, Mapping[str, Any] | None], Mapping[str, Any]]

PAGE_SIZE: Final = 100


@dataclass(frozen=True, slots=True)
class EntityHint:
    """An entity and when it changed, in Stash's own text."""

    id: int
    updated_at: str


class EntityClient:
    """Asks by ``fetch`` what fits the schema; both raise what Stash's client raises."""

    def __init__(self, fetch: Fetch, schema: Callable[[], Schema]) -> None:
        self._fetch = fetch
        self._schema = schema

    def updated_since(
        self, entity: Entity, since: datetime, *, overlap_s: float, zone_slack_s: float
    ) -> Iterator[EntityHint]:
        """Walk those changed since then, the last changed first; as ``StashClient.scenes_updated_since``."""
        begin = since - timedelta(seconds=overlap_s)
        ask = partial(self._page, queries.entities_by_change(entity.value, self._schema()))
        return walk_by_change(ask, _to_hint, begin, begin - timedelta(seconds=zone_slack_s), PAGE_SIZE)

    def count(self, entity: Entity) -> int:
        """Return how many there are."""
        return self._page(queries.entities_by_change(entity.value, self._schema()), {"page": 1, "limit": 1})[0]

    def ids(self, entity: Entity) -> set[int]:
        """Return all there are."""
        _, documents = self._page(queries.entity_ids(entity.value, self._schema()), None)
        return {entity_id for document in documents if (entity_id := to_int(document.get("id"))) is not None}

    def version(self, entity: Entity, entity_id: int) -> str:
        """Return when one changed last, in Stash's own text; "" if there is none."""
        found = self._fetch(queries.entity_version(entity.value, self._schema()), {"id": str(entity_id)}).get("found")
        updated_at = found.get("updated_at") if isinstance(found, dict) else None
        return updated_at if isinstance(updated_at, str) else ""

    def _page(self, query: Query, variables: Mapping[str, Any] | None) -> tuple[int, list[dict[str, Any]]]:
        found = self._fetch(query, variables).get("found")
        fields = found if isinstance(found, dict) else {}
        rows = fields.get("rows")
        return to_int(fields.get("count")) or 0, [row for row in rows or () if isinstance(row, dict)]


def _to_hint(document: dict[str, Any]) -> EntityHint | None:
    entity_id, updated_at = to_int(document.get("id")), document.get("updated_at")
    return EntityHint(entity_id, updated_at) if entity_id is not None and isinstance(updated_at, str) else None
