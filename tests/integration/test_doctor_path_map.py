"""The path_map that doctor finds, prints and writes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from command_line import Ran, run_command
from sync_world import PLEX_ROOT, STASH_ROOT, TOKEN

from scenesync.app.doctor.path_check import sample

if TYPE_CHECKING:
    from sync_world import SyncWorld

pytestmark = pytest.mark.integration


Doctor = Callable[..., Ran]


@pytest.fixture
def run(world: SyncWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Return the command, in a terminal wide enough and with a settings file of its own."""
    world.data_dir.mkdir()
    (world.data_dir / "scenesync.toml").write_text("# ours\nworkers = 2  # enough\n", encoding="utf-8")
    for key, value in {
        "DATA_DIR": str(world.data_dir),
        "STASH_URL": world.stash.url,
        "PLEX_URL": world.plex.url,
        "PLEX_TOKEN": TOKEN,
    }.items():
        monkeypatch.setenv(f"SCENESYNC_{key}", value)

    def doctor(*arguments: str) -> Ran:
        return run_command(capsys, "doctor", *arguments)

    return doctor


def configured(world: SyncWorld) -> dict[str, object]:
    return tomllib.loads((world.data_dir / "scenesync.toml").read_text(encoding="utf-8"))


class TestDoctor:
    def test_it_prints_the_missing_map_ready_to_paste_and_changes_nothing(self, world: SyncWorld, run: Doctor) -> None:
        for number in range(12):
            world.pair(f"film number {number}")
        ran = run()
        assert ran.exit_code == 0
        block = ran.stdout[ran.stdout.index("path_map = [") :].partition("]")[0] + "]"
        assert tomllib.loads(block) == {"path_map": [f"{STASH_ROOT} => {PLEX_ROOT}"]}
        assert "# 12 of the files looked at" in block
        assert configured(world) == {"workers": 2}

    def test_write_puts_it_into_the_file_and_then_all_paths_are_exact(self, world: SyncWorld, run: Doctor) -> None:
        for number in range(12):
            world.pair(f"film number {number}")
        ran = run("--write")
        assert ran.exit_code == 0
        file = world.data_dir / "scenesync.toml"
        assert f"written to {file}: {STASH_ROOT} => {PLEX_ROOT}" in ran.stdout
        assert configured(world) == {"workers": 2, "path_map": [f"{STASH_ROOT} => {PLEX_ROOT}"]}
        assert file.read_text(encoding="utf-8").startswith("# ours\nworkers = 2  # enough\n")
        again = run("--write")
        assert again.exit_code == 0
        assert "12 by path" in again.stdout
        assert "there is nothing to write" in again.stdout

    def test_what_wins_over_the_file_is_not_written_below_it(
        self, world: SyncWorld, run: Doctor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.pair()
        monkeypatch.setenv("SCENESYNC_PATH_MAP", "/wrong => /elsewhere")
        ran = run("--write", "--json")
        assert ran.exit_code == 1
        [written] = [check for check in json.loads(ran.stdout) if check["name"] == "path_map"]
        assert written["verdict"] == "failed"
        assert "environment SCENESYNC_PATH_MAP" in written["finding"]
        assert configured(world) == {"workers": 2}

    def test_several_roots_give_several_rules_and_those_not_met_stay(self, world: SyncWorld, run: Doctor) -> None:
        file = world.data_dir / "scenesync.toml"
        file.write_text('path_map = ["/archive => /mnt/archive", "/data/one => /wrong"]\n', encoding="utf-8")
        for number in range(6):
            for ours, theirs in (("/data/one", "/mnt/fast"), ("/data/two", "/mnt/slow/two"), ("/data/three", "/mnt/x")):
                path = f"folder {number}/film {ours[6:]} {number}.mp4"
                world.stash.add_scene(path=f"{ours}/{path}", size_bytes=1000 + number)
                world.plex.add_item(world.library, file=f"{theirs}/{path}", size_bytes=1000 + number)
        assert run("--write").exit_code == 0
        written = configured(world)["path_map"]
        assert isinstance(written, list)
        assert sorted(written) == [
            "/archive => /mnt/archive",
            "/data/one => /mnt/fast",
            "/data/three => /mnt/x",
            "/data/two => /mnt/slow/two",
        ]

    def test_pairs_that_only_share_a_name_teach_nothing(self, world: SyncWorld, run: Doctor) -> None:
        for number in range(5):
            world.stash.add_scene(path=f"/data/film {number}.mp4", size_bytes=1, duration_s=60.0)
            world.plex.add_item(world.library, file=f"/mnt/film {number}.mp4", size_bytes=2, duration_ms=60_000)
        ran = run("--write")
        assert "5 not in Plex" in ran.stdout
        assert "there is nothing to write" in ran.stdout
        assert configured(world) == {"workers": 2}

    def test_the_second_file_of_a_scene_is_paired_with_its_own_counterpart(self, world: SyncWorld, run: Doctor) -> None:
        for number in range(4):
            scene = world.stash.add_scene(path=f"/data/a/film {number}.mp4", size_bytes=10 + number)
            world.stash.add_copy_in_scan(int(scene.id), f"/data/b/copy {number}.mp4")
            world.plex.add_item(world.library, file=f"/mnt/a/film {number}.mp4", size_bytes=10 + number)
        run("--write")
        assert configured(world)["path_map"] == ["/data => /mnt"]


def test_the_sample_reaches_the_latest_scenes_too(world: SyncWorld) -> None:
    for number in range(1200):
        world.stash.add_scene(path=f"/data/{'old' if number < 1100 else 'new'}/film {number}.mp4")
    with world.installed() as installation:
        found = sample(installation.stash)
    assert 400 <= len(found) <= 500
    assert len({scene.id for scene in found}) == len(found)
    assert any(scene.files[0].path.startswith("/data/new") for scene in found)
