"""A run's results as a table for people and as JSON."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from bench import machine
from bench.frame import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.figures import Figure

_WHOLE_FROM: Final = 100
HEADINGS: Final = ("benchmark", "figure", "value", "beside it", "ratio", "target", "holds")
VERDICTS: Final = {None: "", True: "yes", False: "NO"}
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run, and where they were measured."""

    surroundings: Mapping[str, Any]
    results: tuple[Result, ...]

    def as_json(self) -> str:
        """Return the report as one JSON document, a line for each figure, so that two of them can be compared."""
        lines = [f" {_json(name)}: {_json(value)}," for name, value in self.surroundings.items()]
        results = ",\n".join(_result_as_json(result.as_document()) for result in self.results)
        return "\n".join(["{", *lines, f' "benchmarks": [\n{results}\n ]', "}", ""])

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return the report that was written to ``file``."""
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        results = tuple(map(Result.from_document, document.pop("benchmarks")))
        return cls(document, results)

    def times(self) -> str:
        """Return in one line how long each benchmark took, and of processors, and all of them."""
        each = [f"{result.name} {result.seconds:.0f} ({result.processor_s:.0f})" for result in self.results]
        spent_s = sum(result.processor_s for result in self.results)
        return f"seconds (of a processor): {', '.join(each)}; all {self.surroundings['seconds']:.0f} ({spent_s:.0f})"

    def summary(self) -> str:
        """Return in one line how many targets hold, and what failed."""
        judged = [figure for result in self.results for figure in result.figures if figure.is_met is not None]
        missed = sum(len(result.missed) for result in self.results)
        failed = [result.name for result in self.results if result.error]
        text = f"{len(judged) - missed} of {len(judged)} targets hold"
        return f"{text}; failed: {', '.join(failed)}" if failed else text


def _result_as_json(document: dict[str, Any]) -> str:
    parts = []
    for name, value in document.items():
        if name in {"figures", "curves"} and value:
            parts.append(f"   {_json(name)}: [\n" + ",\n".join(f"    {_json(one)}" for one in value) + "\n   ]")
        else:
            parts.append(f"   {_json(name)}: {_json(value)}")
    return "  {\n" + ",\n".join(parts) + "\n  }"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def surroundings(*, quick: bool) -> dict[str, object]:
    """Return what figures depend on: the machine, how fast it is, and its programs."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.system(),
        "processors": os.cpu_count(),
        "niceness": os.nice(0) if hasattr(os, "nice") else 0,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0,
        **machine.speed(),
        "quick": quick,
    }


def rows_of(report: Report, *, details: bool = False) -> list[Row]:
    """Return the table's rows: figures that can be judged by something, or that judge; with ``details`` all of them."""
    rows = []
    for result in report.results:
        shown = [figure for figure in result.figures if details or figure.target or figure.beside or figure.headline]
        rows += [(result.name, *cells_of(figure)) for figure in shown]
        if result.error:
            rows.append((result.name, result.error.strip().rpartition("\n")[2], "", "", "", "", "FAILED"))
    return rows


def cells_of(figure: Figure) -> Row:
    """Return a figure's cells of the table."""
    beside, target = figure.beside, figure.target
    return (
        figure.name,
        f"{readable(figure.value)} {figure.unit}".rstrip(),
        "" if beside is None else f"{readable(beside.value)} {beside.name}",
        "" if beside is None else readable(beside.ratio),
        "" if target is None else str(target),
        VERDICTS[figure.is_met],
    )


def readable(value: float) -> str:
    """Return ``value`` with as many digits as mean something."""
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"


def as_table(rows: Sequence[Row], headings: Row = HEADINGS) -> str:
    """Return lines in columns."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    head = "  ".join(cell.ljust(width) for cell, width in zip(headings, widths, strict=True)).rstrip()
    return "\n".join([head, "  ".join("-" * width for width in widths), *lines])


def as_markdown(rows: Sequence[Row], headings: Row = HEADINGS) -> str:
    """Return a table as Markdown has it."""
    lines = ["| " + " | ".join(row) + " |" for row in (headings, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(headings), *lines[1:]])
