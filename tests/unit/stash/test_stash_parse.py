from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stash_answers import EMPTY_SCENE, FULL_SCENE

from scenesync.domain.scene import Group, Performer, Scene, SceneFile, Studio, Tag
from scenesync.stash.parse import SceneHint, to_hint, to_int, to_scene, to_time

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(FULL_SCENE)), inner, max_size=6),
)


def test_a_scene_with_everything_set_is_read_in_full() -> None:
    assert to_scene(FULL_SCENE) == Scene(
        id=2,
        title='Harbour Lights <Live> & "Unplugged"',
        code="HL-001",
        details="An evening at the pier.\nSecond line \N{EN DASH} with a dash.",
        director="Ada Example",
        date="2024-07-13",
        rating100=85,
        organized=True,
        studio=Studio(2, "Pier Records", Studio(1, "Example Films")),
        performers=(Performer(1, "The Harbour Band"), Performer(2, "Ada Sample")),
        tags=(Tag(2, "Live"), Tag(1, "Live Concert")),
        groups=(Group(1, "Summer Tour", 1),),
        files=(
            SceneFile("/data/media/Concerts/Harbour Lights/Harbour Lights - Live at the Pier (2024).mp4", 25366, 2.0),
        ),
        screenshot_url="http://localhost:9999/scene/2/screenshot?t=1795467521",
        updated_at="2026-11-23T15:58:41-05:00",
    )


def test_unset_text_and_dates_read_as_empty_text() -> None:
    scene = to_scene(EMPTY_SCENE | {"title": None, "paths": {"screenshot": None}})
    assert scene is not None
    assert (scene.title, scene.date, scene.screenshot_url) == ("", "", "")
    assert (scene.rating100, scene.studio, scene.tags) == (None, None, ())


def test_the_primary_file_stays_first_and_an_unread_length_is_unknown() -> None:
    files = [
        {"path": "/data/media/Encore.mkv", "size": 5_000_000_000, "duration": 61.25},
        {"path": "/data/media/Encore (copy).mkv", "size": -1, "duration": 0},
    ]
    scene = to_scene(EMPTY_SCENE | {"files": files})
    assert scene is not None
    assert scene.files == (
        SceneFile("/data/media/Encore.mkv", 5_000_000_000, 61.25),
        SceneFile("/data/media/Encore (copy).mkv", None, None),
    )


@pytest.mark.parametrize("document", [None, [], {}, {"id": "x"}, {"id": True}])
def test_what_has_no_id_is_no_scene(document: object) -> None:
    assert to_scene(document) is None
    assert to_hint(document) is None


@given(JSON)
def test_no_document_makes_the_reader_stumble(document: object) -> None:
    scene = to_scene(document)
    assert scene is None or isinstance(scene.title, str)


def test_a_hint_is_the_id_with_what_a_job_shows() -> None:
    assert to_hint(FULL_SCENE | {"files": []}) == SceneHint(
        2, 'Harbour Lights <Live> & "Unplugged"', "", "2026-11-23T15:58:41-05:00"
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T15:58:40-05:00", datetime(2026, 11, 23, 20, 58, 40, tzinfo=UTC)),
        ("2026-11-23T20:58:40Z", datetime(2026, 11, 23, 20, 58, 40, tzinfo=UTC)),
        ("2026-11-23T21:07:19.234266669Z", datetime(2026, 11, 23, 21, 7, 19, 234266, tzinfo=UTC)),
        ("2026-11-23T21:07:06.15353033Z", datetime(2026, 11, 23, 21, 7, 6, 153530, tzinfo=UTC)),
        ("2026-11-23T21:07:06.5+05:45", datetime(2026, 11, 23, 15, 22, 6, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("2026-11-23T21:07:06", None),
        ("2026-02-30T21:07:06Z", None),
        ("2026-11-23T21:07:06+99:00", None),
        ("2026-11-23", None),
        ("banana", None),
        ("", None),
        ("٢٠٢٦-11-23T21:07:06Z", None),
    ],
)
def test_times_are_read_as_stash_writes_them(text: str, moment: datetime | None) -> None:
    assert to_time(text) == moment


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 - the zone is drawn too
    st.integers(-14 * 60, 14 * 60),
)
def test_any_moment_in_any_zone_is_read_back(naive: datetime, offset_minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    assert to_time(moment.isoformat()) == moment


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", 12),
        (12, 12),
        (12.0, 12),
        ("-3", -3),
        (1.5, None),
        (True, None),
        ("²", None),
        ("", None),
        (float("inf"), None),
    ],
)
def test_whole_numbers_may_come_as_text(value: object, number: int | None) -> None:
    assert to_int(value) == number
