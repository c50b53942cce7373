"""What ``hook.py`` may start.

Two tasks are done by Stash's own Python: installing the dependencies, without which no other can run, and starting the
daemon, which is to outlive the task. It also answers what the pages inside Stash ask. Standard library only.
"""

from __future__ import annotations  # Stash may bring a Python older than ours

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenesync.app.plugin import install as plugin_install
from scenesync.app.running import switch as daemon_switch
from scenesync.app.running.heartbeat import silence_s, works_with
from scenesync.stash import plugin_start
from scenesync.stash.plugin_protocol import PluginChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STARTS_WITHIN_S: Final = 60.0
QUESTIONS: Final = frozenset({"ui-scene", "ui-status"})
"""What pages ask (``plugin_ui.answers``)."""
OWN_PYTHON: Final = (3, 11)
"""The Python that SceneSync needs; with an older one, the questions are answered as the other tasks are done."""
_LOOK_EVERY_S: Final = 0.1
_GIVEN_UP_AFTER_S: Final = 3.0
"""A daemon that could not begin has said so and is gone by then."""
_LOG_TAIL_BYTES: Final = 4000

start_daemon: Final = plugin_start.start_daemon


class TaskFailed(Exception):
    """Why a task could not be done, as a sentence for the person."""


@dataclass(frozen=True)
class Started:
    """What Stash started: where the plugin and its data are, the document on stdin, the environment."""

    plugin_dir: Path
    data_dir: Path
    document: str
    environ: Mapping[str, str]


def become_task(plugin_dir: str, data_dir: str, document: str, environ: Mapping[str, str]) -> str | None:
    """Do the task that ``document`` names, or hand it on; return only what kept it from being begun."""
    arguments = _arguments(document)
    mode = str(arguments.get("mode", ""))
    if mode in QUESTIONS and sys.version_info >= OWN_PYTHON:
        return _answer(Path(data_dir), arguments)
    task = TASKS.get(mode)
    if task is None:
        return plugin_start.become_task(plugin_dir, data_dir, document, environ)
    channel = PluginChannel(sys.stdout.buffer, sys.stderr.buffer)
    channel.progress(0)
    try:
        result = task(Started(Path(plugin_dir), Path(data_dir), document, environ), channel)
    except (TaskFailed, OSError) as error:
        channel.finish(error=str(error))
        return None
    channel.progress(1)
    channel.log("i", result)
    channel.finish(result)
    return None


def _install(started: Started, channel: PluginChannel) -> str:
    """Make a new environment, swap it in, and let the daemon go over to it."""
    folder = started.plugin_dir
    had_one = plugin_install.current(folder) is not None
    watcher = plugin_install.Watcher(channel.progress, lambda line: channel.log("d", line))
    try:
        new = plugin_install.build(folder, started.environ, watcher)
    except plugin_install.CannotInstall as error:
        unharmed = " What was installed before is unchanged and still in use." if had_one else ""
        raise TaskFailed(f"{error}{unharmed}") from error
    count, place = plugin_install.package_count(new), folder / plugin_install.ENVIRONMENT
    # Ended before the swap: it would load one half of a package from here, the other from there. One that works in
    # another container, with packages of its own, is left alone.
    was_running = daemon_switch.is_running(started.data_dir) and works_with(started.data_dir, place)
    ended = daemon_switch.stop(started.data_dir) if was_running else True
    plugin_install.put_in_place(new)
    said = f"{count} package{'s' if count != 1 else ''} installed into {place}."
    if not ended:
        return f"{said} The daemon is busy and still uses the ones before; stop and start it."
    plugin_install.remove_others(folder)
    if not was_running:
        return said
    return f"{said} {_start(started, channel)}"


def _start(started: Started, channel: PluginChannel) -> str:
    """Start the daemon and wait for its first sign of life."""
    started.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if daemon_switch.is_running(started.data_dir):
        return "SceneSync runs already."
    daemon_switch.allow(started.data_dir)
    log = started.data_dir / plugin_start.DAEMON_LOG
    seen_bytes = log.stat().st_size if log.exists() else 0
    began, began_at = time.monotonic(), time.time()
    problem = start_daemon(str(started.plugin_dir), str(started.data_dir), started.document, started.environ)
    if problem is not None:
        raise TaskFailed(problem)
    while time.monotonic() - began < STARTS_WITHIN_S:
        time.sleep(_LOOK_EVERY_S)
        waited_s = time.monotonic() - began
        channel.progress(min(0.95, waited_s / STARTS_WITHIN_S))
        if daemon_switch.is_running(started.data_dir):
            if (silence := silence_s(started.data_dir)) is not None and time.time() - silence >= began_at:
                return "SceneSync works in the background."
        elif waited_s > _GIVEN_UP_AFTER_S and log.stat().st_size > seen_bytes:
            break
    raise TaskFailed(f"SceneSync did not start. It said: {_tail(log, seen_bytes) or 'nothing'} (whole log: {log})")


def _tail(log: Path, seen_bytes: int) -> str:
    """Return what the log says that it had not said before, at most its end."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(seen_bytes, size - _LOG_TAIL_BYTES))
        return " ".join(file.read().decode("utf-8", "replace").split())


def _answer(data_dir: Path, arguments: Mapping[str, object]) -> str | None:
    from scenesync.app.plugin_ui import answers  # noqa: PLC0415 (an older Python could not, and no task needs it)

    channel = PluginChannel(sys.stdout.buffer, sys.stderr.buffer)
    try:
        channel.finish(answers.answer(data_dir, arguments))
    except answers.Unanswerable as error:
        channel.finish(error=str(error))
    return None


def _arguments(document: str) -> Mapping[str, object]:
    arguments = json.loads(document).get("args")
    return arguments if isinstance(arguments, dict) else {}


TASKS: Final[Mapping[str, Callable[[Started, PluginChannel], str]]] = {
    "install": _install,
    "start-daemon": _start,
}
