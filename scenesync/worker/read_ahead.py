"""Read the items of many scenes in one request, just before the first of these scenes is worked on."""

from __future__ import annotations

import logging
import threading
import time
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from scenesync.domain.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.item import Item
    from scenesync.domain.scene import Scene

log = logging.getLogger(__name__)

SCENES_AT_ONCE: Final = 50
FRESH_S: Final = 3.0
"""What was read longer ago is read again, together with what is still to come."""


class Reader(Protocol):
    """Who knows which items a scene has (``worker.scene_sync``)."""

    def read_ahead(self, scenes: Sequence[Scene]) -> Mapping[str, Item]:
        """Read the items of many scenes together."""
        ...


class ReadAhead:
    """The items of one batch of scenes, which several threads work off in any order.

    Whoever comes first reads for those that come next. If that fails, the others read their own items and meet their
    own errors.
    """

    def __init__(self, reader: Reader, scenes: Iterable[Scene]) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._waiting = {scene.id: scene for scene in scenes}
        self._covered: frozenset[int] = frozenset()
        self._items: Mapping[str, Item] = {}
        self._read_at = 0.0

    def items_for(self, scene: Scene) -> Mapping[str, Item]:
        """Return items read a moment ago, those of ``scene`` among them if they could be read.

        Raises the TransientError of a read that this call made.
        """
        with self._lock:
            if scene.id not in self._covered or time.monotonic() - self._read_at > FRESH_S:
                self._read([scene, *(other for other in self._waiting.values() if other.id != scene.id)])
            self._waiting.pop(scene.id, None)
            return self._items

    def _read(self, scenes: Iterable[Scene]) -> None:
        wanted = list(islice(scenes, SCENES_AT_ONCE))
        self._covered = frozenset(each.id for each in wanted)
        self._items = {}
        self._read_at = time.monotonic()
        try:
            self._items = self._reader.read_ahead(wanted)
        except PermanentError as error:  # it may concern any of the items
            log.debug("items not read ahead scenes=%d: %s", len(wanted), error)
        self._read_at = time.monotonic()
