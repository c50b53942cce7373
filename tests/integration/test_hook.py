import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scenesync.queue import inbox
from scenesync.queue.embedded import EmbeddedQueue
from scenesync.queue.owner_lock import KernelLock
from scenesync.queue.records import PRIORITY_BULK, PRIORITY_FANOUT, PRIORITY_PERSON
from scenesync.queue.snapshot import read_snapshot

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PYTHON = os.path.realpath(sys.executable)  # as Stash has it: no venv
NOBODY = 65534
COOKIE = "FAKE-SESSION-COOKIE-VALUE"

# All fields that SceneUpdateInput sends as null when nobody touched them, on Stash 0.30.1.
UNTOUCHED = dict.fromkeys(
    [
        "clientMutationId",
        "title",
        "code",
        "details",
        "director",
        "url",
        "urls",
        "date",
        "rating100",
        "o_counter",
        "organized",
        "studio_id",
        "gallery_ids",
        "performer_ids",
        "movies",
        "groups",
        "tag_ids",
        "cover_image",
        "stash_ids",
        "resume_time",
        "play_duration",
        "play_count",
        "primary_file_id",
    ]
)
DESTROY = {"delete_file": None, "delete_generated": None, "checksum": "", "oshash": "56dd71f3ef8f7f1b"}
BULK = {"ids": ["3", "5", "4"], "organized": True, "tag_ids": {"ids": ["3"], "mode": "ADD"}}


def server_connection(plugin_dir: str = "/root/.stash/plugins/scenesync") -> dict[str, Any]:
    cookie = {"Name": "session", "Value": COOKIE, "Path": "", "Domain": "", "MaxAge": 0, "Unparsed": None}
    return {
        "Scheme": "http",
        "Host": "127.0.0.1",
        "Port": 9999,
        "SessionCookie": cookie,
        "Dir": "/root/.stash",
        "PluginDir": plugin_dir,
    }


def document(**args: object) -> bytes:
    """What Stash writes: one line, <>& escaped, no newline."""
    text = json.dumps(
        {"server_connection": server_connection(), "args": args}, ensure_ascii=False, separators=(",", ":")
    )
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


def hook(trigger: str, scene_id: object, content: object, *fields: str) -> bytes:
    context = {"id": scene_id, "type": trigger, "input": content}
    if fields:
        context["inputFields"] = list(fields)
    return document(hookContext=context)


def update(scene_id: int = 2, **touched: object) -> bytes:
    return hook("Scene.Update.Post", scene_id, {**UNTOUCHED, "id": str(scene_id), **touched}, "id", *touched)


class Plugin:
    """A plugin folder as Stash has it, with hook.py and the package, and a data directory."""

    interpreter = PYTHON

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "plugin"
        self.folder.mkdir()
        shutil.copy(ROOT / "hook.py", self.folder)
        (self.folder / "scenesync").symlink_to(ROOT / "scenesync")
        self.data_dir = self.folder / "data"
        self.queue_path = self.data_dir / "queue"
        self.temporary = folder / "system-tmp"
        self.temporary.mkdir()

    def run(
        self, stdin: bytes, *, autostart: str = "0", user: int | None = None, python: tuple[str, ...] = (), **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.interpreter, "-I", "-S", *python, str(self.folder / "hook.py")],
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
            cwd="/",
            env={"PATH": "/nowhere", "TMPDIR": str(self.temporary), "SCENESYNC_AUTOSTART": autostart, **env},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )

    def pending(self) -> list[dict[str, Any]]:
        with contextlib.closing(EmbeddedQueue(self.queue_path)) as queue:
            queue.take_in_spool()
            return [waiting.job for waiting in queue.list_pending()]

    def fake_python(self, script: str) -> Path:
        python = self.folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        return python


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    plugin = Plugin(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(plugin.temporary))
    return plugin


@pytest.fixture
def queue(plugin: Plugin) -> Iterator[EmbeddedQueue]:
    with contextlib.closing(EmbeddedQueue(plugin.queue_path)) as opened:
        yield opened


