"""Every command that looks at queue and state, or changes them, with both on PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scenesync.app.cli import run_cli
from scenesync.app.configuration.addresses import password_in
from scenesync.app.distributed import loading
from scenesync.app.doctor.checks import run_checks
from scenesync.app.exit_codes import DONE, FAILED, LEFTOVERS, USAGE
from scenesync.app.opening import open_queue, open_state
from scenesync.app.settings import SettingsError, load_settings
from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.fields import Field
from scenesync.domain.holds import Hold
from scenesync.domain.job import scene_job
from scenesync.domain.journal import JournalEntry
from scenesync.domain.scene_state import SceneStanding, SceneState
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.store.automatic_runs import AutomaticRunStore
from scenesync.store.holds import HoldStore
from scenesync.store.journal import JournalStore
from scenesync.store.migrations import MIGRATIONS
from scenesync.store.postgres import upgrade_shared
from scenesync.store.scene_states import SceneStateStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from private_postgres import PrivatePostgres

SECRET = "not-a-real-password"
LATEST = MIGRATIONS[-1].version
EVERYWHERE = {
    ("status",): DONE,  # which tells what is known on this machine
    ("queue", "list"): FAILED,
    ("dlq", "replay", "--all"): FAILED,
    ("db", "status"): FAILED,
    ("doctor",): FAILED,
}


@pytest.fixture
def url(postgres: PrivatePostgres, request: pytest.FixtureRequest) -> str:
    """An empty database, with a password in its address."""
    return postgres.new_database(request.node.name[:60])


@pytest.fixture
def command(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """Runs a command where ``database_url`` is set, and returns its status and its document."""
    monkeypatch.setenv("SCENESYNC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SCENESYNC_DATABASE_URL", url)

    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = run_cli([*arguments, "--json"])
        out = capsys.readouterr()
        assert (password_in(url) or "none at all") not in out.out + out.err
        document = json.loads(out.out)
        return status, document["error"] if isinstance(document, dict) and "error" in document else document

    return run


def test_what_is_not_there_yet_is_told_and_not_made(url: str, command: Callable[..., tuple[int, Any]]) -> None:
    status, overview = command("status")
    assert (status, overview["pending"], overview["plex"]) == (DONE, 0, "unknown")
    assert "scenesync db upgrade" in overview["fleet"]["trouble"]
    for arguments in (("queue", "list"), ("dlq", "list"), ("holds", "list"), ("journal",), ("stopped", "list")):
        assert command(*arguments) == (DONE, [])
    status, found = command("db", "status")
    assert (status, found["state_version"], found["current"]) == (LEFTOVERS, None, False)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regnamespace('scenesync')").fetchone() == (None,)


def test_an_upgrade_makes_all_that_is_needed_and_twice_is_once(command: Callable[..., tuple[int, Any]]) -> None:
    status, made = command("db", "upgrade")
    assert (status, made["current"], made["state_version"]) == (DONE, True, LATEST)
    assert {step.partition(" ")[0] for step in made["ran"]} >= {"1", "procrastinate", "scenesync"}
    assert command("db", "upgrade")[1]["ran"] == []
    assert command("db", "upgrade", "--check")[0] == DONE


def test_what_an_older_one_left_is_upgraded_by_the_command_alone(
    url: str, command: Callable[..., tuple[int, Any]]
) -> None:
    upgrade_shared(url, known=MIGRATIONS[:-1])
    status, said = command("status")
    assert (status, "scenesync db upgrade" in said) == (FAILED, True)
    status, found = command("db", "status")
    assert (status, found["missing_state"]) == (LEFTOVERS, [f"{LATEST} {MIGRATIONS[-1].name}"])
    assert command("db", "upgrade")[0] == DONE
    assert command("status")[0] == DONE


def test_commands_show_and_change_what_is_kept_there(command: Callable[..., tuple[int, Any]]) -> None:
    settings = load_settings().settings
    with open_queue(settings) as queue, open_state(settings) as database:
        queue.put_many([scene_job(scene_id, time.time()) for scene_id in (1, 2)])
        queue.dead_letters.add(DeadLetter(dict(scene_job(3, 1.0)), "PlexPermanentError", "refused", failed_at=5.0))
        HoldStore(database, "server").put([Hold(4, "print", 100.0, "run")])
        JournalStore(database, "server", run_id="run").append(
            [JournalEntry(1.0, 5, "101", Field.TITLE, "Quay", "Harbour", "sync")]
        )
        runs = AutomaticRunStore(database)
        runs.gather("fan-out", "a studio", [6], at=1.0)
        runs.stop(runs.gathering("fan-out") or 0, "too much", {})
    status, overview = command("status")
    assert (status, overview["pending"], overview["dead_letters"], overview["held"]) == (DONE, 2, 1, 1)
    status, jobs = command("queue", "list")
    assert (status, [job["scene_id"] for job in jobs]) == (LEFTOVERS, [1, 2])
    assert [letter["job"]["scene_id"] for letter in command("dlq", "list")[1]] == [3]
    assert [edit["after"] for edit in command("journal")[1]] == ["Harbour"]
    assert [run["cause"] for run in command("stopped", "list")[1]] == ["a studio"]
    assert [hold["scene_id"] for hold in command("holds", "list")[1]] == [4]
    assert command("dlq", "replay", "--all")[1] == {"replayed": 1}
    assert command("holds", "release", "4")[0] == DONE
    assert command("circuit", "reset")[0] == DONE
    assert command("queue", "clear", "--scene", "1", "--yes")[1] == {"dropped": 1}
    status, overview = command("status")
    assert (overview["pending"], overview["dead_letters"], overview["held"]) == (2, 0, 0)
    assert overview["circuit"] == "closed"


def test_what_hooks_left_on_this_machine_is_shown_with_the_rest(command: Callable[..., tuple[int, Any]]) -> None:
    settings = load_settings().settings
    with open_queue(settings) as queue:
        queue.put_job(scene_job(1, time.time()))
    with closing(EmbeddedQueue(settings.data_dir / "queue", auto_resume=False)) as outbox:
        outbox.put_job(scene_job(2, time.time()))
    status, overview = command("status")
    assert (status, overview["pending"], overview["due"], overview["spooled"]) == (DONE, 2, 2, 1)
    assert [(job["scene_id"], job["pqid"] is None) for job in command("queue", "list")[1]] == [(1, False), (2, True)]


def test_doctor_looks_at_the_database(url: str, command: Callable[..., tuple[int, Any]]) -> None:
    command("db", "upgrade")
    found = [check.finding for check in run_checks(load_settings()) if check.name == "database"]
    assert found[0].startswith("PostgreSQL 1")
    assert found[1:] == [f"state store version {LATEST}, queue complete"]
    assert url.rpartition("/")[2] in found[0]


def test_the_support_bundle_holds_what_helps_and_no_password(
    url: str, command: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    settings = load_settings().settings
    with open_queue(settings) as queue, open_state(settings) as database:
        queue.put_job(scene_job(1, time.time(), data={"title": "Harbour at dawn"}))
        SceneStateStore(database).keep(
            "s", [SceneStanding(1, SceneState.IN_SYNC, 1.0, "Harbour at dawn", "/d/quay.mp4")]
        )
    status, made = command("support-bundle", "--to", str(tmp_path / "bundle.zip"), "--offline")
    assert status == DONE
    with zipfile.ZipFile(made["file"]) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert [name for name, text in texts.items() if (password_in(url) or "") in text or "Harbour at dawn" in text] == []
    state = json.loads(texts["state_store.json"])
    assert (state["state_version"], state["rows"]["scene_state"]) == (LATEST, 1)
    assert len(json.loads(texts["waiting_jobs.json"])) == 1


def test_a_server_that_is_away_is_told_without_the_password(
    command: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SCENESYNC_DATABASE_URL", f"postgresql://someone:{SECRET}@127.0.0.1:1/films")
    for arguments, expected in EVERYWHERE.items():
        status, said = command(*arguments)
        assert (arguments, status) == (arguments, expected)
        assert "films on 127.0.0.1:1" in str(said)
        assert SECRET not in str(said) + caplog.text


@pytest.mark.parametrize("wrong", ["password", "database"])
def test_a_refusal_is_not_told_as_an_outage(
    postgres: PrivatePostgres,
    command: Callable[..., tuple[int, Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wrong: str,
) -> None:
    right, password = postgres.url("nobody_made_this"), password_in(postgres.url()) or ""
    address = right if wrong == "database" else right.replace(password, SECRET)
    monkeypatch.setenv("SCENESYNC_DATABASE_URL", address)
    asked = {
        **EVERYWHERE,
        ("migrate", "--to", address, "--yes"): FAILED,
        ("migrate", "--to", "embedded", "--yes"): FAILED,
    }
    for arguments, expected in asked.items():
        status, said = command(*arguments)
        assert (arguments[:2], status) == (arguments[:2], expected)
        assert "does not let SceneSync in" in str(said)
        assert "Check its address (database_url)" in str(said)
        assert "answers again" not in str(said)
        assert [secret for secret in (SECRET, password) if secret in str(said) + caplog.text] == []


def test_what_is_procrastinates_own_is_counted_and_not_listed(
    command: Callable[..., tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    missing = command("db", "status")[1]["missing_queue"]
    theirs = [step for step in missing if step.startswith("procrastinate ")]
    for arguments, verb in ((("db", "status"), "would run"), (("db", "upgrade"), "done")):
        run_cli(arguments)
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(verb)]
        assert f"{verb}: {len(theirs)} steps of Procrastinate's own tables" in lines
        assert f"{verb}: scenesync 1" in lines
        assert len(lines) == len(MIGRATIONS) + len(missing) - len(theirs) + 1


def test_without_a_database_the_command_says_so(
    command: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCENESYNC_DATABASE_URL")
    status, said = command("db", "upgrade")
    assert (status, "database_url is not set" in said) == (USAGE, True)


def test_where_the_extra_is_not_installed_it_is_told_how_to_install_it(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from scenesync.app.cli import run_cli\n"
        "sys.exit(run_cli(['status']))"
    )
    environment = {
        "SCENESYNC_DATA_DIR": str(tmp_path),
        "SCENESYNC_DATABASE_URL": "postgresql://db.example/films",
        "PATH": "",
    }
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, "scenesync[postgres]" in done.stderr) == (USAGE, True), done.stderr
    assert loading.NOT_INSTALLED in done.stderr.replace("\n", " ")


def test_two_routes_share_a_database_and_nothing_in_it(command: Callable[..., tuple[int, Any]], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    stashes = "".join(f'[[stash]]\nname = "{name}"\nurl = "http://{name}.example"\n' for name in ("living", "attic"))
    plex = '[[plex]]\nname = "home"\nurl = "http://home.example"\ntoken = "fake-token"\n'
    (tmp_path / "data" / "scenesync.toml").write_text(stashes + plex, encoding="utf-8")
    first, second = (route.settings for route in load_settings().routes)
    with open_queue(first) as queue:
        queue.put_job(scene_job(5, 1.0))
    with open_queue(second) as queue:
        queue.put_many([scene_job(5, 1.0), scene_job(6, 1.0)])
    _, document = command("queue", "list")
    assert [[job["job_key"] for job in route["entries"]] for route in document["routes"]] == [
        ["scene_5"],
        ["attic:scene_5", "attic:scene_6"],
    ]
    for settings in (first, second):
        with open_state(settings):
            pass
    taken = first.model_copy(update={"database_schema": second.database_schema})
    with pytest.raises(SettingsError, match="holds the state of the route attic-home, and not of living-home"):
        open_state(taken)
