"""Certificates as the settings name them, towards real servers behind TLS on this machine."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from click.testing import CliRunner
from pydantic import SecretStr

from scenesync.app.cli import cli
from scenesync.app.clients import plex_client, plex_notifications, stash_client
from scenesync.app.settings import Settings, SettingsError
from scenesync.domain.errors import StashUnavailable
from scenesync.plex.exceptions import PlexServerDown
from scenesync.simulators.plex.server import PlexSimulator
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "fake-plex-token"


class Household:
    """Both servers behind https, one authority for both; ``elsewhere`` is an address with a name that neither has."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        self.folder = folder
        self.plex = PlexSimulator(token=TOKEN, tls=tls)
        self.stash = StashSimulator(tls=tls)

    def settings(self, **changes: Any) -> Settings:
        values = {"plex_url": self.plex.url, "plex_token": SecretStr(TOKEN), "stash_url": self.stash.url}
        return Settings(**{**values, "data_dir": self.folder, "connect_timeout": 2.0, **changes})


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    household = Household(tmp_path_factory.mktemp("household"))
    with household.plex, household.stash:
        yield household


def elsewhere(url: str) -> str:
    return url.replace("127.0.0.1", "localhost")


def test_with_the_authority_named_all_three_ways_are_open(household: Household) -> None:
    settings = household.settings(plex_ca_file=household.ca_file, stash_ca_file=household.ca_file)
    with plex_client(settings, "c") as plex, stash_client(settings) as stash:
        assert plex.identity().machine_identifier == household.plex.machine_identifier
        assert stash.version() == "v0.30.1"
    with plex_notifications(settings, "c").open() as stream:
        assert stream.next(0.01) == ()


def test_without_it_none_is_and_the_message_says_which_setting_opens_it(household: Household) -> None:
    settings = household.settings()
    with plex_client(settings, "c") as plex, pytest.raises(PlexServerDown, match="set plex_ca_file"):
        plex.identity()
    with stash_client(settings) as stash, pytest.raises(StashUnavailable, match="set stash_ca_file"):
        stash.version()
    with pytest.raises(PlexServerDown, match="set plex_ca_file"), plex_notifications(settings, "c").open():
        pass


def test_a_wrong_name_is_told_from_an_unknown_authority(household: Household) -> None:
    settings = household.settings(
        plex_url=elsewhere(household.plex.url),
        stash_url=elsewhere(household.stash.url),
        plex_ca_file=household.ca_file,
        stash_ca_file=household.ca_file,
    )
    with plex_client(settings, "c") as plex, pytest.raises(PlexServerDown, match="set plex_url to a name"):
        plex.identity()
    with stash_client(settings) as stash, pytest.raises(StashUnavailable, match="set stash_url to a name"):
        stash.version()


def test_a_check_that_is_switched_off_is_loudly_so(household: Household, caplog: pytest.LogCaptureFixture) -> None:
    settings = household.settings(plex_verify_tls=False, stash_verify_tls=False)
    with plex_client(settings, "c") as plex, stash_client(settings) as stash:
        plex.identity()
        stash.version()
    with plex_notifications(settings, "c").open():
        pass
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [text.partition(" ")[0] for text in warnings] == ["plex_verify_tls", "stash_verify_tls"]


def test_nothing_is_said_about_checks_on_a_way_without_tls(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    settings = Settings(stash_url="http://127.0.0.1:9", stash_verify_tls=False, data_dir=tmp_path)
    stash_client(settings).close()
    assert caplog.records == []


@pytest.mark.parametrize("key", ["plex_ca_file", "stash_ca_file"])
def test_a_file_that_holds_no_certificate_is_a_mistake_in_the_settings(household: Household, key: str) -> None:
    file = household.folder / "notes.pem"
    file.write_text("not a certificate")
    make = stash_client if key.startswith("stash") else lambda settings: plex_client(settings, "c")
    with pytest.raises(SettingsError, match=f"{key} .*notes.pem"):
        make(household.settings(**{key: file}))


def test_doctor_finds_all_in_order_with_the_authority_and_else_names_the_cure(
    household: Household, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    household.plex.add_library("Films", ["/data/films"])

    def findings(**more: str) -> dict[str, str]:
        values = {"stash_url": household.stash.url, "plex_url": household.plex.url, "plex_token": TOKEN, **more}
        for key, value in values.items():
            monkeypatch.setenv(f"SCENESYNC_{key.upper()}", value)
        monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path))
        result = CliRunner().invoke(cli, ["doctor", "--json"], standalone_mode=False)
        return {check["name"]: check["finding"] for check in json.loads(result.stdout)}

    unknown = findings()
    assert "set stash_ca_file" in unknown["stash"]
    assert "set plex_ca_file" in unknown["plex"]
    known = findings(plex_ca_file=str(household.ca_file), stash_ca_file=str(household.ca_file))
    assert known["plex token"] == "accepted"
    assert known["plex notifications"] == "the websocket opens"
    assert known["stash"].startswith("version v0.30.1")