def assert_ok(result: subprocess.CompletedProcess[bytes], output: str = "ok", stderr: bytes = b"") -> None:
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"output": output}
    assert result.stdout.count(b"\n") == 1
    assert result.stderr == stderr


EVENTS = {
    "created by a scan": (hook("Scene.Create.Post", 1, None), 1, "metadata", {}),
    "renamed in a scan": (hook("Scene.Update.Post", 6, None), 6, "metadata", {}),
    "saved": (
        update(2, title='Harbour Lights <Live> & "Unplugged"', details="One.\nTwo - three."),
        2,
        "metadata",
        {"title": 'Harbour Lights <Live> & "Unplugged"'},
    ),
    "cleared": (update(3, details=None, studio_id=None), 3, "metadata", {}),
    "cover": (update(2, cover_image="data:image/png;base64," + "A" * 3_000_000), 2, "metadata", {}),
    "one of a bulk edit": (hook("Scene.Update.Post", 4, BULK, "ids", "organized", "tag_ids"), 4, "metadata", {}),
    "one of scenesUpdate": (
        hook(
            "Scene.Update.Post",
            4,
            [{**UNTOUCHED, "id": "5", "title": "Quiet Roads"}, {**UNTOUCHED, "id": "4"}],
            "id",
            "title",
        ),
        4,
        "metadata",
        {},
    ),
    "identified": (
        hook("Scene.Update.Post", 8, {"title": "Island Ferries"}, "title"),
        8,
        "metadata",
        {"title": "Island Ferries"},
    ),
    "destroyed": (
        hook("Scene.Destroy.Post", 1, {**DESTROY, "id": "1", "path": "/data/media/Concerts/Encore.mp4"}),
        1,
        "destroy",
        {"path": "/data/media/Concerts/Encore.mp4"},
    ),
    "one of several destroyed": (
        hook("Scene.Destroy.Post", 5, {**DESTROY, "ids": ["5", "4"], "path": "/data/media/Travel/Roads.mp4"}),
        5,
        "destroy",
        {"path": "/data/media/Travel/Roads.mp4"},
    ),
    "cleaned": (
        hook("Scene.Destroy.Post", 3, {**DESTROY, "id": "", "path": "/data/media/Tour ✓ Night 2.mp4"}),
        3,
        "destroy",
        {"path": "/data/media/Tour ✓ Night 2.mp4"},
    ),
}


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("made", ["queue made", "no queue yet"])
def test_event_becomes_a_durable_job(plugin: Plugin, name: str, made: str, request: pytest.FixtureRequest) -> None:
    stdin, scene_id, update_type, data = EVENTS[name]
    if made == "queue made":
        request.getfixturevalue("queue")
    before = time.time()
    assert_ok(plugin.run(stdin))
    assert read_snapshot(plugin.queue_path).spooled == (made == "no queue yet")
    [job] = plugin.pending()
    assert before <= job.pop("enqueued_at") <= time.time()
    assert job == {"scene_id": scene_id, "update_type": update_type, "data": data, "job_key": f"scene_{scene_id}"}


@pytest.mark.parametrize("name", EVENTS)
def test_json_library_reads_events_just_as_sqlite_does(name: str) -> None:
    def facts(document: inbox.Document) -> list[object]:
        return [getattr(document, slot) for slot in document.__slots__]

    text = EVENTS[name][0].decode()
    fast = facts(inbox.read_document(text))
    assert facts(inbox._read_slowly(text)) == fast


BY_TASK = {"created by a scan", "renamed in a scan", "identified", "cleaned"}


@pytest.mark.parametrize("name", EVENTS)
def test_what_a_task_of_stash_does_goes_into_the_lane_of_bulk_and_never_before_persons(
    plugin: Plugin, queue: EmbeddedQueue, name: str
) -> None:
    assert_ok(plugin.run(EVENTS[name][0]))
    [waiting] = queue.list_pending()
    assert waiting.priority == (PRIORITY_BULK if name in BY_TASK else PRIORITY_PERSON)


