"""Tasks as jobs, operations, and manifests."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from stash_over_http import Client, Probe, capture, eventually, served, shape

from scenesync.simulators.stash.jobs import JobStatus
from scenesync.simulators.stash.plugin_host import LogLine
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "mutation($p:ID!,$t:String,$a:Map){runPluginTask(plugin_id:$p,task_name:$t,args_map:$a)}"
JOB = "query($i:ID!){findJob(input:{id:$i}){id status progress error description startTime endTime addTime}}"


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return Probe(tmp_path / "plugins")


@pytest.fixture
def client(probe: Probe) -> Iterator[Client]:
    with served(StashSimulator(probe.plugins)) as client:
        yield client


def _run(client: Client, plugin: str = "probe", task: str | None = "Count", args: dict[str, Any] | None = None) -> str:
    job_id: str = client.data(RUN, {"p": plugin, "t": task, "a": args})["runPluginTask"]
    return job_id


def test_a_task_gets_its_defaults_overridden_by_the_given_arguments(client: Client, probe: Probe) -> None:
    job = client.stash.job(_run(client, args={"extra": {"n": 1}}))

    assert job.status is JobStatus.FINISHED
    (document,) = probe.documents()
    real = capture("task")
    assert document["args"] == real["args"]
    assert list(document["args"]) == ["count", "extra", "mode"]
    assert shape(document) == shape(real)


def test_without_a_task_name_there_are_no_defaults(client: Client, probe: Probe) -> None:
    client.stash.job(_run(client, task=None, args={"b": 1, "a": "x"}))

    assert probe.documents()[0]["args"] == {"a": "x", "b": 1}


def test_progress_goes_to_the_job_which_keeps_the_last_value(client: Client, probe: Probe) -> None:
    probe.behave("""
        for value in ("0.25", "x", "0.75"):
            say("p", value)
        while not os.path.exists(os.path.join(here, "go")):
            time.sleep(0.01)
    """)
    job_id = _run(client)

    eventually(lambda: client.data(JOB, {"i": job_id})["findJob"]["progress"] == 0.75)
    queue = client.data("{jobQueue{id status progress}}")["jobQueue"]
    assert queue == [{"id": job_id, "status": "RUNNING", "progress": 0.75}]
    (probe.folder / "go").touch()
    client.stash.job(job_id)

    job = client.data(JOB, {"i": job_id})["findJob"]
    assert (job["status"], job["progress"], job["error"]) == ("FINISHED", 0.75, None)
    assert job["description"] == "Running plugin task: Count"
    assert job["addTime"] <= job["startTime"] <= job["endTime"]
    assert client.data("{jobQueue{id}}") == {"jobQueue": None}


def test_a_failing_task_is_finished_all_the_same_and_only_the_log_knows(client: Client, probe: Probe) -> None:
    probe.behave("print(json.dumps({'error': 'no Plex'})); sys.exit(1)")

    job = client.stash.job(_run(client))

    assert (job.status, job.error) == (JobStatus.FINISHED, None)
    assert LogLine("error", "", "Plugin returned error: no Plex") in client.stash.log


@pytest.mark.parametrize(
    ("plugin", "task", "error"),
    [
        ("none", "Count", "Error creating plugin task: no plugin with ID none"),
        ("probe", "None", "Error creating plugin task: no task with name None in plugin Probe"),
        ("off", "Count", "Error creating plugin task: plugin off is disabled"),
    ],
)
def test_what_cannot_begin_has_failed(
    client: Client, tmp_path: Path, plugin: str, task: str, error: str | None
) -> None:
    Probe(tmp_path / "plugins", "off")
    client.data("mutation{reloadPlugins setPluginsEnabled(enabledMap:{off:false})}")

    job = client.stash.job(_run(client, plugin, task))

    assert (job.status, job.error) == (JobStatus.FAILED, error)


def test_jobs_run_one_at_a_time_and_stopping_kills_just_that_process(client: Client, probe: Probe) -> None:
    probe.behave("""
        if not os.path.exists(os.path.join(here, "pid")):
            with open(os.path.join(here, "pid.tmp"), "w") as file:
                file.write(str(os.getpid()))
            os.rename(os.path.join(here, "pid.tmp"), os.path.join(here, "pid"))
            say("p", "0.5")
            time.sleep(60)
    """)
    first, second, third = (_run(client) for _each in range(3))
    eventually((probe.folder / "pid").exists)
    queue = client.data("{jobQueue{id status}}")["jobQueue"]
    assert [job["status"] for job in queue] == ["RUNNING", "READY", "READY"]

    client.data("mutation($i:ID!){stopJob(job_id:$i)}", {"i": third})
    client.data("mutation($i:ID!){stopJob(job_id:$i)}", {"i": first})

    assert client.stash.job(first).status is JobStatus.CANCELLED
    with pytest.raises(ProcessLookupError):
        _gone(int((probe.folder / "pid").read_text()))
    assert client.stash.job(second).status is JobStatus.FINISHED
    assert client.stash.job(third).status is JobStatus.CANCELLED
    assert len(probe.documents()) == 2


def _gone(pid: int) -> None:
    """Raise ProcessLookupError as soon as the process is gone; return if it stays."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        os.kill(pid, 0)
        time.sleep(0.01)


