"""The tasks of the Stash plugin: the commands' work, with Stash's own log, progress bar and result."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from scenesync.app.daemon import SettingsSource, write_hook_file
from scenesync.app.data_directory import make_data_dir, queue_folder
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.app.one_shot import work_off
from scenesync.app.opening import open_queue, open_state
from scenesync.app.overview import read_overview
from scenesync.app.progress import FractionView
from scenesync.app.settings import SettingsError, require_plex
from scenesync.disk.room import explained
from scenesync.domain.errors import NeedsPerson, PermanentError, TransientError
from scenesync.domain.job import subject
from scenesync.intake.polling import enqueue_everything
from scenesync.intake.selection import enqueue_since
from scenesync.queue.dead_letters import ALL, DeadLetterReader, DeadLetterStore
from scenesync.queue.errors import QueueError
from scenesync.queue.read_only import read_queue
from scenesync.stash.connection import PluginConnection
from scenesync.stash.plugin_protocol import PluginChannel, StashLog
from scenesync.store.errors import StoreError
from scenesync.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenesync.app.context import AppContext
    from scenesync.app.settings import Settings
    from scenesync.domain.dead_letter import DeadLetter
    from scenesync.queue.read_only import QueueReader
    from scenesync.stash.client import StashClient

RECENT: Final = timedelta(hours=24)
LETTERS_SHOWN: Final = 50


class UnknownTask(Exception):
    """The manifest names a task that this version does not have."""


EXPECTED_ERRORS: Final = (
    SettingsError,
    QueueError,
    StoreError,
    TransientError,
    PermanentError,
    NeedsPerson,
    OSError,
    UnknownTask,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Task:
    """What a task has to work with."""

    settings: Settings
    stash: StashClient
    channel: PluginChannel


def run_task(app: AppContext, document: Mapping[str, Any], stdout: BinaryIO, stderr: BinaryIO) -> int:
    """Run the task that ``args.mode`` names and write its result; return the exit status.

    A failure is Stash's to show: it stands in the result, as one sentence.
    """
    channel = PluginChannel(stdout, stderr)
    try:
        output = _run(app, document, channel)
    except EXPECTED_ERRORS as error:
        channel.finish(error=explained(error))
        return FAILED
    channel.finish(output)
    return DONE


def _run(app: AppContext, document: Mapping[str, Any], channel: PluginChannel) -> str:
    mode = str((document.get("args") or {}).get("mode", ""))
    task = TASKS.get(mode)
    if task is None:
        raise UnknownTask(f"SceneSync has no task {mode!r}. It has: {', '.join(TASKS)}.")
    source = SettingsSource(app, PluginConnection.from_document(document.get("server_connection")), StashLog(channel))
    settings = source.load().settings
    make_data_dir(settings.data_dir)
    write_hook_file(settings)
    stash = source.stash()
    assert stash is not None  # noqa: S101 - a task always has Stash's connection
    return task(Task(settings, stash, channel))


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
    report = work_off(task.settings, nullcontext(FractionView(task.channel.progress)), stash=task.stash)
    task.channel.log("i", report.as_line())
    return report.as_line()


def _status(task: Task) -> str:
    overview = read_overview(task.settings.data_dir)
    queue = overview.queue
    line = (
        f"{queue.pending} pending ({queue.due} due), {queue.in_progress} in progress, "
        f"{queue.dead_letters} dead letters, {queue.completed_total} done so far"
    )
    task.channel.log("i", line)
    if overview.paused is not None:
        line += f"; work waits for you: {overview.paused.message}"
        task.channel.log("w", f"work waits for you: {overview.paused.message}")
    return line


def _list_letters(task: Task) -> str:
    letters, count = read_queue(queue_folder(task.settings.data_dir), _letters)
    for letter in letters:
        task.channel.log(
            "w",
            f"{letter.id}: {subject(letter.job)}: {letter.error_type}: {letter.message} {letter.advice}",
        )
    return f"{count} dead letters" + (f", the newest {LETTERS_SHOWN} are in the log" if count > LETTERS_SHOWN else "")


def _letters(queue: QueueReader) -> tuple[Sequence[DeadLetter], int]:
    found = DeadLetterReader(queue)
    return found.list(limit=LETTERS_SHOWN), found.count()


def _replay_letters(task: Task) -> str:
    with open_queue(task.settings) as queue:
        count = DeadLetterStore(queue).replay(ALL)
    return f"{count} dead letters are jobs again"


def _clear_letters(task: Task) -> str:
    with open_queue(task.settings) as queue:
        count = DeadLetterStore(queue).discard(ALL)
    return f"{count} dead letters deleted"


TASKS: Final[Mapping[str, Callable[[Task], str]]] = {
    "sync-all": _sync_all,
    "sync-recent": _sync_recent,
    "process-queue": _process,
    "queue-status": _status,
    "dlq-list": _list_letters,
    "dlq-replay": _replay_letters,
    "dlq-clear": _clear_letters,
}
