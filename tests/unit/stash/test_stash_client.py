from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from stash_answers import (
    FULL_SCENE,
    GIVEN_TWICE,
    MISSING_IN_BATCH,
    PLUGIN_SETTINGS,
    STATUS_OK,
    scene,
)
from stash_stub import Reply, Seen, StubStash, graphql

from scenesync.domain.errors import StashRefused, StashUnavailable
from scenesync.stash.parse import SceneHint, to_scene

if TYPE_CHECKING:
    from scenesync.domain.ports import SceneSource
    from scenesync.stash.client import StashClient


def library(existing: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Answer both questions for scenes by id as Stash does (facts/stash.md 3.3)."""

    def batch(seen: Seen) -> Reply:
        ids = [int(text) for text in seen.variables["ids"]]
        assert ids, "an empty list of ids means everything"
        if len(set(ids)) < len(ids):
            return graphql(None, GIVEN_TWICE)
        if any(scene_id not in existing for scene_id in ids):
            return graphql(None, MISSING_IN_BATCH)
        return graphql({"findScenes": {"scenes": [existing[scene_id] for scene_id in ids]}})

    def one_by_one(seen: Seen) -> Reply:
        asked = re.findall(r's(\d+): findScene\(id: "(\d+)"\)', seen.document["query"])
        assert asked
        assert all(alias == scene_id for alias, scene_id in asked)
        return graphql({f"s{alias}": existing.get(int(scene_id)) for alias, scene_id in asked})

    return {"Scenes": batch, "ScenesOneByOne": one_by_one, "Status": graphql(STATUS_OK)}


def test_the_client_fits_the_port_of_the_domain(client: StashClient) -> None:
    source: SceneSource = client
    assert source.scenes([]) == {}


def test_many_scenes_come_in_batches_of_a_hundred(stub: StubStash, client: StashClient) -> None:
    stub.answers = library({scene_id: scene(scene_id) for scene_id in range(1, 251)})

    found = client.scenes(range(1, 251))

    assert sorted(found) == list(range(1, 251))
    assert stub.operations == ["Scenes", "Scenes", "Scenes"]


def test_a_missing_scene_costs_its_batch_one_more_request_and_is_left_out(stub: StubStash, client: StashClient) -> None:
    stub.answers = library({scene_id: scene(scene_id) for scene_id in range(1, 200)} | {2: FULL_SCENE})

    found = client.scenes(range(1, 201))

    assert sorted(found) == list(range(1, 200))
    assert found[2] == to_scene(FULL_SCENE)
    assert stub.operations == ["Scenes", "Scenes", "ScenesOneByOne"]


def test_a_single_scene_is_one_request_whether_it_exists_or_not(stub: StubStash, client: StashClient) -> None:
    stub.answers = library({1: scene(1)})

    assert list(client.scenes([1])) == [1]
    assert client.scenes([99999]) == {}
    assert stub.operations == ["ScenesOneByOne", "ScenesOneByOne"]


def test_ids_given_twice_are_asked_for_once(stub: StubStash, client: StashClient) -> None:
    stub.answers = library({1: scene(1), 2: scene(2)})

    assert sorted(client.scenes([2, 1, 2, 1])) == [1, 2]
    assert stub.seen[0].variables == {"ids": ["2", "1"]}
    assert stub.operations == ["Scenes"]


@pytest.mark.parametrize("ids", [[], [0], [-1, 0]])
def test_ids_that_no_scene_can_have_are_never_asked_for(stub: StubStash, client: StashClient, ids: list[int]) -> None:
    assert client.scenes(ids) == {}
    assert stub.seen == []


def test_a_scene_that_the_answer_merely_lacks_is_asked_for_again_and_not_taken_for_deleted(
    stub: StubStash, client: StashClient
) -> None:
    stub.answers = library({1: scene(1), 2: scene(2)})
    stub.answers["Scenes"] = graphql({"findScenes": {"scenes": [scene(1)]}})

    assert sorted(client.scenes([1, 2])) == [1, 2]


@pytest.mark.parametrize("data", [{}, {"s1": "text"}, {"s1": {"id": "7"}}, {"s1": {}}])
def test_a_scene_counts_as_gone_only_if_stash_says_so_outright(
    stub: StubStash, client: StashClient, data: dict[str, Any]
) -> None:
    stub.answers["ScenesOneByOne"] = graphql(data)

    with pytest.raises(StashRefused, match="ScenesOneByOne"):
        client.scenes([1])


def test_data_beside_an_error_is_not_believed(stub: StubStash, client: StashClient) -> None:
    error = {"message": "could not load the studio", "path": ["s1", "studio"]}
    stub.answers = {"ScenesOneByOne": graphql({"s1": scene(1)}, [error]), "Status": graphql(STATUS_OK)}

    with pytest.raises(StashRefused, match="could not load the studio"):
        client.scenes([1])


@pytest.mark.parametrize("status", ["NEEDS_MIGRATION", "SETUP"])
def test_an_error_of_a_stash_that_cannot_work_yet_means_waiting(
    stub: StubStash, client: StashClient, status: str
) -> None:
    stub.answers = {
        "*": graphql(None, [{"message": "database schema version 72 does not match", "path": ["findScenes"]}]),
        "Status": graphql({"systemStatus": {"status": status}}),
    }

    for ask in (lambda: client.scenes([1, 2]), client.scene_count, lambda: client.scene_ids_after(0, 10)):
        with pytest.raises(StashUnavailable, match="open it in a browser"):
            ask()


def test_a_locked_database_means_waiting_wherever_the_words_stand(stub: StubStash, client: StashClient) -> None:
    text = f"finding scenes: executing `{'much SQL, ' * 100}` [[]]: database is locked"
    stub.answers["*"] = graphql(None, [{"message": text, "path": ["findScenes"]}])

    for ask in (lambda: client.scenes([1, 2]), client.scene_count, client.status):
        with pytest.raises(StashUnavailable, match="database is locked"):
            ask()
    assert stub.operations == ["Scenes", "SceneCount", "Status"]


def test_ids_are_paged_by_range_and_not_by_offset(stub: StubStash, client: StashClient) -> None:
    def page(seen: Seen) -> Reply:
        last, limit = seen.variables["last"], seen.variables["limit"]
        ids = [scene_id for scene_id in (3, 5, 8, 13) if scene_id > last][:limit]
        return graphql({"findScenes": {"scenes": [{"id": str(scene_id)} for scene_id in ids]}})

    stub.answers["SceneIdsAfter"] = page

    assert client.scene_ids_after(0, 3) == [3, 5, 8]
    assert client.scene_ids_after(8, 3) == [13]
    assert client.scene_ids_after(13, 3) == []
    text = stub.seen[0].document["query"]
    assert 'sort: "id", direction: ASC' in text
    assert "modifier: GREATER_THAN" in text
    assert "page: 1," in text


def test_hints_hold_what_a_job_shows(stub: StubStash, client: StashClient) -> None:
    stub.answers["SceneHintsAfter"] = graphql({"findScenes": {"scenes": [scene(1), FULL_SCENE]}})

    assert client.scene_hints_after(0, 2) == [
        SceneHint(1, "", "/data/media/Concerts/Encore.mp4", "2026-11-23T15:58:40-05:00"),
        SceneHint(
            2,
            'Harbour Lights <Live> & "Unplugged"',
            "/data/media/Concerts/Harbour Lights/Harbour Lights - Live at the Pier (2024).mp4",
            "2026-11-23T15:58:41-05:00",
        ),
    ]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_of_nothing_or_of_everything_is_never_asked_for(
    stub: StubStash, client: StashClient, limit: int
) -> None:
    with pytest.raises(ValueError, match="no size of a page"):
        client.scene_ids_after(0, limit)
    with pytest.raises(ValueError, match="no size of a page"):
        client.scene_hints_after(0, limit)
    assert stub.seen == []


def test_an_answer_of_another_shape_is_no_empty_library(stub: StubStash, client: StashClient) -> None:
    stub.answers["*"] = graphql({"findScenes": None})

    for ask in (lambda: client.scene_ids_after(0, 5), lambda: client.scene_hints_after(0, 5), client.scene_count):
        with pytest.raises(StashRefused, match="other fields"):
            ask()


def test_scenes_are_counted_without_reading_any(stub: StubStash, client: StashClient) -> None:
    stub.answers["SceneCount"] = graphql({"findScenes": {"count": 6}})

    assert client.scene_count() == 6
    assert "scenes {" not in stub.seen[0].document["query"]


@pytest.mark.parametrize(("answer", "version"), [("v0.30.1", "v0.30.1"), ("", ""), (None, "")])
def test_the_version_may_be_unknown(stub: StubStash, client: StashClient, answer: str | None, version: str) -> None:
    stub.answers["Version"] = graphql({"version": {"version": answer}})
    assert client.version() == version


@pytest.mark.parametrize("status", ["OK", "SETUP", "NEEDS_MIGRATION"])
def test_the_status_is_one_of_three(stub: StubStash, client: StashClient, status: str) -> None:
    stub.answers["Status"] = graphql({"systemStatus": {"status": status}})
    assert client.status() == status


def test_a_status_that_nobody_knows_means_waiting(stub: StubStash, client: StashClient) -> None:
    stub.answers["Status"] = graphql({"systemStatus": {"status": "DREAMING"}})
    with pytest.raises(StashUnavailable, match="DREAMING"):
        client.status()


@pytest.mark.parametrize(("answer", "key"), [("FAKE-API-KEY", "FAKE-API-KEY"), ("", ""), (None, "")])
def test_the_api_key_is_empty_until_one_is_made(
    stub: StubStash, client: StashClient, answer: str | None, key: str
) -> None:
    stub.answers["ApiKey"] = graphql({"configuration": {"general": {"apiKey": answer}}})
    assert client.api_key() == key


def test_plugin_settings_are_those_of_the_plugin(stub: StubStash, client: StashClient) -> None:
    stub.answers["PluginSettings"] = graphql(PLUGIN_SETTINGS)

    assert client.plugin_settings("probe") == {"apple": "a text", "mango": True, "zebra": 3}
    assert stub.seen[0].variables == {"ids": ["probe"]}


@pytest.mark.parametrize("plugins", [{}, None, {"scenesync": None}])
def test_settings_that_were_never_saved_are_empty(stub: StubStash, client: StashClient, plugins: object) -> None:
    stub.answers["PluginSettings"] = graphql({"configuration": {"plugins": plugins}})
    assert client.plugin_settings() == {}


@pytest.mark.parametrize(
    ("plugins", "enabled"),
    [([{"id": "scenesync", "enabled": True}, {"id": "probe", "enabled": False}], {"scenesync": True, "probe": False}),
     (None, {})],
)  # fmt: skip
def test_plugins_are_on_or_off_and_may_be_none_at_all(
    stub: StubStash, client: StashClient, plugins: object, enabled: dict[str, bool]
) -> None:
    stub.answers["Plugins"] = graphql({"plugins": plugins})
    assert client.plugins_enabled() == enabled


def test_scenes_are_found_by_file_name_whatever_is_in_it(stub: StubStash, client: StashClient) -> None:
    stub.answers = {"ScenesByFile": graphql({"findScenes": {"scenes": [scene(7)]}})}

    assert [found.id for found in client.scenes_with_files_named(["a (1) [x] 100%.mp4", "caf\u00e9.mp4"])] == [7]

    pattern = re.compile(stub.seen[-1].variables["path"])
    for path in ("/data/A (1) [X] 100%.mp4", "C:\\v\\caf\u00e9.mp4", "/v/cafe\u0301.mp4"):
        assert pattern.search(path)
    for path in ("/data/xa (1) [x] 100%.mp4", "/data/a (1) [x] 100%.mp4/b", "/data/a 1 x 100%.mp4"):
        assert not pattern.search(path)


def test_no_name_asks_nothing(stub: StubStash, client: StashClient) -> None:
    assert client.scenes_with_files_named(["", ""]) == []
    assert stub.operations == []


def test_scenes_to_match_come_page_by_page_with_tags_only_if_asked_for(stub: StubStash, client: StashClient) -> None:
    stub.answers = {"ScenesToMatchAfter": graphql({"findScenes": {"scenes": [FULL_SCENE]}})}

    [found] = client.scenes_to_match_after(5, 10, tags=False)

    assert found == to_scene(FULL_SCENE)
    assert stub.seen[-1].variables == {"last": 5, "limit": 10, "tags": False}


def test_the_highest_id_of_an_empty_stash_is_zero(stub: StubStash, client: StashClient) -> None:
    stub.answers = {"HighestSceneId": graphql({"findScenes": {"scenes": []}})}
    assert client.highest_scene_id() == 0
    stub.answers = {"HighestSceneId": graphql({"findScenes": {"scenes": [{"id": "42"}]}})}
    assert client.highest_scene_id() == 42
