"""One event of Stash, from the hook's stdin into the queue, with the standard library alone.

A person waits for this while saving a scene, so it imports next to nothing: SQLite itself reads the JSON and builds the
job. Whatever goes wrong with the queue, the event is kept in the spool; whoever opens the queue next takes it in.
"""

import sys
import time

if sys.platform == "win32":
    import os as system
else:
    import posix as system  # what `os` is made of: `os` itself costs a fifth of the start of an empty Python

_CALCULATOR: "list[sqlite.Connection]" = []  # a connection without a file, for `_compute`
_LEFT_OPEN: "list[object]" = []  # connections to the queue: closing the last one would checkpoint

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself costs more than it says
    import sqlite3 as sqlite
    from collections.abc import Callable, Mapping
    from typing import Any

    PluginStart = Callable[[str, str, str], "str | None"]  # see `run`
else:

    def _import_sqlite() -> object:
        """Return the C half of sqlite3; the other half costs as much again, for datetime and more that nobody needs.

        A third of the hook's time would be the C half's own import of functools, of which it wants one function, and
        that one is in C as well. So it gets just that, and whoever imports functools later gets the real one.
        """
        if "functools" in sys.modules:
            import _sqlite3  # noqa: PLC0415 (all here is about what is imported when)

            return _sqlite3
        from _functools import _lru_cache_wrapper  # noqa: PLC0415

        stand_in = type(sys)("functools")
        stand_in.lru_cache = lambda size: lambda function: _lru_cache_wrapper(function, size, 0, tuple)
        sys.modules["functools"] = stand_in
        try:
            import _sqlite3  # noqa: PLC0415
        finally:
            del sys.modules["functools"]
        _CALCULATOR.append(_sqlite3.connect(":memory:", check_same_thread=False))  # proves that it was content
        return _sqlite3

    try:
        sqlite = _import_sqlite()
    except Exception:  # noqa: BLE001 (private parts of CPython: if they differ, take the public way)
        import sqlite3 as sqlite

QUEUE_FOLDER = "queue"
OUTBOX_FOLDER = "outbox"  # made by a daemon that serves several servers, which brings events on to each one's queue
DAEMON_LOCK = "daemon.lock"
_QUEUE_FILE = "data.db"
_PATIENCE_S = 0.25
_RETRY_S = 0.001  # a bulk enqueue pauses for a few milliseconds between its transactions
_BUSY_CODES = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
_PRIMARY_CODE = 0xFF
_LONGEST_LOG_BYTES = 8 * 1024 * 1024  # some hundred events
_FLAG_VALUES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

UPDATE_TYPES = {
    "Scene.Create.Post": "metadata",
    "Scene.Update.Post": "metadata",
    "Scene.Destroy.Post": "destroy",
    # What many scenes show. A new one is shown by none yet; of Group.* and Movie.*, which fire together, one is enough.
    "Performer.Update.Post": "fanout",
    "Performer.Destroy.Post": "fanout",
    "Studio.Update.Post": "fanout",
    "Studio.Destroy.Post": "fanout",
    "Tag.Update.Post": "fanout",
    "Tag.Destroy.Post": "fanout",
    "Tag.Merge.Post": "fanout",
    "Group.Update.Post": "fanout",
    "Group.Destroy.Post": "fanout",
}
_FAN_OUT = "fanout"
_MERGED = "Tag.Merge.Post"
_PRIORITY_PERSON, _PRIORITY_TASK, _PRIORITY_FAN_OUT = 0, 10, 20

# A scene's own title and path, as hints for a listing. Absent fields arrive as null, the array of scenesUpdate holds
# other scenes too, and so does whatever has `ids` (facts/stash.md 2.1); a destroyed scene's path is always its own.
_READ = """
    SELECT json_type(?1), json_type(?1, '$.args.hookContext'),
        json_extract(?1, '$.args.hookContext.type'),
        CASE WHEN json_type(?1, '$.args.hookContext.id') = 'integer' THEN json_extract(?1, '$.args.hookContext.id') END,
        CASE WHEN json_type(?1, '$.args.hookContext.input.title') = 'text'
              AND json_type(?1, '$.args.hookContext.input.ids') IS NULL
             THEN json_extract(?1, '$.args.hookContext.input.title') END,
        CASE WHEN json_type(?1, '$.args.hookContext.input.path') = 'text'
             THEN json_extract(?1, '$.args.hookContext.input.path') END,
        json_extract(?1, '$.args.hookContext.inputFields') || '', json_extract(?1, '$.args.hookContext.input.id')"""
