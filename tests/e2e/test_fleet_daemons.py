"""Two nodes on one PostgreSQL: they share the work and one of them looks after the rest, whatever dies or goes away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest
from live_world import eventually
from private_postgres import PrivatePostgres, postgres_or_skip

from scenesync.queue.forwarding.outbox import read_outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live_world import Daemon, LiveWorld

    from scenesync.simulators.stash.records import Scene

ELECTED: Final = "this node is elected"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    with postgres_or_skip() as server:
        yield server


@pytest.fixture
def url(postgres: PrivatePostgres, request: pytest.FixtureRequest) -> str:
    return postgres.new_database(request.node.name[:60])


def shown(world: LiveWorld, scene: Scene) -> str:
    return world.item_of(scene).title


def shows(world: LiveWorld, scene: Scene, title: str, within_s: float = 30.0) -> None:
    eventually(lambda: shown(world, scene) == title, f"{title!r} in Plex", within_s)


def first_and_second(world: LiveWorld, url: str) -> tuple[Daemon, Daemon]:
    """Start two nodes, the first of which is elected; hooks write where that one is."""
    first = world.daemon(database_url=url, poll_interval="1")
    first.wait_for_log(ELECTED)
    second = world.daemon(database_url=url, poll_interval="1", data_dir=str(world.folder / "second"))
    return first, second


def test_nodes_share_a_queue_and_its_looks_at_stash_move_when_the_elected_one_dies(world: LiveWorld, url: str) -> None:
    saved, unannounced = world.add_scene("Harbour at dawn"), world.add_scene("Lighthouse")
    first, second = first_and_second(world, url)
    world.stash.save(saved, title="Harbour at dusk")  # its hook writes on the first node
    shows(world, saved, "Harbour at dusk")
    assert ELECTED not in second.log
    fleet = world.scenesync("status", "--json", database_url=url).document()["fleet"]
    assert (fleet["engine"], fleet["workers"], fleet["outbox"]) == ("postgresql", 2, 0)
    assert fleet["leader"].endswith(f" {first.pid}")

    first.kill()
    second.wait_for_log(ELECTED, within_s=8.0)
    world.stash.save(unannounced, title="Lighthouse at noon")  # its hook writes where nobody is
    shows(world, unannounced, "Lighthouse at noon")

    assert "1 event of this machine wait" in world.scenesync("status", database_url=url).stdout
    drained = world.scenesync("drain", database_url=url)
    assert drained.exit_code in {0, 3}, drained.stderr  # 3: the other node has a job of this scene in hand
    assert read_outbox(world.data_dir / "queue").waiting == 0
    assert second.stop() == 0
    assert "Traceback" not in second.log


def test_while_the_database_is_away_events_wait_and_the_daemon_too_and_it_all_goes_on(
    world: LiveWorld, postgres: PrivatePostgres, url: str
) -> None:
    scene = world.add_scene("Harbour at dawn")
    daemon = world.daemon(database_url=url)
    world.stash.save(scene, title="Harbour at noon")
    shows(world, scene, "Harbour at noon")

    postgres.stop()
    world.stash.save(scene, title="Harbour at dusk")
    eventually(lambda: read_outbox(world.data_dir / "queue").waiting == 1, "an event that waits")
    daemon.wait_for_log("events wait in the outbox")
    told = world.scenesync("status", database_url=url)
    assert told.exit_code == 0
    assert "nothing is known of it" in told.stdout
    assert "1 event of this machine wait" in told.stdout
    postgres.start()
    shows(world, scene, "Harbour at dusk")

    postgres.stop()
    time.sleep(1.5)
    began = time.monotonic()
    assert daemon.stop(within_s=15) == 0
    assert time.monotonic() - began < 10

    world.stash.save(scene, title="Harbour by night")
    late = world.daemon(database_url=url, wait=False)
    late.wait_for_log("the database cannot be used now")
    postgres.start()
    shows(world, scene, "Harbour by night")
    assert late.stop() == 0
    assert "Traceback" not in late.log