CHANGES_OF_ENTITIES = {
    "performer saved": (hook("Performer.Update.Post", 2, {"id": "2", "name": "Ada"}), {"entity": "performer", "id": 2}),
    "performers saved": (
        hook("Performer.Update.Post", 1, {"ids": ["1", "2"], "favorite": True}, "ids", "favorite"),
        {"entity": "performer", "id": 1},
    ),
    "performers deleted": (hook("Performer.Destroy.Post", 2, ["2", "3"]), {"entity": "performer", "id": 2}),
    "studio saved": (hook("Studio.Update.Post", 2, {"id": "2", "name": "Pier"}), {"entity": "studio", "id": 2}),
    "studio deleted": (hook("Studio.Destroy.Post", 2, ["2"]), {"entity": "studio", "id": 2}),
    "tag saved": (hook("Tag.Update.Post", 1, {"id": "1", "name": "Live"}), {"entity": "tag", "id": 1}),
    "tag deleted": (hook("Tag.Destroy.Post", 1, ["1"]), {"entity": "tag", "id": 1}),
    "tags merged": (
        hook("Tag.Merge.Post", 1, {"source": ["4", "7"], "destination": "1"}),
        {"entity": "tag", "id": 1, "sources": [4, 7]},
    ),
    "group saved": (hook("Group.Update.Post", 1, {"id": "1", "name": "Tour"}), {"entity": "group", "id": 1}),
    "group deleted": (hook("Group.Destroy.Post", 1, ["1"]), {"entity": "group", "id": 1}),
}


@pytest.mark.parametrize("name", CHANGES_OF_ENTITIES)
@pytest.mark.parametrize("made", ["queue made", "no queue yet"])
def test_change_of_what_many_scenes_show_becomes_one_durable_job(
    plugin: Plugin, name: str, made: str, request: pytest.FixtureRequest
) -> None:
    stdin, data = CHANGES_OF_ENTITIES[name]
    if made == "queue made":
        request.getfixturevalue("queue")
    before = time.time()
    assert_ok(plugin.run(stdin))
    assert read_snapshot(plugin.queue_path).spooled == (made == "no queue yet")
    with contextlib.closing(EmbeddedQueue(plugin.queue_path)) as queue:
        queue.take_in_spool()
        [waiting] = queue.list_pending()
    assert before <= waiting.job.pop("enqueued_at") <= time.time()
    assert waiting.priority == PRIORITY_FANOUT
    assert waiting.job == {
        "scene_id": 0,
        "update_type": "fanout",
        "data": data,
        "job_key": f"{data['entity']}_{data['id']}",
    }


@pytest.mark.parametrize("name", CHANGES_OF_ENTITIES)
def test_json_library_reads_changes_of_entities_just_as_sqlite_does(name: str) -> None:
    text = CHANGES_OF_ENTITIES[name][0].decode()
    fast, slow = inbox.read_document(text), inbox._read_slowly(text)
    assert [getattr(slow, slot) for slot in slow.__slots__] == [getattr(fast, slot) for slot in fast.__slots__]


@pytest.mark.parametrize("sources", ["4", None, ["x", "-3", "0", None, {"id": "4"}], {"4": "4"}])
def test_merge_with_odd_sources_is_kept_all_the_same(plugin: Plugin, queue: EmbeddedQueue, sources: object) -> None:
    assert_ok(plugin.run(hook("Tag.Merge.Post", 1, {"source": sources, "destination": "1"})))
    [waiting] = queue.list_pending()
    assert waiting.job["job_key"] == "tag_1"


