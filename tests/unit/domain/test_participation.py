from __future__ import annotations

import pytest

from scenesync.domain.participation import EVERYBODY, Participation, Reason
from scenesync.domain.scene import Scene, SceneFile, Studio, Tag

SCENE = Scene(
    id=1,
    organized=False,
    studio=Studio(2, "North Pier", Studio(1, "Piers")),
    tags=(Tag(2, "Birds", (Tag(1, "Nature"),)), Tag(3, "4K")),
    files=(SceneFile("/data/films/a.mp4"), SceneFile("/data/old/a.mp4")),
)


def test_without_filters_everybody_with_a_file_takes_part() -> None:
    assert EVERYBODY.left_out(SCENE) is None
    assert EVERYBODY.left_out(Scene(id=1)).reason is Reason.NO_FILE  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (Participation(only_organized=True), Reason.NOT_ORGANIZED),
        (Participation(only_tags=("Cities",)), Reason.ONLY_TAGS),
        (Participation(only_tags=("birds",)), None),
        (Participation(only_tags=("NATURE",)), None),
        (Participation(only_tags=("Bird",)), Reason.ONLY_TAGS),
        (Participation(skip_tags=("4k",)), Reason.SKIP_TAGS),
        (Participation(skip_tags=(" nature ",)), Reason.SKIP_TAGS),
        (Participation(only_tags=("birds",), skip_tags=("4K",)), Reason.SKIP_TAGS),
        (Participation(only_studios=("north pier",)), None),
        (Participation(only_studios=("Piers",)), None),
        (Participation(only_studios=("South Pier",)), Reason.ONLY_STUDIOS),
        (Participation(only_paths=("/data/films",)), None),
        (Participation(only_paths=("/data/films/",)), None),
        (Participation(only_paths=("/data/film",)), Reason.ONLY_PATHS),
        (Participation(only_paths=("/DATA/films",)), Reason.ONLY_PATHS),
        (Participation(skip_paths=("/data/old",)), None),
        (Participation(skip_paths=("/data/old", "/data/films")), Reason.SKIP_PATHS),
        (Participation(skip_paths=("/data",)), Reason.SKIP_PATHS),
        (Participation(only_paths=("/data/films",), skip_paths=("/data/",)), Reason.SKIP_PATHS),
    ],
)
def test_each_filter_decides_as_its_name_says(rules: Participation, reason: Reason | None) -> None:
    found = rules.left_out(SCENE)
    assert (None if found is None else found.reason) == reason
    if found is not None:
        assert found.reason.value in found.text


def test_windows_folders_count_in_any_spelling() -> None:
    scene = Scene(id=1, files=(SceneFile("C:\\Films\\Old\\a.mp4"),))
    assert Participation(skip_paths=("c:/films",)).left_out(scene) is not None
    assert Participation(skip_paths=("C:\\Film",)).left_out(scene) is None


def test_a_scene_without_studio_or_tags_is_left_out_by_filters_that_ask_for_some() -> None:
    bare = Scene(id=1, files=(SceneFile("/data/a.mp4"),))
    assert Participation(only_studios=("Piers",)).left_out(bare).text.startswith("Scene 1 has no studio")  # type: ignore[union-attr]
    assert Participation(only_tags=("Birds",)).left_out(bare).reason is Reason.ONLY_TAGS  # type: ignore[union-attr]
