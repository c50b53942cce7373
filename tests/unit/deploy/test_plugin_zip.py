"""The archive and the index are what Stash's package manager takes (facts/stash.md 5)."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from deploy import plugin_zip
from scenesync.simulators.stash.manifest import ManifestError, read_manifest

ROOT = Path(__file__).parents[3]
MADE_AT = datetime(2026, 5, 4, 3, 2, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plugin_zip.build(tmp_path_factory.mktemp("dist"), made_at=MADE_AT)


def test_the_archive_holds_the_plugin_and_nothing_that_stash_would_take_for_another(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
    assert {name for name in names if "/" not in name} == set(plugin_zip.OWN_FILES)
    assert {name.split("/")[0] for name in names if "/" in name} == {"scenesync"}
    assert [name for name in names if name.endswith(".yml")] == ["scenesync.yml"]
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in names)
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "scenesync"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert sorted(name for name in names if "/" in name) == sorted(tracked)


def test_unpacked_as_stash_does_it_every_file_is_readable(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            mode = entry.external_attr >> 16
            assert stat.S_IMODE(mode) == 0o644, entry.filename
            assert stat.S_ISREG(mode)
            assert entry.date_time == (2026, 5, 4, 3, 2, 2)
        file.extractall(tmp_path)
    assert read_manifest(tmp_path / "scenesync.yml").id == "scenesync"


def test_the_same_files_and_time_make_the_same_bytes_from_any_folder(archive: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    for name in plugin_zip.OWN_FILES:
        copy.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "scenesync", copy / "scenesync")
    for path in copy.rglob("*"):
        os.utime(path, (0, 0))  # when and by whom the files were made is nobody's business
        if path.is_file():
            path.chmod(0o600)
    again = plugin_zip.build(tmp_path / "dist", made_at=MADE_AT, root=copy)
    assert again.read_bytes() == archive.read_bytes()
    index = plugin_zip.INDEX_FILE
    assert again.with_name(index).read_bytes() == archive.with_name(index).read_bytes()


def test_the_index_says_what_stash_wants_to_know(archive: Path) -> None:
    manifest = read_manifest(ROOT / "scenesync.yml")
    [entry] = yaml.safe_load(archive.with_name("index.yml").read_text(encoding="utf-8"))
    assert entry == {
        "id": "scenesync",
        "name": manifest.name,
        "version": manifest.version,
        "date": "2026-05-04 03:02:02",  # text in Go's form 2006-01-02 15:04:05
        "path": "scenesync.zip",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "requires": [],
        "metadata": {"description": manifest.description},
    }


def test_what_stash_would_refuse_is_not_built(tmp_path: Path) -> None:
    for name in plugin_zip.OWN_FILES:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "scenesync").mkdir()
    (tmp_path / "scenesync" / "stray.yml").write_text("name: Stray\n")
    with pytest.raises(ValueError, match=r"stray\.yml"):
        plugin_zip.build(tmp_path / "dist", made_at=MADE_AT, root=tmp_path)
    (tmp_path / "scenesync" / "stray.yml").unlink()
    with (tmp_path / "scenesync.yml").open("a") as file:
        file.write("colour: blue\n")
    with pytest.raises(ManifestError, match="colour"):
        plugin_zip.build(tmp_path / "dist", made_at=MADE_AT, root=tmp_path)


def test_the_command_builds_both_files_and_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.plugin_zip", "--epoch", str(int(MADE_AT.timestamp())), "--into", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "sha256" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.yml", "scenesync.zip"]
