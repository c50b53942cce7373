from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bench import hook, queue_bulk, queue_speed, throughput
from bench.__main__ import BENCHMARKS, main
from bench.figures import Benchmark, Beside, Figure, as_table, at_least, at_most, interleaved, paired_ratio
from bench.queue_rivals import Content
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
    assert printed[1].split() == ["benchmark", "figure", "value", "beside", "it", "ratio", "target"]
    assert len(printed) == 3 + 6
    assert document["quick"] is True
    figures = document["benchmarks"]["hook"]
    assert [figure["name"] for figure in figures] == [
        f"{what} (depth {depth})"
        for depth in (0, 7)
        for what in ("hook, p50 of 2", "hook, p50 of 2", "of 3 events, found in the spool")
    ]
    for hook_ms in (figures[0], figures[3]):
        assert hook_ms["beside"]["name"] == "empty Python"
        assert hook_ms["ratio"] == pytest.approx(hook_ms["value"] / hook_ms["beside"]["value"])
        assert hook_ms["target"] == "≤ 1.6"
        assert hook_ms["met"] is (hook_ms["ratio"] <= 1.6)


def test_hooks_are_measured_cold_at_once_and_in_a_row(tmp_path: Path) -> None:
    sizes = hook.Sizes(runs=1, depths=(3,), cold_runs=1, volleys=1, saves=4)

    figures = {figure.name: figure for figure in hook.run(sizes, tmp_path)}

    assert {name.split(",")[0].split(" (")[0] for name in figures} == {
        "hook",
        "4 hooks one after the other",
        "4 hooks: processor time",
        "of 23 events",
    }
    assert all(figure.beside and figure.beside.value > 0 for figure in figures.values() if figure.target)


def test_the_queue_is_measured_beside_its_rivals(tmp_path: Path) -> None:
    bulk = queue_bulk.Sizes(rows=1000, rounds=1, beside_rounds=1)
    crowds = {"few in back-off": Content(in_backoff=20)}
    sizes = queue_speed.Sizes(
        bulk=bulk, block=40, rounds=1, stock_rounds=1, crowds=crowds, asleep=200, wakings=2, block_limit_s=0.2
    )

    figures = queue_speed.run(sizes, tmp_path)

    assert len([figure for figure in figures if figure.is_met is not None]) == 6
    rates = {(figure.name, figure.beside.name): figure for figure in figures if figure.beside}
    rate = rates["claim + complete", "hand-written queue"]
    assert rate.beside is not None
    assert rate.beside.ratio == pytest.approx(rate.value / rate.beside.value)


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
        Figure("time", 3.0, "ms", at_most(1.6), Beside("an empty one", 2.0, 1.5)),
    ]

    lines = as_table({"queue": figures}).splitlines()

    assert lines[2].split() == ["queue", "ratio", "1.23", "≤", "1.2", "missed"]
    assert lines[3].split() == ["queue", "rate", "12,346", "jobs/s", "≥", "100", "met"]
    assert lines[4].split() == ["queue", "count", "0.02"]
    assert lines[5].split() == ["queue", "time", "3", "ms", "2", "an", "empty", "one", "1.5", "≤", "1.6", "met"]
