"""Answers over HTTP, compared with those of a real Stash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type
from stash_over_http import Client, capture, masked, served

from scenesync.simulators.sample_world import png
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator

UPDATE = "mutation($i:SceneUpdateInput!){sceneUpdate(input:$i){id}}"


@pytest.fixture
def client() -> Iterator[Client]:
    with served(StashSimulator(zone=ZoneInfo("America/New_York"), api_key="FAKE-API-KEY")) as client:
        yield client


@pytest.fixture
def captured_world(client: Client) -> Client:
    """The library in which the captures were made, entered through GraphQL."""
    stash = client.stash
    pier = stash.add_studio("Pier Records", stash.add_studio("Example Films"), image=png(1))
    band, ada = stash.add_performer("The Harbour Band"), stash.add_performer("Ada Sample")
    for performer in (band, ada):
        stash.save_performer(performer, favorite=True)
    stash.save_performer(ada, alias_list=["A. Sample"])
    concert, live, travel = (stash.add_tag(name) for name in ("Live Concert", "Live", "Travel"))
    stash.save_tag(concert, aliases=["Gig"])
    tour = stash.add_group("Summer Tour", date="2024-07-01")
    names = (
        "Concerts/Encore.mp4",
        "Concerts/Harbour Lights/Harbour Lights - Live at the Pier (2024).mp4",
        "Concerts/Summer Tour/Summer Tour ✓ Night 2.mp4",
        "Travel/Islands/Island Ferries, Part 1.mp4",
        "Travel/Quiet Roads of the North.mp4",
        "Travel/Rails/Night Train North.mp4",
    )
    for name in names:
        stash.add_scene(path=f"/data/media/{name}", size_bytes=25366, duration_s=2)
    request = capture("hook-scene-update")["args"]["hookContext"]
    given = {key: request["input"][key] for key in request["inputFields"]}
    given |= {"tag_ids": [concert.id, live.id], "performer_ids": [ada.id, band.id], "studio_id": pier.id}
    client.data(UPDATE, {"i": given | {"groups": [{"group_id": tour.id, "scene_index": 1}]}})
    client.data(UPDATE, {"i": {"id": 5, "title": "Quiet Roads of the North"}})
    client.data(UPDATE, {"i": {"id": 4, "title": "Island Ferries", "date": "2023-05"}})
    bulk = "mutation($i:BulkSceneUpdateInput!){bulkSceneUpdate(input:$i){id}}"
    tags = {"ids": [travel.id], "mode": "ADD"}
    client.data(bulk, {"i": {"ids": ["3", "5", "4"], "organized": True, "tag_ids": tags}})
    client.data('mutation{sceneAddPlay(id:2,times:["2024-09-02T00:00:00Z"]){count}}')
    client.data("mutation{sceneSaveActivity(id:2,resume_time:1.25,playDuration:2)}")
    return client


def _without_what_is_not_simulated(answer: dict[str, Any]) -> dict[str, Any]:
    for scene in answer["data"]["findScenes"]["scenes"]:
        scene["scene_markers"] = []
        for file in scene["files"]:
            # Taken from the file's content by the real one.
            for key in ("width", "height", "frame_rate", "bit_rate"):
                assert isinstance(file.pop(key), int)
    return answer


@pytest.mark.parametrize("name", ["answer-find-scenes", "answer-find-scenes-by-ids"])
def test_scenes_are_answered_field_by_field_as_by_the_real_server(captured_world: Client, name: str) -> None:
    real = capture(name)

    status, answer = captured_world.post(real["request"]["query"], real["request"]["variables"])

    assert status == real["status"]
    expected = _without_what_is_not_simulated(masked(real["answer"]))
    assert _without_what_is_not_simulated(masked(answer)) == expected
    # Keys of an object come in the order in which they were asked for.
    assert json.dumps(_without_what_is_not_simulated(masked(answer))) == json.dumps(expected)


@pytest.mark.parametrize(
    "name",
    [
        "answer-api-key",
        "answer-find-scene-missing",
        "answer-find-scenes-missing-id",
        "answer-job-queue-empty",
        "answer-plugin-settings-unset",
        "answer-system-status",
        "answer-unknown-field",
        "answer-unknown-input-field",
        "answer-update-missing-scene",
        "answer-version",
    ],
)
def test_small_answers_and_errors_are_equal_to_those_of_the_real_server(captured_world: Client, name: str) -> None:
    real = capture(name)

    answer = captured_world.post(real["request"]["query"], real["request"]["variables"])

    assert answer == (real["status"], real["answer"])


def test_plugin_settings_are_replaced_as_a_whole_and_come_back(client: Client) -> None:
    for name in ("answer-configure-plugin", "answer-plugin-settings"):
        real = capture(name)
        assert client.post(real["request"]["query"], real["request"]["variables"]) == (200, real["answer"])

    client.data('mutation{configurePlugin(plugin_id:"probe",input:{kiwi:[1,{a:null}]})}')

    assert client.data("{configuration{plugins}}") == {
        "configuration": {"plugins": {"probe": {"kiwi": [1, {"a": None}]}}}
    }


def test_no_plugins_are_null_like_an_empty_job_queue(client: Client) -> None:
    assert client.data("{plugins{id enabled} jobQueue{id}}") == {"plugins": None, "jobQueue": None}


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("{findScenes(limit:3){count}}", {}, 'Unknown argument "limit" on field "Query.findScenes".'),
        ("{findScenes(filter:{direction:UP}){count}}", {}, 'Value "UP" does not exist in "SortDirectionEnum" enum.'),
        ("{", {}, "Expected Name, found <EOF>"),
        ("query($i:ID!){findScene(id:$i){id}}", {}, "must be defined"),
        ("query($f:FindFilterType){findScenes(filter:$f){count}}", {"f": {"page": "x"}}, "cannot use string as Int"),
        ("query($f:FindFilterType){findScenes(filter:$f){count}}", {"f": {"limit": 3}}, "unknown field"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_with_422_and_the_real_text(
    client: Client, query: str, variables: dict[str, Any], message: str
) -> None:
    status, answer = client.post(query, variables)

    assert (status, answer["errors"][0]["message"], answer["data"]) == (422, message, None)
    code = "GRAPHQL_PARSE_FAILED" if query == "{" else "GRAPHQL_VALIDATION_FAILED"
    assert answer["errors"][0]["extensions"] == {"code": code}


def test_variables_are_taken_leniently(captured_world: Client) -> None:
    query = "query($f:FindFilterType,$i:[ID!]){findScenes(filter:$f,ids:$i){scenes{id}}}"

    assert captured_world.data(query, {"i": 3})["findScenes"]["scenes"] == [{"id": "3"}]
    page = captured_world.data(query, {"f": {"per_page": "2", "page": "2", "sort": "id"}})
    assert page["findScenes"]["scenes"] == [{"id": "3"}, {"id": "4"}]
    captured_world.data(UPDATE, {"i": {"id": 1, "title": 1984, "tag_ids": 2}})
    scene = captured_world.stash.scene(1)
    assert (scene.title, scene.tag_ids) == ("1984", (2,))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ('{findScenes(ids:["1","1"]){count}}', "validating ids: duplicate id found: 1"),
        ('{findScene(id:"abc"){id}}', 'strconv.Atoi: parsing "abc": invalid syntax'),
        ('{findScenes(filter:{sort:"colour"}){count}}', "invalid sort: colour"),
        ("mutation{sceneUpdate(input:{id:999}){id}}", "scene with id 999 not found"),
        ("mutation{bulkSceneUpdate(input:{ids:[1,999],organized:true}){id}}", "sql: no rows in result set"),
    ],
)
def test_resolver_errors_come_with_status_200(captured_world: Client, query: str, message: str) -> None:
    assert captured_world.error(query) == (200, message)
    assert not captured_world.stash.scene(1).organized


def test_an_unknown_studio_shows_raw_sql_and_changes_nothing(captured_world: Client) -> None:
    before = captured_world.stash.scene(1)

    status, message = captured_world.error(UPDATE, {"i": {"id": 1, "title": "x", "studio_id": 77}})

    assert status == 200
    assert message.startswith("updating scenes: executing `UPDATE `scenes` SET")
    assert message.endswith("FOREIGN KEY constraint failed")
    assert captured_world.stash.scene(1) == before


def test_dates_may_be_partial_since_0_30_and_bad_ones_are_errors(captured_world: Client) -> None:
    captured_world.data(UPDATE, {"i": {"id": 1, "date": "2024-05"}})
    assert captured_world.stash.scene(1).date == "2024-05"
    captured_world.data(UPDATE, {"i": {"id": 1, "date": ""}})
    assert captured_world.stash.scene(1).date is None
    status, message = captured_world.error(UPDATE, {"i": {"id": 1, "date": "2024-5-6"}})
    assert (status, message.startswith("converting date: failed to parse date")) == (200, True)


def test_texts_are_trimmed_a_rating_is_not_checked_and_some_fields_are_ignored(captured_world: Client) -> None:
    given = {"id": 1, "title": "  Dusk ", "details": "a\n\n b \n", "rating100": 101, "resume_time": 9, "play_count": 4}

    captured_world.data(UPDATE, {"i": given})

    scene = captured_world.stash.scene(1)
    assert (scene.title, scene.details, scene.rating100) == ("Dusk", "a\n\n b", 101)
    assert (scene.resume_time_s, scene.play_history) == (0.0, ())


def test_null_clears_and_absent_keeps(captured_world: Client) -> None:
    captured_world.data(UPDATE, {"i": {"id": 2, "details": None, "studio_id": None, "rating100": None}})

    scene = captured_world.stash.scene(2)
    assert (scene.details, scene.studio_id, scene.rating100) == ("", None, None)
    assert (scene.director, scene.tag_ids, scene.date) == ("Ada Example", (1, 2), "2024-07-13")


def test_an_older_release_lacks_what_came_later() -> None:
    with served(StashSimulator(version="v0.27.2")) as client:
        client.stash.add_scene(path="/data/a.mp4")
        files = {"files_filter": {"updated_at": {"value": "2000", "modifier": "GREATER_THAN"}}}
        query = "query($s:SceneFilterType){findScenes(scene_filter:$s){count}}"
        assert client.error(query, {"s": files}) == (422, "unknown field")
        assert client.error(UPDATE, {"i": {"id": 1, "date": "2024-05"}}) == (
            200,
            "converting date: ParseDateStringAsTime failed: dateString <2024-05>",
        )
        client.data(UPDATE, {"i": {"id": 1, "title": " kept "}})
        assert client.stash.scene(1).title == " kept "
        assert client.data("{version{version} systemStatus{appSchema}}") == {
            "version": {"version": "v0.27.2"},
            "systemStatus": {"appSchema": 68},
        }


def test_the_schema_can_be_asked_about_itself(client: Client) -> None:
    query = '{__type(name:"SceneFilterType"){inputFields{name}} version{__typename}}'

    answer = client.data(query)

    assert "files_filter" in {each["name"] for each in answer["__type"]["inputFields"]}
    assert answer["version"] == {"__typename": "Version"}


def test_aliases_fragments_and_directives_work(captured_world: Client) -> None:
    query = """
        query Look($yes: Boolean!) {
          first: findScene(id: 2) { ...Names studio @skip(if: $yes) { id } }
          second: findScene(id: 5) { ...Names ... on Scene @include(if: $yes) { organized } }
        }
        fragment Names on Scene { id title performers { name } }
    """

    answer = captured_world.data(query, {"yes": True})

    names = [{"name": "The Harbour Band"}, {"name": "Ada Sample"}]
    assert answer["first"] == {"id": "2", "title": 'Harbour Lights <Live> & "Unplugged"', "performers": names}
    assert answer["second"] == {"id": "5", "title": "Quiet Roads of the North", "performers": [], "organized": True}
    assert captured_world.stash.operations()["Look"] == 1


def _leaves(kind: GraphQLObjectType) -> str:
    """Fields that need neither a selection nor an argument."""
    plain = (name for name, field in kind.fields.items() if is_leaf_type(get_named_type(field.type)))
    return " ".join(name for name in plain if name != "fingerprint")


def test_every_field_of_the_schema_can_be_answered(captured_world: Client) -> None:
    """A field without a source would end in a 500."""
    scene = captured_world.stash.engine.schema.type_map["Scene"]
    inner = {name: get_named_type(field.type) for name, field in scene.fields.items()}
    nested = [
        f"{name}{{{_leaves(kind) or '__typename'}}}"
        for name, kind in inner.items()
        if isinstance(kind, GraphQLObjectType)
    ]
    query = (
        f'{{findScenes(filter:{{sort:"id"}}){{count duration filesize scenes{{{_leaves(scene)} {" ".join(nested)}}}}}}}'
    )

    found = captured_world.data(query)["findScenes"]

    assert (found["count"], found["duration"], found["filesize"]) == (6, 12, 6 * 25366)
    assert found["scenes"][1].keys() == scene.fields.keys()


@pytest.mark.parametrize(
    ("plural", "kind", "nested"),
    [
        ("Performers", "Performer", "tags{id}"),
        ("Studios", "Studio", "parent_studio{name} child_studios{name} tags{id}"),
        ("Tags", "Tag", "parents{id} children{id}"),
        ("Groups", "Group", "studio{id}"),
    ],
)
def test_performers_studios_tags_and_groups_can_be_listed_whole(
    captured_world: Client, plural: str, kind: str, nested: str
) -> None:
    leaves = _leaves(captured_world.stash.engine.schema.type_map[kind])
    field = f"find{plural}"

    found = captured_world.data(f"{{{field}{{count {plural.lower()}{{{leaves} {nested}}}}}}}")[field]

    rows = found[plural.lower()]
    assert found["count"] == len(rows) > 0
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    one = captured_world.data(f"query($i:ID!){{find{kind}(id:$i){{{leaves} {nested}}}}}", {"i": rows[0]["id"]})
    assert one[f"find{kind}"] == rows[0]
