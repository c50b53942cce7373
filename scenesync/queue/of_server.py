"""The queue of a route of a second Stash: its jobs say whose they are, and callers go on to speak of scenes alone.

Its keys have the server's name before them (``attic:scene_5``) and its jobs a field ``server``, so that a job is never
taken for the first Stash's, wherever it is seen. The first Stash's jobs keep the plain form and need none of this.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from scenesync.domain.job import key_of_server, of_server, scene_key
from scenesync.queue.port import Ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.queue.port import Queue, QueueView
    from scenesync.queue.records import BulkResult, EnqueueResult, FoundJobs, OutboxEvent


def queue_of(server: str, queue: Queue) -> Queue:
    """Return the queue as the route of ``server`` uses it; "" is the first Stash, whose jobs are plain."""
    return cast("Queue", _ServersQueue(server, queue)) if server else queue


def view_of(server: str, view: QueueView) -> QueueView:
    """Return the same for a queue that is only looked at."""
    return cast("QueueView", _ServersView(server, view)) if server else view


class _ServersView:
    """What is looked up by a scene's key, by that of this server; everything else is the queue's own."""

    def __init__(self, server: str, inner: Any) -> None:  # noqa: ANN401 - one of our engines or a look at one
        self._server = server
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the queue has
        return getattr(self._inner, name)

    def find(self, job_key: str) -> FoundJobs:
        """Return what waits and what is in hand under ``job_key``."""
        found: FoundJobs = self._inner.find(key_of_server(self._server, job_key))
        return found

    def scenes_waiting(self, scene_ids: Iterable[int]) -> frozenset[int]:
        """Return those of the scenes for which a job waits or is in hand."""
        found: frozenset[int] = self._inner.scenes_waiting(scene_ids, self._key_of)
        return found

    def _key_of(self, scene_id: int) -> str:
        return key_of_server(self._server, scene_key(scene_id))


class _ServersQueue(_ServersView, Ours):
    """Marks what is put in, as well."""

    def put_job(self, job: Mapping[str, Any], *args: Any, **kwargs: Any) -> EnqueueResult:  # noqa: ANN401 - the queue's
        """Store an event."""
        result: EnqueueResult = self._inner.put_job(of_server(self._server, job), *args, **kwargs)
        return result

    def put_many(self, jobs: Iterable[Mapping[str, Any]], *args: Any, **kwargs: Any) -> BulkResult:  # noqa: ANN401
        """Store any number of events."""
        result: BulkResult = self._inner.put_many((of_server(self._server, job) for job in jobs), *args, **kwargs)
        return result

    def take_in(self, outbox_id: str, events: Sequence[OutboxEvent]) -> BulkResult:
        """Store those of the events of an outbox that were not taken in before."""
        marked = [replace(each, job=of_server(self._server, each.job)) for each in events]
        result: BulkResult = self._inner.take_in(outbox_id, marked)
        return result

    def waiting_scenes(self, scene_ids: Iterable[int]) -> set[int]:
        """Return those of the scenes for which a job waits, due or not."""
        found: set[int] = self._inner.waiting_scenes(scene_ids, self._key_of)
        return found

    def departing_scenes(self, scene_ids: Iterable[int]) -> set[int]:
        """Return those of the scenes of whose deletion a job tells that waits or is in hand."""
        found: set[int] = self._inner.departing_scenes(scene_ids, self._key_of)
        return found

    def drop_pending(self, *, job_key: str | None = None, older_than: float | None = None) -> int:
        """Delete waiting jobs, all or those that match; return how many."""
        key = None if job_key is None else key_of_server(self._server, job_key)
        dropped: int = self._inner.drop_pending(job_key=key, older_than=older_than)
        return dropped