_BUILD = """
    SELECT json_object(
        'scene_id', ?1, 'update_type', ?2,
        'data', json_patch('{}', json_object('path', ?3, 'title', substr(?4, 1, 500))),
        'enqueued_at', json(?5), 'job_key', 'scene_' || ?1)"""
_FIND = "SELECT _id FROM ack_queue_default WHERE job_key = ?1 AND status < 2 ORDER BY _id DESC LIMIT 1"
# With what stands in columns of its own, or a trigger would look it up in `data` and change two indexes once more.
_INSERT = """
    INSERT INTO ack_queue_default (data, timestamp, status, priority, event_at, job_key, due_at)
    VALUES (CAST(?1 AS BLOB), ?2, 0, ?3, ?2, ?4, 0)"""


class Document:
    """What Stash wrote to stdin: a hook's event, or (``is_hook`` False) a task.

    ``object_id`` is the id of what changed: a scene, or what ``trigger`` begins with. ``sources`` is the JSON list of
    the ids that were merged into it. ``by_task``: a task of Stash did it, no person.
    """

    __slots__ = ("by_task", "is_hook", "object_id", "path", "sources", "title", "trigger")

    def __init__(
        self,
        *,
        is_hook: bool,
        trigger: object = None,
        object_id: object = None,
        title: object = None,
        path: object = None,
        sources: "str | None" = None,
        by_task: bool = False,
    ) -> None:
        self.is_hook = is_hook
        self.trigger = trigger
        self.object_id = object_id
        self.title = title
        self.path = path
        self.sources = sources
        self.by_task = by_task


def run(raw: bytes, folder: str, environment: "Mapping[Any, Any]", plugin_start: "PluginStart") -> None:
    """Do what the document ``raw`` asks for and answer Stash with one JSON object.

    ``folder`` is the plugin's. ``plugin_start(action, data_dir, text)`` starts the daemon or becomes a task
    (``start_daemon``, ``become_task``) and returns what went wrong, or None.
    """
    data_dir = _variable(environment, "SCENESYNC_DATA_DIR") or f"{folder}/data"
    text = raw.decode("utf-8", "replace")
    try:
        document = read_document(text)
    except ValueError as error:
        _log("e", f"what Stash sent was not understood, nothing was stored: {error}")
        _answer("not understood")
        return
    if not document.is_hook:
        problem = plugin_start("become_task", data_dir, text)
        if problem is not None:  # else the task ran as a child, which answered itself
            import json  # noqa: PLC0415 (a task that could not start; the fast path needs no json)

            _write(1, json.dumps({"error": problem}) + "\n")
        return
    if document.trigger not in UPDATE_TYPES:
        _answer("ignored")
        return
    try:
        elsewhere = store(document, data_dir)
    except OSError as error:
        what = f"{_kind(document)} {document.object_id}"
        _log("e", f"{what}: its change could not be stored, the next poll finds it: {error}")
        _answer("not stored")
        return
    if elsewhere is not None:
        _log("w", f"{data_dir} cannot be written: the change is kept in {elsewhere}")
    elif _should_start_daemon(data_dir, _variable(environment, "SCENESYNC_AUTOSTART")):
        problem = plugin_start("start_daemon", data_dir, text)
        if problem is not None:
            _log("w", problem)
    _answer("ok")


def _variable(environment: "Mapping[Any, Any]", name: str) -> "str | None":
    """Return a variable of ``environment``, which holds bytes where it is that of `posix`."""
    plain = dict(environment)  # that of `os` refuses to be asked for bytes
    value = plain.get(name) or plain.get(name.encode())
    return value.decode(sys.getfilesystemencoding(), "surrogateescape") if isinstance(value, bytes) else value


def read_document(text: str) -> Document:
    """Return what ``text`` says. Raises ValueError if it is not what Stash writes."""
    try:
        kind, context, trigger, object_id, title, path, *touched = _compute(_READ, (text,))
        sources = _compute(_fan_out().READ_SOURCES, (text,))[0] if trigger == _MERGED else None
    except sqlite.Error:
        return _read_slowly(text)  # also the judge of what is malformed
    if kind != "object":
        raise ValueError(f"a JSON {kind}, not an object")
    found = Document(is_hook=context == "object", trigger=trigger, object_id=object_id, title=title, path=path)
    found.sources, found.by_task = sources, _is_by_task(trigger, *touched)
    return _checked(found)


def _is_by_task(trigger: object, fields: object, given_id: object) -> bool:
    """Say whether a task of Stash did it: what a person does must not wait behind the thousands of a scan.

    Scans create scenes and name no ``fields`` (JSON) of what they update, identifications all but the id, cleans no id.
    """
    if trigger == "Scene.Update.Post":
        return not isinstance(fields, str) or ('"id"' not in fields and '"ids"' not in fields)
    return trigger == "Scene.Create.Post" or (trigger == "Scene.Destroy.Post" and given_id == "")


