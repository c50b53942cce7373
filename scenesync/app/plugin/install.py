"""Give the plugin a Python environment of its own, beside the one that works, and swap the two when the new one does.

Run by Stash's own Python, so standard library only. Nothing is compiled and nothing outside the plugin's folder is
touched: Stash's image has neither git nor compilers, and its Python belongs to its system.
"""

from __future__ import annotations  # Stash may bring a Python older than ours

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

OLDEST_PYTHON: Final = (3, 11)
ENVIRONMENT: Final = ".venv"
WHEELS: Final = "wheels"
"""A folder in the plugin's: if it is there, packages come from it alone."""
CONSTRAINTS: Final = "constraints.txt"
PROJECT: Final = "pyproject.toml"
STAMP: Final = "scenesync-dependencies"
"""A file in the environment that says of which dependencies it was made."""
# What a daemon and a task import, dependencies included.
_TRY_IT: Final = "import scenesync.app.plugin.tasks, scenesync.app.commands.run"
# A package from a server, or the file of one in a folder: the name that pip says first.
_COLLECTING: Final = re.compile(r"(?:Collecting |Processing \S*[/\\])([A-Za-z0-9_.]+(?:-[A-Za-z][A-Za-z0-9_.]*)*)")
_NO_CONNECTION: Final = re.compile(
    r"Retrying \(|connection broken|NameResolution|Network is unreachable", re.IGNORECASE
)
_PIP_AND_ITS_LIKE: Final = ("pip-", "setuptools-", "wheel-")
_NOT_OURS: Final = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_USER", "PIP_PREFIX")
"""Variables that would lead the new environment's Python or pip elsewhere; Stash itself sets the first."""
_NO_PIP: Final = (
    "Install your system's packages for that: python3-venv and python3-pip on Debian and its relatives, py3-pip on "
    "Alpine (Stash's own image has it)."
)
_MADE, _COLLECTED, _TRIED = 0.05, 0.75, 0.95


class CannotInstall(Exception):
    """The new environment does not work, and why; the one before is as it was."""


@dataclass(frozen=True)
class Watcher:
    """Who is told how far it is (0 to 1), and what pip says line by line."""

    progress: Callable[[float], None]
    line: Callable[[str], None]


def build(plugin_dir: Path, environ: Mapping[str, str], watcher: Watcher) -> Path:
    """Make an environment that works and return its folder, which nothing uses yet. Raises CannotInstall, OSError."""
    if sys.version_info < OLDEST_PYTHON:
        raise CannotInstall(_too_old())
    if current(plugin_dir) is not None:  # else a kill in the midst of a swap may have left the only one that works
        remove_others(plugin_dir)
    new = plugin_dir / f"{ENVIRONMENT}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(time.time()))}"
    try:
        _fill(new, plugin_dir, _clean(environ), watcher)
    except (CannotInstall, OSError):
        shutil.rmtree(new, ignore_errors=True)
        raise
    return new


def put_in_place(new: Path) -> None:
    """Let ``.venv`` be the environment ``new``, in one step where the system has links. Raises OSError."""
    place, link = new.with_name(ENVIRONMENT), new.with_name(f"{ENVIRONMENT}.next")
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(new.name, target_is_directory=True)
    except OSError:  # Windows wants a privilege for that
        link = new
    aside = None
    if place.is_dir() and not place.is_symlink():  # made by hand, or where there are no links
        aside = place.rename(new.with_name(f"{new.name}-before"))
    try:
        link.replace(place)
    except OSError:
        if aside is not None:
            aside.rename(place)
        raise


def remove_others(plugin_dir: Path) -> None:
    """Delete the environments that are no longer used; what cannot be deleted now is so next time."""
    for environment in _environments(plugin_dir):
        if environment != current(plugin_dir):
            shutil.rmtree(environment, ignore_errors=True)


def current(plugin_dir: Path) -> Path | None:
    """Return the folder that ``.venv`` leads to, None if there is none."""
    place = plugin_dir / ENVIRONMENT
    return Path(os.path.realpath(place)) if place.is_dir() else None


def is_up_to_date(plugin_dir: Path) -> bool:
    """Return whether the environment was made of what this version of the plugin asks for. Raises OSError."""
    try:
        made_of = (plugin_dir / ENVIRONMENT / STAMP).read_text(encoding="ascii")
    except FileNotFoundError:  # made by hand: pip knows, nobody else
        return True
    return made_of == _digest(plugin_dir)


def package_count(environment: Path) -> int:
    """Return how many packages are installed there, leaving out what an environment begins with."""
    return sum(not each.name.startswith(_PIP_AND_ITS_LIKE) for each in environment.rglob("*.dist-info"))


