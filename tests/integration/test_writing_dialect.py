"""The writer under every answer to what is not known about Plex: lists, odd names, limits, edits that are ignored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.domain.outcome import Outcome

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]

ODD_NAMES = (
    *("Comedy, Drama", "Rock & Roll", 'The "Pier"', "100 %", "It's live", "A%20B", "C# minor", "Feature+", "a=b"),
    *("Ça va?", "[4K]", "x;y", "50%, off", "日本, 海"),
)
ON: dict[str, Any] = {"sync_collection": True, "sync_labels": True, "label_tags": ("*",), "sync_tagline": True}


@pytest.fixture(params=[("replace", "twice"), ("add", "twice"), ("replace", "once"), ("add", "once")], ids="-".join)
def any_plex(world: SyncWorld, request: pytest.FixtureRequest) -> SyncWorld:
    tags, decoding = request.param
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=tags, minus_decoding=decoding)
    return world


def outcomes(world: SyncWorld, *scene_ids: int, **settings: object) -> list[Outcome]:
    return [attempt.outcome for attempt in world.drain(*scene_ids, **settings)]


def lists_of(world: SyncWorld, rating_key: str) -> dict[str, set[str]]:
    """Return what the item shows in each list; labels as they were sent, since Plex gives them capitals of its own."""
    shown = world.plex.item(rating_key)
    return {
        "genres": set(shown.genres),
        "actors": set(shown.actors),
        "directors": set(shown.directors),
        "labels": {name.casefold() for name in shown.labels},
        "collections": set(shown.collections),
    }


def test_odd_names_go_on_and_come_off_again(any_plex: SyncWorld) -> None:
    stash = any_plex.stash
    tags = [stash.add_tag(name) for name in ODD_NAMES]
    cast = [stash.add_performer(name) for name in ODD_NAMES]
    scene_id, item = any_plex.pair(title="Walk", tags=tags, performers=cast, studio=stash.add_studio("Pier, & Co"),
                                   director="D, Jr. & Sons")  # fmt: skip
    assert outcomes(any_plex, scene_id, **ON) == [Outcome.SYNCED]
    names = set(ODD_NAMES)
    assert lists_of(any_plex, item.rating_key) == {
        "genres": names,
        "actors": names,
        "directors": {"D, Jr. & Sons"},
        "labels": {name.casefold() for name in names},
        "collections": {"Pier, & Co"},
    }
    stash.save(scene_id, tags=tags[::2], performers=cast[1::2], studio=stash.add_studio("Quay"), director="")
    assert outcomes(any_plex, scene_id, **ON) == [Outcome.SYNCED]
    assert lists_of(any_plex, item.rating_key) == {
        "genres": set(ODD_NAMES[::2]),
        "actors": set(ODD_NAMES[1::2]),
        "directors": set(),
        "labels": {name.casefold() for name in ODD_NAMES[::2]},
        "collections": {"Quay"},
    }
    any_plex.plex.clear_records()
    assert outcomes(any_plex, scene_id, **ON) == [Outcome.UNCHANGED]
    assert any_plex.plex.field_writes == []


def test_lists_that_stash_empties_are_empty_in_plex(any_plex: SyncWorld) -> None:
    stash = any_plex.stash
    tags = [stash.add_tag(name) for name in ODD_NAMES[:4]]
    cast = [stash.add_performer(name) for name in ODD_NAMES[:4]]
    scene_id, item = any_plex.pair(title="Walk", tags=tags, performers=cast, studio=stash.add_studio("Pier, & Co"),
                                   director="D, Jr.")  # fmt: skip
    any_plex.drain(scene_id, **ON)
    stash.save(scene_id, tags=[], performers=[], studio=None, director="")
    assert outcomes(any_plex, scene_id, **{**ON, "organized_label": ""}) == [Outcome.SYNCED]
    assert not any(lists_of(any_plex, item.rating_key).values())


# A connection that breaks over less than 3,000 bytes is an accident: every server takes so much (facts/plex.md 3.4).
@pytest.mark.parametrize(("too_long", "limit"), [("414", 5000), ("414", 2500), ("close", 5000), ("close", 3200)])
def test_a_server_with_a_lower_limit_gets_shorter_requests_from_then_on(
    world: SyncWorld, too_long: Any, limit: int
) -> None:
    world.plex.behaviour = replace(
        world.plex.behaviour, max_target_bytes=limit, too_long=too_long, tags_on_items="replace"
    )
    cast = [world.stash.add_performer(f"Übergangs-Ensemble {number:02d}") for number in range(25)]
    tags = [world.stash.add_tag(f"Übersicht der Küste {number:02d}") for number in range(25)]
    details = "A very long evening at the pier. " * 60
    both = [world.pair(title=f"Walk {number}", performers=cast, tags=tags, details=details) for number in range(2)]
    for scene_id, item in both:
        world.plex.clear_records()
        assert outcomes(world, scene_id) == [Outcome.SYNCED]
        shown = world.plex.item(item.rating_key)
        assert (len(shown.actors), len(shown.genres)) == (25, 25)
        assert details.startswith(shown.summary.removesuffix(" …"))
        assert len(shown.summary) > 1000
    # Learned with the first one: the second is sent right at once.
    edits = [record.status for record in world.plex.requests if record.method == "PUT"]
    assert edits == [200] * len(edits)


@pytest.mark.parametrize("tags", ["replace", "add"])
def test_a_list_longer_than_a_request_arrives_or_is_cut_to_one(world: SyncWorld, tags: Any) -> None:
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=tags)
    choir = [world.stash.add_performer(f"Member {number:03d} of the harbour choir") for number in range(300)]
    scene_id, item = world.pair(title="Choir", performers=choir)
    assert outcomes(world, scene_id) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key).actors
    if tags == "add":
        assert shown == tuple(performer.name for performer in choir)
    else:
        assert 100 < len(shown) < 300
        assert shown == tuple(performer.name for performer in choir[: len(shown)])
    world.plex.clear_records()
    assert outcomes(world, scene_id) == [Outcome.UNCHANGED]
    assert world.plex.field_writes == []


def test_lists_are_never_compared_with_a_truncated_listing(world: SyncWorld) -> None:
    assert world.plex.behaviour.listing == "strict"
    tags = [world.stash.add_tag(name) for name in ("Boats", "Fog", "Gulls", "Rain", "Sea")]
    cast = [world.stash.add_performer(name) for name in ("Ann", "Bo", "Cy", "Di", "Ed")]
    scene_id, item = world.pair(title="Walk", tags=tags, performers=cast, organized=True)
    world.drain(scene_id, **ON)
    world.plex.clear_records()
    assert outcomes(world, scene_id, **ON) == [Outcome.UNCHANGED]
    assert world.plex.field_writes == []
    world.plex.edit_by_hand(item, actors=["Ann", "Bo", "Cy"], genres=["Boats", "Fog"], labels=[])
    assert outcomes(world, scene_id, **ON) == [Outcome.SYNCED]
    shown = world.plex.item(item.rating_key)
    assert (len(shown.actors), len(shown.genres), len(shown.labels)) == (5, 5, 6)


def test_edits_that_plex_takes_and_ignores_are_found_by_one_reading_for_all(world: SyncWorld) -> None:
    ids = [world.pair(title=f"Walk {number}", code=f"NP-{number}")[0] for number in range(20)]
    world.plex.ignored_fields = ["tagline"]
    found = world.drain(*ids, **ON)
    assert {(attempt.outcome, attempt.error_type) for attempt in found} == {(Outcome.DEAD, "EditIgnored")}
    assert all(attempt.message.endswith("did not stick: tagline.") for attempt in found)
    assert {item.title for item in world.plex.items()} == {f"Walk {number}" for number in range(20)}
