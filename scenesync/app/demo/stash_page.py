"""What Stash's web page does when a person presses Save: GraphQL mutations over HTTP, so that hooks fire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import urllib3

from scenesync.simulators.stash.person import scene_input

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SAVE: Final = "mutation SceneUpdate($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
_BULK: Final = "mutation BulkSceneUpdate($input: BulkSceneUpdateInput!) { bulkSceneUpdate(input: $input) { id } }"
# Stash answers when the last hook has ended, so a page that gave up early would kill hooks.
_PATIENCE_S: Final = 300.0


class SaveFailed(Exception):
    """Stash did not take the change; the text has its words."""


class StashPage:
    """One person's browser. ``save`` and ``bulk_save`` return when all hooks have ended, as Stash does."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = f"{url}/graphql"
        self._pool = urllib3.PoolManager(
            headers={"ApiKey": api_key, "Content-Type": "application/json"}, timeout=_PATIENCE_S, retries=False
        )
        self.saved: list[int] = []
        """A scene's id for every save, thus for every hook that has to fire."""

    def close(self) -> None:
        """Close connections."""
        self._pool.clear()

    def save(self, scene_id: int, fields: Mapping[str, Any]) -> None:
        """Save one scene; ``fields`` in the words of ``simulators.stash.person``. Raises SaveFailed."""
        self._mutate(_SAVE, {"id": str(scene_id), **scene_input(fields)})
        self.saved.append(scene_id)

    def bulk_save(self, scene_ids: Sequence[int], *, studio_id: int, add_tag_id: int) -> None:
        """Give several scenes the same studio and one more tag. Raises SaveFailed."""
        tags = {"ids": [str(add_tag_id)], "mode": "ADD"}
        ids = [str(each) for each in scene_ids]
        self._mutate(_BULK, {"ids": ids, "studio_id": str(studio_id), "tag_ids": tags})
        self.saved += scene_ids

    def _mutate(self, mutation: str, values: Mapping[str, Any]) -> None:
        body = json.dumps({"query": mutation, "variables": {"input": values}})
        try:
            answer = self._pool.request("POST", self._url, body=body)
            document = answer.json()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise SaveFailed(f"Stash did not answer a save: {error}") from error
        if document.get("errors"):
            raise SaveFailed(f"Stash refused a save: {document['errors'][0]['message']}")
