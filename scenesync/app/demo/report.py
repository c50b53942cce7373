"""Show what a performance came to: a table, the status, the verdict; or all of it as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from scenesync.app.demo.comparison import Value
    from scenesync.app.demo.performance import DemoResult, Showing
    from scenesync.app.demo.verdict import Check

WIDEST: Final = 100
_PROBLEMS_SHOWN: Final = 20
_SHA1_SHOWN: Final = 8
_TABLE_FIELDS: Final = ("title", "studio", "date", "actors", "genres", "poster")
_PICTURES: Final = ("poster", "background")
_NOTHING: Final = "\N{EN DASH}"


def print_result(console: Console, result: DemoResult) -> None:
    """Print everything that comes after the story."""
    if result.broken:
        console.print(Text(f"\nThe demo broke off. {result.broken}", style="bold red"), soft_wrap=True)
        return
    _title(console, "What Plex shows")
    console.print(_table(result, min(console.width, WIDEST)))
    _title(console, "$ scenesync status")
    console.print(Text(result.facts.status_text), soft_wrap=True)
    for letter in result.letters:
        _title(console, f"$ scenesync dlq show {letter.id}")
        console.print(Text(f"{letter.error_type}: {letter.message}"), width=min(console.width, WIDEST))
        console.print(Text(f"What would help: {letter.advice}"), width=min(console.width, WIDEST))
    _title(console, "Checked against the servers' own records")
    for check in result.checks:
        _print_check(console, check)
    console.print()
    console.print(Text(_last_line(result), style="bold green" if result.succeeded else "bold red"))


def as_document(result: DemoResult) -> dict[str, object]:
    """Return the result for ``--json``."""
    return {
        "succeeded": result.succeeded,
        "broken": result.broken,
        "scenes": result.scenes,
        "seed": result.seed,
        "workers": result.workers,
        "saves": result.saves,
        "elapsed_s": round(result.elapsed_s, 2),
        "recovery_s": round(result.facts.recovery_s, 2),
        "resumed_s": round(result.facts.resumed_s, 2),
        "found_late_s": round(result.facts.found_late_s, 2),
        "in_hand_when_killed": result.facts.in_hand_when_killed,
        "requests_in_startup": result.facts.requests_in_startup,
        "events": [{"at_s": event.at_s, "text": event.text} for event in result.events],
        "checks": [
            {"claim": check.claim, "holds": check.holds, "problems": list(check.problems)} for check in result.checks
        ],
        "dead_letters": [
            {"scene_id": letter.job.get("scene_id"), "error": letter.error_type, "message": letter.message}
            for letter in result.letters
        ],
        "status": dict(result.status),
    }


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _table(result: DemoResult, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, width=width, pad_edge=False)
    table.add_column("", no_wrap=True, width=10)
    for name in ("before", "now"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1)
    for showing in result.showings:
        _add_showing(table, showing)
    return table


def _add_showing(table: Table, showing: Showing) -> None:
    table.add_section()
    table.add_row(Text(f"scene {showing.scene_id}", style="bold"), Text(showing.note, style="italic"), "")
    for name in _TABLE_FIELDS:
        before, now = _cell(name, showing.before), _cell(name, showing.now)
        if before == now == _NOTHING:
            continue
        table.add_row(Text(name, style="dim"), Text(before), Text(now if now != before else "(the same)"))


def _cell(name: str, shown: Mapping[str, Value] | None) -> str:
    if shown is None:
        return "not in Plex" if name == "title" else _NOTHING
    value = shown.get(name, "")
    if isinstance(value, tuple):
        return ", ".join(value) or _NOTHING
    if name in _PICTURES and value:
        return f"picture {value[:_SHA1_SHOWN]}"
    return value or _NOTHING


def _print_check(console: Console, check: Check) -> None:
    mark = ("  ok  ", "green") if check.holds else ("  NO  ", "bold red")
    console.print(Text.assemble(mark, check.claim), soft_wrap=True)
    for problem in check.problems[:_PROBLEMS_SHOWN]:
        console.print(Text(f"      {problem}"), soft_wrap=True)
    if len(check.problems) > _PROBLEMS_SHOWN:
        console.print(Text(f"      and {len(check.problems) - _PROBLEMS_SHOWN} more"))


def _last_line(result: DemoResult) -> str:
    took = f"{result.elapsed_s:.0f} s"
    if result.succeeded:
        many = f"{result.workers} workers, " if result.workers > 1 else ""
        return (
            f"{many}{result.scenes} scenes, {result.saves} saves, one outage, one kill -9: all is right after {took}."
        )
    failed = sum(not check.holds for check in result.checks)
    return (
        f"{failed} of {len(result.checks)} claims do not hold (after {took}; --keep DIR keeps queue, database and log)."
    )
