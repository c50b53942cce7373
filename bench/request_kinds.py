"""Sort the requests that a Plex got by what the product wanted of them. Pure: records in, counts out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.simulators.plex.records import RequestRecord

_METADATA: Final = "/library/metadata/"


@dataclass(slots=True)
class RequestCounts:
    """How many requests there were of each sort. ``proofs`` are reads after a write of all items that they name."""

    reads: int = 0
    writes: int = 0
    images: int = 0
    proofs: int = 0
    listings: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.reads + self.writes + self.images + self.proofs + self.listings + self.other


def keys_read(record: RequestRecord) -> set[str]:
    """Return the keys of the items that a read asks for."""
    return set(record.path.removeprefix(_METADATA).split(","))


def count_requests(records: Iterable[RequestRecord]) -> RequestCounts:
    """Count ``records``, which are in the order of arrival."""
    counts = RequestCounts()
    unproven: set[str] = set()
    for record in records:
        match record.kind:
            case "read":
                keys = keys_read(record)
                if keys <= unproven:
                    counts.proofs += 1
                    unproven -= keys
                else:
                    counts.reads += 1
            case "edit":
                counts.writes += 1
                unproven |= {key for name, value in record.query if name == "id" for key in value.split(",")}
            case "image" | "image_list":
                counts.images += 1
                unproven.add(record.path.removeprefix(_METADATA).partition("/")[0])
            case "list" | "sections":
                counts.listings += 1
            case _:
                counts.other += 1
    return counts
