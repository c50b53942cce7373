"""How much of both libraries meets, and what to do about the rest."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.table import Table

from scenesync.app.commands import on_routes, options
from scenesync.app.context import AppContext, print_json
from scenesync.app.coverage_report import advice, gather, summarize
from scenesync.app.exit_codes import DONE
from scenesync.app.installation import open_installation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.coverage_report import Coverage, CoverageClass, CoverageReport
    from scenesync.reconciliation.coverage import Finding

_COLUMNS: Final = ("class", "detail", "scene_ids", "rating_keys", "path", "text", "what_to_do")
# A spreadsheet would run a cell that begins like this, and file names come from anywhere.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


@click.command()
@options.as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print every scene and item, one a line.")
@click.option(
    "--examples",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Show at most so many of each class (not with --csv).",
)
@on_routes.each_route
def coverage(app: AppContext, *, as_json: bool, as_csv: bool, examples: int) -> int:
    """Compare both libraries, file by file, and say what to do.

    Counts the scenes matched by each rule, those not in Plex, ambiguous or left out by a filter, the items that are not
    in Stash, scenes that share one item, and files that two items have. Reads both servers and writes nothing.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    with open_installation(app.load().settings) as installation:
        gathered = gather(installation)
        if as_csv:
            _write_csv(gathered)
            return DONE
        report = summarize(gathered, examples)
    if as_json:
        print_json(report.as_document())
    else:
        print_report(report)
    return DONE


def _write_csv(coverage: Coverage) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for finding in coverage.findings:
        writer.writerow([_cell(text) for text in _row(finding)])
    sys.stdout.flush()


def _row(finding: Finding) -> Iterator[str]:
    yield finding.kind.value
    yield finding.detail
    yield " ".join(map(str, finding.scene_ids))
    yield " ".join(finding.rating_keys)
    yield finding.path
    yield finding.text
    yield advice(finding.kind, finding.detail)


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def print_report(report: CoverageReport, *, stderr: bool = False) -> None:
    """Print the classes with examples of those that want something done."""
    console = Console(highlight=False, soft_wrap=True, stderr=stderr)
    console.print(f"{report.scenes} scenes in Stash, {report.items} items in Plex")
    table = Table("", "class", "what to do", box=None, pad_edge=False)
    table.columns[0].justify = "right"
    for each in report.classes:
        table.add_row(str(each.count), _name(each), each.what_to_do)
    Console(highlight=False, stderr=stderr).print(table)
    for each in report.classes:
        if each.examples and each.what_to_do:
            console.print(f"\n[bold]{_name(each)}[/]")
            for example in each.examples:
                console.print(f"  {_described(example)}", markup=False)
            if each.count > len(each.examples):
                console.print(f"  … and {each.count - len(each.examples)} more", markup=False)


def _name(each: CoverageClass) -> str:
    name = each.kind.value.replace("_", " ")
    match each.kind.value:
        case "matched":
            return f"matched by {each.detail}"
        case "left_out" | "ambiguous":
            return f"{name} ({each.detail})"
        case _:
            return name


def _described(finding: Finding) -> str:
    scenes = f"scene {', '.join(map(str, finding.scene_ids))}" if finding.scene_ids else ""
    items = f"item {', '.join(finding.rating_keys)}" if finding.rating_keys else ""
    head = " - ".join(part for part in (scenes, items) if part)
    return f"{head}: {finding.path}" + (f"  {finding.text}" if finding.text else "")
