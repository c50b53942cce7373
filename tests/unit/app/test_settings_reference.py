from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scenesync.app.configuration.model import KEYS, SECRET_FILE_KEYS
from scenesync.app.configuration.reference import EXAMPLE, reference
from scenesync.app.settings import load_settings
from scenesync.domain.paths import PathRule

REFERENCE = Path(__file__).parents[3] / "docs" / "SETTINGS.md"


def test_the_reference_in_docs_is_what_the_generator_writes() -> None:
    written = REFERENCE.read_text(encoding="utf-8")
    assert written == reference(), "run: python -m scenesync.app.configuration.reference > docs/SETTINGS.md"


def test_every_key_and_its_variable_has_a_row() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(KEYS)
    assert [row.split("`")[3] for row in rows] == [f"SCENESYNC_{key.upper()}" for key in KEYS]
    assert all(row.count(" | ") == 4 for row in rows)


def test_the_generator_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scenesync.app.configuration.reference"], capture_output=True, check=True, timeout=60
    )
    assert done.stdout.decode().splitlines() == reference().splitlines()
    assert done.stderr == b""


def test_the_example_can_be_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCENESYNC_CONFIG", raising=False)
    for name in tomllib.loads(EXAMPLE):
        monkeypatch.delenv(f"SCENESYNC_{name.upper()}", raising=False)
    for key in SECRET_FILE_KEYS & set(tomllib.loads(EXAMPLE)):
        (tmp_path / tomllib.loads(EXAMPLE)[key]).write_text("invented", encoding="utf-8")
    (tmp_path / "scenesync.toml").write_text(EXAMPLE, encoding="utf-8")
    settings = load_settings(overrides={"data_dir": tmp_path}).settings
    assert settings.path_map == (
        PathRule("/data/films", "D:\\Films"),
        PathRule("/data/concerts", "D:\\Concerts"),
    )
    assert settings.plex_token is not None
    assert settings.plex_libraries == ("Films", "Concerts")


@pytest.mark.parametrize("text", ["none: required", "`http://localhost:9999`", "separated by `;`", "SCENESYNC_CONFIG"])
def test_the_reference_says_what_people_look_for(text: str) -> None:
    assert text in reference()
