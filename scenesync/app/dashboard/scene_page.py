"""Implements ``web.ports.OneScene``: what the stores know of one scene, whichever server is down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.app.dashboard.scenes import summary_of
from scenesync.app.dashboard.standing import attempt_document
from scenesync.intake.selection import enqueue_ids
from scenesync.plex.item_page import item_page
from scenesync.store.baselines import BaselineStore
from scenesync.store.holds import HoldStore, release_held
from scenesync.store.path_index import PathIndexStore
from scenesync.store.scene_states import SceneStateStore
from scenesync.web.models.scene_page import KnownItem, SceneFacts
from scenesync.web.models.scenes import Hold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.dashboard.desk import Desk

ATTEMPTS_SHOWN: Final = 50


class SceneKnowledge:
    """Reads the stores; no method asks Stash or Plex."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def facts(self, scene_id: int) -> SceneFacts:
        """Return what the stores know of the scene. Raises StoreError."""
        installation = self._desk.installation
        server_id = self._desk.server_id
        hold = HoldStore(installation.database, server_id).of_scene(scene_id)
        keys = BaselineStore(installation.database, server_id).items_of(scene_id)
        made = installation.attempts.latest(scene_id, ATTEMPTS_SHOWN)
        known = SceneStateStore(installation.database).of_scenes(server_id, [scene_id]).get(scene_id)
        return SceneFacts(
            scene_id=scene_id,
            known=None if known is None else summary_of(known),
            stash_url=f"{installation.stash.base_url}/scenes/{scene_id}",
            attempts=[attempt_document(each) for each in made],
            hold=None if hold is None else Hold(scene_id=scene_id, since=hold.since, run=hold.run_id),
            items=list(self.items(sorted(keys))),
        )

    def items(self, rating_keys: Sequence[str]) -> Sequence[KnownItem]:
        """Return items as the index knows them. Raises StoreError."""
        server_id = self._desk.server_id
        index = PathIndexStore(self._desk.installation.database, server_id)
        base_url = str(self._desk.installation.settings.plex_url)
        return [
            KnownItem(
                rating_key=key,
                files=[file.path for file in index.files_of(key)],
                plex_url=item_page(base_url, server_id, key),
            )
            for key in rating_keys
        ]

    def sync_now(self, scene_id: int) -> None:
        """Let the scene be looked at before any other work. Raises QueueError, StoreError."""
        installation = self._desk.installation
        release_held(installation.database, [scene_id])
        enqueue_ids(installation.queue, [scene_id])
