"""What changes when: times as text in the server's zone, bumps and silences, filters and pages."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from stash_over_http import Client, Probe, served

from scenesync.simulators.sample_world import png
from scenesync.simulators.stash.library import NotFound
from scenesync.simulators.stash.records import NewFile
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = dt.datetime(2026, 11, 23, 20, 58, 40, tzinfo=dt.UTC).timestamp()
NEW_YORK = ZoneInfo("America/New_York")


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return Probe(tmp_path / "plugins")


@pytest.fixture
def client(probe: Probe, clock: Clock) -> Iterator[Client]:
    with served(StashSimulator(probe.plugins, zone=NEW_YORK, clock=clock)) as client:
        stash = client.stash
        parent = stash.add_studio("Example Films")
        studio = stash.add_studio("Pier Records", parent)
        performers = [stash.add_performer(name) for name in ("Ada", "Ben")]
        root = stash.add_tag("Music")
        tags = [stash.add_tag("Live", parents=[root]), stash.add_tag("Travel")]
        for number in range(1, 6):
            stash.add_scene(
                title=f"Scene {number}",
                path=f"/data/media/Night Train {number}.mp4",
                studio=studio if number < 3 else None,
                performers=performers[: number % 3],
                tags=tags[: number % 2],
                organized=number == 4,
            )
        yield client


def _since(value: str, modifier: str = "GREATER_THAN", **more: str) -> dict[str, Any]:
    return {"updated_at": {"value": value, "modifier": modifier, **more}}


def test_times_are_texts_in_the_zone_of_the_server(client: Client, clock: Clock) -> None:
    assert client.stash.scene(1).updated_at == "2026-11-23T15:58:40-05:00"
    client.stash.library.zone = dt.UTC
    clock.now += 0.9
    client.stash.save(2, title="x")
    assert client.stash.scene(2).updated_at == "2026-11-23T20:58:40Z"


def test_a_watermark_in_utc_misses_changes_of_a_server_in_new_york(client: Client) -> None:
    assert client.ids(_since("2026-11-23T17:58:40Z")) == []  # three hours before the change
    assert client.ids(_since("2026-11-23T14:58:40Z")) == [1, 2, 3, 4, 5]  # six hours
    assert client.ids(_since("2026-11-23T15:58:39-05:00")) == [1, 2, 3, 4, 5]
    assert client.ids(_since("banana")) == []


def test_a_second_is_the_smallest_step_and_greater_than_excludes_it(client: Client, clock: Clock) -> None:
    clock.now += 0.4
    client.stash.save(3, title="within the same second")
    clock.now += 1
    client.stash.save(4, title="a second later")

    own = client.stash.scene(3).updated_at
    assert client.ids(_since(own)) == [4]
    assert client.ids(_since(own, "BETWEEN", value2=own)) == [1, 2, 3, 5]
    assert client.ids(_since(own, "LESS_THAN")) == []


def test_after_a_change_of_zone_the_column_is_sorted_as_text(client: Client, clock: Clock) -> None:
    client.stash.library.zone = dt.UTC
    clock.now += 60
    client.stash.save(2, title="x")
    client.stash.library.zone = NEW_YORK
    clock.now += 60
    client.stash.save(3, title="newest")

    assert client.ids(sort="updated_at", direction="DESC")[:2] == [2, 3]


SILENT = {
    "play": "mutation{sceneAddPlay(id:1){count}}",
    "o": "mutation{sceneAddO(id:1){count}}",
    "activity": "mutation{sceneSaveActivity(id:1,resume_time:3)}",
    "reset": "mutation{sceneResetActivity(id:1,reset_resume:true)}",
}


@pytest.mark.parametrize("name", SILENT)
def test_playing_fires_nothing_and_bumps_nothing(client: Client, probe: Probe, clock: Clock, name: str) -> None:
    before = client.stash.scene(1)
    clock.now += 10

    client.data(SILENT[name])

    assert client.stash.scene(1).updated_at == before.updated_at
    assert probe.events() == []


def test_plays_are_kept_twice_and_in_utc(client: Client) -> None:
    query = 'mutation{sceneAddPlay(id:1,times:["2024-09-02T02:00:00+02:00","2024-09-02T00:00:00Z"]){count history}}'

    assert client.data(query)["sceneAddPlay"] == {"count": 2, "history": ["2024-09-02T00:00:00Z"] * 2}


def test_an_update_that_changes_nothing_fires_and_bumps(client: Client, probe: Probe, clock: Clock) -> None:
    clock.now += 10
    client.data("mutation{sceneUpdate(input:{id:1}){id}}")

    assert client.stash.scene(1).updated_at == "2026-11-23T15:58:50-05:00"
    assert probe.events() == [("Scene.Update.Post", 1)]


def test_edits_of_a_performer_studio_or_tag_leave_the_scenes_time(client: Client, probe: Probe, clock: Clock) -> None:
    clock.now += 10
    client.stash.save_performer(1, name="Ada Sample")
    client.stash.save_studio(2, name="Pier")
    client.stash.save_tag(2, name="On stage")
    client.stash.merge_tags([3], 2)

    assert {scene.updated_at for scene in client.stash.scenes()} == {"2026-11-23T15:58:40-05:00"}
    kinds = [kind for kind, _id in probe.events()]
    assert kinds == ["Performer.Update.Post", "Studio.Update.Post", "Tag.Update.Post", "Tag.Merge.Post"]
    changed = {"value": "2026-11-23T15:58:45-05:00", "modifier": "GREATER_THAN"}
    assert client.ids({"performers_filter": {"updated_at": changed}}) == [1, 2, 4, 5]
    assert client.ids({"studios_filter": {"updated_at": changed}}) == [1, 2]


def test_a_merge_of_scenes_is_silent_and_makes_the_sources_vanish(client: Client, probe: Probe, clock: Clock) -> None:
    clock.now += 10
    client.data('mutation{sceneMerge(input:{source:[2,3],destination:1,values:{id:1,title:"Both"}}){id}}')

    merged = client.stash.scene(1)
    assert probe.events() == []
    assert (merged.title, len(merged.files), merged.updated_at) == ("Both", 3, "2026-11-23T15:58:50-05:00")
    with pytest.raises(NotFound, match="scene with id 2 not found"):
        client.stash.scene(2)


def test_a_rename_fires_without_a_bump_and_only_the_files_filter_sees_it(
    client: Client, probe: Probe, clock: Clock
) -> None:
    clock.now += 10
    client.stash.rename_in_scan(3, "/data/media/moved.mp4")
    client.stash.change_file_in_scan(4, size_bytes=5, duration_s=6)

    assert probe.events() == [("Scene.Update.Post", 3), ("Scene.Update.Post", 4)]
    watermark = {"value": "2026-11-23T15:58:45-05:00", "modifier": "GREATER_THAN"}
    assert client.ids({"updated_at": watermark}) == []
    assert client.ids({"files_filter": {"updated_at": watermark}}) == [3, 4]
    assert client.ids({"files_filter": {"path": {"value": "moved", "modifier": "INCLUDES"}}}) == [3]


def test_a_copy_fires_and_bumps_and_cleaning_one_of_two_files_bumps_in_silence(
    client: Client, probe: Probe, clock: Clock
) -> None:
    clock.now += 10
    client.stash.add_copy_in_scan(3, "/data/media/copy.mp4")
    assert client.stash.scene(3).updated_at == "2026-11-23T15:58:50-05:00"
    assert client.stash.scene(3).files[0].oshash == client.stash.scene(3).files[1].oshash

    clock.now += 10
    client.stash.clean(["/data/media/Night Train 3.mp4"])
    assert client.stash.scene(3).updated_at == "2026-11-23T15:59:00-05:00"
    assert client.stash.scene(3).path == "/data/media/copy.mp4"
    assert probe.events() == [("Scene.Update.Post", 3)]

    client.stash.clean(["/data/media/copy.mp4"])
    assert probe.events()[1:] == [("Scene.Destroy.Post", 3)]


def test_a_scan_announces_a_scene_before_it_has_its_cover(client: Client, probe: Probe) -> None:
    probe.behave("""
        import urllib.request
        port, scene = document["server_connection"]["Port"], document["args"]["hookContext"]["id"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/scene/{scene}/screenshot") as answer:
            say("i", answer.headers["Content-Type"])
    """)

    (scene_id,) = client.stash.scan([NewFile("/data/media/new.mp4", 5, 6.5, cover=png(9))])

    assert probe.events() == [("Scene.Create.Post", scene_id)]
    assert [line.text for line in client.stash.log if line.level == "info"] == ["image/svg+xml"]
    assert client.send("GET", f"/scene/{scene_id}/screenshot").data == png(9)


def test_scan_workers_run_their_hooks_side_by_side(tmp_path: Path) -> None:
    probe = Probe(tmp_path / "plugins")
    probe.behave("time.sleep(1.5)")
    with served(StashSimulator(tmp_path / "plugins", parallel_tasks=4)) as client:
        began = time.monotonic()
        ids = client.stash.scan([NewFile(f"/data/{number}.mp4") for number in range(4)])
        assert 1.5 <= time.monotonic() - began < 5.5  # one after another they would need 6 s
        runs = client.stash.hook_runs
        assert sorted(run.scene_id for run in runs) == sorted(ids) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("criteria", "ids"),
    [
        ({"id": {"value": 3, "modifier": "GREATER_THAN"}}, [4, 5]),
        ({"id": {"value": 3, "modifier": "EQUALS"}}, [3]),
        ({"id": {"value": 2, "value2": 4, "modifier": "BETWEEN"}}, [2, 3, 4]),
        ({"organized": True}, [4]),
        ({"path": {"value": "1.mp4 2.mp4", "modifier": "INCLUDES"}}, [1, 2]),
        ({"path": {"value": '"Night Train 4"', "modifier": "INCLUDES"}}, [4]),
        ({"path": {"value": "/DATA/media/night_train%5.MP4", "modifier": "EQUALS"}}, [5]),
        ({"path": {"value": r"Train [12]\.", "modifier": "MATCHES_REGEX"}}, [1, 2]),
        ({"title": {"value": "scene 2", "modifier": "EQUALS"}}, [2]),
        ({"performers": {"value": ["1"], "modifier": "INCLUDES"}}, [1, 2, 4, 5]),
        ({"performers": {"value": ["1", "2"], "modifier": "INCLUDES_ALL"}}, [2, 5]),
        ({"studios": {"value": ["1"], "modifier": "INCLUDES"}}, []),
        ({"studios": {"value": ["1"], "modifier": "INCLUDES", "depth": -1}}, [1, 2]),
        ({"tags": {"value": ["1"], "modifier": "INCLUDES", "depth": 0}}, []),
        ({"tags": {"value": ["1"], "modifier": "INCLUDES", "depth": -1}}, [1, 3, 5]),
        ({"tags": {"modifier": "IS_NULL"}}, [2, 4]),
        ({"organized": False, "NOT": {"studios": {"value": ["2"], "modifier": "INCLUDES"}}}, [3, 5]),
        ({"organized": True, "OR": {"id": {"value": 1, "modifier": "EQUALS"}}}, [1, 4]),
    ],
)
def test_filters(client: Client, criteria: dict[str, Any], ids: list[int]) -> None:
    assert client.ids(criteria) == ids
    count = client.data("query($s:SceneFilterType){findScenes(scene_filter:$s){count}}", {"s": criteria})
    assert count["findScenes"]["count"] == len(ids)


def test_pages() -> None:
    with served(StashSimulator(zone=NEW_YORK)) as client:
        for number in range(60):
            client.stash.add_scene(path=f"/data/{number}.mp4")
        everything = list(range(1, 61))
        assert client.ids() == everything
        assert client.ids(per_page=None) == everything[:25]
        assert client.ids(per_page=None, page=3) == everything[50:]
        assert client.ids(per_page=0) == []
        assert client.ids(per_page=2, direction="DESC") == [60, 59]
        assert client.ids(sort="path")[:3] == [1, 2, 3]  # 0, 1, 2: numbers count as numbers
        unsorted = client.ids(sort=None, direction=None)
        assert unsorted != everything
        assert sorted(unsorted) == everything
        no_ids = client.data("{findScenes(ids:[]){count scenes{id}}}")["findScenes"]
        assert (no_ids["count"], len(no_ids["scenes"])) == (60, 25)
        by_ids = client.data('{findScenes(ids:[9,3],filter:{per_page:1,sort:"id"}){scenes{id}}}')["findScenes"]
        assert by_ids["scenes"] == [{"id": "9"}, {"id": "3"}]
        client.stash.destroy(31)
        rest = client.ids({"id": {"value": 30, "modifier": "GREATER_THAN"}}, per_page=3)
        assert rest == [32, 33, 34]
