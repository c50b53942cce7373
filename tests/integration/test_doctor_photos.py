"""Why performers can have no photos, said by doctor before anybody wonders."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from command_line import run_command
from sync_world import TOKEN

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = pytest.mark.integration

KEY = "fake-api-key"
Doctor = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def photo_checks(world: SyncWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Return what doctor says about photos under some settings: verdict and finding."""

    def run(**settings: str) -> list[tuple[str, str]]:
        values = {
            "data_dir": str(world.data_dir),
            "stash_url": world.stash.url,
            "plex_url": world.plex.url,
            "plex_token": TOKEN,
            **settings,
        }
        for key, value in values.items():
            monkeypatch.setenv(f"SCENESYNC_{key.upper()}", value)
        checks: list[dict[str, Any]] = json.loads(run_command(capsys, "doctor", "--json").stdout)
        return [(check["verdict"], check["finding"]) for check in checks if check["name"] == "performer photos"]

    return run


def test_who_wants_no_photos_is_told_nothing(photo_checks: Doctor) -> None:
    assert photo_checks() == []


def test_an_open_stash_gives_them(world: SyncWorld, photo_checks: Doctor) -> None:
    ((verdict, finding),) = photo_checks(sync_performer_photos="true")
    assert verdict == "ok"
    assert world.stash.url in finding
    assert [request.path for request in world.stash.requests].count("/performer/0/image") == 1


def test_one_with_a_password_does_not_although_a_key_is_known(world: SyncWorld, photo_checks: Doctor) -> None:
    world.stash.require_login("someone", "fake-password", KEY)
    ((verdict, finding),) = photo_checks(sync_performer_photos="true", stash_api_key=KEY)
    assert verdict == "warning"
    assert "only to who has a key" in finding
    assert KEY not in finding


def test_an_address_that_cannot_be_reached_from_here_is_said_to_be_unknown(photo_checks: Doctor) -> None:
    ((verdict, finding),) = photo_checks(sync_performer_photos="true", stash_url_for_plex="http://127.0.0.1:9")
    assert verdict == "warning"
    assert finding.startswith("it is not known whether Plex can reach Stash there")


def test_localhost_is_another_machine_for_a_plex_elsewhere(photo_checks: Doctor) -> None:
    ((verdict, finding),) = photo_checks(
        sync_performer_photos="true", plex_url="http://192.0.2.7:32400", connect_timeout="0.1"
    )
    assert verdict == "warning"
    assert "set stash_url_for_plex" in finding


def test_photos_need_actors(photo_checks: Doctor) -> None:
    ((verdict, finding),) = photo_checks(sync_performer_photos="true", sync_performers="false")
    assert (verdict, finding) == ("warning", "photos are those of actors, and sync_performers is off")
