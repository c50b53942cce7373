"""Tokens, keys and cookies stay where they belong: in no output, no log, no file, no list of processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from live_world import LOCKED, PLEX_TOKEN, LiveWorld, eventually

from scenesync.simulators.plex import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

SECRETS = (PLEX_TOKEN, LOCKED.api_key, LOCKED.password)


@pytest.fixture
def locked_world(tmp_path: Path) -> Iterator[LiveWorld]:
    """A Stash that asks for a password, and a Plex that fails in all the ways that are worth a message."""
    with LiveWorld(tmp_path, login=LOCKED, warm=False) as world:
        yield world


def _command_lines() -> str:
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:  # it ended meanwhile
            continue
    return "\n".join(lines)


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_secrets_are_nowhere_but_in_the_settings(locked_world: LiveWorld) -> None:
    world = locked_world
    scenes = [world.add_scene(f"Pier {number:02d}") for number in range(8)]
    daemon = world.daemon(log_level="debug")
    world.plex.fail_next(2, faults.status(500), only="edit")
    world.plex.fail_next(1, faults.status(403), only="edit")
    world.plex.fail_next(2, faults.html_page(), only="read")
    world.stash.bulk_save(scenes, organized=True)
    eventually(lambda: world.queue().completed_total >= 2, "some scenes done")
    assert "scenesync" in _command_lines() or sys.platform != "linux"
    for secret in SECRETS:
        assert secret not in _command_lines()
    world.plex.down()
    world.stash.save(scenes[0], details="During an outage.")
    daemon.wait_for_log("plex is not available")
    world.plex.up()

    outputs = [world.scenesync(*command) for command in (("status",), ("doctor",), ("explain", "1"), ("dlq", "list"))]
    assert daemon.stop() == 0
    outputs += [
        world.scenesync("--log-level", "debug", "drain", plex_token="wrong-" + PLEX_TOKEN),
        world.scenesync("sync", "1", stash_api_key="wrong-" + LOCKED.api_key),
        world.scenesync("drain", plex_url=f"http://user:{PLEX_TOKEN}@127.0.0.1:{world.plex.port}"),
    ]
    assert [each.exit_code for each in outputs[-3:]] == [1, 1, 2]

    places = {"the daemon's log": daemon.log.encode()}
    places |= {f"output {number}": (ran.stdout + ran.stderr).encode() for number, ran in enumerate(outputs)}
    places |= {str(path): content for path, content in _files(world.data_dir)}
    places |= {str(path): content for path, content in _files(world.temporary)}
    places |= {f"Stash's log {number}": line.text.encode() for number, line in enumerate(world.stash.log)}
    assert any("scenesync.db" in place for place in places)
    found = [(place, secret) for place, content in places.items() for secret in SECRETS if secret.encode() in content]
    assert found == []


def test_a_secret_in_a_file_of_its_own_works_and_is_not_repeated(world: LiveWorld) -> None:
    scene = world.add_scene("Harbour at dawn")
    file = world.folder / "plex-token"
    file.write_text(PLEX_TOKEN + "\n")
    ran = world.scenesync("sync", str(scene.id), plex_token=None, plex_token_file=str(file))
    assert ran.exit_code == 0
    assert world.item_of(scene).title == "Harbour at dawn"
    assert PLEX_TOKEN not in ran.stdout + ran.stderr
    assert [str(path) for path, content in _files(world.data_dir) if PLEX_TOKEN.encode() in content] == []
