"""Scenes that were undone: left alone until their metadata changes in Stash, or a person says otherwise. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenesync.domain.scene import Scene, Studio


@dataclass(frozen=True, slots=True)
class Hold:
    """That a scene is left alone: since when (epoch seconds), and the fingerprint of its metadata at that time."""

    scene_id: int
    fingerprint: str
    since: float
    run_id: str = ""

    def still_holds(self, scene: Scene) -> bool:
        """Say whether the scene's metadata is what it was."""
        return self.fingerprint == fingerprint(scene)


def fingerprint(scene: Scene) -> str:
    """Return what differs when anything that can be shown of the scene differs, whatever the settings show of it.

    Left out is what moves without anybody having edited the scene: where its files lie, when Stash touched its row,
    the addresses of pictures (which change with such times, facts/stash.md 3.6), and the tags above its tags, which are
    asked for or not as the settings want it.
    """
    said = {
        "title": scene.title,
        "code": scene.code,
        "details": scene.details,
        "director": scene.director,
        "date": scene.date,
        "rating100": scene.rating100,
        "organized": scene.organized,
        "studio": _studio(scene.studio),
        "performers": [
            [each.id, each.name, each.disambiguation, each.gender, each.favorite] for each in scene.performers
        ],
        "tags": [[tag.id, tag.name] for tag in scene.tags],
        "groups": [[group.id, group.name, group.scene_index] for group in scene.groups],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _studio(studio: Studio | None) -> list[Any]:
    names: list[Any] = []
    while studio is not None:
        names.append([studio.id, studio.name])
        studio = studio.parent
    return names
