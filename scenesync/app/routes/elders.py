"""Items that a Stash shows which stands earlier in ``scenesync.toml``: they are its, so that two never take turns."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from scenesync.app.opening import look_into_state, read_state
from scenesync.domain.participation import ELDER_STASH
from scenesync.store.baselines import BaselineStore
from scenesync.store.errors import StoreError
from scenesync.store.scene_states import SceneStateStore
from scenesync.store.traces import TraceStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenesync.app.configuration.model import Settings
    from scenesync.app.configuration.route import ElderPlace
    from scenesync.store.database import Database

log = logging.getLogger(__name__)

LOOK_AGAIN_AFTER_S: Final = 30.0
"""A route that has no state yet may get one while others work."""


def left_to_elders(settings: Settings) -> int | None:
    """Return how many scenes of a route are left to Stashes that go first, None if none does. Raises StoreError."""
    if settings.place is None or not settings.place.elders:
        return None
    return look_into_state(settings, lambda database: SceneStateStore(database).left_out_for(ELDER_STASH), otherwise=0)


def elders_of(settings: Settings) -> Elders:
    """Return the routes that go before the one whose settings these are, to be left when they are not needed."""
    elders = () if settings.place is None else settings.place.elders
    return Elders([_elder(each, settings) for each in elders])


def _elder(place: ElderPlace, settings: Settings) -> Elder:
    home = {"data_dir": place.data_dir, "database_schema": place.database_schema}
    return Elder(place.stash, settings.model_copy(update=home))


class Elder:
    """What another route wrote to the Plex that both lead to, read from its state; ``stash`` is the name of its Stash.

    Of its ``settings`` only what says where its state is counts.
    """

    def __init__(self, stash: str, settings: Settings) -> None:
        self.stash = stash
        self._settings = settings
        self._database: Database | None = None
        self._look_at = float("-inf")

    def shows_a_scene_on(self, server_id: str, rating_key: str) -> bool:
        """Say whether it last wrote to the item for a scene that its Stash still has.

        State that cannot be read counts as none: should both write to an item, it looks again at what it wrote.
        """
        try:
            database = self._open()
            if database is None:
                return False
            scene_ids = BaselineStore(database, server_id).scenes_of(rating_key)
            return any(TraceStore(database).read(scene_id) is not None for scene_id in scene_ids)
        except (StoreError, OSError) as error:
            log.warning("what the route of %s wrote cannot be read: %s", self.stash, error)
            self.close()
            return False

    def close(self) -> None:
        """Let go of its state."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> Database | None:
        if self._database is None and time.monotonic() - self._look_at >= LOOK_AGAIN_AFTER_S:
            self._look_at = time.monotonic()
            self._database = read_state(self._settings)
        return self._database


class Elders:
    """The routes of Stashes that stand earlier and lead to the same Plex."""

    def __init__(self, elders: Sequence[Elder] = ()) -> None:
        self._elders = tuple(elders)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for elder in self._elders:
                stack.callback(elder.close)

    def stash_showing(self, server_id: str) -> Callable[[str], str]:
        """Return what says whose scene an item of this Plex shows: the name of an earlier Stash, "" for none's."""

        def stash_of(rating_key: str) -> str:
            return next((elder.stash for elder in self._elders if elder.shows_a_scene_on(server_id, rating_key)), "")

        return stash_of
