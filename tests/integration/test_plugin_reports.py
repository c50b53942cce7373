"""What the plugin's tasks write into Stash's log, and what they answer."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from sync_world import PLEX_ROOT, STASH_ROOT, TOKEN, SyncWorld

from scenesync.app.context import AppContext
from scenesync.app.plugin.install import STAMP
from scenesync.app.plugin.tasks import run_task
from scenesync.store.database import open_database
from scenesync.store.outages import OutageStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


@dataclass(slots=True)
class Told:
    """What Stash got to read: log lines with their levels, the bar's positions, the result."""

    status: int
    lines: list[tuple[str, str]] = field(default_factory=list)
    progress: list[float] = field(default_factory=list)
    result: Any = None

    def of(self, level: str) -> list[str]:
        return [text for each, text in self.lines if each == level]


class Reports:
    """Runs tasks in this process, as ``stash-task`` does in one of its own."""

    def __init__(self, world: SyncWorld, plugin_dir: Path) -> None:
        self.world = world
        self.plugin_dir = plugin_dir
        plugin_dir.mkdir()

    def run(self, mode: str, **settings: object) -> Told:
        connection = {"Scheme": "http", "Host": "127.0.0.1", "Port": self.world.stash.port}
        document = {
            "server_connection": {**connection, "PluginDir": str(self.plugin_dir)},
            "args": {"mode": mode},
        }
        usual = {
            "plex_url": self.world.plex.url,
            "plex_token": TOKEN,
            "path_map": f"{STASH_ROOT} => {PLEX_ROOT}",
            "data_dir": str(self.world.data_dir),
        }
        stdout, stderr = io.BytesIO(), io.BytesIO()
        told = Told(run_task(AppContext({**usual, **settings}), document, stdout, stderr))
        told.result = json.loads(stdout.getvalue())
        for line in stderr.getvalue().decode().splitlines():
            level, text = re.fullmatch("\x01(.)\x02(.*)", line).groups()  # type: ignore[union-attr] - or the test fails
            if level == "p":
                told.progress.append(float(text))
            else:
                told.lines.append((level, text))
        return told


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SyncWorld]:
    with SyncWorld(tmp_path / "data") as world:
        yield world


@pytest.fixture
def reports(world: SyncWorld, tmp_path: Path) -> Reports:
    return Reports(world, tmp_path / "plugin")


def test_the_plan_is_told_field_by_field_and_nothing_is_written(reports: Reports, world: SyncWorld) -> None:
    world.pair(title="Harbour at dawn", details="Boats.")
    world.scene(title="Nowhere")
    told = reports.run("plan")
    assert told.status == 0
    text = "\n".join(told.of("i"))
    assert "Harbour at dawn" in text
    assert "Boats." in text
    assert told.result["output"] == told.of("i")[-1]
    assert told.result["output"].startswith("Plan: 1 scene to change")
    assert "1 not in Plex" in told.result["output"]
    assert told.progress == sorted(told.progress)
    assert {0.0, 0.5, 1.0} <= set(told.progress)
    assert world.plex.field_writes == []


def test_the_health_check_asks_the_stash_that_runs_it_and_says_what_to_mend(reports: Reports, world: SyncWorld) -> None:
    world.pair(title="Harbour at dawn")
    told = reports.run("doctor")  # stash_url is at its default, which nobody listens on
    assert any(line.startswith("ok: stash: version ") and world.stash.url in line for line in told.of("i"))
    assert any(line.startswith("ok: plex libraries: ") for line in told.of("i"))
    assert told.of("e") == []
    assert re.match(r"All is well: \d+ checks|0 to be mended, \d warnings?, \d+ fine", told.result["output"])
    assert 0 < told.progress[1] < told.progress[-2] < 1

    told = reports.run("doctor", plex_token="wrong-token-4711")
    assert [line.partition(":")[0] for line in told.of("e")] == [
        "failed",
        "-> Check plex_url, plex_token and plex_libraries.",
    ]
    assert told.result["output"].startswith("1 to be mended")
    assert "wrong-token-4711" not in str(told)