def test_merges_into_one_tag_keep_the_sources_of_all_of_them(plugin: Plugin, queue: EmbeddedQueue) -> None:
    assert_ok(plugin.run(hook("Tag.Merge.Post", 1, {"source": ["9"], "destination": "1"})))
    assert_ok(plugin.run(hook("Tag.Merge.Post", 1, {"source": ["4", "9"], "destination": "1"})))
    assert_ok(plugin.run(hook("Tag.Update.Post", 1, {"id": "1", "name": "Live"})))
    [waiting] = queue.list_pending()
    assert waiting.job["data"] == {"entity": "tag", "id": 1, "sources": [4, 9]}


@pytest.mark.parametrize(
    "trigger",
    ["SceneMarker.Create.Post", "Movie.Update.Post", "Performer.Create.Post", "Tag.Create.Post", "Image.Destroy.Post"],
)
def test_events_that_no_scene_shows_are_ignored(plugin: Plugin, trigger: str) -> None:
    content = ["1", "2"] if "Destroy" in trigger else {"id": "1", "name": "Live Concert"}
    assert_ok(plugin.run(hook(trigger, 1, content)), "ignored")
    assert not plugin.data_dir.exists()


@pytest.mark.parametrize(
    "stdin",
    [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe\x00", b'{"args":' * 5000, hook("Scene.Update.Post", None, None),
     hook("Scene.Update.Post", "2", None), hook("Scene.Update.Post", -1, None), hook("Scene.Update.Post", 0, None),
     hook("Scene.Update.Post", scene_id=True, content=None)],
    ids=["empty", "cut", "null", "list", "text", "binary", "deep", "no id", "text id", "negative", "zero", "boolean"],
)  # fmt: skip
def test_what_is_not_understood_costs_one_error_line_and_fails_nothing(plugin: Plugin, stdin: bytes) -> None:
    result = plugin.run(stdin)
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"output": "not understood"}
    assert result.stderr.startswith(b"\x01e\x02")
    assert result.stderr.count(b"\n") == 1
    assert not plugin.data_dir.exists()


def test_saves_of_one_scene_merge_as_the_queue_itself_merges(plugin: Plugin, queue: EmbeddedQueue) -> None:
    first = {
        "scene_id": 2,
        "update_type": "metadata",
        "data": {"title": "Old"},
        "enqueued_at": 5.25,
        "job_key": "scene_2",
    }
    queue.put(
        {**first, "server": "kept", "retry_count": 3, "next_retry_at": time.time() + 90, "last_error_type": "PlexBusy"}
    )
    queue.put_job({**first, "scene_id": 7, "job_key": "scene_7"})
    assert_ok(plugin.run(update(2, title="New")))
    assert_ok(plugin.run(update(7, title="New")))
    by_hook, by_queue = queue.list_pending()
    assert by_hook.job == {**first, "server": "kept", "data": {"title": "New"}}
    assert (by_hook.priority, by_hook.due_at, by_hook.row_id) == (0, 0, 1)
    queue.put_job({**first, "data": {"title": "New"}, "enqueued_at": time.time()})
    assert queue.list_pending()[0].job == by_hook.job
    assert by_queue.job == {**first, "scene_id": 7, "job_key": "scene_7", "data": {"title": "New"}}


def test_event_for_a_scene_in_progress_waits_beside_it(plugin: Plugin, queue: EmbeddedQueue) -> None:
    assert_ok(plugin.run(update(2)))
    [running] = queue.claim()
    assert_ok(plugin.run(update(2, title="Again")))
    assert queue.claim() == []
    queue.complete(running)
    [again] = queue.claim()
    assert again.job["data"] == {"title": "Again"}


def test_event_wakes_a_waiting_worker(plugin: Plugin, queue: EmbeddedQueue) -> None:
    assert queue.claim() == []
    assert_ok(plugin.run(update(2)))
    assert queue.wait_for_change(30)
    assert len(queue.claim()) == 1


