"""Put the figures of the last run into the documentation: ``python -m bench.publish [FOLDER]``. Measures nothing.

``docs/performance/`` gets the results and plots as they are; README.md and docs/PERFORMANCE.md hold tables between two
comments, which are made anew from them.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = _ROOT / "bench" / "results"
PUBLISHED: Final = _ROOT / "docs" / "performance"
RESULTS_FILE: Final = "results.json"
_BLOCK: Final = re.compile(r"(<!-- bench: (?P<what>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SHORT: Final = ("", "figure", "measured beside it", "ratio", "target", "holds")
_IN_WORDS: Final = {"yes": "yes", "NO": "**no**", "": "", "FAILED": "**failed**"}


def main(arguments: Sequence[str]) -> None:
    """Publish the results in the folder that is named, else those of the last run."""
    folder = Path(arguments[0]) if arguments else RESULTS
    PUBLISHED.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != PUBLISHED:
        for file in [*sorted(folder.glob("*.svg")), folder / RESULTS_FILE]:
            shutil.copy(file, PUBLISHED)
    measured = report.Report.read(PUBLISHED / RESULTS_FILE)
    for document in documents():
        text = document.read_text(encoding="utf-8")
        document.write_text(with_figures(text, measured), encoding="utf-8")


def documents() -> tuple[Path, ...]:
    """Return the files that hold tables of figures."""
    return (_ROOT / "README.md", _ROOT / "docs" / "PERFORMANCE.md")


def with_figures(text: str, measured: report.Report) -> str:
    """Return ``text`` with its tables made of ``measured``: between ``<!-- bench: short -->`` and ``<!-- end -->``."""

    def fill(block: re.Match[str]) -> str:
        what = block["what"]
        made = _BLOCKS[what](measured) if what in _BLOCKS else _of_benchmark(measured, what)
        return f"{block[1]}{made}\n{block[3]}"

    return _BLOCK.sub(fill, text)


def _short(measured: report.Report) -> str:
    """Return the headlines alone."""
    rows = []
    for result in measured.results:
        for figure in result.figures:
            if figure.headline:
                _, *cells, verdict = report.cells_of(figure)
                rows.append((figure.headline, *cells, _IN_WORDS[verdict]))
    return report.as_markdown(rows, _SHORT)


def _surroundings(measured: report.Report) -> str:
    where = measured.surroundings
    loads = [load for result in measured.results for load in result.loads]
    return (
        f"Measured with Python {where['python']}, SQLite {where['sqlite']}, {where['system']}, {where['processors']} "
        f"processors, niceness {where['niceness']}; the machine's load was {min(loads):g} to {max(loads):g}. "
        f"{_speed(where)}{measured.summary()}."
    )


def _speed(where: Mapping[str, Any]) -> str:
    """Return how fast the machine was, "" for results of before that was measured."""
    if "loop_ms" not in where:
        return ""
    return (
        f"It starts an empty Python in {where['empty_python_ms']} ms and takes {where['loop_ms']} ms for a million "
        "turns of a loop that computes. "
    )


def _of_benchmark(measured: report.Report, name: str) -> str:
    results = tuple(result for result in measured.results if result.name == name)
    rows = report.rows_of(report.Report(measured.surroundings, results), details=True)
    if not rows:
        return "Not part of the run that was published last."
    return report.as_markdown([(*row[1:-1], _IN_WORDS[row[-1]]) for row in rows], report.HEADINGS[1:])


def _by_size(measured: report.Report) -> str:
    """Return seconds, requests and peak memory of each task, by the size of the library: what the plot draws."""
    points: dict[tuple[str, float], dict[str, float]] = {}
    for curve in (curve for result in measured.results for curve in result.curves):
        plot, _, what = curve.plot.partition(": ")
        if plot == "growth":
            for size, value in curve.points:
                points.setdefault((curve.name, size), {})[what] = value
    sizes = sorted({size for _, size in points})
    rows = [
        (name, *(_cost(points[name, size]) if (name, size) in points else "" for size in sizes))
        for name in dict.fromkeys(name for name, _ in points)
    ]
    return report.as_markdown(rows, ("", *(f"{size:,.0f} scenes" for size in sizes)))


def _cost(values: Mapping[str, float]) -> str:
    seconds, requests, memory = (report.readable(values[what]) for what in ("seconds", "requests", "memory"))
    return f"{seconds} s, {requests} requests, {memory} MiB"


_BLOCKS: Final[Mapping[str, Callable[[report.Report], str]]] = {
    "short": _short,
    "sizes": _by_size,
    "surroundings": _surroundings,
}


if __name__ == "__main__":
    main(sys.argv[1:])
