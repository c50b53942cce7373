"""Reconciliation finds what Plex does not show as it should, whatever the cause, and lets it be seen to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import TOKEN, SyncWorld

from scenesync.app.cli import run_cli

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.integration

Command = Any


@pytest.fixture
def command(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Run a command with --json and return its document; ``status`` is the exit status that it must have."""
    values = {"DATA_DIR": str(world.data_dir), "STASH_URL": world.stash.url, "PLEX_URL": world.plex.url}
    for key, value in {**values, "PLEX_TOKEN": TOKEN, "PATH_MAP": "/data/stash => /mnt/media"}.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)

    def run(*arguments: str, status: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert run_cli([*arguments, "--json"]) == status
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    return run


def counts(document: dict[str, Any]) -> dict[str, int]:
    return {kind: told["count"] for kind, told in document["gaps"].items() if told["count"]}


def test_each_kind_of_gap_is_found_told_and_mended(world: SyncWorld, command: Command) -> None:
    right, _ = world.pair("right", title="Harbour", details="A pier.", tags=[world.stash.add_tag("Sea")])
    stale, stale_item = world.pair("stale", title="Dusk", details="Long ago.")
    drifted, drifted_item = world.pair("drifted", title="Night", details="Stars.")
    world.drain(right, stale, drifted)
    _, empty_item = world.pair("empty", title="Morning", details="Fog.")
    missing, _, _ = world.scene("missing", title="Noon")
    world.stash.save(stale, details="Just now.")
    world.plex.edit_by_hand(drifted_item, summary="Somebody else's words")
    world.plex.clear_records()

    found = command("reconcile", "--scope", "all", "--dry-run", status=3)
    assert counts(found) == {"missing": 1, "drifted": 1, "empty": 1, "stale": 1}
    assert found["gaps"]["drifted"]["examples"][0] == {
        "kind": "drifted",
        "scene_id": drifted,
        "title": "Night",
        "path": "/data/stash/Films/drifted.mp4",
        "rating_keys": [drifted_item.rating_key],
        "fields": ["summary"],
    }
    assert (found["scenes"], found["right"], found["enqueued"]) == (5, 1, 0)
    assert world.plex.field_writes == []

    done = command("reconcile", "--scope", "all", status=3)
    assert counts(done) == counts(found)
    assert done["work"]["waiting_by_error"] == {"PlexNotFound": 1}
    assert (stale_item.summary, drifted_item.summary, empty_item.summary) == ("Just now.", "Stars.", "Fog.")

    again = command("reconcile", "--scope", "all", "--dry-run", status=3)
    assert counts(again) == {"missing": 1}
    assert again["gaps"]["missing"]["examples"][0]["scene_id"] == missing