def _fill(new: Path, plugin_dir: Path, environ: Mapping[str, str], watcher: Watcher) -> None:
    dependencies = _dependencies(plugin_dir)
    watcher.progress(0.01)
    python = _make(new, environ, watcher)
    watcher.progress(_MADE)
    wheels = plugin_dir / WHEELS
    command = [*_pip(python, environ), "install", "--only-binary", ":all:", "--no-input", "--retries", "2"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--progress-bar", "off"]
    command += ["--constraint", str(plugin_dir / CONSTRAINTS), *dependencies]
    command += ["--no-index", "--find-links", str(wheels)] if wheels.is_dir() else []
    status, said = _run(command, plugin_dir, environ, _Collected(dependencies, watcher))
    if status != 0:
        raise CannotInstall(_why_pip_failed(said, plugin_dir))
    watcher.progress(_COLLECTED)
    status, said = _run([str(python), "-c", _TRY_IT], plugin_dir, environ, watcher.line)
    if status != 0:
        raise CannotInstall(f"The packages were installed, but SceneSync does not start with them: {_last(said)}")
    (new / STAMP).write_text(_digest(plugin_dir), encoding="ascii")
    watcher.progress(_TRIED)


def _make(new: Path, environ: Mapping[str, str], watcher: Watcher) -> Path:
    """Make an empty environment and return its Python."""
    status, said = _run(
        [sys.executable, "-I", "-m", "venv", "--without-pip", str(new)], new.parent, environ, watcher.line
    )
    if status != 0:
        raise CannotInstall(f"{sys.executable} cannot make a virtual environment: {_last(said)} {_NO_PIP}")
    return new / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _pip(python: Path, environ: Mapping[str, str]) -> list[str]:
    """Return the command that installs into the environment of ``python``.

    The pip of Stash's own Python can do that; the one that Python brings along takes seconds to be unpacked, and some
    systems leave it out.
    """
    stashs = [sys.executable, "-I", "-m", "pip", "--python", str(python)]
    if _run([*stashs, "--version"], python.parent, environ, None)[0] == 0:
        return stashs
    status, said = _run([str(python), "-I", "-m", "ensurepip", "--default-pip"], python.parent, environ, None)
    if status != 0:
        raise CannotInstall(f"{sys.executable} has no pip: {_last(said)} {_NO_PIP}")
    return [str(python), "-I", "-m", "pip"]


class _Collected:
    """Moves the bar as pip finds one dependency after the other."""

    def __init__(self, dependencies: Sequence[str], watcher: Watcher) -> None:
        self._names = {_normal(name) for each in dependencies if (name := _name(each))}
        self._found: set[str] = set()
        self._watcher = watcher

    def __call__(self, line: str) -> None:
        self._watcher.line(line)
        match = _COLLECTING.match(line)
        if match is not None and _normal(match[1]) in self._names - self._found:
            self._found.add(_normal(match[1]))
            share = len(self._found) / len(self._names)
            self._watcher.progress(_MADE + share * (_COLLECTED - _MADE) * 0.9)


def _run(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], on_line: Callable[[str], None] | None
) -> tuple[int, list[str]]:
    """Run a program to its end and return its status and all it said.

    Its output is ours to read: when Stash cancels the task and kills this process, the program finds nobody to write
    to and ends as well.
    """
    lines = []
    with subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(environ),
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in _lines_of(process):
            lines.append(line)
            if on_line is not None:
                on_line(line)
    return process.returncode, lines


def _lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    for line in process.stdout or ():
        text = line.strip()
        if text:
            yield text


def _why_pip_failed(said: Sequence[str], plugin_dir: Path) -> str:
    """Return what to do about it. pip tells its reasons in words alone, and in the same status."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if (plugin_dir / WHEELS).is_dir():
        cure = (
            f"The folder {plugin_dir / WHEELS} is used alone while it is there, and lacks something for Python "
            f"{python}: complete it or remove it."
        )
    elif any(_NO_CONNECTION.search(line) for line in said):
        cure = (
            "No package server could be reached. Give Stash's machine or container a way to one for this once (pip's "
            "own variables for a mirror or a proxy, in Stash's environment, are heeded). Or fetch the packages on a "
            f"machine of the same kind with Python {python}: python3 -m pip download --only-binary :all: -c "
            f"{CONSTRAINTS} -d {WHEELS} {' '.join(map(shlex.quote, _dependencies(plugin_dir)))}; then put that folder "
            f"into {plugin_dir}."
        )
        return f"The packages could not be installed. {cure}"  # what pip makes of it then is misleading
    else:
        cure = f"Nothing is compiled here, so each package must be there ready-made for Python {python} on this system."
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
    return f"The packages could not be installed: {errors[0] if errors else _last(said)} {cure}"


def _last(said: Sequence[str]) -> str:
    """Return the line that says most: the last one about an error, else the last one."""
    errors = [line for line in said if "error" in line.lower()]
    return f"{(errors or list(said) or ['nothing was said'])[-1].rstrip('.')}."


def _too_old() -> str:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return (
        f"SceneSync needs Python {wanted} or newer; Stash runs {sys.executable}, which is {sys.version.split()[0]}. "
        "Name a newer one in Stash under Settings, System, Python executable path. The hooks work with this one: "
        "changes are kept."
    )


def _dependencies(plugin_dir: Path) -> list[str]:
    return list(_project(plugin_dir)["dependencies"])


def _project(plugin_dir: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - a Python without it is told above that it is too old

    with (plugin_dir / PROJECT).open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    return project


def _digest(plugin_dir: Path) -> str:
    pins = (plugin_dir / CONSTRAINTS).read_bytes()
    return hashlib.sha256(pins + "\n".join(_dependencies(plugin_dir)).encode()).hexdigest()


def _environments(plugin_dir: Path) -> list[Path]:
    """Return the environments that this module made, the current one among them."""
    return [Path(os.path.realpath(each)) for each in plugin_dir.glob(f"{ENVIRONMENT}-*") if each.is_dir()]


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.upper() not in _NOT_OURS}


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
