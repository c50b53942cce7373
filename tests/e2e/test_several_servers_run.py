"""One installation between two Stashes and two Plexes, as real processes: hooks, routes, deaths and ends."""

from __future__ import annotations

import os
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest
from live_world import eventually, is_alive
from private_postgres import PrivatePostgres, postgres_or_skip
from several_servers_world import ROUTES, SeveralServers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("ps") is None, reason="ps says which processes a daemon has")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[SeveralServers]:
    with SeveralServers(tmp_path) as world:
        yield world


@pytest.fixture
def postgres() -> Iterator[PrivatePostgres]:
    with postgres_or_skip() as server:
        yield server


def test_each_change_reaches_exactly_the_plexes_of_its_stash_whatever_dies_or_is_away(servers: SeveralServers) -> None:
    living, attic, home, cabin = servers.stash, servers.attic, servers.plex, servers.cabin
    # Both Stashes count from 1: the same id means two scenes.
    harbour = servers.film(living, "Harbour", home, cabin)
    concert = servers.film(attic, "Concert", home, cabin)
    assert harbour.id == concert.id
    daemon = servers.supervised()

    # A hook's event goes to the queues of all routes of its Stash, and to no other.
    living.save(harbour, title="Harbour at dawn")
    attic.save(concert, title="Concert by night")
    eventually(lambda: servers.shown(home, harbour) == "Harbour at dawn", "the first Plex")
    eventually(lambda: servers.shown(cabin, harbour) == "Harbour at dawn", "the second Plex")
    eventually(lambda: servers.shown(cabin, concert) == "Concert by night", "the other Stash's scene")

    # A Plex that is away holds up no other.
    home.down()
    living.save(harbour, title="Harbour at noon")
    eventually(lambda: servers.shown(cabin, harbour) == "Harbour at noon", "the Plex that is there")
    document = servers.status()
    assert [route["route"] for route in document["routes"]] == list(ROUTES)
    assert document["pending"] + document["in_progress"] >= 1

    # A route's process that dies begins again, and the others go on.
    before = servers.pids(daemon)
    assert len(before) == len(ROUTES)
    os.kill(before[1], signal.SIGKILL)
    living.save(harbour, title="Harbour at dusk")
    eventually(lambda: servers.shown(cabin, harbour) == "Harbour at dusk", "the route whose process died")
    assert len(set(before) & set(servers.pids(daemon))) == len(ROUTES) - 1

    # Its parent dies without a word: no orphan goes on, and the next one finds what waits.
    children = servers.pids(daemon)
    daemon.kill()
    living.save(harbour, title="Harbour at night")
    attic.save(concert, title="Concert, the encore")
    eventually(lambda: not any(map(is_alive, children)), "the end of the routes whose parent died")
    home.up()
    daemon = servers.supervised()
    eventually(lambda: servers.shown(home, harbour) == "Harbour at night", "the Plex that was away")
    eventually(lambda: servers.shown(cabin, harbour) == "Harbour at night", "the second Plex, after the kill")
    eventually(lambda: servers.shown(cabin, concert) == "Concert, the encore", "the other Stash, after the kill")
    assert servers.shown(home, concert) == "Concert"

    # One daemon per installation; a stop ends all of it in time.
    second = servers.daemon(wait=False)
    assert second.wait() == 1
    assert "another SceneSync already works" in second.log
    children = servers.pids(daemon)
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 10
    assert not any(map(is_alive, children))
    assert servers.status()["pending"] == 0

    # Nobody works: what hooks leave then is delivered by whoever works next, and by it to all routes.
    living.save(harbour, title="Harbour, restored")
    ran = servers.scenesync("drain", "--json")
    assert (ran.exit_code, [route["synced"] for route in ran.document()["routes"]]) == (0, [1, 1, 0])
    assert servers.shown(home, harbour) == servers.shown(cabin, harbour) == "Harbour, restored"


