"""The documents are under test: what they say of commands, settings, exit codes and dependencies is true."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from scenesync.app import exit_codes
from scenesync.app.cli import cli
from scenesync.app.command_reference import EXIT_CODES, commands_of, reference
from scenesync.app.configuration.model import KEYS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs/COMMANDS.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs/SETTINGS.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def shown_commands(group: click.Group, path: str = "scenesync") -> list[str]:
    names = []
    for name, command in commands_of(group):
        names.append(f"{path} {name}")
        if isinstance(command, click.Group):
            names += shown_commands(command, f"{path} {name}")
    return names


def test_the_command_reference_is_what_make_reference_writes() -> None:
    assert reference() == COMMANDS


def test_every_command_is_in_the_reference_and_every_top_one_in_the_changelog() -> None:
    commands = shown_commands(cli)
    assert len(commands) > 10
    assert [name for name in commands if f"## {name}\n" not in COMMANDS] == []
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name, _ in commands_of(cli) if f"`{name}" not in changelog] == []


def test_every_command_has_useful_help() -> None:
    for _, command in commands_of(cli):
        assert command.help
        assert len(command.help) > 20
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{command.name} {parameter.name}"


def test_every_setting_is_in_the_reference() -> None:
    assert [key for key in KEYS if f"`{key}`" not in SETTINGS or f"SCENESYNC_{key.upper()}" not in SETTINGS] == []


def test_every_exit_code_is_explained() -> None:
    codes = [value for name, value in vars(exit_codes).items() if name.isupper()]
    assert sorted(codes) == sorted(EXIT_CODES) == [0, 1, 2, 3]
    for code in codes:
        assert f"| {code} |" in COMMANDS
    assert "Exit status: 0 done, 1 failed, 2 wrong usage or settings, 3 done" in README


def test_every_dependency_has_its_reason() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    names = {
        re.split(r"[^A-Za-z0-9_.-]", entry)[0].lower()
        for entry in [*PROJECT["project"]["dependencies"], *extras["demo"], *extras["notify"], *extras["postgres"]]
    }
    page = ARCHITECTURE.lower()
    assert [name for name in sorted(names) if name not in page] == []


def test_every_package_has_a_line_in_the_architecture() -> None:
    packages = [path.parent.name for path in (ROOT / "scenesync").glob("*/__init__.py")]
    assert [name for name in packages if f"`{name}/`" not in ARCHITECTURE] == []


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/ARCHITECTURE.md", "docs/INSTALLING.md"]
)
def test_links_and_make_targets_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)\b", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_pictures_of_the_readme_are_there_small_and_described() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r'(?:src|srcset)="([^"]+)"', readme)
    assert len(shown) > 3
    assert set(shown) == {f"docs/images/{file.name}" for file in (ROOT / "docs" / "images").iterdir()}
    for path in shown:
        assert (ROOT / path).stat().st_size < 150_000
    assert all(re.search(r' alt="[^"]{10,}"', tag) for tag in re.findall(r"<img [^>]+>", readme))


def test_readme_commands_parse() -> None:
    commands = re.findall(r"^\$ (?:~/scenesync/bin/)?scenesync ([^#\n]+)", README, re.MULTILINE)
    assert len(commands) >= 5
    for line in commands:
        words = line.split()
        command: click.Command = cli
        while isinstance(command, click.Group) and words and words[0] in dict(commands_of(command)):
            command = dict(commands_of(command))[words.pop(0)]
        assert command is not cli, line
        command.make_parser(click.Context(command)).parse_args(words)


def test_no_document_names_this_workplace() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.md", "*.toml", "*.txt", "*.py", "*.yml", "Makefile", ".ci/run"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    index_option = re.compile(r"--(extra-)?index-url|^-i https?:", re.MULTILINE)
    found = [path for path in tracked if index_option.search((ROOT / path).read_text(encoding="utf-8"))]
    assert [path for path in found if path != "tests/unit/test_docs.py"] == []
