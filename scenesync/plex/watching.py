"""Who wants to know what passes through the client: which items were read in full, and which were written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenesync.domain.item import Item


class ItemWatcher(Protocol):
    """Told in the thread that made the request, so it has to be quick."""

    def was_written(self, rating_key: str) -> None:
        """Hear that a change of this item is about to be sent."""
        ...

    def was_read(self, wanted: Sequence[str], items: Mapping[str, Item], began_at: float) -> None:
        """Hear what a read that began then (monotonic) found; wanted items that are not among it do not exist."""
        ...


class Nobody:
    """Watches nothing."""

    def was_written(self, rating_key: str) -> None:
        """Take no notice."""

    def was_read(self, wanted: Sequence[str], items: Mapping[str, Item], began_at: float) -> None:
        """Take no notice."""