def test_who_adds_a_second_plex_loses_nothing_and_who_takes_it_out_again_neither(servers: SeveralServers) -> None:
    living, home, cabin = servers.stash, servers.plex, servers.cabin
    harbour = servers.film(living, "Harbour", home, cabin)
    toml = servers.data_dir / "scenesync.toml"
    with_tables = toml.read_text(encoding="utf-8")
    common = with_tables.partition("[[")[0]
    single = f'{common}stash_url = "{living.url}"\nplex_url = "{home.url}"\nplex_token = "{home.token}"\n'
    toml.write_text(single, encoding="utf-8")
    living.save(harbour, title="Harbour at dawn")
    assert servers.scenesync("drain").exit_code == 0
    assert not (servers.data_dir / "outbox").exists()

    toml.write_text(with_tables, encoding="utf-8")
    assert servers.status("living-home")["completed_total"] == 1
    daemon = servers.supervised()
    eventually(lambda: servers.shown(cabin, harbour) == "Harbour at dawn", "the Plex that is new")
    living.save(harbour, title="Harbour at noon")
    eventually(lambda: servers.shown(home, harbour) == "Harbour at noon", "the first Plex")
    assert daemon.stop() == 0
    journal = servers.scenesync("journal", "--json", "--route", "living-home").document()["entries"]
    assert [entry["after"] for entry in journal if entry["field"] == "title"] == ["Harbour at noon", "Harbour at dawn"]

    # One Plex again: hooks still leave events in the outbox, and the daemon brings them on.
    toml.write_text(single, encoding="utf-8")
    daemon = servers.daemon()
    living.save(harbour, title="Harbour at dusk")
    eventually(lambda: servers.shown(home, harbour) == "Harbour at dusk", "the only Plex")
    assert daemon.stop() == 0
    assert "are left in" in servers.scenesync("doctor").stdout


def test_routes_over_one_postgresql_keep_apart_and_outlive_their_processes_and_the_database(
    servers: SeveralServers, postgres: PrivatePostgres
) -> None:
    living, attic, home, cabin = servers.stash, servers.attic, servers.plex, servers.cabin
    harbour = servers.film(living, "Harbour", home, cabin)
    concert = servers.film(attic, "Concert", home, cabin)
    servers.write_settings(database_url=f'"{postgres.new_database("routes")}"')
    living.save(harbour, title="Harbour at dawn")

    # Nobody has prepared anything: the routes' processes make a schema each, side by side.
    daemon = servers.supervised()
    attic.save(concert, title="Concert by night")
    eventually(lambda: servers.shown(home, harbour) == "Harbour at dawn", "the first Plex")
    eventually(lambda: servers.shown(cabin, harbour) == "Harbour at dawn", "the second Plex")
    eventually(lambda: servers.shown(cabin, concert) == "Concert by night", "the other Stash's scene")

    # A process dies, with nothing in hand (or its scene would wait for half a minute); then the database, for all.
    daemon.wait_for_log("[living-cabin] synced scene=")
    os.kill(servers.pids(daemon)[1], signal.SIGKILL)
    living.save(harbour, title="Harbour at noon")
    eventually(lambda: servers.shown(home, harbour) == "Harbour at noon", "the route whose neighbour died")
    eventually(lambda: servers.shown(cabin, harbour) == "Harbour at noon", "the route whose process died")
    postgres.stop()
    living.save(harbour, title="Harbour at dusk")
    attic.save(concert, title="Concert, the encore")
    postgres.start()
    eventually(lambda: servers.shown(home, harbour) == "Harbour at dusk", "the first Plex, after the outage")
    eventually(lambda: servers.shown(cabin, harbour) == "Harbour at dusk", "the second Plex, after the outage")
    eventually(lambda: servers.shown(cabin, concert) == "Concert, the encore", "the other Stash, after the outage")
    assert servers.shown(home, concert) == "Concert"

    children = servers.pids(daemon)
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 10
    assert not any(map(is_alive, children))
    assert "Traceback" not in daemon.log
    assert [route["fleet"]["engine"] for route in servers.status()["routes"]] == ["postgresql"] * len(ROUTES)
