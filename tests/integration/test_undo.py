"""``undo`` puts back exactly what Plex showed, never over a person's newer edit; an undone scene is left alone."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import TOKEN, SyncWorld

from scenesync.app.cli import run_cli
from scenesync.simulators.sample_world import build_world, png

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenesync.simulators.plex.model import PlexItem

pytestmark = pytest.mark.integration

SERVERS_OWN = {"lastRatedAt"}
"""When the server was told, which it keeps count of itself; ``updatedAt`` and the pictures' times are no scalars."""


@pytest.fixture
def environment(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> SyncWorld:
    values = {
        "DATA_DIR": str(world.data_dir),
        "STASH_URL": world.stash.url,
        "PLEX_URL": world.plex.url,
        "PLEX_TOKEN": TOKEN,
        "PATH_MAP": "/data/stash => /mnt/media",
        "SYNC_COLLECTION": "true",
        "SYNC_LABELS": "true",
        "SYNC_RATING": "true",
        "SYNC_TAGLINE": "true",
        "LOG_LEVEL": "error",
    }
    for key, value in values.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)
    return world


def state_of(item: PlexItem) -> dict[str, Any]:
    """Return all that the server holds of an item but its own counters."""
    return {
        "scalars": {stem: value for stem, value in item.scalars.items() if stem not in SERVERS_OWN},
        "tags": {kind: [(use.tag.name, use.role) for use in uses] for kind, uses in item.tags.items() if uses},
        "locked": sorted(item.locked),
        "poster": item.poster.key if item.poster else None,
        "art": item.art.key if item.art else None,
        "files": item.files,
    }


def snapshot(world: SyncWorld, items: Iterable[PlexItem] | None = None) -> dict[str, dict[str, Any]]:
    return {item.rating_key: state_of(item) for item in (world.plex.items() if items is None else items)}


def ran(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert run_cli([*arguments, "--json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def touched_by_people(world: SyncWorld, rng: random.Random, items: list[PlexItem]) -> None:
    """Let persons have been at work in half of the library before SceneSync came, with and without locks."""
    names = ["Sea", "Travel", "A, B", "Rock & Roll", "100 %", "Night", "Coast"]
    for item in rng.sample(items, len(items) // 2):
        fields: dict[str, Any] = {}
        if rng.random() < 0.5:
            fields |= {"title": f"Seen on {item.rating_key}", "summary": "Their own words.\n\nTwo paragraphs."}
        if rng.random() < 0.6:
            fields["genres"] = rng.sample(names, 3)
        if rng.random() < 0.6:
            fields["actors"] = rng.sample(["Ann Example", "B. Example", "C. Example", "D. Example"], 3)
        if rng.random() < 0.4:
            fields |= {"labels": ["Theirs"], "collections": ["Evenings"]}
        if rng.random() < 0.4:
            fields |= {"originally_available_at": "1999-12-31", "user_rating": 7.5, "studio": "A Studio"}
        world.plex.edit_by_hand(item, locked=rng.random() < 0.5, **fields)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dialect", ["replace", "add"])
def test_over_500_scenes_everything_is_as_it_was_and_an_undo_of_the_undo_as_synced(
    environment: SyncWorld, capsys: pytest.CaptureFixture[str], dialect: Any
) -> None:
    world = environment
    world.plex.behaviour = replace(world.plex.behaviour, tags_on_items=dialect)
    rng = random.Random(5)  # noqa: S311 - not a secret
    build_world(world.stash, world.plex, 500, seed=5, with_covers=False)
    ids = sorted(world.stash.library.scenes)
    for scene_id in rng.sample(ids, 40):
        world.stash.save(scene_id, cover=png(scene_id))
    touched_by_people(world, rng, world.plex.items())
    before = snapshot(world)
    assert run_cli(["sync", "--all", "--json"]) == 0
    synced = snapshot(world)
    assert sum(before[key] != synced[key] for key in before) > 400
    # A second round on top, so that fields have a history.
    for scene_id in rng.sample(ids, 60):
        world.stash.save(scene_id, title=f"Harbour {scene_id}", details="", tag_ids=[])
    assert run_cli(["sync", "--all", "--json"]) == 0
    synced = snapshot(world)

    world.plex.clear_records()
    planned = ran(capsys, "undo", "--since", "1d", "--dry-run")
    assert world.plex.field_writes == []
    undone = ran(capsys, "undo", "--since", "1d")
    assert {**planned, "run": undone["run"], "dry_run": False} == undone
    assert snapshot(world) == before
    assert undone["totals"]["refused_fields"] == 0
    assert undone["totals"]["held"] == undone["totals"]["put_back"] > 400
    writes = [request for request in world.plex.requests if request.kind == "edit"]
    if dialect == "replace":
        assert len(writes) <= undone["totals"]["put_back"]

    world.plex.clear_records()
    again = ran(capsys, "undo", "--since", "1d")
    assert again["totals"] | {"put_back": 0, "fields": 0} == again["totals"]
    assert ran(capsys, "sync", "--all")["skipped"] >= undone["totals"]["held"]
    assert world.plex.field_writes == []

    back = ran(capsys, "undo", "--run", undone["run"])
    assert snapshot(world) == synced
    assert back["totals"]["held"] == 0
    world.plex.clear_records()
    assert ran(capsys, "sync", "--all")["synced"] == 0
    assert world.plex.field_writes == []
