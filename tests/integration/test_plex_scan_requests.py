"""``trigger_plex_scan``: Plex is asked to scan the folder of a file that it does not have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from sync_world import SyncWorld, eventually

from scenesync.app.running.plex_side import scan_requests
from scenesync.domain import scans
from scenesync.plex.exceptions import PlexServerDown
from scenesync.simulators.plex.behaviour import PlexBehaviour

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scenesync.app.installation import Installation
    from scenesync.worker.finding.scan_requests import ScanRequests

pytestmark = pytest.mark.integration


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    with SyncWorld(tmp_path / "data") as world:
        yield world


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "QUIET_S", 0.0)
    monkeypatch.setattr(scans, "APART_S", 0.0)


def asking(installation: Installation, world: SyncWorld) -> ScanRequests:
    requests = scan_requests(installation)
    assert requests is not None
    for attempt in world.attempts:
        requests.note(attempt)
    return requests


def scanned(world: SyncWorld) -> list[dict[str, str]]:
    return [dict(record.query) for record in world.plex.requests if record.kind == "scan"]


@pytest.mark.parametrize("accepts_post", [False, True])
def test_the_folder_of_a_missing_file_is_scanned_as_plex_calls_it(world: SyncWorld, *, accepts_post: bool) -> None:
    world.plex.behaviour = PlexBehaviour(scan_accepts_post=accepts_post)
    scene_id, path, _ = world.scene("2026/harbour at dawn")
    world.plex.add_unscanned_file(world.library, file=f"/mnt/media/{path}")
    world.drain(scene_id)
    with world.installed(trigger_plex_scan=True) as installation:
        asking(installation, world).ask()
        assert scanned(world) == [{"path": "/mnt/media/Films/2026"}]
        eventually(lambda: len(world.plex.items()) == 1)


def test_it_is_off_unless_it_is_switched_on(world: SyncWorld) -> None:
    with world.installed() as installation:
        assert scan_requests(installation) is None


def test_files_that_are_there_are_no_reason_to_scan(world: SyncWorld) -> None:
    scene_id, _ = world.pair(title="Harbour")
    world.drain(scene_id)
    with world.installed(trigger_plex_scan=True) as installation:
        asking(installation, world).ask()
    assert scanned(world) == []


def test_a_bulk_import_is_few_scans(world: SyncWorld) -> None:
    scene_ids = [world.scene(f"import/{number}/film")[0] for number in range(40)]
    world.drain(*scene_ids)
    with world.installed(trigger_plex_scan=True) as installation:
        requests = asking(installation, world)
        for _ in range(10):
            requests.ask()
    assert scanned(world) == [{"path": "/mnt/media/Films/import"}]


def test_while_plex_is_away_the_wish_stays(world: SyncWorld) -> None:
    scene_id, *_ = world.scene("new/harbour")
    world.drain(scene_id)
    with world.installed(trigger_plex_scan=True) as installation:
        requests = asking(installation, world)
        world.plex.starting_up()
        for _ in range(2):
            with pytest.raises(PlexServerDown):
                requests.ask()
        world.plex.heal()
        world.plex.clear_records()
        requests.ask()
        assert scanned(world) == [{"path": "/mnt/media/Films/new"}]


def test_a_token_that_may_not_scan_is_told_and_ends_nothing(
    world: SyncWorld, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene_id, *_ = world.scene("new/harbour")
    world.drain(scene_id)
    with world.installed(trigger_plex_scan=True) as installation:
        requests = asking(installation, world)
        monkeypatch.setattr(world.plex._traffic, "read_only_token", world.plex.token)
        monkeypatch.setattr(world.plex._traffic, "token", f"fake-{time.time_ns()}")
        requests.ask()
    assert "trigger_plex_scan" in caplog.text
