from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bench import hook, throughput
from bench.__main__ import BENCHMARKS, main
from bench.figures import Benchmark, Figure, as_table, at_least, at_most, interleaved, paired_ratio
from bench.request_kinds import RequestCounts, count_requests
from scenesync.simulators.plex.records import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def small(name: str, run: Callable[[Path], Sequence[Figure]]) -> tuple[Benchmark]:
    def never(_folder: Path) -> Sequence[Figure]:
        raise AssertionError("the long form was not asked for")

    return (Benchmark(name, full=never, quick=run),)


def run_quick(benchmark: tuple[Benchmark], file: Path) -> dict[str, Any]:
    main(["--quick", "--json", str(file), benchmark[0].name], benchmark)
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def test_the_hook_is_measured_at_each_depth_and_printed_as_table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = run_quick(small("hook", partial(hook.run, hook.Sizes(runs=2, depths=(0, 7)))), tmp_path / "out.json")

    printed = capsys.readouterr().out.splitlines()
    assert "processors" in printed[0]
    assert printed[1].split() == ["benchmark", "figure", "value", "target"]
    assert len(printed) == 3 + 6
    assert document["quick"] is True
    figures = document["benchmarks"]["hook"]
    assert [figure["name"] for figure in figures] == [
        f"{what} (depth {depth})"
        for depth in (0, 7)
        for what in ("empty process, p50", "hook process, p50", "hook / empty")
    ]
    assert all(figure["value"] > 0 for figure in figures)
    assert figures[2]["target"] == "≤ 1.6"
    assert isinstance(figures[2]["met"], bool)


@pytest.mark.integration
def test_the_product_and_the_bare_loop_are_measured_against_the_same_servers(tmp_path: Path) -> None:
    sizes = throughput.Sizes((throughput.Load(latency_s=0.001, scenes=6, rounds=1),), workers=2)

    document = run_quick(small("throughput", partial(throughput.run, sizes)), tmp_path / "out.json")

    values = {figure["name"]: figure["value"] for figure in document["benchmarks"]["throughput"]}
    assert all(value > 0 for value in values.values())
    assert values["1 ms: product / bare loop"] == pytest.approx(values["1 ms: product"] / values["1 ms: bare loop"])
    assert "simulated Plex without latency" in values


def test_an_unknown_name_ends_with_the_names_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["no-such"])

    message = capsys.readouterr().err
    assert "no-such" in message
    assert all(benchmark.name in message for benchmark in BENCHMARKS)


def record(kind: str, path: str, *query: tuple[str, str]) -> RequestRecord:
    return RequestRecord("GET", path, query, 200, 0.0, kind)


def test_a_read_of_items_that_were_all_written_since_is_a_proof() -> None:
    counts = count_requests(
        [
            record("identity", "/identity"),
            record("list", "/library/sections/1/all"),
            record("read", "/library/metadata/7"),
            record("edit", "/library/sections/1/all", ("id", "7")),
            record("read", "/library/metadata/8"),
            record("image", "/library/metadata/8/posters"),
            record("read", "/library/metadata/7,8"),
            record("read", "/library/metadata/7"),
        ]
    )

    assert counts == RequestCounts(reads=3, writes=1, images=1, proofs=1, listings=1, other=1)
    assert counts.total == 8


def test_measures_take_turns_and_every_second_round_goes_backwards() -> None:
    turns = []

    def measure(name: str, values: list[float]) -> float:
        turns.append(name)
        return values.pop()

    values = interleaved(3, {"a": partial(measure, "a", [1.0, 9.0, 2.0]), "b": partial(measure, "b", [5.0, 5.0, 4.0])})

    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert values == {"a": [2.0, 9.0, 1.0], "b": [4.0, 5.0, 5.0]}
    assert paired_ratio(values["a"], values["b"]) == pytest.approx(0.5)


def test_a_table_says_which_targets_were_met() -> None:
    figures = [
        Figure("ratio", 1.234, target=at_most(1.2)),
        Figure("rate", 12345.6, "jobs/s", at_least(100)),
        Figure("count", 0.02),
    ]

    lines = as_table({"queue": figures}).splitlines()

    assert lines[2].split() == ["queue", "ratio", "1.23", "≤", "1.2", "missed"]
    assert lines[3].split() == ["queue", "rate", "12,346", "jobs/s", "≥", "100", "met"]
    assert lines[4].split() == ["queue", "count", "0.02"]
