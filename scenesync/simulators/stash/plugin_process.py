"""One run of a plugin as a real process: stdin in, stdout to its end, stderr line by line (facts/stash.md 1.2 to 1.5).

It is killed as one process, never as a group, and the end of stdout is waited for before the process: a child that
inherited stdout therefore holds up the run, here as there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from scenesync.simulators.stash.errors import OperationCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scenesync.simulators.stash.cancellation import Cancellation

LONGEST_LINE_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 8 * 1024
# Log lines of a finished plugin are usually there at once; a child that inherited stderr must not hold up anything.
_LAST_LINES_S: Final = 0.1
# Stash in its container runs in the root directory, so a plugin that relies on its own is found out.
_WORKING_DIRECTORY: Final = os.path.abspath(os.sep)  # noqa: PTH100 - the anchor on every system


@dataclass(frozen=True, slots=True)
class Command:
    """A resolved command line with its environment."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that came to its end. ``exit_status`` is negative after a signal."""

    stdout: str
    exit_status: int


def resolve_command(
    arguments: Sequence[str], *, plugin_dir: Path, environment: Mapping[str, str], python: Path | None
) -> Command:
    """Return the command as Stash would start it. ``python`` is its setting ``python_path``.

    ``{pluginDir}`` is replaced in arguments but not in the program. Raises :class:`OSError` for an empty command.
    """
    if not arguments:
        raise FileNotFoundError("empty exec value")
    program, *rest = arguments
    variables = dict(environment)
    if program in {"python", "python3"}:
        variables["PYTHONPATH"] = f"{environment.get('PYTHONPATH', '')}{os.pathsep}{plugin_dir.parent}"
        program = str(python or sys.executable)
    else:
        program = shutil.which(program, path=environment.get("PATH")) or str(plugin_dir / program)
    return Command((program, *(each.replace("{pluginDir}", str(plugin_dir)) for each in rest)), variables)


class PluginProcess:
    """A started plugin. Raises :class:`OSError` when it cannot be started."""

    def __init__(
        self,
        command: Command,
        document: bytes,
        *,
        on_line: Callable[[str], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._on_line = on_line
        self._on_trouble = on_trouble
        self._ended = threading.Event()
        self._finished: Finished | None = None
        self._process = subprocess.Popen(
            command.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(command.environment),
            cwd=_WORKING_DIRECTORY,
        )
        self._writer = self._thread(self._write, document)
        self._reader = self._thread(self._read_lines)
        self._runner = self._thread(self._run)

    @property
    def pid(self) -> int:
        """The process that a cancellation kills; its children live on."""
        return self._process.pid

    def wait(self, cancellation: Cancellation) -> Finished:
        """Wait for the end of stdout and of the process, without a time limit.

        Raises :class:`OperationCancelled` as soon as the process was killed by ``cancellation``, and does not wait for
        what is left of it.
        """
        with cancellation.calling(self._kill):
            self._ended.wait()
        if self._finished is None or cancellation.cancelled:
            raise OperationCancelled
        return self._finished

    def reap(self, timeout_s: float) -> bool:
        """Wait until nothing of the run is left; False if a heir of its pipes outlives the time."""
        for thread in (self._runner, self._reader, self._writer):
            thread.join(timeout_s)
        return not any(thread.is_alive() for thread in (self._runner, self._reader, self._writer))

    def _kill(self) -> None:
        self._process.kill()
        self._ended.set()

    def _run(self) -> None:
        with _pipe(self._process.stdout) as stdout:
            output = stdout.read()
        status = self._process.wait()
        self._reader.join(_LAST_LINES_S)
        self._finished = Finished(output.decode("utf-8", errors="replace"), status)
        self._ended.set()

    def _write(self, document: bytes) -> None:
        try:
            with _pipe(self._process.stdin) as stdin:
                stdin.write(document)
        except BrokenPipeError:  # not reading stdin is allowed
            self._on_trouble("error writing input to plugins stdin: write |1: broken pipe")

    def _read_lines(self) -> None:
        """Report each line; one that is longer than 64 KiB ends the log and closes the pipe, as bufio.Scanner does."""
        pending = b""
        with _pipe(self._process.stderr) as stderr:
            while chunk := os.read(stderr.fileno(), _CHUNK_BYTES):
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    self._report(line)
                if len(pending) >= LONGEST_LINE_BYTES:
                    return
        if pending:
            self._report(pending)

    def _report(self, line: bytes) -> None:
        self._on_line(line.removesuffix(b"\r").decode("utf-8", errors="replace"))

    @staticmethod
    def _thread(target: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, name="simulated-plugin", daemon=True)
        thread.start()
        return thread


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("the process was started without this pipe")
    return stream
