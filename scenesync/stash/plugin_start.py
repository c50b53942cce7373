"""How the Stash plugin starts the rest of SceneSync: a detached daemon, or a task in its own place.

Standard library only, and imported only when something is to be started: Stash's own Python runs this.
"""

from __future__ import annotations  # Stash may bring a Python older than ours

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DAEMON_ARGUMENTS = ("run", "--from-stash")
TASK_ARGUMENTS = ("stash-task",)
DAEMON_LOG = "daemon.log"
# Only Windows has these; 0 elsewhere is what Popen wants.
_DETACHED_FLAGS = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
DATA_DIR_VARIABLE = "SCENESYNC_DATA_DIR"


def start_daemon(plugin_dir: str, data_dir: str, document: str, environ: Mapping[str, str]) -> str | None:
    """Start the daemon detached; return None, or what a person should do if that is impossible.

    The child inherits neither stdout nor stderr: Stash waits for its hook until stdout is closed everywhere
    (facts/stash.md 0.8). The connection to Stash goes through a pipe, since it holds the session cookie.
    """
    commands = _commands(plugin_dir, environ, DAEMON_ARGUMENTS)
    problem = _how_to_install(plugin_dir)
    for command in commands:
        try:
            _start_detached(command, plugin_dir, data_dir, document, environ)
        except OSError as error:
            problem = f"the daemon could not be started with {command[0]}: {error.strerror or error}"
        else:
            return None
    return problem


def become_task(plugin_dir: str, data_dir: str, document: str, environ: Mapping[str, str]) -> str | None:
    """Replace this process by the task, with the same document on stdin; return only if that failed, with the reason.

    One process, because Stash's *cancel* kills just the one that it started. On Windows, which cannot replace a
    process, the task runs as a child and None is returned when it has answered.
    """
    problem = _how_to_install(plugin_dir)
    for command in _commands(plugin_dir, environ, TASK_ARGUMENTS):
        try:
            _replace_by(command, plugin_dir, data_dir, document, environ)
        except OSError as error:
            problem = f"the task could not be started with {command[0]}: {error.strerror or error}"
        else:
            return None
    return problem


def _commands(plugin_dir: str, environ: Mapping[str, str], arguments: tuple[str, ...]) -> list[list[str]]:
    """Return the ways to run ``scenesync`` with ``arguments``, the preferred one first."""
    places = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
    python = Path(plugin_dir, ".venv", *places)
    commands = [[str(python), "-m", "scenesync", *arguments]] if python.is_file() else []
    script = shutil.which("scenesync", path=environ.get("PATH"))
    return [*commands, [script, *arguments]] if script else commands


def _how_to_install(plugin_dir: str) -> str:
    return (
        "SceneSync is not installed yet. Changes are kept meanwhile. Run the task Install or update dependencies under "
        f"Settings, Tasks; it fills {Path(plugin_dir, '.venv')} and touches nothing else."
    )


def _child_environment(data_dir: str, environ: Mapping[str, str]) -> dict[str, str]:
    return {**environ, DATA_DIR_VARIABLE: data_dir}


def _start_detached(
    command: list[str], plugin_dir: str, data_dir: str, document: str, environ: Mapping[str, str]
) -> None:
    log = os.open(Path(data_dir, DAEMON_LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=plugin_dir,
            env=_child_environment(data_dir, environ),
            start_new_session=sys.platform != "win32",
            creationflags=_DETACHED_FLAGS,
        )
    finally:
        os.close(log)
    _hand_over(child, document)


def _hand_over(child: subprocess.Popen[bytes], document: str) -> None:
    connection = json.loads(document).get("server_connection")
    if child.stdin is None:
        raise AssertionError("the child was started without a pipe")
    # Far smaller than a pipe's buffer, so nobody waits until the child reads it. A child that ended at once says why in
    # its log.
    with contextlib.suppress(BrokenPipeError), child.stdin:
        child.stdin.write(json.dumps({"server_connection": connection}).encode())
    child.returncode = 0  # nobody waits for a daemon: without this, Popen warns that it still runs


def _replace_by(command: list[str], plugin_dir: str, data_dir: str, document: str, environ: Mapping[str, str]) -> None:
    environment = _child_environment(data_dir, environ)
    os.chdir(plugin_dir)  # so that `-m scenesync` finds the package that lies here
    if sys.platform == "win32":
        subprocess.run(command, input=document.encode(), env=environment, check=False)
        return
    with tempfile.TemporaryFile() as file:
        file.write(document.encode())
        file.flush()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        os.dup2(file.fileno(), 0)
    os.execve(command[0], command, environment)  # noqa: S606 (no shell is the point)
