from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scenesync.domain.holds import Hold, fingerprint
from scenesync.domain.scene import Group, Performer, Scene, SceneFile, Studio, Tag

SCENE = Scene(
    id=7,
    title="Harbour at dawn",
    studio=Studio(3, "North Pier", Studio(4, "Piers")),
    performers=(Performer(5, "Ann Example"),),
    tags=(Tag(6, "Sea"),),
    files=(SceneFile("/data/harbour.mp4"),),
    screenshot_url="/scene/7/screenshot?t=1",
    updated_at="2024-05-01T12:00:00Z",
)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Harbour at dusk"},
        {"code": "H-1"},
        {"details": "Calm."},
        {"director": "B. Example"},
        {"date": "2024"},
        {"rating100": 80},
        {"organized": True},
        {"studio": None},
        {"studio": Studio(3, "North Pier")},
        {"performers": ()},
        {"performers": (Performer(5, "Ann Other"),)},
        {"tags": (Tag(6, "Seaside"),)},
        {"groups": (Group(8, "Coasts", 1),)},
    ],
)
def test_a_hold_ends_when_anything_that_can_be_shown_changes(change: dict[str, Any]) -> None:
    assert not Hold(7, fingerprint(SCENE), 1.0).still_holds(replace(SCENE, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"updated_at": "2024-05-02T12:00:00Z"},
        {"screenshot_url": "/scene/7/screenshot?t=2"},
        {"files": (SceneFile("/data/moved/harbour.mp4"),)},
        {"tags": (Tag(6, "Sea", (Tag(9, "Nature"),)),)},
        {"performers": (Performer(5, "Ann Example", image_url="/performer/5/image?t=2"),)},
    ],
)
def test_a_hold_outlasts_what_says_nothing_about_the_scene(change: dict[str, Any]) -> None:
    assert Hold(7, fingerprint(SCENE), 1.0).still_holds(replace(SCENE, **change))
