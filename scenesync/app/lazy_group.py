"""A group whose commands are imported when they are asked for: starting one must not cost the imports of all."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """Commands by name, each with the module that holds it under the same name as Python allows it."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self._modules})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, imported now if it was not yet; None if there is no such command."""
        if cmd_name in self._modules and cmd_name not in self.commands:
            self.add_command(getattr(import_module(self._modules[cmd_name]), _python_name(cmd_name)), cmd_name)
        return super().get_command(ctx, cmd_name)


def _python_name(command: str) -> str:
    """Return what a command is called in its module: hyphens are underscores, and one stands behind a keyword."""
    name = command.replace("-", "_")
    return f"{name}_" if iskeyword(name) else name
