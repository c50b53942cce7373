"""Hooks as real processes: what they are given, in which order, and what becomes of what they say."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from stash_over_http import Client, Probe, capture, eventually, served, shape

from scenesync.simulators.sample_world import png
from scenesync.simulators.stash.inputs import data_url
from scenesync.simulators.stash.plugin_host import LogLine
from scenesync.simulators.stash.records import NewFile
from scenesync.simulators.stash.server import StashSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return Probe(tmp_path / "plugins")


@pytest.fixture
def client(probe: Probe) -> Iterator[Client]:
    with served(StashSimulator(probe.plugins)) as client:
        for number in range(1, 6):
            client.stash.add_scene(title=f"Scene {number}", path=f"/data/media/{number}.mp4")
        yield client


def _update(client: Client, **fields: object) -> None:
    client.data("mutation($i:SceneUpdateInput!){sceneUpdate(input:$i){id}}", {"i": fields})


def _prepare_entities(client: Client) -> None:
    stash = client.stash
    studio = stash.add_studio("Example Films")
    stash.add_studio("Pier Records", studio)
    for name in ("The Harbour Band", "Ada Sample", "Old Friend"):
        stash.add_performer(name)
    for name in ("Live", "Concert", "Travel", "Gig"):
        stash.add_tag(name)
    stash.add_group("Summer Tour")


def _raw_input(name: str) -> dict[str, Any]:
    context = capture(name)["args"]["hookContext"]
    return {key: context["input"][key] for key in context["inputFields"]}


def _sent(mutation: str, type_name: str) -> str:
    return f"mutation($i:{type_name}){{{mutation}(input:$i){{id}}}}"


ACTIONS = {
    "hook-scene-update": lambda c: c.data(
        _sent("sceneUpdate", "SceneUpdateInput!"), {"i": _raw_input("hook-scene-update")}
    ),
    "hook-scene-update-null": lambda c: _update(c, id="3", details=None, studio_id=None),
    "hook-scene-update-cover": lambda c: _update(c, id="2", cover_image=data_url(png(1))),
    "hook-scene-bulk-update-first": lambda c: c.data(
        "mutation($i:BulkSceneUpdateInput!){bulkSceneUpdate(input:$i){id}}",
        {"i": {"ids": ["3", "5", "4"], "organized": True, "tag_ids": {"ids": ["3"], "mode": "ADD"}}},
    ),
    "hook-scenes-update": lambda c: c.data(
        "mutation($i:[SceneUpdateInput!]!){scenesUpdate(input:$i){id}}",
        {"i": [{"id": "5", "title": "Quiet"}, {"id": "4", "title": "Ferries", "date": "2023-05"}]},
    ),
    "hook-scene-create-by-scan": lambda c: c.stash.scan([NewFile("/data/media/new.mp4")]),
    "hook-scene-update-rename-in-scan": lambda c: c.stash.rename_in_scan(5, "/data/media/moved.mp4"),
    "hook-scene-destroy": lambda c: c.data(
        "mutation{sceneDestroy(input:{id:1,delete_file:true,delete_generated:true})}"
    ),
    "hook-scenes-destroy": lambda c: c.data("mutation{scenesDestroy(input:{ids:[5,4],delete_file:false})}"),
    "hook-scene-destroy-by-clean": lambda c: c.stash.clean(["/data/media/3.mp4"]),
    "hook-performer-update": lambda c: c.stash.save_performer(2, name="Ada Sample", alias_list=["A. Sample"]),
    "hook-performers-destroy": lambda c: c.data("mutation{performersDestroy(ids:[2,3])}"),
    "hook-studio-update": lambda c: c.stash.save_studio(2, name="Pier Records"),
    "hook-tag-update": lambda c: c.stash.save_tag(1, name="Live Concert"),
    "hook-tag-merge": lambda c: c.data("mutation{tagsMerge(input:{source:[4],destination:1}){id}}"),
    "hook-group-update": lambda c: c.stash.save_group(1, name="Summer Tour"),
}
# Of several hooks, which one was captured.
WHICH = {"hook-scenes-update": 1}


@pytest.mark.parametrize("name", ACTIONS)
def test_stdin_has_the_shape_that_a_real_stash_gives(client: Client, probe: Probe, name: str) -> None:
    _prepare_entities(client)

    ACTIONS[name](client)

    document = probe.documents()[WHICH.get(name, 0)]
    real = capture(name)
    ours, theirs = document["args"]["hookContext"], real["args"]["hookContext"]
    assert sorted(ours.pop("inputFields", ["none"])) == sorted(theirs.pop("inputFields", ["none"]))
    assert ours["type"] == theirs["type"]
    assert shape(document) == shape(real)
    assert list(document["server_connection"]) == list(real["server_connection"])
    assert list(document["server_connection"]["SessionCookie"]) == list(real["server_connection"]["SessionCookie"])
    assert document["args"] | {"hookContext": None} == real["args"] | {"hookContext": None}


def test_stdin_is_one_line_of_gos_json_that_names_the_real_server(client: Client, probe: Probe, tmp_path: Path) -> None:
    client.stash.save(2, title="Harbour <Live> & more\u2028")

    raw = probe.raw()[0]
    assert b"\\u003cLive\\u003e \\u0026 more" in raw
    assert b"\n" not in raw
    connection = probe.documents()[0]["server_connection"]
    assert (connection["Host"], connection["Port"]) == ("127.0.0.1", client.stash.port)
    assert (connection["Dir"], connection["PluginDir"]) == (str(tmp_path), str(probe.folder))


def test_bulk_writes_everything_first_and_then_runs_one_hook_after_another(client: Client, probe: Probe) -> None:
    probe.behave("""
        import urllib.request
        url = f"http://127.0.0.1:{document['server_connection']['Port']}/graphql"
        query = b'{"query":"{findScenes(filter:{sort:\\\\"id\\\\"}){scenes{organized}}}"}'
        request = urllib.request.Request(url, query, {"Content-Type": "application/json"})
        answer = json.load(urllib.request.urlopen(request))
        say("i", str(sum(scene["organized"] for scene in answer["data"]["findScenes"]["scenes"])))
    """)

    client.stash.bulk_save([4, 2, 5], organized=True)

    assert probe.events() == [("Scene.Update.Post", 4), ("Scene.Update.Post", 2), ("Scene.Update.Post", 5)]
    assert [line for line in client.stash.log if line.level == "info"] == [LogLine("info", "Probe", "3")] * 3


def test_save_waits_for_its_hooks_and_requests_run_theirs_side_by_side(client: Client, probe: Probe) -> None:
    probe.behave("time.sleep(2)")
    began = time.monotonic()
    savers = [threading.Thread(target=_update, args=(client,), kwargs={"id": n, "title": "x"}) for n in (1, 2, 3)]

    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join()

    assert 2 <= time.monotonic() - began < 5.5  # one after another they would need 6 s
    assert len(probe.events()) == 3
    assert all(run.duration_s >= 2 for run in client.stash.hook_runs)


def test_groups_fire_their_own_and_the_movie_hook_in_this_order(client: Client, probe: Probe) -> None:
    _prepare_entities(client)

    client.stash.save_group(1, name="Winter Tour")
    client.stash.destroy_entities("group", [1])

    kinds = [kind for kind, _id in probe.events()]
    assert kinds == ["Group.Update.Post", "Movie.Update.Post", "Group.Destroy.Post", "Movie.Destroy.Post"]


def test_a_hook_of_destroy_finds_the_relation_gone_already(client: Client) -> None:
    _prepare_entities(client)
    client.stash.save(1, performers=[1, 2], tags=[1])
    updated_at = client.stash.scene(1).updated_at

    client.stash.destroy_entities("performer", [2])
    client.stash.destroy_entities("tag", [1])

    scene = client.stash.scene(1)
    assert (scene.performer_ids, scene.tag_ids, scene.updated_at) == ((1,), (), updated_at)


@pytest.mark.parametrize(
    ("behaviour", "output", "error", "status"),
    [
        ("print(json.dumps({'output': {'n': 1}}))", {"n": 1}, None, 0),
        ("print(json.dumps({'error': 'no Plex', 'output': 'x'}))", "x", "no Plex", 0),
        ("print(json.dumps({'error': 'mine'})); sys.exit(3)", None, "mine", 3),
        ("print('hello'); print(json.dumps({'error': 'lost'}))", 'hello\n{"error": "lost"}\n', None, 0),
        ("sys.exit(4)", "", "exit status 4", 4),
        ("os.kill(os.getpid(), 9)", "", "signal: killed", -9),
        ("print('{\"error\": 5}')", '{"error": 5}\n', None, 0),
    ],
)
def test_stdout_and_exit_status_become_output_and_error(
    client: Client, probe: Probe, behaviour: str, output: object, error: str | None, status: int
) -> None:
    probe.behave(behaviour)

    _update(client, id=1, title="saved all the same")

    (run,) = client.stash.hook_runs
    assert (run.trigger, run.scene_id, run.plugin) == ("Scene.Update.Post", 1, "probe")
    assert (run.output, run.error, run.exit_status) == (output, error, status)
    assert client.stash.scene(1).title == "saved all the same"
    if error is not None:
        line = LogLine("error", "", f"Scene.Update.Post [Probe]: returned error: {error}")
        assert line in client.stash.log


def test_stderr_lines_have_levels_and_the_default_is_error(client: Client, probe: Probe) -> None:
    probe.behave(r"""
        for level in "tdiwe":
            say(level, f"a {level} line")
        sys.stderr.write("no prefix\n\x01x\x02strange\nlast, without an end")
    """)

    client.stash.save(1, title="x")

    assert client.stash.log[:5] == [
        LogLine("trace", "Probe", "a t line"),
        LogLine("debug", "Probe", "a d line"),
        LogLine("info", "Probe", "a i line"),
        LogLine("warning", "Probe", "a w line"),
        LogLine("error", "Probe", "a e line"),
    ]
    assert client.stash.log[5:8] == [
        LogLine("error", "Probe", "no prefix"),
        LogLine("error", "Probe", "\x01x\x02strange"),
        LogLine("error", "Probe", "last, without an end"),
    ]


def test_a_line_over_64_kib_ends_the_log_and_breaks_the_pipe(client: Client, probe: Probe) -> None:
    probe.behave("""
        say("i", "before")
        try:
            for _ in range(60):
                sys.stderr.write("x" * 100_000)
                sys.stderr.flush()
                time.sleep(0.05)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            print(json.dumps({"output": "broken"}))
    """)

    client.stash.save(1, title="x")

    assert client.stash.hook_runs[0].output == "broken"
    assert [line.text for line in client.stash.log if line.plugin] == ["before"]


def test_a_child_that_inherits_stdout_holds_up_the_save_and_one_with_stderr_does_not(
    client: Client, probe: Probe
) -> None:
    child = 'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2)"], stdin=subprocess.DEVNULL, {})'
    probe.behave(child.format("stdout=subprocess.DEVNULL"))
    client.stash.save(1, title="x")
    probe.behave(child.format("stderr=subprocess.DEVNULL"))
    client.stash.save(1, title="y")

    detached, inheriting = client.stash.hook_runs
    assert detached.duration_s < 1.8
    assert inheriting.duration_s >= 2


def _disconnect_during_bulk(client: Client, started: Path) -> None:
    body = b'{"query":"mutation{bulkSceneUpdate(input:{ids:[1,2,3],organized:true}){id}}"}'
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.stash.port)) as connection:
        connection.sendall(head.encode() + body)
        eventually(started.exists)


def test_a_client_that_goes_away_kills_the_hook_and_skips_the_rest_but_everything_is_written(
    client: Client, probe: Probe
) -> None:
    started, survived = probe.folder / "started", probe.folder / "survived"
    probe.behave(f"""
        open({str(started)!r}, "w").write(str(os.getpid()))
        time.sleep(20)
        open({str(survived)!r}, "w").close()
    """)

    _disconnect_during_bulk(client, started)

    eventually(lambda: client.stash.hook_runs)
    (run,) = client.stash.hook_runs
    assert (run.error, run.exit_status, run.scene_id) == ("operation cancelled", None, 1)
    assert LogLine("error", "", "error executing post hooks: operation cancelled") in client.stash.log
    assert all(client.stash.scene(number).organized for number in (1, 2, 3))
    eventually(lambda: not _lives(int(started.read_text())))
    time.sleep(0.2)
    assert probe.events() == [("Scene.Update.Post", 1)]
    assert not survived.exists()


def test_disconnects_can_be_made_harmless(client: Client, probe: Probe) -> None:
    client.stash.kills_hooks_on_disconnect = False
    probe.behave('open(os.path.join(here, "started"), "w").close(); time.sleep(0.2)')

    _disconnect_during_bulk(client, probe.folder / "started")

    eventually(lambda: len(client.stash.hook_runs) == 3)
    assert [run.error for run in client.stash.hook_runs] == [None] * 3


def _lives(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_an_earlier_plugin_that_cannot_start_silences_later_ones(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    probe = Probe(plugins, "probe")
    broken = plugins / "a-broken" / "broken.yml"
    broken.parent.mkdir()
    broken.write_text("name: Broken\nexec: [no-such-program]\nhooks: [{name: H, triggeredBy: [Scene.Update.Post]}]\n")
    with served(StashSimulator(plugins)) as client:
        client.stash.add_scene(path="/data/1.mp4")
        client.stash.save(1, title="x")
        assert probe.events() == []
        assert client.stash.log[0].text.startswith("error executing post hooks: [Errno 2]")

        client.data("mutation{setPluginsEnabled(enabledMap:{broken:false})}")
        client.stash.save(1, title="y")
        assert probe.events() == [("Scene.Update.Post", 1)]
        client.data("mutation{setPluginsEnabled(enabledMap:{broken:true,probe:false})}")
        assert client.data("{plugins{id enabled}}")["plugins"] == [
            {"id": "broken", "enabled": True},
            {"id": "probe", "enabled": False},
        ]


def test_python_gets_the_folder_above_as_pythonpath_and_only_the_given_environment(tmp_path: Path) -> None:
    probe = Probe(tmp_path / "plugins")
    probe.behave("print(json.dumps({'output': [sys.executable, dict(os.environ), os.getcwd()]}))")
    stash = StashSimulator(tmp_path / "plugins", hook_env={"SCENESYNC_DATA_DIR": "/x", "PYTHONPATH": "/lib"})
    with served(stash) as client:
        client.stash.add_scene(path="/data/1.mp4")
        client.stash.save(1, title="x")

        program, environment, cwd = client.stash.hook_runs[0].output
    assert Path(program).samefile(sys.executable)
    assert cwd == Path(os.sep).resolve().as_posix()
    assert environment["PYTHONPATH"] == f"/lib{os.pathsep}{tmp_path / 'plugins'}"
    assert environment["SCENESYNC_DATA_DIR"] == "/x"
    assert "HOME" not in environment


_SAVE_AGAIN = """
    import urllib.request
    connection = document["server_connection"]
    headers = {{"Content-Type": "application/json", {credential}}}
    query = b'{{"query":"mutation{{sceneUpdate(input:{{id:1,title:\\\\"again\\\\"}}){{id}}}}"}}'
    url = f"http://127.0.0.1:{{connection['Port']}}/graphql"
    if len(os.listdir(here)) < 18:
        urllib.request.urlopen(urllib.request.Request(url, query, headers)).read()
