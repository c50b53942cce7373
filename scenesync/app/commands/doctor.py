"""Check everything that can be wrong, and say what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from rich.console import Console

from scenesync.app.commands import on_routes, options
from scenesync.app.configuration.editing import SettingsFileRefused, write_path_map
from scenesync.app.context import AppContext, print_json
from scenesync.app.doctor.checks import run_checks
from scenesync.app.doctor.finding import Check, Verdict
from scenesync.app.exit_codes import DONE, FAILED
from scenesync.domain.setting_origin import wins_over_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.app.settings import LoadedSettings

_NEWLINE: Final = "\n"
_INDENT: Final = " " * 8
_MARKS: Final = {Verdict.OK: "[green]ok[/]  ", Verdict.WARNING: "[yellow]warn[/]", Verdict.FAILED: "[red]FAIL[/]"}


@click.command()
@click.option("--write", is_flag=True, help="Write the proposed path_map into scenesync.toml.")
@options.as_json
@on_routes.each_route
def doctor(app: AppContext, *, write: bool, as_json: bool) -> int:
    """Check settings, connections, token, libraries, path mapping, queue and disk.

    Every finding says what to do. Exits 1 if something has to be mended. When Plex sees the files under other paths
    than Stash, the right path_map is found by name and size; --write puts it into scenesync.toml, whose other lines
    stay as they are. Nothing is written to Plex.
    """
    loaded = app.load()
    console = Console(highlight=False, soft_wrap=True)
    checks: list[Check] = []
    for check in _all_checks(loaded, write=write):
        checks.append(check)
        if not as_json:
            console.print(f"{_MARKS[check.verdict]} {check.name}: ", end="")
            console.print(check.finding, markup=False)
            if check.cure:
                console.print(f"     -> {check.cure.replace(_NEWLINE, _NEWLINE + _INDENT)}", markup=False)
    if as_json:
        print_json([check.as_document() for check in checks])
    return _exit_code(checks)


def _all_checks(loaded: LoadedSettings, *, write: bool) -> Iterator[Check]:
    proposed: tuple[str, ...] = ()
    for check in run_checks(loaded):
        proposed = proposed or check.path_map
        yield check
    if write:
        yield _written(loaded, proposed)


def _written(loaded: LoadedSettings, path_map: tuple[str, ...]) -> Check:
    """Write the proposal and say so; a value that wins over the file's would make that useless."""
    if not path_map:
        return Check("path_map", Verdict.OK, "there is nothing to write")
    if wins_over_file(origin := loaded.origins["path_map"]):
        finding = f"not written: it is set by {origin}, which wins over {loaded.file}"
        return Check("path_map", Verdict.FAILED, finding, f"Set it there: {'; '.join(path_map)}", path_map)
    try:
        target = write_path_map(loaded.file, path_map)
    except SettingsFileRefused as error:
        return Check("path_map", Verdict.FAILED, f"not written: {error}", path_map=path_map)
    finding = f"written to {target}: {'; '.join(path_map)}"
    return Check(
        "path_map",
        Verdict.OK,
        finding,
        "A daemon that runs takes it over by itself. Then: scenesync dlq replay --all.",
        path_map,
    )


def _exit_code(checks: Sequence[Check]) -> int:
    return FAILED if any(check.verdict is Verdict.FAILED for check in checks) else DONE
