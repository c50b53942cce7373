"""The tasks of the Stash plugin: the commands' work, with Stash's own log, progress bar and result."""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from scenesync.app.data_directory import make_data_dir
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.one_shot import work_off
from scenesync.app.opening import open_queue, open_state
from scenesync.app.plugin.reconcile_tasks import reconcile
from scenesync.app.plugin.report_tasks import list_letters, report_health, report_outages, report_plan, report_status
from scenesync.app.plugin.task import Task
from scenesync.app.plugin_ui.answers import QUESTIONS
from scenesync.app.plugin_ui.asked import OPERATIONS
from scenesync.app.routes.outboxes import deliver_once, routes_at_home
from scenesync.app.running import switch as daemon_switch
from scenesync.app.running.daemon import SettingsSource, try_to_write_hook_file, write_hook_file
from scenesync.app.settings import SettingsError, require_plex
from scenesync.app.wording.counting import counted
from scenesync.app.wording.progress import FractionView
from scenesync.disk.room import explained
from scenesync.domain.errors import NeedsPerson, PermanentError, TransientError
from scenesync.intake.polling import enqueue_everything
from scenesync.intake.selection import enqueue_since
from scenesync.queue.dead_letters import ALL
from scenesync.queue.errors import QueueError
from scenesync.reconciliation.reconciling import Scope
from scenesync.stash.connection import PluginConnection
from scenesync.stash.plugin_protocol import PluginChannel, StashLog
from scenesync.store.errors import StoreError
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenesync.app.context import AppContext

RECENT: Final = timedelta(hours=24)


class UnknownTask(Exception):
    """The manifest names a task that this version does not have."""


class DaemonBusy(Exception):
    """The daemon was asked to end and did not."""


EXPECTED_ERRORS: Final = (
    SettingsError,
    QueueError,
    StoreError,
    TransientError,
    PermanentError,
    NeedsPerson,
    OSError,
    UnknownTask,
    DaemonBusy,
    ValueError,
)


def run_task(app: AppContext, document: Mapping[str, Any], stdout: BinaryIO, stderr: BinaryIO) -> int:
    """Run the task that ``args.mode`` names and write its result; return the exit status.

    A failure is Stash's to show: it stands in the result, as one sentence.
    """
    channel = PluginChannel(stdout, stderr)
    channel.progress(0)
    try:
        result = _run(app, document, channel)
    except EXPECTED_ERRORS as error:
        channel.finish(error=explained(error))
        return FAILED
    channel.progress(1)
    if isinstance(result, str):
        channel.log("i", result)  # Stash itself shows what a task returns in its debug log only (facts/stash.md 1.4)
    channel.finish(result)
    return DONE


def _run(app: AppContext, document: Mapping[str, Any], channel: PluginChannel) -> object:
    arguments = document.get("args") or {}
    mode = str(arguments.get("mode", ""))
    task = TASKS.get(mode) or OPERATIONS.get(mode)
    if task is None:
        raise UnknownTask(f"SceneSync has no task {mode!r}. It has: {', '.join(TASKS)}.")
    connection = PluginConnection.from_document(document.get("server_connection"))
    source = SettingsSource(app, connection, StashLog(channel))
    loaded = source.load()
    make_data_dir(loaded.settings.data_dir)
    try_to_write_hook_file(loaded.settings)
    stash = source.own_stash()
    plugin_dir = Path(connection.plugin_dir) if connection.plugin_dir else None
    routes = [] if mode in OF_THE_INSTALLATION else routes_at_home(loaded)
    if not routes:
        return task(Task(loaded, stash, channel, plugin_dir, arguments))
    deliver_once(loaded)
    results = []
    for route in routes:
        channel.log("i", f"route {route.name}")
        result = task(Task(loaded.of_route(route), stash, channel, plugin_dir, arguments))
        results.append(result if len(routes) == 1 else f"{route.name}: {result}")
    return "; ".join(map(str, results))


def _sync_all(task: Task) -> str:
    require_plex(task.settings)
    with open_queue(task.settings, repairs=True) as queue, open_state(task.settings, repairs=True) as database:
        enqueued = enqueue_everything(task.stash, queue, Memory(database))
    task.channel.log("i", f"{enqueued.created} scenes enqueued, {enqueued.merged} were waiting already")
    return _process(task)


def _sync_recent(task: Task) -> str:
    require_plex(task.settings)
    with open_queue(task.settings, repairs=True) as queue:
        enqueued = enqueue_since(task.stash, queue, datetime.fromtimestamp(time.time(), UTC) - RECENT)
    task.channel.log("i", f"{enqueued.created} scenes enqueued, {enqueued.merged} were waiting already")
    return _process(task)


def _process(task: Task) -> str:
    return work_off(task.settings, nullcontext(FractionView(task.channel.progress)), stash=task.stash).as_line()


def _replay_letters(task: Task) -> str:
    with open_queue(task.settings) as queue:
        count = queue.dead_letters.replay(ALL)
    return f"{counted(count, 'dead letter')} replayed; the task Process queue, or the daemon, tries again"


def _purge_letters(task: Task) -> str:
    with open_queue(task.settings) as queue:
        count = queue.dead_letters.discard(ALL)
    return f"{counted(count, 'dead letter')} deleted"


def _stop_daemon(task: Task) -> str:
    """End the daemon, and let no hook start it until a person does."""
    was_running = daemon_switch.is_running(task.data_dir)
    daemon_switch.keep_off(task.data_dir)
    write_hook_file(task.settings)
    if not daemon_switch.stop(task.data_dir, on_wait=task.channel.progress):
        raise DaemonBusy("SceneSync did not end yet. Something else may be at work in its place: see Queue status.")
    said = "SceneSync was stopped" if was_running else "SceneSync was not running"
    return f"{said}. Changes are kept; it stays off until the task Start the daemon."


OF_THE_INSTALLATION: Final = frozenset({"stop-daemon", *QUESTIONS})
"""What is not done once for each route of the Stash."""

TASKS: Final[Mapping[str, Callable[[Task], str]]] = {
    "sync-all": _sync_all,
    "sync-recent": _sync_recent,
    "process-queue": _process,
    "plan": report_plan,
    "reconcile-all": reconcile(Scope.ALL),
    "reconcile-7d": reconcile(Scope.WEEK),
    "reconcile-24h": reconcile(Scope.DAY),
    "queue-status": report_status,
    "doctor": report_health,
    "outages": report_outages,
    "dlq-list": list_letters,
    "dlq-replay": _replay_letters,
    "dlq-purge": _purge_letters,
    "stop-daemon": _stop_daemon,
}
