"""Wrong addresses, tokens and names, and servers that are not there: what is said, and that no job is lost by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from live_world import LOCKED, PATIENCE_S, PLEX_TOKEN, LiveWorld, eventually

from scenesync.app.wording.times import moment
from scenesync.simulators.http_server import HttpServer, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scenesync.simulators.stash.records import Scene

pytestmark = pytest.mark.e2e

STALE_TOKEN = "stale-plex-token-9876"


@pytest.fixture
def scene(world: LiveWorld) -> Scene:
    """A scene that was saved a moment ago, so that a job waits for it."""
    scene = world.add_scene("Harbour at dawn")
    world.stash.save(scene, title="Harbour at dusk")
    assert world.jobs() == 1
    return scene


@pytest.fixture
def web_page() -> Iterator[str]:
    """The address of something that answers every request with a page for people."""

    async def answer(_request: Request) -> Response:
        return Response(200, b"<!DOCTYPE html><html><body>My printer</body></html>", (("Content-Type", "text/html"),))

    with HttpServer(answer) as server:
        yield server.url


def noted_pause(world: LiveWorld) -> Mapping[str, Any]:
    """Return what ``status`` says of the pause, once it has been noted."""
    eventually(lambda: world.scenesync("status", "--json").document()["paused"], "the pause in the status")
    paused: Mapping[str, Any] = world.scenesync("status", "--json").document()["paused"]
    return paused


def assert_title_arrives(world: LiveWorld, scene: Scene) -> None:
    done = world.scenesync("drain")
    assert done.exit_code == 0, done.stderr
    assert world.item_of(scene).title == "Harbour at dusk"


def test_plex_that_is_down_ends_a_drain_with_its_reason_and_keeps_the_job(world: LiveWorld, scene: Scene) -> None:
    world.plex.down()
    done = world.scenesync("drain", "--wait", "1")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == (
        "scenesync: Plex was not reachable for 1 s; all jobs are kept. "
        "GET /identity: Plex cannot be reached (Connection refused); check plex_url if this stays"
    )
    assert done.stdout == ""
    assert world.jobs() == 1
    status = world.scenesync("status", "--json").document()
    assert (status["plex"], status["pending"]) == ("down", 1)
    world.plex.up()
    assert_title_arrives(world, scene)


@pytest.mark.usefixtures("scene")
def test_plex_that_is_starting_up_counts_as_down(world: LiveWorld) -> None:
    world.plex.starting_up()
    done = world.scenesync("drain", "--wait", "1")
    assert done.exit_code == 1
    assert "Plex was not reachable for 1 s; all jobs are kept." in done.stderr
    assert "503 (Maintenance)" in done.stderr
    assert world.jobs() == 1


@pytest.mark.usefixtures("scene")
def test_a_web_page_at_plex_url_is_named_as_one(world: LiveWorld, web_page: str) -> None:
    done = world.scenesync("drain", "--wait", "1", plex_url=web_page)
    assert done.exit_code == 1
    assert "an HTML page (a proxy's login or error page?)" in done.stderr
    assert world.jobs() == 1


def test_a_wrong_token_ends_a_drain_at_once(world: LiveWorld, scene: Scene) -> None:
    done = world.scenesync("drain", plex_token=STALE_TOKEN)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("scenesync: GET /library/sections")
    assert "Plex answered 401 Unauthorized: check plex_token" in done.stderr
    assert STALE_TOKEN not in done.stdout + done.stderr
    assert world.jobs() == 1
    assert_title_arrives(world, scene)


@pytest.mark.usefixtures("scene")
def test_a_library_that_does_not_exist_is_a_wrong_setting(world: LiveWorld) -> None:
    done = world.scenesync("drain", plex_libraries="Cinema")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "scenesync: Plex has no movie library called 'Cinema'. It has: Films. "
        "Set plex_libraries to one of these (SCENESYNC_PLEX_LIBRARIES in the environment)."
    )
    assert world.jobs() == 1


def test_stash_that_is_down_ends_a_drain_and_keeps_the_job(world: LiveWorld, scene: Scene) -> None:
    world.stash.down()
    done = world.scenesync("drain", "--wait", "1")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == (
        f"scenesync: Stash was not reachable for 1 s; all jobs are kept. Stash at {world.stash.url} cannot be "
        "reached: it takes no connections. Is Stash running, and is stash_url right?"
    )
    assert world.jobs() == 1
    world.stash.up()
    assert_title_arrives(world, scene)


@pytest.mark.usefixtures("scene")
def test_stash_that_is_down_leaves_nothing_to_choose_scenes_from(world: LiveWorld) -> None:
    world.stash.down()
    done = world.scenesync("sync", "--all", "--wait", "1")
    assert done.exit_code == 1
    assert "cannot be reached: it takes no connections." in done.stderr
    assert world.jobs() == 1


@pytest.mark.usefixtures("scene")
def test_a_web_page_at_stash_url_is_named_as_one(world: LiveWorld, web_page: str) -> None:
    done = world.scenesync("drain", "--wait", "1", stash_url=web_page)
    assert done.exit_code == 1
    assert f"Something that is not Stash answers at {web_page}" in done.stderr
    assert world.jobs() == 1


@pytest.mark.parametrize("server", ["plex", "stash"])
def test_the_daemon_waits_for_a_server_that_is_down_at_its_start(world: LiveWorld, scene: Scene, server: str) -> None:
    down = world.plex if server == "plex" else world.stash
    down.down()
    daemon = world.daemon()
    daemon.wait_for_log(f"{server} is not available")
    assert world.jobs() == 1
    assert world.queue().dead_letters == 0
    down.up()
    eventually(lambda: world.item_of(scene).title == "Harbour at dusk", f"the title in Plex once {server} is up")
    world.settle()
    assert daemon.stop() == 0
    status = world.scenesync("status", "--json").document()
    assert status[server] == "up"
    [outage] = [each for each in status["outages"] if each["service"] == server]
    assert outage["began_at"] < outage["ended_at"]


def test_a_new_token_in_the_settings_file_ends_the_pause_of_a_refused_daemon(world: LiveWorld, scene: Scene) -> None:
    settings = world.data_dir / "scenesync.toml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f'plex_token = "{STALE_TOKEN}"\n')
    daemon = world.daemon(plex_token=None)
    daemon.wait_for_log("paused until the settings change: GET /library/sections")
    assert "check plex_token" in daemon.log
    assert world.jobs() == 1
    paused = noted_pause(world)
    assert (paused["service"], paused["error"]) == ("plex", "PlexUnauthorized")
    assert "check plex_token" in paused["message"]
    assert abs(time.time() - paused["since"]) < PATIENCE_S
    assert f"waits for you since {moment(paused['since'])}: {paused['message']}" in world.scenesync("status").stdout
    ran = world.scenesync("drain")  # watches the daemon, which could go on for ever
    assert ran.exit_code == 1
    assert f"The daemon waits for you; all jobs are kept. {paused['message']}" in ran.stderr
    assert noted_pause(world) == paused

    settings.write_text(f'plex_token = "{PLEX_TOKEN}"\n')
    eventually(lambda: world.item_of(scene).title == "Harbour at dusk", "the title in Plex after the change")
    world.settle()
    assert world.scenesync("status", "--json").document()["paused"] is None
    assert daemon.is_running()
    assert daemon.stop() == 0
    assert daemon.log.count("paused until") == 1


def test_a_token_that_is_refused_while_work_goes_on_makes_no_dead_letters(world: LiveWorld) -> None:
    scenes = [world.add_scene(f"Pier {number:02d}") for number in range(12)]
    daemon = world.daemon()
    world.plex.token = "changed-in-plex-4711"
    for scene in scenes:
        world.stash.save(scene, details="Recorded in one take.")
    daemon.wait_for_log("paused until the settings change")
    assert (world.jobs(), world.queue().dead_letters) == (12, 0)

    assert noted_pause(world)["service"] == "plex"

    world.plex.token = PLEX_TOKEN
    (world.data_dir / "scenesync.toml").write_text("workers = 2\n")  # any change makes it try again
    world.settle()
    assert {world.item_of(scene).summary for scene in scenes} == {"Recorded in one take."}
    assert world.queue().dead_letters == 0


def test_a_new_api_key_for_stash_ends_the_pause_of_a_refused_daemon(tmp_path: Path) -> None:
    with LiveWorld(tmp_path, login=LOCKED) as world:
        scene = world.add_scene("Harbour at dawn")
        world.stash.save(scene, title="Harbour at dusk")
        assert world.jobs() == 1
        settings = world.data_dir / "scenesync.toml"
        settings.write_text('stash_api_key = "stale-fake-key-2718"\n')
        daemon = world.daemon(stash_api_key=None)
        daemon.wait_for_log("paused until the settings change")
        assert "stash_api_key" in daemon.log
        paused = noted_pause(world)
        assert (paused["service"], paused["error"]) == ("stash", "StashUnauthorized")
        assert "stash_api_key" in paused["message"]
        assert (world.jobs(), world.queue().dead_letters) == (1, 0)

        settings.write_text(f'stash_api_key = "{LOCKED.api_key}"\n')
        eventually(lambda: world.item_of(scene).title == "Harbour at dusk", "the title in Plex after the change")
        world.settle()
        assert world.scenesync("status", "--json").document()["paused"] is None
        assert daemon.stop() == 0
        assert daemon.log.count("paused until") == 1
        assert "stale-fake-key-2718" not in daemon.log
        assert LOCKED.api_key not in daemon.log
