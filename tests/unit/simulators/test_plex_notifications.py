"""What the simulated Plex says at its notification websocket (facts/plex.md 6.2)."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from plex_over_http import World
from plex_over_http import world as running_world
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from scenesync.simulators.plex.behaviour import PlexBehaviour

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def listening(world: World, query: str = "", token: str | None = None) -> Iterator[ClientConnection]:
    address = f"ws://127.0.0.1:{world.plex.port}/:/websockets/notifications{query}"
    with connect(address, additional_headers={"X-Plex-Token": token or world.plex.token}, close_timeout=1) as websocket:
        yield websocket


def next_entry(websocket: ClientConnection, kind: str = "timeline") -> dict[str, Any]:
    """Return the next entry of this kind."""
    array = {"timeline": "TimelineEntry", "status": "StatusNotification"}[kind]
    while True:
        container = json.loads(websocket.recv(timeout=5))["NotificationContainer"]
        if container["type"] == kind:
            return dict(container[array][0])


def settled_entry(websocket: ClientConnection) -> dict[str, Any]:
    while (entry := next_entry(websocket))["state"] not in {"5", 5, "9", 9}:
        pass
    return entry


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


def test_an_item_that_comes_changes_and_goes_is_announced(world: World) -> None:
    with listening(world) as websocket:
        film = world.film("harbour.mp4")
        assert next_entry(websocket)["state"] == "0"
        entry = settled_entry(websocket)
        assert (entry["itemID"], entry["sectionID"], entry["type"], entry["state"]) == (film.rating_key, "1", "1", "5")
        world.plex.edit_by_hand(film, title="Harbour at dusk")
        assert settled_entry(websocket)["title"] == "Harbour at dusk"
        world.plex.remove_item(film.rating_key)
        entry = settled_entry(websocket)
        assert (entry["itemID"], entry["state"], entry["metadataState"]) == (film.rating_key, "9", "deleted")


def test_edits_over_http_and_scans_are_announced_too(world: World) -> None:
    film = world.film("harbour.mp4")
    with listening(world) as websocket:
        world.send("PUT", "/library/sections/1/all", ("type", 1), ("id", film.rating_key), ("title.value", "Quay"))
        assert settled_entry(websocket)["title"] == "Quay"
        world.plex.add_unscanned_file(world.library, file="/data/media/new.mp4")
        world.send("GET", "/library/sections/1/refresh", ("path", "/data/media"))
        assert settled_entry(websocket)["title"] == "new"
        assert next_entry(websocket, "status")["title"].startswith("Scanning")
        assert next_entry(websocket, "status")["title"] == "Library scan complete"


def test_older_servers_spell_numbers_and_removals_otherwise(world: World) -> None:
    world.plex.behaviour = PlexBehaviour(announced_numbers="ints", announced_settled="plain", announced_removal="type")
    with listening(world) as websocket:
        film = world.film()
        entry = settled_entry(websocket)
        assert (entry["itemID"], entry["state"]) == (int(film.rating_key), 5)
        assert "metadataState" not in entry
        world.plex.remove_item(film.rating_key)
        entry = settled_entry(websocket)
        assert (entry["type"], entry["state"]) == (-1, 5)


def test_only_the_types_asked_for_are_sent(world: World) -> None:
    with listening(world, "?filters=timeline") as websocket:
        world.film()
        first = json.loads(websocket.recv(timeout=5))
        assert first["NotificationContainer"]["type"] == "timeline"


def test_a_wrong_token_is_refused_and_the_request_is_noted(world: World) -> None:
    with pytest.raises(InvalidStatus) as refused, listening(world, token="fake-wrong"):
        pass
    assert refused.value.response.status_code == 401
    with listening(world):
        pass
    assert [record.status for record in world.plex.requests if record.kind == "notifications"] == [401, 101]


def test_websockets_can_be_cut_refused_and_silenced(world: World) -> None:
    with listening(world) as websocket:
        world.plex.notifications.cut()
        with pytest.raises(ConnectionClosed):
            websocket.recv(timeout=5)
    world.plex.notifications.refused_with = 404
    with pytest.raises(InvalidStatus) as refused, listening(world):
        pass
    assert refused.value.response.status_code == 404
    world.plex.notifications.refused_with = None
    with listening(world) as websocket:
        world.plex.notifications.fall_silent()
        world.film()
        assert not websocket.ping().wait(0.2)


def test_nothing_is_told_again_after_a_pause(world: World) -> None:
    with listening(world):
        world.film("first.mp4")
    world.film("missed.mp4")
    with listening(world) as websocket:
        world.film("third.mp4")
        assert settled_entry(websocket)["title"] == "third"


def test_anything_can_be_said(world: World) -> None:
    with listening(world) as websocket:
        world.plex.notifications.say("not json")
        assert websocket.recv(timeout=5) == "not json"
