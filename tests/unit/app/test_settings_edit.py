from __future__ import annotations

import os
import stat
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from scenesync.app.configuration import editing as settings_edit
from scenesync.app.configuration.editing import SettingsFileRefused, write_path_map, write_settings

if TYPE_CHECKING:
    from pathlib import Path

RULES = ("/data => /media", "C:\\Films => D:\\Media")

COMMENTED = """\
# The house by the harbour.
plex_url = "http://192.0.2.7:32400"   # the box in the cellar
plex_token = "fake-token"

path_map = ["/old => /older"]  # wrong since the new disk
workers = 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "scenesync.toml"


def written(file: Path, before: str) -> str:
    file.write_bytes(before.encode())
    assert write_path_map(file, RULES) == file
    after = file.read_bytes().decode()
    assert tomllib.loads(after.removeprefix("\ufeff")) == {
        **tomllib.loads(before.removeprefix("\ufeff")),
        "path_map": list(RULES),
    }
    return after


def test_all_other_lines_and_comments_stay_as_they_are(file: Path) -> None:
    after = written(file, COMMENTED)
    for line in COMMENTED.splitlines():
        assert line in after.splitlines() or line.startswith("path_map")
    assert "# wrong since the new disk" in after
    assert "'C:\\Films => D:\\Media'" in after
    assert after.index("plex_token") < after.index("path_map") < after.index("workers")


@pytest.mark.parametrize(
    "before",
    [
        "",
        "workers = 2",
        "workers = 2\n",
        "# nothing but words\n",
        'path_map = [\n  "/a => /b", # one\n]\nworkers = 2\n',
        'workers = 2\r\n# Windows\r\nplex_libraries = ["A"]\r\n',
        "\ufeffworkers = 2\n",
        'only_tags = ["""\nodd"""]\nworkers = 2\n',
    ],
)
def test_whatever_stands_in_the_file_keeps_its_meaning(file: Path, before: str) -> None:
    after = written(file, before)
    assert after.startswith(before[:4])
    if "\r\n" in before:
        assert "\n" not in after.replace("\r\n", "")


def test_writing_twice_changes_nothing_the_second_time(file: Path) -> None:
    first = written(file, COMMENTED)
    write_path_map(file, RULES)
    assert file.read_text(encoding="utf-8") == first


def test_a_missing_file_is_made_for_its_owner_alone(file: Path) -> None:
    write_path_map(file, RULES)
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {"path_map": list(RULES)}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_stays(file: Path, mode: int) -> None:
    file.write_text("workers = 2\n", encoding="utf-8")
    file.chmod(mode)
    write_path_map(file, RULES)
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_stays_a_link_and_its_target_is_written(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real.toml"
    target.parent.mkdir()
    target.write_text("workers = 2\n", encoding="utf-8")
    file.symlink_to(target)
    assert write_path_map(file, RULES) == target
    assert file.is_symlink()
    assert tomllib.loads(target.read_text(encoding="utf-8"))["workers"] == 2


@pytest.mark.parametrize("before", [b"workers = = 2\n", b"workers = 2\xff\n", b"workers = 2\nworkers = 3\n"])
def test_a_file_that_cannot_be_read_is_refused_and_left_alone(file: Path, before: bytes) -> None:
    file.write_bytes(before)
    with pytest.raises(SettingsFileRefused, match="cannot be read"):
        write_path_map(file, RULES)
    assert file.read_bytes() == before


def test_a_write_protected_file_is_refused_with_the_way_out(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("workers = 2\n", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SettingsFileRefused, match=r"write-protected\. Set path_map by hand"):
        write_path_map(file, RULES)
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsFileRefused, match="cannot be written"):
        write_path_map(tmp_path / "nowhere" / "scenesync.toml", RULES)


def test_somebody_elses_change_at_the_same_moment_is_not_overwritten(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("workers = 2\n", encoding="utf-8")
    require_unchanged = settings_edit._require_unchanged

    def slow(target: Path, before: bytes) -> None:
        target.write_text("workers = 9\n", encoding="utf-8")
        require_unchanged(target, before)

    monkeypatch.setattr(settings_edit, "_require_unchanged", slow)
    with pytest.raises(SettingsFileRefused, match="changed by somebody else"):
        write_path_map(file, RULES)
    assert file.read_text(encoding="utf-8") == "workers = 9\n"
    assert list(file.parent.iterdir()) == [file]


def test_a_crash_before_the_last_step_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("workers = 2\n", encoding="utf-8")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsFileRefused, match="No space left"):
        write_path_map(file, RULES)
    assert file.read_text(encoding="utf-8") == "workers = 2\n"
    assert list(file.parent.iterdir()) == [file]


def test_several_keys_are_set_at_once_and_a_token_shuts_the_file(file: Path) -> None:
    file.write_bytes(COMMENTED.replace("\n", "\r\n").encode())
    file.chmod(0o640)

    write_settings(file, {"plex_token": "fake-new-token", "plex_libraries": ["Films", "Concerts"], "path_map": RULES})

    after = file.read_bytes().decode()
    assert "\n" not in after.replace("\r\n", "")
    assert tomllib.loads(after) == {
        "plex_url": "http://192.0.2.7:32400",
        "plex_token": "fake-new-token",
        "plex_libraries": ["Films", "Concerts"],
        "path_map": list(RULES),
        "workers": 2,
    }
    assert "# the box in the cellar" in after
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_no_secret_leaves_the_mode_as_it_is(file: Path) -> None:
    file.write_text("workers = 2\n", encoding="utf-8")
    file.chmod(0o640)
    write_settings(file, {"plex_url": "http://192.0.2.7:32400"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_secret_goes_into_the_file_that_is_named_for_it(file: Path) -> None:
    file.write_text('plex_token_file = "secrets/plex"\n', encoding="utf-8")
    (file.parent / "secrets").mkdir()

    write_settings(file, {"plex_token": "fake-new-token", "stash_api_key": "fake-key"})

    assert (file.parent / "secrets" / "plex").read_text(encoding="utf-8") == "fake-new-token\n"
    assert stat.S_IMODE((file.parent / "secrets" / "plex").stat().st_mode) == 0o600
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {
        "plex_token_file": "secrets/plex",
        "stash_api_key": "fake-key",
    }


def test_nothing_is_written_where_the_secret_s_own_file_cannot_be(file: Path) -> None:
    before = 'plex_token_file = "nowhere/plex"\n'
    file.write_text(before, encoding="utf-8")
    with pytest.raises(SettingsFileRefused, match=r"plex cannot be written"):
        write_settings(file, {"plex_token": "fake-new-token", "plex_url": "http://192.0.2.7:32400"})
    assert file.read_text(encoding="utf-8") == before