"""


@pytest.mark.parametrize(
    ("credential", "runs"),
    [('"Cookie": "session=" + connection["SessionCookie"]["Value"]', 10), ('"ApiKey": "K"', 15)],
)
def test_only_the_cookie_stops_a_hook_that_writes_back(tmp_path: Path, credential: str, runs: int) -> None:
    """With the key it goes on until the plugin itself stops (after its fifteenth run)."""
    probe = Probe(tmp_path / "plugins")
    probe.behave(_SAVE_AGAIN.format(credential=credential))
    with served(StashSimulator(tmp_path / "plugins", api_key="K", username="u", password="p")) as client:
        client.stash.add_scene(path="/data/1.mp4")
        client.stash.save(1, title="once")

        assert len(probe.events()) == runs
        assert [run.error for run in client.stash.hook_runs] == [None] * runs


def _update_in_vain(client: Client) -> None:
    with pytest.raises(urllib3.exceptions.ProtocolError):
        _update(client, id=1, title="x")


def test_stopping_the_simulator_ends_running_hooks(tmp_path: Path) -> None:
    probe = Probe(tmp_path / "plugins")
    probe.behave('open(os.path.join(here, "pid"), "w").write(str(os.getpid())); time.sleep(60)')
    pid = probe.folder / "pid"
    with served(StashSimulator(tmp_path / "plugins")) as client:
        client.stash.add_scene(path="/data/1.mp4")
        saver = threading.Thread(target=_update_in_vain, args=(client,))
        saver.start()
        eventually(lambda: pid.exists() and pid.read_text())
    saver.join()
    eventually(lambda: not _lives(int(pid.read_text())))
