"""Loads plugins and runs their hooks, tasks and operations as Stash does (facts/stash.md 1.3 to 1.7)."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from scenesync.simulators.stash import go_json
from scenesync.simulators.stash.errors import OperationCancelled, ResolverError
from scenesync.simulators.stash.jobs import JobControl, JobFailed
from scenesync.simulators.stash.manifest import ManifestError, Plugin, manifest_files, read_manifest
from scenesync.simulators.stash.plugin_output import PluginOutput, read_line, read_output, read_progress
from scenesync.simulators.stash.plugin_process import Command, PluginProcess, resolve_command
from scenesync.simulators.stash.sessions import Session, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scenesync.simulators.stash.cancellation import Cancellation

# A hook that was called by itself through the session cookie runs ten times, not for ever (facts/stash.md 0.10).
_LONGEST_CYCLE: Final = 10
_NIL_POINTER: Final = "runtime error: invalid memory address or nil pointer dereference"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of Stash's log. ``plugin`` is the plugin's name, empty for Stash's own lines."""

    level: str
    plugin: str
    text: str


@dataclass(frozen=True, slots=True)
class HookRun:
    """A hook that was started. ``scene_id`` is the id of whatever changed; no ``exit_status`` when it was killed."""

    trigger: str
    scene_id: int
    plugin: str
    duration_s: float
    exit_status: int | None
    output: object
    error: str | None


class Caller(Protocol):
    """On whose behalf a plugin runs."""

    @property
    def cancellation(self) -> Cancellation:
        """Cancelled when the caller has gone."""

    @property
    def session(self) -> Session:
        """What the plugin's cookie will say."""


@dataclass(frozen=True, slots=True)
class PluginSurroundings:
    """What plugins are started with. ``python`` is Stash's setting; ``config_dir`` is ``Dir`` on stdin."""

    plugin_dir: Path | None
    config_dir: Path
    environment: Mapping[str, str]
    python: Path | None
    bind_host: str


