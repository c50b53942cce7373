"""Implements ``web.ports.Scenes``: one scene from both sides, pins and holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.app.explanation import explain_scene
from scenesync.app.pinning import pin_scene, unpin_scene
from scenesync.domain.fields import IMAGE_FIELDS, Field
from scenesync.domain.matching import Rule
from scenesync.store.holds import list_held, release_held
from scenesync.web.models import scenes
from scenesync.web.problems import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.dashboard.desk import Desk
    from scenesync.app.explanation import Explanation
    from scenesync.app.installation import Installation
    from scenesync.domain.fields import FieldValue
    from scenesync.worker.sync_plan import PlannedItem


class KnownScenes:
    """The scenes, each asked about when somebody looks at it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def show(self, scene_id: int) -> scenes.Scene:
        """Ask both servers and the stores about one scene. Raises NotFound."""
        installation = self._desk.installation
        explained = explain_scene(installation, scene_id)
        if not explained.exists:
            raise NotFound(f"Stash has no scene {scene_id}.")
        return scenes.Scene.model_validate(
            {
                **explained.as_document(),
                "title": explained.title,
                "stash_url": f"{installation.stash.base_url}/scenes/{scene_id}",
                "compared": [_compared(installation, explained, step) for step in explained.planned],
                "is_held": any(hold.scene_id == scene_id for hold in list_held(installation.database)),
                "is_pinned": explained.rule == Rule.PIN.value,
            }
        )

    def pin(self, scene_id: int, rating_key: str) -> scenes.Pinned:
        """Tie the scene to the item."""
        return scenes.Pinned.model_validate(pin_scene(self._desk.installation, scene_id, rating_key).as_document())

    def unpin(self, scene_id: int) -> bool:
        """Take the pin off; False if there was none."""
        return unpin_scene(self._desk.installation, scene_id)

    def holds(self) -> Sequence[scenes.Hold]:
        """Return the scenes that are left alone since they were undone."""
        held = list_held(self._desk.installation.database)
        return [scenes.Hold(scene_id=hold.scene_id, since=hold.since, run=hold.run_id) for hold in held]

    def release(self, scene_ids: Sequence[int] | None) -> int:
        """Let held scenes be synced again, None: all of them; return how many were held."""
        return release_held(self._desk.installation.database, scene_ids)


def _compared(installation: Installation, explained: Explanation, step: PlannedItem) -> dict[str, object]:
    """Return an item beside what it should show."""
    item, base_url = step.item, str(installation.settings.plex_url).rstrip("/")
    fields = [each for each in Field if each not in IMAGE_FIELDS and (each in item.values or each in explained.wanted)]
    return {
        "rating_key": item.rating_key,
        "library_key": item.library_key,
        "plex_url": (
            f"{base_url}/web/index.html#!/server/{explained.server_id}"
            f"/details?key=%2Flibrary%2Fmetadata%2F{item.rating_key}"
        ),
        "files": [part.file for part in item.parts],
        "fields": [
            {
                "field": each.value,
                "shown": _plain(item.value(each)),
                "wanted": _plain(explained.wanted[each]) if each in explained.wanted else None,
                "locked": each.value in item.locked,
            }
            for each in fields
        ],
    }


def _plain(value: FieldValue) -> str | list[str]:
    return value if isinstance(value, str) else list(value)