def store(document: Document, data_dir: str) -> "str | None":
    """Keep the event of ``document`` durably; return in which folder if not in the queue or its spool, else None.

    Events that make no difference to Plex are ignored. Raises OSError if no place can be written.
    """
    update_type = UPDATE_TYPES.get(str(document.trigger))
    if update_type is None:
        return None
    now = time.time()
    is_fan_out = update_type == _FAN_OUT
    job = _build_fan_out(document, now) if is_fan_out else _build_job(document, update_type, now)
    key = f"{_kind(document)}_{document.object_id}"
    priority = _PRIORITY_FAN_OUT if is_fan_out else _PRIORITY_TASK if document.by_task else _PRIORITY_PERSON
    data_dir = _outbox_or(data_dir)
    queue_folder = f"{data_dir}/{QUEUE_FOLDER}"
    path = f"{queue_folder}/{_QUEUE_FILE}"
    if not _is_left_alone(path, data_dir) and _enqueue(path, job, key, priority):
        return None
    from scenesync.queue import spool  # noqa: PLC0415 (not needed, so not paid for, while the queue works)

    return spool.keep(data_dir, queue_folder, job.encode("utf-8", "replace"))


def _outbox_or(data_dir: str) -> str:
    """Return the outbox in ``data_dir``, which is laid out like it, if there is one; else ``data_dir``."""
    outbox = f"{data_dir}/{OUTBOX_FOLDER}"
    return data_dir if _identity(outbox) is None else outbox


def _compute(statement: str, values: "tuple[object, ...]") -> "tuple[Any, ...]":
    """Return the one row of a statement that needs no table: SQLite as the JSON library that is loaded anyway."""
    if not _CALCULATOR:
        _CALCULATOR.append(sqlite.connect(":memory:"))
    row: tuple[Any, ...] = _CALCULATOR[0].execute(statement, values).fetchone()
    return row


def _should_start_daemon(data_dir: str, autostart: "str | None") -> bool:
    """Return whether no daemon runs, one is wanted, and nobody tried to start it just now; note that we try."""
    wanted = _FLAG_VALUES.get((autostart or "").strip().lower())
    if wanted is False:
        return False
    try:
        if _daemon_runs(data_dir):
            return False
        from scenesync.queue import daemon_wanted  # noqa: PLC0415 (rarely needed)

        return daemon_wanted.note_attempt(data_dir, wanted)
    except OSError:  # cannot tell, or cannot note it: then rather none than one per event
        return False


def _daemon_runs(data_dir: str) -> bool:
    """Return whether anybody works. Raises OSError if that cannot be told."""
    lock = f"{data_dir}/{DAEMON_LOCK}"
    if sys.platform == "linux" and _is_marked(lock):
        return True
    from scenesync.queue import file_lock  # noqa: PLC0415 (its module of Python costs as much as our own together)

    return file_lock.held_elsewhere(lock)


def _is_marked(lock: str) -> bool:
    """Return whether the kernel shows a mark of another process on the file (``owner_lock``); none says nothing."""
    try:
        file = system.open(lock, system.O_RDONLY | system.O_CLOEXEC)
    except OSError:
        return False
    try:
        system.lockf(file, system.F_TEST, 0)
    except OSError as error:
        return isinstance(error, (BlockingIOError, PermissionError))
    else:
        return False
    finally:
        system.close(file)


def _log(level: str, text: str) -> None:
    """Write one line into Stash's log (levels t d i w e; facts/stash.md 1.5)."""
    line = text.replace("\n", " ")[:2000]
    _write(2, f"\x01{level}\x02{line}\n")


def _answer(output: str) -> None:
    _write(1, f'{{"output": "{output}"}}\n')


def _write(descriptor: int, text: str) -> None:
    try:
        system.write(descriptor, text.encode("utf-8", "replace"))
    except OSError:  # Stash is gone; nobody is left to tell
        return


def _is_left_alone(path: str, data_dir: str) -> bool:
    """Return whether the queue's log grows and nobody works, who would keep it open and tidy it.

    Each hook would then read all of it to find its way: one file per event, in the spool, costs the same for each.
    """
    try:
        return system.stat(f"{path}-wal").st_size > _LONGEST_LOG_BYTES and not _daemon_runs(data_dir)
    except OSError:  # no log, or none can tell
        return False