def test_only_the_last_ten_finished_jobs_can_be_found(client: Client) -> None:
    ids = [_run(client, plugin="none") for _each in range(12)]

    client.stash.job(ids[-1])

    found = [client.data(JOB, {"i": each})["findJob"] is not None for each in ids]
    assert found == [False] * 2 + [True] * 10


OPERATE = "mutation($p:ID!,$a:Map){runPluginOperation(plugin_id:$p,args:$a)}"


def test_an_operation_answers_at_once_with_the_output(client: Client, probe: Probe) -> None:
    probe.behave("print(json.dumps({'output': {'pending': document['args']['n']}}))")

    answer = client.data(OPERATE, {"p": "probe", "a": {"mode": "status", "n": 1}})

    assert answer == {"runPluginOperation": {"pending": 1}}
    (document,) = probe.documents()
    assert document["args"] == capture("operation")["args"]
    assert shape(document) == shape(capture("operation"))


def test_errors_of_operations_are_graphql_errors(client: Client, probe: Probe) -> None:
    probe.behave("print(json.dumps({'error': 'no daemon'}))")
    assert client.error(OPERATE, {"p": "probe"}) == (200, "no daemon")
    probe.behave("print('plain')")
    assert client.data(OPERATE, {"p": "probe"}) == {"runPluginOperation": "plain\n"}
    nil = "Internal system error. Error <runtime error: invalid memory address or nil pointer dereference>"
    assert client.error(OPERATE, {"p": "none"}) == (200, nil)
    client.data("mutation{setPluginsEnabled(enabledMap:{probe:false})}")
    assert client.error(OPERATE, {"p": "probe"}) == (200, "plugin probe is disabled")


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "manifest",
    [
        "name: X\ncolour: blue\n",
        "name: X\nname: Y\n",
        "name: X\nexec: [python, {pluginDir}/x.py]\n",
        "name: X\nexec: python\n",
        "name: X\nhooks: [{name: H, triggers: [a]}]\n",
        "name: X\ntasks: [{name: H, defaultArgs: {a: {b: c}}}]\n",
        "services: {web: {}}\n",
        "name: X\nsettings: {a: {default: 3}}\n",
        "- just\n- a list\n",
    ],
)
def test_a_manifest_with_anything_unknown_is_refused_with_an_error_in_the_log(tmp_path: Path, manifest: str) -> None:
    _write(tmp_path / "plugins" / "x", "x.yml", manifest)

    stash = StashSimulator(tmp_path / "plugins")

    assert stash.engine.host.plugins == ()
    (line,) = stash.log
    assert line.level == "error"
    assert line.text.startswith(f"Error loading plugin {tmp_path / 'plugins' / 'x' / 'x.yml'}: ")


def test_manifests_are_found_at_any_depth_and_the_first_of_an_id_wins(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    _write(plugins / "b" / "deep", "Same.yml", "name: Second\n")
    _write(plugins / "a", "same.yml", "name: First\nversion: 1.0\n")
    _write(plugins / "a", "ignored.yaml", "name: Not a plugin\n")
    _write(tmp_path / "elsewhere", "linked.yml", 'name: Linked\nexec: [python, "{pluginDir}/x.py"]\n')
    (plugins / "c").symlink_to(tmp_path / "elsewhere")

    stash = StashSimulator(plugins)

    assert [(plugin.id, plugin.name) for plugin in stash.engine.host.plugins] == [
        ("same", "First"),
        ("linked", "Linked"),
    ]
    assert stash.engine.host.plugins[0].version == "1.0"


def test_the_ui_can_list_plugins_with_tasks_hooks_and_settings(tmp_path: Path) -> None:
    text = "name: X\nversion: 0.10\nsettings:\n  b: {type: BOOLEAN, displayName: B}\n  a: {type: NUMBER}\n"
    _write(tmp_path / "plugins", "x.yml", text)
    Probe(tmp_path / "plugins")
    with served(StashSimulator(tmp_path / "plugins")) as client:
        fields = "id name version enabled tasks{name description} hooks{name hooks} settings{name type display_name}"
        probe, x = client.data(f"{{plugins{{{fields}}}}}")["plugins"]
        assert probe["tasks"] == [{"name": "Count", "description": "Counts"}]
        assert "Scene.Update.Post" in probe["hooks"][0]["hooks"]
        assert x["version"] == "0.10"
        assert x["settings"] == [
            {"name": "a", "type": "NUMBER", "display_name": None},
            {"name": "b", "type": "BOOLEAN", "display_name": "B"},
        ]
