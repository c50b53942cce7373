"""Scenes that nobody asked for by hand: gathered, judged as one run, and only then enqueued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.reconciliation import gone_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.domain.entities import EntityChange
    from scenesync.reconciliation.automatic_run import Judge
    from scenesync.store.automatic_runs import AutomaticRunStore

POLL: Final = "changes found in Stash"


class GuardedScenes:
    """What a fan-out found, until it is through. Implements ``intake.fan_out.SceneReceiver``.

    ``judge`` gives the judge for the Plex server of the moment.
    """

    def __init__(self, judge: Callable[[], Judge]) -> None:
        self._judge = judge

    def receive(self, change: EntityChange, scene_ids: Sequence[int]) -> None:
        """Keep a page of scenes. Raises StoreError."""
        self._judge().gather(change.key, _cause(change), scene_ids)

    def conclude(self, change: EntityChange) -> None:
        """Enqueue what was gathered, or stop it if that would change too much. Raises what ``Judge.conclude`` does."""
        self._judge().conclude(change.key, _cause(change))


class PolledScenes:
    """What a look at Stash found, before it is enqueued. Implements ``intake.polling.Admission``.

    ``judge`` is as in ``GuardedScenes``. What is gone is judged without Plex, by ``part_with``.
    """

    def __init__(self, runs: AutomaticRunStore, judge: Callable[[], Judge], part_with: Callable[[], object]) -> None:
        self._runs = runs
        self._judge = judge
        self._part_with = part_with

    def changed(self, scene_ids: Sequence[int]) -> None:
        """Judge and enqueue many. Raises what ``Judge`` does; the scenes are then still gathered.

        Those that wait for a person already are left to that person, however often they are found.
        """
        waiting = self._runs.stopped_scenes(POLL, scene_ids)
        if waiting.issuperset(scene_ids):
            return
        judge = self._judge()
        judge.gather(POLL, POLL, scene_ids)
        judge.conclude(POLL, POLL)

    def gone(self, scene_ids: Sequence[int], *, is_all: bool) -> None:
        """Gather them, and if these are all let them be parted with, unless they are too many.

        Raises what the queue and the store raise.
        """
        gone_run.gather(self._runs, scene_ids)
        if is_all:
            self._part_with()


def _cause(change: EntityChange) -> str:
    return f"change of {change}"
