"""Check everything that can be wrong, and say what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from rich.console import Console

from scenesync.app.checks import Check, Verdict, run_checks
from scenesync.app.commands import options
from scenesync.app.context import AppContext, print_json
from scenesync.app.exit_codes import DONE, FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKS: Final = {Verdict.OK: "[green]ok[/]  ", Verdict.WARNING: "[yellow]warn[/]", Verdict.FAILED: "[red]FAIL[/]"}


@click.command()
@options.as_json
@click.pass_obj
def doctor(app: AppContext, *, as_json: bool) -> int:
    """Check settings, connections, token, libraries, path mapping, queue and disk.

    Every finding says what to do. Exits 1 if something has to be mended. Nothing is written to Plex.
    """
    loaded = app.load()
    console = Console(highlight=False, soft_wrap=True)
    checks: list[Check] = []
    for check in run_checks(loaded):
        checks.append(check)
        if not as_json:
            console.print(f"{_MARKS[check.verdict]} {check.name}: ", end="")
            console.print(check.finding, markup=False)
            if check.cure:
                console.print(f"     -> {check.cure}", markup=False)
    if as_json:
        print_json([check.as_document() for check in checks])
    return _exit_code(checks)


def _exit_code(checks: Sequence[Check]) -> int:
    return FAILED if any(check.verdict is Verdict.FAILED for check in checks) else DONE