def test_hook_leaves_checkpoints_to_the_worker(plugin: Plugin, queue: EmbeddedQueue) -> None:
    queue.close()
    before = (plugin.queue_path / "data.db").read_bytes()
    assert_ok(plugin.run(update(2)))
    assert (plugin.queue_path / "data.db").read_bytes() == before
    assert (plugin.queue_path / "data.db-wal").stat().st_size > 0
    assert plugin.pending()[0]["scene_id"] == 2


def test_queue_busy_for_long_sends_the_event_to_the_spool(plugin: Plugin, queue: EmbeddedQueue) -> None:
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE');"
        "print('locked', flush=True); sys.stdin.read()"
    )
    blocker = subprocess.Popen(
        [sys.executable, "-c", code, str(plugin.queue_path / "data.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert blocker.stdout.readline() == b"locked\n"
        assert_ok(plugin.run(update(2, title="first")))
        assert_ok(plugin.run(update(2, title="second")))
        assert read_snapshot(plugin.queue_path).spooled == 2
    finally:
        blocker.communicate()
    [claimed] = queue.claim()
    assert claimed.job["data"] == {"title": "second"}
    queue.complete(claimed)
    assert queue.claim() == []


def test_queue_that_is_busy_for_a_moment_is_waited_for(plugin: Plugin, queue: EmbeddedQueue) -> None:
    with queue.writing():
        running = subprocess.Popen(
            [PYTHON, "-I", "-S", str(plugin.folder / "hook.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"SCENESYNC_AUTOSTART": "0", "TMPDIR": str(plugin.temporary)},
        )
        running.stdin.write(update(2))
        running.stdin.close()
        time.sleep(0.1)
    assert running.stdout.read() == b'{"output": "ok"}\n'
    running.stdout.close()
    running.wait()
    assert read_snapshot(plugin.queue_path).pending == 1


@pytest.mark.parametrize("damage", ["garbage", "no table", "full"])
def test_queue_that_cannot_take_the_event_leaves_it_in_the_spool(plugin: Plugin, damage: str) -> None:
    plugin.queue_path.mkdir(parents=True)
    file = plugin.queue_path / "data.db"
    if damage == "garbage":
        file.write_bytes(b"no database" * 1000)
    elif damage == "no table":
        sqlite3.connect(file).close()
        file.touch()
    else:
        EmbeddedQueue(plugin.queue_path).close()
        file.chmod(0o400)
        (plugin.queue_path / "data.db-wal").mkdir()  # no log can be made
    assert_ok(plugin.run(update(2)))
    assert read_snapshot_of_spool(plugin) == 1
    if damage == "full":
        (plugin.queue_path / "data.db-wal").rmdir()
    assert plugin.pending()[0]["scene_id"] == 2


def read_snapshot_of_spool(plugin: Plugin) -> int:
    return len(list((plugin.queue_path / "spool").glob("*.event")))


def nobody_can_run(python: str) -> bool:
    with contextlib.suppress(OSError):
        command = [python, "-I", "-S", "-c", "import _sqlite3, sys; sys.exit(sys.version_info < (3, 11))"]
        return subprocess.run(command, user=NOBODY, group=NOBODY, extra_groups=[], check=False).returncode == 0
    return False


@pytest.fixture
def world_readable_plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    """A plugin folder that user nobody can reach; pytest's own temporary folders are private to us."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("needs root, to run the hook as another user")
    with tempfile.TemporaryDirectory(prefix="scenesync-test-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        plugin = Plugin(Path(folder))
        (plugin.folder / "scenesync").unlink()
        shutil.copytree(ROOT / "scenesync", plugin.folder / "scenesync", ignore=shutil.ignore_patterns("__pycache__"))
        monkeypatch.setattr(tempfile, "tempdir", str(plugin.temporary))
        plugin.interpreter = next(filter(nobody_can_run, (PYTHON, "/usr/bin/python3", "/usr/local/bin/python3")), "")
        if not plugin.interpreter:
            pytest.skip("no Python here that user nobody may run")
        yield plugin


def test_event_that_may_not_be_written_beside_the_queue_goes_to_the_temporary_folder(
    world_readable_plugin: Plugin,
) -> None:
    plugin = world_readable_plugin
    with contextlib.closing(EmbeddedQueue(plugin.queue_path)) as queue:
        plugin.temporary.chmod(0o1777)
        result = plugin.run(update(2, title="kept"), user=NOBODY)
        assert result.returncode == 0
        assert json.loads(result.stdout) == {"output": "ok"}
        assert result.stderr.startswith(b"\x01w\x02")
        assert str(plugin.data_dir).encode() in result.stderr
        [folder] = plugin.temporary.iterdir()
        assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (NOBODY, 0o700)
        assert queue.wait_for_change(10)
        [claimed] = queue.claim()
        assert claimed.job["data"] == {"title": "kept"}
        assert list(folder.iterdir()) == []


def test_event_that_can_be_written_nowhere_costs_one_error_line_and_fails_nothing(
    world_readable_plugin: Plugin,
) -> None:
    plugin = world_readable_plugin
    plugin.data_dir.mkdir(mode=0o700)
    plugin.temporary.chmod(0o755)
    # tempfile itself looks for a writable folder; all of its candidates are real ones, so it is told where to look.
    (plugin.folder / "scenesync" / "queue" / "spool.py").write_text(
        (ROOT / "scenesync" / "queue" / "spool.py")
        .read_text()
        .replace("return tempfile.gettempdir()", f"return {str(plugin.temporary)!r} if tempfile else ''")
    )
    result = plugin.run(update(2), user=NOBODY)
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"output": "not stored"}
    assert result.stderr.startswith(b"\x01e\x02scene 2: ")
    assert result.stderr.count(b"\n") == 1
    assert b"next poll finds it" in result.stderr


def test_fast_path_loads_neither_json_nor_sqlite3_nor_subprocess(plugin: Plugin, queue: EmbeddedQueue) -> None:
    plugin.data_dir.mkdir(exist_ok=True)
    daemon = KernelLock(plugin.data_dir / "daemon.lock")
    assert daemon.acquire()
    result = plugin.run(update(2), autostart="1", python=("-X", "importtime"))
    daemon.release()
    loaded = {line.rsplit("|", 1)[1].strip() for line in result.stderr.decode().splitlines() if "|" in line}
    assert "_sqlite3" in loaded
    assert "scenesync.queue.inbox" in loaded
    heavy = {"json", "re", "sqlite3", "logging", "pathlib", "subprocess", "typing", "datetime", "functools",
             "collections", "dataclasses", "threading", "tempfile", "hashlib", "socket", "scenesync.queue.spool",
             "scenesync.stash.plugin_start", "scenesync.queue.owner_lock", "persistqueue", "os",
             "__future__"}  # fmt: skip
    if sys.platform == "linux":
        heavy |= {"fcntl", "scenesync.queue.file_lock"}
    assert loaded & heavy == set()
    assert json.loads(result.stdout) == {"output": "ok"}
    assert queue.size == 1


def test_data_dir_comes_from_the_environment(plugin: Plugin, tmp_path: Path) -> None:
    assert_ok(plugin.run(update(2), SCENESYNC_DATA_DIR=str(tmp_path / "elsewhere")))
    assert not plugin.data_dir.exists()
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o700
    assert read_snapshot(tmp_path / "elsewhere" / "queue").pending == 1


def test_manifest_starts_this_hook_for_the_events_that_it_stores() -> None:
    manifest = yaml.safe_load((ROOT / "scenesync.yml").read_text())
    assert manifest["exec"] == ["python", "-I", "-S", "{pluginDir}/hook.py"]
    assert [trigger for entry in manifest["hooks"] for trigger in entry["triggeredBy"]] == list(inbox.UPDATE_TYPES)
    known = {"name", "description", "version", "exec", "interface", "errLog", "hooks", "tasks", "settings", "ui"}
    assert set(manifest) == known, "Stash refuses a manifest with a key that it does not know"
    for setting in manifest["settings"].values():
        assert set(setting) == {"displayName", "description", "type"}
        assert setting["type"] in {"STRING", "NUMBER", "BOOLEAN"}


# -- starting the daemon

DAEMON = """
PATH=/usr/bin:/bin
echo "$@" > {out}.args; pwd > {out}.cwd; echo "$SCENESYNC_DATA_DIR" > {out}.env; ps -o sid= -p $$ > {out}.sid
cat > {out}.stdin
echo started; echo troubled >&2
echo $$ > {out}.tmp && mv {out}.tmp {out}.pid
exec sleep 60
"""


@pytest.fixture
def daemon(plugin: Plugin, tmp_path: Path) -> Iterator[Path]:
    """A stand-in for the venv's Python that notes how it was started; killed at the end."""
    out = tmp_path / "daemon"
    plugin.fake_python(DAEMON.format(out=out))
    yield out
    if out.with_suffix(".pid").exists():
        os.kill(int(out.with_suffix(".pid").read_text()), 9)


def wait_for(path: Path) -> str:
    for _ in range(500):
        if path.exists():
            return path.read_text().strip()
        time.sleep(0.02)
    raise AssertionError(f"{path} did not come")


def test_daemon_is_started_detached_and_stash_is_not_kept_waiting(plugin: Plugin, daemon: Path) -> None:
    begun = time.monotonic()
    assert_ok(plugin.run(update(2), autostart=""))  # returns when stdout and stderr are closed everywhere
    assert time.monotonic() - begun < 30
    pid = wait_for(daemon.with_suffix(".pid"))
    os.kill(int(pid), 0)
    assert wait_for(daemon.with_suffix(".args")) == "-m scenesync run --from-stash"
    assert COOKIE not in Path(f"/proc/{pid}/cmdline").read_text() if sys.platform == "linux" else True
    assert json.loads(wait_for(daemon.with_suffix(".stdin"))) == {"server_connection": server_connection()}
    assert wait_for(daemon.with_suffix(".env")) == str(plugin.data_dir)
    assert wait_for(daemon.with_suffix(".cwd")) == str(plugin.folder)
    assert wait_for(daemon.with_suffix(".sid")) == pid, "its own session"
    log = plugin.data_dir / "daemon.log"
    assert log.read_text() == "started\ntroubled\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_daemon_is_not_started_again_within_seconds(plugin: Plugin, daemon: Path) -> None:
    plugin.run(update(2), autostart="1")
    wait_for(daemon.with_suffix(".pid"))
    os.kill(int(daemon.with_suffix(".pid").read_text()), 9)
    daemon.with_suffix(".pid").unlink()
    daemon.with_suffix(".args").unlink()
    assert_ok(plugin.run(update(2), autostart="1"))
    time.sleep(0.3)
    assert not daemon.with_suffix(".args").exists()
    stamp = plugin.data_dir / "daemon.start"
    os.utime(stamp, (time.time() - 60, time.time() - 60))
    assert_ok(plugin.run(update(2), autostart="1"))
    assert wait_for(daemon.with_suffix(".pid"))


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("reason", ["daemon runs", "environment", "hook.json", "other event"])
def test_daemon_is_not_started_when_it_runs_or_is_not_wanted(plugin: Plugin, reason: str) -> None:
    plugin.data_dir.mkdir()
    lock = KernelLock(plugin.data_dir / "daemon.lock")
    if reason == "daemon runs":
        assert lock.acquire()
    if reason == "hook.json":
        (plugin.data_dir / "hook.json").write_text('{"autostart": false}')
    stdin = hook("SceneMarker.Update.Post", 1, None) if reason == "other event" else update(2)
    result = plugin.run(stdin, autostart="no" if reason == "environment" else "")
    lock.release()
    assert result.returncode == 0
    assert not (plugin.data_dir / "daemon.start").exists()
    assert not (plugin.data_dir / "daemon.log").exists()


@pytest.mark.parametrize("content", ['{"autostart": true}', "{}", "not json", '{"autostart": "x"}', None])
def test_daemon_is_wanted_unless_something_says_no(plugin: Plugin, content: object) -> None:
    plugin.data_dir.mkdir()
    if content is not None:
        (plugin.data_dir / "hook.json").write_text(content)
    result = plugin.run(update(2), autostart="")
    assert (plugin.data_dir / "daemon.start").exists()
    assert_ok(result, stderr=result.stderr)
    assert result.stderr.startswith(b"\x01w\x02")
    assert b"Run the task Install or update dependencies" in result.stderr
    assert result.stderr.count(b"\n") == 1


def test_console_script_on_the_path_is_the_second_choice(plugin: Plugin, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "scenesync"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args.tmp\n/bin/mv {tmp_path}/args.tmp {tmp_path}/args\n')
    script.chmod(0o755)
    assert_ok(plugin.run(update(2), autostart="yes", PATH=str(folder)))
    assert wait_for(tmp_path / "args") == "run --from-stash"


def test_python_that_cannot_be_run_is_named(plugin: Plugin) -> None:
    plugin.fake_python("").write_text("#!/nowhere/python\n")
    result = plugin.run(update(2), autostart="1")
    assert_ok(result, stderr=result.stderr)
    assert b"could not be started" in result.stderr


# -- tasks


def test_task_takes_the_place_of_the_hook_with_the_same_document(plugin: Plugin, tmp_path: Path) -> None:
    plugin.fake_python(
        f'echo "{{\\"output\\": \\"$*\\"}}"; echo $$ > {tmp_path}/pid; cat > {tmp_path}/stdin; pwd > {tmp_path}/cwd'
    )
    stdin = document(mode="sync-all", count="3", extra={"n": 1})
    running = subprocess.Popen(
        [PYTHON, "-I", "-S", str(plugin.folder / "hook.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    stdout, _ = running.communicate(stdin, timeout=60)
    assert running.returncode == 0
    assert json.loads(stdout) == {"output": "-m scenesync stash-task"}
    assert (tmp_path / "stdin").read_bytes() == stdin
    assert (tmp_path / "pid").read_text().strip() == str(running.pid), "Stash's kill must hit the worker itself"
    assert (tmp_path / "cwd").read_text().strip() == str(plugin.folder)


def test_task_without_an_installation_says_how_to_install(plugin: Plugin) -> None:
    result = plugin.run(document(mode="queue-status"))
    assert result.returncode == 0
    assert "Run the task Install or update dependencies" in json.loads(result.stdout)["error"]
    assert str(plugin.folder) in json.loads(result.stdout)["error"]


def test_operation_is_run_like_a_task(plugin: Plugin) -> None:
    plugin.fake_python('echo "{}"')
    assert plugin.run(document(mode="status", n=1)).stdout == b"{}\n"


def test_stash_that_went_away_does_not_make_the_hook_fail(plugin: Plugin, queue: EmbeddedQueue) -> None:
    running = subprocess.Popen(
        [PYTHON, "-I", "-S", str(plugin.folder / "hook.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"SCENESYNC_AUTOSTART": "0"},
    )
    running.stdout.close()
    running.stdin.write(update(2))
    running.stdin.close()
    assert running.wait(timeout=60) == 0
    assert queue.size == 1


def test_half_a_surrogate_pair_in_a_title_costs_no_event(tmp_path: Path) -> None:
    document = b'{"args":{"hookContext":{"id":14,"type":"Scene.Update.Post","input":{"title":"\\ud800 lone"}}}}'
    EmbeddedQueue(tmp_path / "queue").close()
    assert inbox.store(inbox.read_document(document.decode()), str(tmp_path)) is None
    with contextlib.closing(EmbeddedQueue(tmp_path / "queue")) as queue:
        [claimed] = queue.claim()
    assert (claimed.scene_id, claimed.job["data"]) == (14, {"title": "? lone"})
