"""Scenes that nobody asked for by hand: gathered, judged as one run, and only then enqueued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.domain.entities import EntityChange
    from scenesync.reconciliation.automatic_run import Judge

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


def admit_polled(judge: Judge, scene_ids: Sequence[int]) -> None:
    """Judge and enqueue what a poll of Stash found. Raises what ``Judge`` does; the scenes are then still gathered."""
    judge.gather(POLL, POLL, scene_ids)
    judge.conclude(POLL, POLL)


def _cause(change: EntityChange) -> str:
    return f"change of {change}"
