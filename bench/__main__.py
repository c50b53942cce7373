"""Run the benchmarks: ``python -m bench [--quick] [--json FILE] [NAME…]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import hook, queue_speed, requests_per_scene, throughput
from bench.figures import as_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figures import Benchmark, Figure

BENCHMARKS: Final = (hook.BENCHMARK, requests_per_scene.BENCHMARK, throughput.BENCHMARK, queue_speed.BENCHMARK)


def main(arguments: Sequence[str] | None = None, benchmarks: Sequence[Benchmark] = BENCHMARKS) -> None:
    """Run the named benchmarks, all if none is named, and print their figures."""
    by_name = {benchmark.name: benchmark for benchmark in benchmarks}
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure SceneSync on this machine.")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under a minute in all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(by_name)} (none: all)")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(by_name))
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(by_name)}")

    surroundings = _surroundings(quick=options.quick)
    results: dict[str, Sequence[Figure]] = {}
    for name in options.names or by_name:
        started = time.monotonic()
        print(f"{name} …", end=" ", flush=True, file=sys.stderr)
        results[name] = _run(by_name[name], quick=options.quick)
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    print(", ".join(f"{key} {value}" for key, value in surroundings.items()))
    print(as_table(results))
    if options.json is not None:
        figures = {name: [figure.as_document() for figure in taken] for name, taken in results.items()}
        document = {**surroundings, "benchmarks": figures}
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _run(benchmark: Benchmark, *, quick: bool) -> Sequence[Figure]:
    with tempfile.TemporaryDirectory(prefix=f"scenesync-bench-{benchmark.name}-") as folder:
        return (benchmark.quick if quick else benchmark.full)(Path(folder))


def _surroundings(*, quick: bool) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.system(),
        "processors": os.cpu_count(),
        "quick": quick,
    }


if __name__ == "__main__":
    main()
