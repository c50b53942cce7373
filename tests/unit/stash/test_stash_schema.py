"""What a Stash knows is asked once for each version; nothing else is then asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stash_stub import Reply, Seen, StubStash, graphql

from scenesync.domain.entities import Entity
from scenesync.domain.errors import StashRefused
from scenesync.domain.scene import Group
from scenesync.simulators.stash.server import StashSimulator
from scenesync.stash.client import StashClient
from scenesync.stash.queries import Extras
from scenesync.stash.schema import ASSUMED, FILES_FILTER, FIND_BY_IDS, GROUPS, JOBS, WANTED, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = ("v0.24.3", "v0.26.2", "v0.27.2", "v0.28.1", "v0.30.1")
"""Groups were movies before v0.27, ids were no argument before v0.25, files have a filter since v0.30."""


class Fitted:
    """A client that learns the schema, and what it keeps of it."""

    def __init__(self, stash: StashSimulator) -> None:
        self.stash = stash
        self.kept: dict[str, str] = {}
        self.client = StashClient(stash.url, connect_timeout_s=2)
        self.client.keep_schema(self.kept.get, self.kept.__setitem__)


@pytest.fixture(params=VERSIONS)
def fitted(request: pytest.FixtureRequest) -> Iterator[Fitted]:
    with StashSimulator(version=request.param) as stash:
        group = stash.add_group("Travels")
        tag = stash.add_tag("Travel")
        performer = stash.add_performer("Ada", "the younger")
        for number in range(1, 4):
            stash.add_scene(
                title=f"Film {number}",
                path=f"/data/film {number}.mp4",
                groups=[group],
                tags=[tag],
                performers=[performer],
                director="Dora",
            )
        found = Fitted(stash)
        with found.client:
            yield found


def refusals(stash: StashSimulator) -> list[tuple[str, ...]]:
    return [record.graphql.names for record in stash.requests if record.graphql and record.graphql.status != 200]


@pytest.mark.parametrize("extras", [Extras(), Extras(tag_parents=True, photos=True, about=True)])
def test_every_version_answers_every_question(fitted: Fitted, extras: Extras) -> None:
    client = fitted.client
    client.extras = extras
    scenes = client.scenes([1, 2, 3])
    assert [scene.groups[0].name for scene in scenes.values()] == ["Travels"] * 3
    assert scenes[1].director == "Dora"
    assert scenes[1].performers[0].disambiguation == "the younger"
    assert client.scenes([1, 99])[1] == scenes[1]
    assert [scene.id for scene in client.scenes_with_files_named(["film 2.mp4"])] == [2]
    for entity in Entity:
        assert client.scene_ids_of_entity_after(entity, [1], 0, 10) == ([] if entity is Entity.STUDIO else [1, 2, 3])
        assert client.entities.ids(entity) == (set() if entity is Entity.STUDIO else {1})
        assert (client.entities.version(entity, 1) == "") is (entity is Entity.STUDIO)
        assert client.entities.count(entity) == (entity is not Entity.STUDIO)
    assert client.existing_scenes([1, 2, 77]) == {1, 2}
    assert client.jobs() == []
    assert {hint.id for hint in client.scenes_updated_since("2020-01-01T00:00:00Z")} == {1, 2, 3}
    assert len(client.scene_files_after(0, 10)) == 3
    assert len(client.scenes_to_match_after(0, 10)) == 3
    assert refusals(fitted.stash) == []


def test_the_schema_is_asked_for_once_a_version(fitted: Fitted) -> None:
    for _ in range(3):
        fitted.client.scenes([1, 2])
    again = StashClient(fitted.stash.url)
    again.keep_schema(fitted.kept.get, fitted.kept.__setitem__)
    with again:
        again.scenes([1, 2])
        assert again.schema == fitted.client.schema
    operations = fitted.stash.operations()
    assert (operations["Schema"], operations["Version"]) == (1, 2)


@pytest.mark.parametrize(
    ("version", "lacks"),
    [
        ("v0.24.3", {FIND_BY_IDS, GROUPS, FILES_FILTER}),
        ("v0.26.2", {GROUPS, FILES_FILTER}),
        ("v0.27.2", {FILES_FILTER}),
        ("v0.30.1", set()),
    ],
)
def test_what_versions_lack(version: str, lacks: set[str]) -> None:
    with StashSimulator(version=version) as stash, StashClient(stash.url) as client:
        assert client.schema == ASSUMED
        kept: dict[str, str] = {}
        client.keep_schema(kept.get, kept.__setitem__)
        assert client.schema == Schema(frozenset(lacks))
        assert client.schema.shortcomings() == tuple(WANTED[name] for name in WANTED if name in lacks and WANTED[name])


def test_v0_27_is_what_is_assumed_without_asking() -> None:
    with StashSimulator(version="v0.27.2") as stash, StashClient(stash.url) as client:
        kept: dict[str, str] = {}
        client.keep_schema(kept.get, kept.__setitem__)
        assert client.schema == ASSUMED


def test_without_the_assumptions_of_v0_27_an_older_stash_refuses() -> None:
    with StashSimulator(version="v0.26.2") as stash, StashClient(stash.url) as client:
        stash.add_scene(title="Film")
        with pytest.raises(StashRefused, match="groups"):
            client.scenes([1])


def test_a_stash_that_was_brought_up_to_date_or_back_is_asked_again(stub: StubStash) -> None:
    version = {"now": "v0.30.1", "groups": "groups"}

    def scene(seen: Seen) -> Reply:
        if f" {version['groups']}" not in seen.document["query"]:
            return graphql(errors=[{"message": 'Cannot query field "groups" on type "Scene".'}], status=422)
        group = {"scene_index": None, "group": {"id": "3", "name": "Travels"}}
        return graphql({"s1": {"id": "1", "groups": [group]}})

    def schema(_seen: Seen) -> Reply:
        names = ["code", "director", version["groups"]]
        return graphql({"Scene": {"name": "Scene", "fields": [{"name": name} for name in names]}})

    stub.answers = {
        "Version": lambda _seen: graphql({"version": {"version": version["now"]}}),
        "Schema": schema,
        "ScenesOneByOne": scene,
    }
    kept: dict[str, str] = {}
    with StashClient(stub.url) as client:
        client.keep_schema(kept.get, kept.__setitem__)
        assert client.scenes([1])[1].groups == (Group(3, "Travels"),)
        version.update(now="v0.26.2", groups="groups: movies")
        assert client.scenes([1])[1].groups == (Group(3, "Travels"),)
        assert client.scenes([1])[1].groups == (Group(3, "Travels"),)
    assert stub.operations.count("Schema") == 2
    assert sorted(kept) == ["v0.26.2", "v0.30.1"]


def test_a_question_that_is_wrong_for_other_reasons_is_refused_after_asking_once(stub: StubStash) -> None:
    refused = graphql(errors=[{"message": "Expected Name, found <EOF>."}], status=422)
    stub.answers = {
        "Version": graphql({"version": {"version": "v0.30.1"}}),
        "Schema": graphql({}),
        "ScenesOneByOne": refused,
    }
    kept: dict[str, str] = {}
    with StashClient(stub.url) as client:
        client.keep_schema(kept.get, kept.__setitem__)
        with pytest.raises(StashRefused, match="Expected Name"):
            client.scenes([1])
    assert stub.operations == ["Version", "Schema", "ScenesOneByOne", "Version", "Schema"]


def test_what_was_kept_and_cannot_be_read_is_asked_for_anew() -> None:
    with StashSimulator() as stash, StashClient(stash.url) as client:
        kept = {"v0.30.1": "banana"}
        client.keep_schema(kept.get, kept.__setitem__)
        assert client.schema.has(FILES_FILTER)
        assert Schema.from_text(kept["v0.30.1"]) == Schema(frozenset())


def test_of_a_type_only_the_fields_that_there_are_are_asked_for() -> None:
    schema = Schema(frozenset({"Performer.gender", JOBS}))
    assert schema.having("Performer", "disambiguation gender favorite") == "disambiguation favorite"
    assert schema.having("Studio", "gender") == "gender"
