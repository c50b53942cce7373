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


def reference() -> str:
    """Return the page."""
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    return HEAD + rows + "".join(_section(path, command) for path, command in _commands(cli, ("scenesync",)))


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield the group and all commands below it that are shown to people."""
    yield path, group
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _section(path: tuple[str, ...], command: click.Command) -> str:
    context: click.Context | None = None
    at: click.Command | None = None
    for name in path:
        # Each name with its own command: the arguments of the parents are part of a usage line.
        at = cli if at is None else at.commands[name] if isinstance(at, click.Group) else command
        context = click.Context(
            at,
            info_name=name,
            parent=context,
            terminal_width=100,
            max_content_width=100,
            help_option_names=cli.context_settings["help_option_names"],
        )
    assert context is not None  # noqa: S101 - a path has at least one name
    return f"\n## {' '.join(path)}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