def _enqueue(path: str, job: str, job_key: str, priority: int) -> bool:
    """Put ``job`` into the queue file in one synced transaction; return False if that is not possible right now.

    If the file is moved aside in this very moment, it may have been read before our event was in it: the event counts
    as stored only if the path led to one and the same file all the time.
    """
    file = _identity(path)
    if file is None:  # made by the worker, which knows the schema
        return False
    try:
        connection = sqlite.connect(path, timeout=0, isolation_level=None)
        try:
            # No checkpoint here, and none on closing either: the hook leaves by os._exit.
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            log = _open_log(connection, path)
            _begin(connection)
            if _identity(path) != file:  # its write-ahead log may be that of another file by now
                return False
            now = time.time()  # asked under the lock: by the time of arrival events are put in order
            waiting = connection.execute(_FIND, (job_key,)).fetchone()
            if waiting is None:
                connection.execute(_INSERT, (job, now, priority, job_key))
            else:
                from scenesync.queue.inbox_merge import MERGE  # noqa: PLC0415 (only now needed)

                connection.execute(MERGE, (job, waiting[0], now, repr(now), priority))
            connection.execute("COMMIT")
            if log is not None:
                _sync(log)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            _LEFT_OPEN.append(connection)
    except (sqlite.Error, OSError, ImportError, SyntaxError):  # the last two: Stash is just replacing the package
        return False
    return _identity(path) == file


def _open_log(connection: "sqlite.Connection", path: str) -> "int | None":
    """Say who syncs the transaction: SQLite as part of it (None), or we, through the returned descriptor, after it.

    SQLite would do so while it holds the lock, so that hooks which start together wait for each other's disk; and it
    would sync the folder too, each time, since it cannot know that the log is an old one. That is needed once, and
    done even without FULL: the first to write to a log syncs its head and its name before anything else goes in.
    """
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    if journal != "wal" or sys.platform == "win32":
        # A journal that is deleted to commit: the folder has to be synced, too.
        connection.execute("PRAGMA synchronous = EXTRA")
        return None
    connection.execute("PRAGMA synchronous = NORMAL")
    return system.open(f"{path}-wal", system.O_RDWR | system.O_CLOEXEC)


def _sync(log: int) -> None:
    """Wait until the log is on the disk. Raises OSError: then the event goes to the spool as well."""
    getattr(system, "fdatasync", system.fsync)(log)  # macOS has the latter only
    system.close(log)


def _identity(path: str) -> "tuple[int, int] | None":
    try:
        info = system.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _begin(connection: "sqlite.Connection") -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", _BUSY_CODES[0]) & _PRIMARY_CODE
            if code not in _BUSY_CODES or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def _build_job(document: Document, update_type: str, now: float) -> str:
    path, title = _sound(document.path), _sound(document.title)
    try:
        return str(_compute(_BUILD, (document.object_id, update_type, path, title, repr(now)))[0])
    except sqlite.Error:
        from scenesync.queue import inbox_json  # noqa: PLC0415 (json costs as much as the rest together)

        return inbox_json.job_of_scene(document.object_id, update_type, path, title, now)


def _build_fan_out(document: Document, now: float) -> str:
    entity = _kind(document)
    try:
        return str(_compute(_fan_out().BUILD, (entity, document.object_id, document.sources, repr(now)))[0])
    except sqlite.Error:
        from scenesync.queue import inbox_json  # noqa: PLC0415 (as above)

        return inbox_json.job_of_entity(entity, document.object_id, document.sources, now)


def _fan_out() -> "Any":  # noqa: ANN401 (a module)
    from scenesync.queue import inbox_fan_out  # noqa: PLC0415 (rarely needed)

    return inbox_fan_out


def _kind(document: Document) -> str:
    """Return what the event is about, in the word that jobs have for it: ``scene``, ``performer`` and so on."""
    return str(document.trigger).partition(".")[0].lower()


def _sound(text: object) -> "str | None":
    """Return a hint without what UTF-8 cannot say (half of a surrogate pair), None if there is none."""
    return text.encode("utf-8", "replace").decode("utf-8") if isinstance(text, str) else None


def _read_slowly(text: str) -> Document:
    from scenesync.queue import inbox_json  # noqa: PLC0415 (as above)

    event = inbox_json.read_event(text, merged=_MERGED)
    if event is None:
        return Document(is_hook=False)
    by_task = _is_by_task(event["trigger"], *event.pop("touched"))
    return _checked(Document(is_hook=True, by_task=by_task, **event))


def _checked(document: Document) -> Document:
    if document.is_hook and document.trigger in UPDATE_TYPES:
        object_id = document.object_id
        if not isinstance(object_id, int) or isinstance(object_id, bool) or object_id <= 0:
            raise ValueError(f"the event names no {_kind(document)}")
    return document
