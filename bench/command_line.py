"""Run the benchmarks: ``python -m bench [--quick | --huge] [--strict] [--details] [--out FOLDER] [NAME…]``."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import (
    ceilings,
    fleet,
    frame,
    growth,
    hook,
    index,
    kills,
    long_run,
    naive_client,
    pictures,
    plots,
    queue_speed,
    reconcile,
    recovery,
    report,
    requests_per_scene,
    throughput,
    web_load,
    web_pages,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.figures import Benchmark

BENCHMARKS: Final = (
    ceilings.BENCHMARK,
    hook.BENCHMARK,
    queue_speed.BENCHMARK,
    throughput.BENCHMARK,
    index.BENCHMARK,
    growth.BENCHMARK,
    reconcile.BENCHMARK,
    web_load.BENCHMARK,
    web_pages.BENCHMARK,
    recovery.BENCHMARK,
    pictures.BENCHMARK,
    naive_client.BENCHMARK,
    requests_per_scene.BENCHMARK,
    long_run.BENCHMARK,
    kills.BENCHMARK,
    fleet.BENCHMARK,
)
RESULTS: Final = Path(__file__).resolve().parent / "results"
_FAILED, _MISSED = 1, 3
_NOT_TIMED: Final = "not timed"
_WAITING: Final = "waiting"


def main(arguments: Sequence[str] | None = None, benchmarks: Sequence[Benchmark] = BENCHMARKS) -> int:
    """Run the named benchmarks, all if none is named; print and write what they measured; return the exit code."""
    by_name = {benchmark.name: benchmark for benchmark in benchmarks}
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure SceneSync on this machine. Ends with 1 if a benchmark could not run.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes, under a minute; not index, growth, web, pages and fleet"
    )
    parser.add_argument("--huge", action="store_true", help="sizes that take minutes, of those that have them (fleet)")
    parser.add_argument("--strict", action="store_true", help="end with 3 if a target is missed")
    parser.add_argument("--details", action="store_true", help="also print figures without target and rival")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where results.json and plots go (bench/results; quick/ or part/ in it, if that is all they are)",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(by_name)} (none: all)")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(by_name))
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(by_name)}")

    if options.huge:
        by_name = {name: replace(each, full=each.huge) for name, each in by_name.items() if each.huge is not None}
    wanted = options.names or [name for name, each in by_name.items() if each.in_quick or not options.quick]
    chosen = [by_name[name] for name in wanted if name in by_name]
    if any(benchmark.against_servers for benchmark in chosen) and ceilings.BENCHMARK not in chosen:
        chosen.insert(0, ceilings.BENCHMARK)
    where = report.surroundings(quick=options.quick)
    began = time.monotonic()
    results = list(_run(chosen, quick=options.quick))
    measured = report.Report({**where, "seconds": round(time.monotonic() - began, 1)}, tuple(results))
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(report.as_table(report.rows_of(measured, details=options.details)))
    print(measured.summary())
    print(measured.times())
    folder = options.out or RESULTS / (
        "huge" if options.huge else "part" if options.names else "quick" if options.quick else ""
    )
    _write(measured, folder)
    print(f"written to {folder}")
    if any(result.error for result in results):
        return _FAILED
    return _MISSED if options.strict and any(result.missed for result in results) else 0


def _run(benchmarks: Sequence[Benchmark], *, quick: bool) -> Iterator[frame.Result]:
    # Those without a group are each by themselves.
    for key, together in groupby(benchmarks, key=partial(_neighbourhood, quick=quick)):
        group = list(together)
        print(", ".join(benchmark.name for benchmark in group), "…", end=" ", flush=True, file=sys.stderr)
        at_once = key in {_NOT_TIMED, _WAITING}
        results = _side_by_side(group, quick=quick) if at_once else frame.run_group(group, quick=quick)
        for result in results:
            print(f"{result.seconds:.0f} s", end=" ", flush=True, file=sys.stderr)
            if result.error:
                print(f"\n{result.error}", file=sys.stderr)
            yield result
        print(file=sys.stderr)


def _neighbourhood(benchmark: Benchmark, *, quick: bool) -> str:
    """Return what neighbours have in common that run together: at once, or, in a group, one after the other."""
    if not benchmark.is_timed:
        return _NOT_TIMED
    if quick and (benchmark.waits or benchmark.waits_when_quick):
        return _NOT_TIMED
    return _WAITING if benchmark.waits else benchmark.group or benchmark.name


def _side_by_side(benchmarks: Sequence[Benchmark], *, quick: bool) -> Iterator[frame.Result]:
    with ThreadPoolExecutor(len(benchmarks)) as pool:
        yield from pool.map(partial(frame.run, quick=quick), benchmarks)


def _write(measured: report.Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(measured.as_json(), encoding="utf-8")
    curves = [curve for result in measured.results for curve in result.curves]
    for name, plot in plots.draw_all(curves).items():
        (folder / name).write_text(plot, encoding="utf-8")