class PluginHost:
    """The plugins of one Stash. ``disabled`` holds ids of those that are switched off."""

    def __init__(self, surroundings: PluginSurroundings, sessions: Sessions, port: Callable[[], int]) -> None:
        self._surroundings = surroundings
        self._sessions = sessions
        self._port = port
        self._lock = threading.Lock()
        self._running: set[PluginProcess] = set()
        self.disabled: frozenset[str] = frozenset()
        self.plugins: tuple[Plugin, ...] = ()
        self.log: list[LogLine] = []
        self.hook_runs: list[HookRun] = []

    def load(self) -> None:
        """Read all manifests afresh; what is wrong with one is an ``error`` line in the log."""
        folder = self._surroundings.plugin_dir
        plugins: dict[str, Plugin] = {}
        for path in manifest_files(folder) if folder is not None and folder.is_dir() else ():
            try:
                plugin = read_manifest(path)
            except ManifestError as error:
                self._note("error", f"Error loading plugin {path}: {error}")
                continue
            if plugin.id.casefold() in plugins:
                self._note("warning", f"Error loading plugin {path}: duplicate plugin id {plugin.id}")
                continue
            plugins[plugin.id.casefold()] = plugin
        self.plugins = tuple(plugins.values())

    def fire(
        self, trigger: str, entity_id: int, input_: object, input_fields: Sequence[str] | None, caller: Caller
    ) -> None:
        """Run every hook for ``trigger``, one after another, and return when the last one has ended.

        Nothing that a hook does is an error for the caller. A program that cannot be started, or a caller that has
        gone, ends the row: the hooks after it never run.
        """
        context: dict[str, Any] = {"id": entity_id, "type": trigger, "input": input_}
        if input_fields is not None:
            context["inputFields"] = random.sample(list(input_fields), len(input_fields))  # Go's order of maps
        try:
            for plugin in self._enabled():
                for hook in plugin.hooks:
                    if trigger in hook.triggered_by:
                        arguments = {**hook.default_args, "hookContext": context}
                        self._run_hook(plugin, hook.exec_args, arguments, caller)
        except (OSError, OperationCancelled) as error:
            self._note("error", f"error executing post hooks: {error}")

    def task(self, plugin_id: str, task_name: str | None, arguments: Mapping[str, Any]) -> Callable[[JobControl], None]:
        """Return the work of a job that runs a task; it raises :class:`JobFailed` when the task cannot begin."""

        def work(control: JobControl) -> None:
            command, document, plugin = self._prepare_task(plugin_id, task_name, arguments)

            def on_progress(text: str) -> None:
                value = read_progress(text)
                if value is not None:
                    control.set_progress(value)

            try:
                process = self._start(plugin, command, document, on_progress)
            except OSError as error:
                raise JobFailed(f"Error running plugin task: {error}") from error
            result = self._result(process, control.cancellation)[0]
            if result.error is not None:
                self._note("error", f"Plugin returned error: {result.error}")
            elif result.output is not None:
                self._note("debug", f"Plugin returned: {_shown(result)}")

        return work

    def operate(self, plugin_id: str, arguments: Mapping[str, Any], caller: Caller) -> object:
        """Run a plugin at once and return its output. Raises :class:`ResolverError` with Stash's texts."""
        plugin = self._find(plugin_id)
        if plugin is None:
            raise ResolverError(f"Internal system error. Error <{_NIL_POINTER}>")
        if plugin_id in self.disabled:
            raise ResolverError(f"plugin {plugin_id} is disabled")
        document = self._document(plugin, arguments, caller.session)
        try:
            process = self._start(plugin, self._command(plugin, ()), document, None)
        except OSError as error:
            raise ResolverError(str(error)) from error
        result = self._result(process, caller.cancellation)[0]
        if result.error is not None:
            raise ResolverError(result.error)
        return result.output

    def ui_files(self, plugin_id: str, kind: str) -> tuple[Path, ...] | None:
        """Return the files that pages load of a plugin, ``javascript`` or ``css``; None if it is not there, or off."""
        plugin = self._find(plugin_id)
        if plugin is None or plugin_id in self.disabled:
            return None
        names = {"javascript": plugin.javascript, "css": plugin.css}[kind]
        return tuple(plugin.directory / name for name in names)

    def stop(self, timeout_s: float) -> None:
        """Wait for what killed processes leave behind; a detached child that holds a pipe is left alone."""
        with self._lock:
            running = tuple(self._running)
        for process in running:
            process.reap(timeout_s)

    def _run_hook(
        self, plugin: Plugin, exec_args: tuple[str, ...], arguments: Mapping[str, Any], caller: Caller
    ) -> None:
        context = arguments["hookContext"]
        visit = f"{plugin.id}:{context['type']}"
        if caller.session.visited.count(visit) >= _LONGEST_CYCLE:
            self._note("warning", f"plugin {plugin.id} was called by itself {_LONGEST_CYCLE} times: not again")
            return
        caller.cancellation.check()
        session = replace(caller.session, visited=(*caller.session.visited, visit))
        began = time.monotonic()
        run = HookRun(context["type"], context["id"], plugin.id, 0.0, None, None, None)
        process = self._start(
            plugin, self._command(plugin, exec_args), self._document(plugin, arguments, session), None
        )
        try:
            result, status = self._result(process, caller.cancellation)
        except OperationCancelled as error:
            self.hook_runs.append(replace(run, duration_s=time.monotonic() - began, error=str(error)))
            raise
        self.hook_runs.append(
            replace(
                run,
                duration_s=time.monotonic() - began,
                exit_status=status,
                output=result.output,
                error=result.error,
            )
        )
        title = f"{run.trigger} [{plugin.name}]"
        if result.error is not None:
            self._note("error", f"{title}: returned error: {result.error}")
        elif result.output is not None:
            self._note("debug", f"{title}: returned: {_shown(result)}")

    def _prepare_task(
        self, plugin_id: str, task_name: str | None, arguments: Mapping[str, Any]
    ) -> tuple[Command, bytes, Plugin]:
        prefix = "Error creating plugin task"
        plugin = self._find(plugin_id)
        if plugin is None:
            raise JobFailed(f"{prefix}: no plugin with ID {plugin_id}")
        if plugin_id in self.disabled:
            raise JobFailed(f"{prefix}: plugin {plugin_id} is disabled")
        exec_args: tuple[str, ...] = ()
        if task_name is not None:  # without a name there are no default arguments either
            task = next((each for each in plugin.tasks if each.name == task_name), None)
            if task is None:
                raise JobFailed(f"{prefix}: no task with name {task_name} in plugin {plugin.name}")
            exec_args, arguments = task.exec_args, {**task.default_args, **arguments}
        try:
            command = self._command(plugin, exec_args)
        except OSError as error:
            raise JobFailed(f"{prefix}: {error}") from error
        return command, self._document(plugin, arguments, Session(user="")), plugin

    def _enabled(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.id not in self.disabled]

    def _find(self, plugin_id: str) -> Plugin | None:
        return next((plugin for plugin in self.plugins if plugin.id == plugin_id), None)

    def _command(self, plugin: Plugin, exec_args: tuple[str, ...]) -> Command:
        return resolve_command(
            (*plugin.exec, *exec_args),
            plugin_dir=plugin.directory,
            environment=self._surroundings.environment,
            python=self._surroundings.python,
        )

    def _document(self, plugin: Plugin, arguments: Mapping[str, Any], session: Session) -> bytes:
        """Return the whole of stdin: a struct in Go's order, with a map of arguments, whose keys Go sorts."""
        connection = {
            "Scheme": "http",
            "Host": self._surroundings.bind_host,
            "Port": self._port(),
            "SessionCookie": _go_cookie(self._sessions.mint(session)),
            "Dir": str(self._surroundings.config_dir),
            "PluginDir": str(plugin.directory),
        }
        return go_json.encode({"server_connection": connection, "args": dict(sorted(arguments.items()))})

    def _start(
        self, plugin: Plugin, command: Command, document: bytes, on_progress: Callable[[str], None] | None
    ) -> PluginProcess:
        def on_line(text: str) -> None:
            line = read_line(text, plugin.error_log)
            if line.level == "progress":
                if on_progress is not None:
                    on_progress(line.text)
            elif line.level != "none":
                self.log.append(LogLine(line.level, plugin.name, line.text))

        process = PluginProcess(command, document, on_line=on_line, on_trouble=lambda text: self._note("warning", text))
        with self._lock:
            self._running.add(process)
        return process

    def _result(self, process: PluginProcess, cancellation: Cancellation) -> tuple[PluginOutput, int]:
        finished = process.wait(cancellation)
        with self._lock:
            self._running.discard(process)
        return read_output(finished.stdout, finished.exit_status), finished.exit_status

    def _note(self, level: str, text: str) -> None:
        self.log.append(LogLine(level, "", text))


def _shown(result: PluginOutput) -> object:
    """Go prints a text as the address of it: a plugin that wants to be read uses stderr."""
    return f"{id(result.output):#x}" if result.is_text else result.output


def _go_cookie(value: str) -> dict[str, Any]:
    """Go's ``http.Cookie`` as JSON: every field, most of them empty."""
    return {
        "Name": "session",
        "Value": value,
        "Quoted": False,
        "Path": "",
        "Domain": "",
        "Expires": "0001-01-01T00:00:00Z",
        "RawExpires": "",
        "MaxAge": 0,
        "Secure": False,
        "HttpOnly": False,
        "SameSite": 0,
        "Partitioned": False,
        "Raw": "",
        "Unparsed": None,
    }
