"""``circuit show|reset`` and what ``status`` says of reliability, on a real state store."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from scenesync.app.cli import run_cli
from scenesync.app.data_directory import database_file, worker_lock
from scenesync.app.wording.times import moment
from scenesync.domain.circuit import LIMITS_WHILE_PROBED, Circuit, CircuitState
from scenesync.store.circuits import CircuitStore
from scenesync.store.database import open_database
from scenesync.store.outages import OutageStore
from scenesync.store.pauses import Pause, PauseStore
from scenesync.store.service_state import ServiceState, ServiceStateStore

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = {"mttr_s": None, "mtbf_s": None, "availability": None, "outages_30d": 0, "observed_s": 0.0}


def scenesync(data_dir: Path, *arguments: str) -> int:
    return run_cli(["--data-dir", str(data_dir), *arguments])


def shown(data_dir: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert scenesync(data_dir, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def keep(data_dir: Path, service: str, circuit: Circuit) -> None:
    with open_database(database_file(data_dir)) as database:
        CircuitStore(database, service).update(lambda _: circuit)


def kept(data_dir: Path, service: str) -> Circuit:
    with open_database(database_file(data_dir)) as database:
        return CircuitStore(database, service).read()


def test_without_a_data_directory_both_are_closed_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir = tmp_path / "nowhere"
    closed = {"state": "closed", "failures": 0, "opened_at": None, "half_open_at": None, "probe_under_way": False}
    assert shown(data_dir, capsys, "circuit", "show") == {"plex": closed, "stash": closed}
    assert shown(data_dir, capsys, "circuit", "reset", "plex") == {"plex": {"before": "closed", "state": "closed"}}
    assert not data_dir.exists()


def test_an_open_circuit_is_shown_with_its_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened_at = time.time() - 10
    keep(tmp_path, "plex", Circuit(CircuitState.OPEN, opened_at=opened_at, generation=1))
    document = shown(tmp_path, capsys, "circuit", "show", "plex")
    assert document["plex"]["state"] == "open"
    assert document["plex"]["opened_at"] == opened_at
    assert document["plex"]["half_open_at"] == opened_at + LIMITS_WHILE_PROBED.recovery_timeout_s
    assert list(document) == ["plex"]
    assert scenesync(tmp_path, "circuit", "show") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("plex   open since 20")
    assert lines[1] == "stash  closed"


def test_one_whose_time_has_come_is_half_open_without_anybody_having_written_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened_at = time.time() - LIMITS_WHILE_PROBED.recovery_timeout_s - 1
    keep(tmp_path, "plex", Circuit(CircuitState.OPEN, opened_at=opened_at, generation=1))
    assert shown(tmp_path, capsys, "circuit", "show")["plex"]["state"] == "half_open"
    assert shown(tmp_path, capsys, "status")["circuit"] == "half_open"
    assert kept(tmp_path, "plex").state is CircuitState.OPEN


def test_a_reset_closes_and_clears_what_was_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path, "plex", Circuit(CircuitState.OPEN, opened_at=time.time(), generation=7))
    keep(tmp_path, "stash", Circuit(failures=3))
    assert shown(tmp_path, capsys, "circuit", "reset", "plex") == {"plex": {"before": "open", "state": "closed"}}
    assert kept(tmp_path, "plex").state is CircuitState.CLOSED
    assert kept(tmp_path, "plex").generation == 8  # calls in flight count for nothing
    assert kept(tmp_path, "stash").failures == 3
    assert scenesync(tmp_path, "circuit", "reset") == 0
    assert capsys.readouterr().out.splitlines() == ["plex   closed (was closed)", "stash  closed (was closed)"]
    assert kept(tmp_path, "stash").failures == 0


def test_an_unknown_server_is_wrong_usage(tmp_path: Path) -> None:
    assert scenesync(tmp_path, "circuit", "reset", "kodi") == 2
    assert scenesync(tmp_path, "circuit", "show", "kodi") == 2


def test_status_says_how_dependable_the_servers_were(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = time.time()
    assert shown(tmp_path, capsys, "status")["reliability"] == {"plex": NOTHING, "stash": NOTHING}
    with open_database(database_file(tmp_path)) as database:
        outages = OutageStore(database)
        ServiceStateStore(database).write("plex", ServiceState("up", now - 40 * 86_400))
        for days in (20, 10):
            outages.begin("plex", "refused", at=now - days * 86_400, jobs_waiting=4)
            outages.end("plex", at=now - days * 86_400 + 600, jobs_waiting=9)
    document = shown(tmp_path, capsys, "status")
    assert document["reliability"]["stash"] == NOTHING
    plex = document["reliability"]["plex"]
    assert plex["outages_30d"] == 2
    assert plex["mttr_s"] == pytest.approx(600)
    assert plex["mtbf_s"] == pytest.approx(15 * 86_400 - 600)
    assert plex["availability"] == pytest.approx(1 - 1200 / (30 * 86_400))
    assert plex["observed_s"] == 30 * 86_400
    assert {outage["jobs_waiting_at_end"] for outage in document["outages"]} == {9}
    assert scenesync(tmp_path, "status") == 0
    text = capsys.readouterr().out
    assert "plex: 99.95 % available over 30 days, outages 2, 10.0 min to recover and 15.0 d between them" in text
    assert "stash: not asked yet" in text
    assert "lasted 10.0 min, 9 jobs waited: refused" in text


def test_of_a_fresh_installation_only_the_time_since_it_began_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    with open_database(database_file(tmp_path)) as database:
        states, outages = ServiceStateStore(database), OutageStore(database)
        states.write("plex", ServiceState("up", now - 7200))
        states.write("plex", ServiceState("down", now - 3600, "refused"))
        outages.begin("plex", "refused", at=now - 3600, jobs_waiting=0)
        states.write("stash", ServiceState("up", now - 7200))
    reliability = shown(tmp_path, capsys, "status")["reliability"]
    assert reliability["plex"]["availability"] == pytest.approx(0.5, abs=0.01)
    assert reliability["plex"]["observed_s"] == pytest.approx(7200, abs=60)
    assert reliability["stash"]["availability"] == 1.0
    assert scenesync(tmp_path, "status") == 0
    text = capsys.readouterr().out
    assert "% available over the 2.0 h known so far, outages 1, 1.0 h to recover" in text
    assert "stash: no outage within the 2.0 h known so far" in text


@pytest.mark.parametrize("running", [True, False], ids=["with a daemon", "without a daemon"])
def test_status_says_that_work_waits_for_a_person_and_why(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    running: bool,  # noqa: FBT001 - parametrised
) -> None:
    assert shown(tmp_path, capsys, "status")["paused"] is None
    since = time.time() - 600
    with open_database(database_file(tmp_path)) as database:
        PauseStore(database).begin(Pause("plex", since, "PlexUnauthorized", "Plex answered 401: check plex_token"))
    lock = worker_lock(tmp_path)
    if running:
        assert lock.acquire()
    assert shown(tmp_path, capsys, "status")["paused"] == {
        "service": "plex",
        "since": since,
        "error": "PlexUnauthorized",
        "message": "Plex answered 401: check plex_token",
    }
    assert scenesync(tmp_path, "status") == 0
    text = capsys.readouterr().out
    assert f"paused        waits for you since {moment(since)}: Plex answered 401: check plex_token\n" in text
    assert ("the daemon goes on by itself" if running else "the next run tries again") in text
    lock.release()