def test_the_health_check_sees_dependencies_of_an_earlier_version(reports: Reports) -> None:
    (reports.plugin_dir / ".venv").mkdir()
    (reports.plugin_dir / ".venv" / STAMP).write_text("0" * 64)
    (reports.plugin_dir / "constraints.txt").write_text("harbour-lamp==2.0\n")
    (reports.plugin_dir / "pyproject.toml").write_text('[project]\ndependencies = ["harbour-lamp"]\n')
    told = reports.run("doctor")
    assert "warning: dependencies: installed for an earlier version of the plugin" in told.of("w")
    assert "-> Run the task Install or update dependencies." in told.of("w")


def test_the_outage_report_tells_when_plex_was_away_and_why(reports: Reports, world: SyncWorld) -> None:
    world.data_dir.mkdir()
    with open_database(world.data_dir / "scenesync.db") as database:
        outages = OutageStore(database)
        outages.begin("plex", at=1_790_000_000.0, cause="connection refused", jobs_waiting=3)
        outages.end("plex", at=1_790_000_090.0, jobs_waiting=7)
    told = reports.run("outages")
    [line] = [line for line in told.of("i") if line.startswith("plex since ")]
    assert "lasted 1.5 min, 7 jobs waited: connection refused" in line
    assert told.result["output"].endswith("Now plex is unknown, stash is unknown.")


def test_reconciling_tells_what_it_found_and_mends_it(reports: Reports, world: SyncWorld) -> None:
    _, item = world.pair(title="Harbour at dawn", details="Boats.")
    world.scene(title="Nowhere")
    told = reports.run("reconcile-all", skip_not_found=True)
    assert told.status == 0, told
    [missing] = [
        line for line in told.of("i") if line.startswith("missing: 1 (Plex has no item for it), such as scene ")
    ]
    assert "Nowhere" in missing
    assert any(line.startswith("empty: 1 ") and "Harbour at dawn" in line for line in told.of("i"))
    assert told.result["output"].startswith("2 scenes compared: 0 as they should be, 2 with a gap. ")
    assert "1 synced" in told.result["output"]
    assert world.plex.item(item.rating_key).summary == "Boats."
    assert told.progress == sorted(told.progress)
    assert 0.5 in told.progress

    told = reports.run("reconcile-24h", skip_not_found=True)
    assert told.result["output"].startswith("2 scenes compared: 1 as they should be, 1 with a gap. ")


def test_the_queue_status_tells_all_that_status_does(reports: Reports) -> None:
    told = reports.run("queue-status")
    assert [line.split()[0] for line in told.of("i")[:4]] == ["queue", "so", "last", "daemon"]
    assert told.result == {"error": None, "output": "0 pending (0 due), 0 in progress, 0 dead letters, 0 done so far"}


def test_a_task_that_this_version_does_not_have_is_an_error_that_names_those_that_it_has(reports: Reports) -> None:
    told = reports.run("paint-the-harbour")
    assert told.status == 1
    assert "SceneSync has no task 'paint-the-harbour'. It has: sync-all, " in told.result["error"]


def test_with_several_servers_a_task_goes_over_the_routes_of_the_stash_that_started_it(reports: Reports) -> None:
    world = reports.world
    world.pair(title="Harbour")
    world.data_dir.mkdir(exist_ok=True)
    plex = f'url = "{world.plex.url}"\ntoken = "{TOKEN}"\n'
    (world.data_dir / "scenesync.toml").write_text(
        f'[[stash]]\nname = "living"\nurl = "{world.stash.url}"\n'
        '[[stash]]\nname = "attic"\nurl = "http://127.0.0.1:9"\noutbox = "attic"\n'
        f'[[plex]]\nname = "home"\n{plex}[[plex]]\nname = "cabin"\n{plex}',
        encoding="utf-8",
    )
    told = reports.run("sync-all", plex_url=None, plex_token=None)
    assert told.status == 0
    assert told.result["output"] == "living-home: 1 synced; living-cabin: 1 unchanged"
    assert [line for line in told.of("i") if line.startswith("route ")] == ["route living-home", "route living-cabin"]
    stopped = reports.run("stop-daemon", plex_url=None, plex_token=None)
    assert stopped.result["output"].startswith("SceneSync was not running")
