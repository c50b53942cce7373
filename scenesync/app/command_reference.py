"""Generate docs/COMMANDS.md from the commands' own help: ``python -m scenesync.app.command_reference``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from scenesync.app import exit_codes
from scenesync.app.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD: Final = """# Commands

Generated from the commands' own help by `make reference`; do not edit.

`scenesync` is the console script; `python -m scenesync` is the same.

## Exit status

| status | meaning |
|---|---|
"""

EXIT_CODES: Final = {
    exit_codes.DONE: "done",
    exit_codes.FAILED: "failed; the message says why",
    exit_codes.USAGE: "wrong usage or settings",
    exit_codes.LEFTOVERS: "done, but dead letters or waiting jobs are left (not found, in backoff, time-out reached)",
}


Path = tuple[tuple[str, click.Command], ...]
"""Each name on the way to a command, with the command it stands for: the arguments of parents are part of a usage."""


def reference() -> str:
    """Return the page."""
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    return HEAD + rows + "".join(_section(path) for path in _commands(cli, (("scenesync", cli),)))


def _commands(group: click.Group, path: Path) -> Iterator[Path]:
    """Yield the ways to the group and to all commands below it that are shown to people."""
    yield path
    for name, command in commands_of(group):
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, (name, command)))
        else:
            yield (*path, (name, command))


def commands_of(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Yield the commands of a group that are shown to people, by name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield name, command


def _section(path: Path) -> str:
    context: click.Context | None = None
    for name, command in path:
        context = click.Context(
            command,
            info_name=name,
            parent=context,
            terminal_width=100,
            max_content_width=100,
            help_option_names=cli.context_settings["help_option_names"],
        )
    assert context is not None  # noqa: S101 - a path has at least one name
    names = " ".join(name for name, _ in path)
    return f"\n## {names}\n\n```text\n{context.command.get_help(context)}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
