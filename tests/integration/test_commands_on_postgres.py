"""The way of a change, and a person's commands about it, with queue and state on PostgreSQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from command_line import run_command
from private_postgres import postgres_or_skip
from sync_world import TOKEN, SyncWorld

from scenesync.app.exit_codes import DONE, FAILED, LEFTOVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.no_cover]


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_or_skip() as server:
        yield server.new_database("films")


@pytest.fixture
def command(
    world: SyncWorld, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    values = {
        "DATA_DIR": str(world.data_dir),
        "STASH_URL": world.stash.url,
        "PLEX_URL": world.plex.url,
        "PLEX_TOKEN": TOKEN,
        "PATH_MAP": "/data/stash => /mnt/media",
        "DATABASE_URL": url,
    }
    for key, value in values.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)

    def run(*arguments: str) -> tuple[int, Any]:
        ran = run_command(capsys, *arguments, "--json")
        document = json.loads(ran.stdout)
        return ran.exit_code, document["error"] if isinstance(document, dict) and "error" in document else document

    return run


def test_what_a_person_asks_for_is_done_shown_and_undone(
    world: SyncWorld, command: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    first, item = world.pair(title="Harbour at dawn")
    second, other = world.pair(title="Evening on the quay")
    lost, path, size = world.scene(title="Not scanned yet")
    before = item.title

    status, report = command("sync", "--all")
    assert (status, report["synced"]) == (LEFTOVERS, 2)
    assert (item.title, other.title) == ("Harbour at dawn", "Evening on the quay")
    assert report["waiting_by_error"] == {"PlexNotFound": 1}
    assert command("sync", str(first))[1]["unchanged"] == 1

    assert command("explain", str(first))[0] == DONE
    assert command("coverage")[1]["scenes"] == 3
    assert [edit["after"] for edit in command("journal")[1] if edit["field"] == "title"] != []
    world.stash.save(first, title="Harbour at dusk")
    assert command("plan", str(first))[0] == DONE
    status, found = command("reconcile", "--scope", "all", "--dry-run")
    assert (status, found["gaps"] != {}) == (LEFTOVERS, True)

    late = world.item(path, size)
    assert command("pin", str(lost), late.rating_key)[0] == DONE
    assert command("sync", str(lost))[1]["synced"] == 1
    assert late.title == "Not scanned yet"
    assert command("undo", str(first))[0] == DONE
    assert item.title == before
    assert [hold["scene_id"] for hold in command("holds", "list")[1]] == [first]
    assert command("status")[1]["held"] == 1
    assert second != first

    status, made = command("backup", "--to", str(tmp_path))
    assert (status, made["store_version"]) == (DONE, None)
    status, said = command("restore", made["file"], "--yes")
    assert (status, "pg_restore" in said) == (FAILED, True)
    assert not (world.data_dir / "scenesync.db").exists(), "nothing of the state is kept in the folder"
