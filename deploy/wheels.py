"""Can every run-time dependency be had ready-made? ``python -m deploy.wheels``, or ``make wheels``.

Those of the extra ``postgres`` are asked for as well.
For glibc and musl (Stash's own image is Alpine, without git or compilers), x86_64 and aarch64, and each Python that
SceneSync supports, pip is asked which file it would take of the exact versions in ``constraints.txt``. Nothing is built
and nothing is downloaded but what says what a package is.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import requires
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT: Final = Path(__file__).parents[1]
AT_ONCE: Final = 4
MACHINES: Final = ("x86_64", "aarch64")
# musl 1.2 is in every Alpine since 3.13. glibc 2.31 is Debian 11's; all images of Python are newer.
TAGS: Final = {
    "glibc": ("manylinux2014", *(f"manylinux_2_{minor}" for minor in range(17, 32))),
    "musl": ("musllinux_1_1", "musllinux_1_2"),
}


class NotToBeHad(Exception):
    """Something cannot be installed somewhere without building it; the message is pip's."""


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of machine with one Python, such as ``3.12``."""

    libc: str
    machine: str
    python: str

    def __str__(self) -> str:
        return f"{self.libc} {self.machine} Python {self.python}"

    def markers(self) -> dict[str, str]:
        """Return what a requirement's marker may ask about."""
        return {
            "extra": "",
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    def pip_options(self) -> list[str]:
        """Return what makes pip choose for this target instead of for the machine that it runs on."""
        platforms = [option for tag in TAGS[self.libc] for option in ("--platform", f"{tag}_{self.machine}")]
        return [*platforms, "--python-version", self.python, "--implementation", "cp"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask for every target and print the table; exit 1 if anything would have to be built."""
    parser = argparse.ArgumentParser(description="Ask whether every run-time dependency has wheels for all targets.")
    parser.parse_args(arguments)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = read_pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    wanted = targets(supported_pythons(project["classifiers"]))
    try:
        found = ask_for_all([*project["dependencies"], *project["optional-dependencies"]["postgres"]], pins, wanted)
    except NotToBeHad as error:
        sys.exit(str(error))
    print("\n".join(table(found, pins)))  # noqa: T201


def ask_for_all(
    dependencies: Sequence[str], pins: Mapping[str, str], wanted: Sequence[Target]
) -> dict[Target, Mapping[str, str]]:
    """Return for each target the files of all that ``dependencies`` lead to. Raises NotToBeHad."""

    def answer(target: Target) -> Mapping[str, str]:
        needed = sorted(closure(dependencies, target, requires))
        return ask(target, [f"{name}=={pins[name]}" for name in needed])

    with ThreadPoolExecutor(AT_ONCE) as pool:  # pip mostly waits for answers
        return dict(zip(wanted, pool.map(answer, wanted), strict=True))


def supported_pythons(classifiers: Iterable[str]) -> list[str]:
    """Return the versions that the project claims to support."""
    matches = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in classifiers)
    return [match[1] for match in matches if match]


def targets(pythons: Sequence[str]) -> list[Target]:
    """Return every kind of machine with every Python."""
    return [Target(*each) for each in product(TAGS, MACHINES, pythons)]


def read_pins(constraints: str) -> dict[str, str]:
    """Return the exact version of each package, by its normal name."""
    lines = (line.partition("#")[0].strip() for line in constraints.splitlines())
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def closure(
    dependencies: Iterable[str], target: Target, requires_of: Callable[[str], Sequence[str] | None]
) -> set[str]:
    """Return the normal names of all that ``dependencies`` lead to on ``target``.

    ``requires_of`` tells what an installed package asks for; it raises PackageNotFoundError for one that is not there.
    """
    names: set[str] = set()
    waiting = [(Requirement(each), "") for each in dependencies]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({**target.markers(), "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        names.add(name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += [(Requirement(each), wanted) for each in requires_of(name) or ()]
    return names


def ask(target: Target, requirements: Sequence[str]) -> Mapping[str, str]:
    """Return the file that pip would take for each requirement. Raises NotToBeHad."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--report", "-", "--quiet", "--no-deps"]
        command += ["--ignore-installed", "--only-binary", ":all:", "--disable-pip-version-check", "--target", folder]
        done = subprocess.run(
            [*command, *target.pip_options(), *requirements], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise NotToBeHad(f"{target}: {done.stderr.strip()}")
    return read_report(done.stdout)


def read_report(text: str) -> dict[str, str]:
    """Return the file's name for each package of pip's report."""
    entries = json.loads(text)["install"]
    return {
        canonicalize_name(entry["metadata"]["name"]): entry["download_info"]["url"].rpartition("/")[2]
        for entry in entries
    }


def table(found: Mapping[Target, Mapping[str, str]], pins: Mapping[str, str]) -> list[str]:
    """Return a table in Markdown: how each package is to be had for the four kinds of machine."""
    machines = list(dict.fromkeys((target.libc, target.machine) for target in found))
    names = sorted({name for files in found.values() for name in files})
    lines = [
        "| package | version | " + " | ".join(" ".join(machine) for machine in machines) + " |",
        "|---|---|" + "---|" * len(machines),
    ]
    for name in names:
        cells = [_cell(name, machine, found) for machine in machines]
        lines.append(f"| {name} | {pins[name]} | {' | '.join(cells)} |")
    return lines


def _cell(name: str, machine: tuple[str, str], found: Mapping[Target, Mapping[str, str]]) -> str:
    """Return ``any`` for a wheel that fits everywhere, else the Pythons for which there is one."""
    files = {t.python: files[name] for t, files in found.items() if (t.libc, t.machine) == machine and name in files}
    if files and all(_is_pure(file) for file in files.values()):
        return "any"
    return ", ".join(files) or "none"


def _is_pure(file: str) -> bool:
    return all(tag.platform == "any" for tag in parse_wheel_filename(file)[3])


if __name__ == "__main__":
    main()
