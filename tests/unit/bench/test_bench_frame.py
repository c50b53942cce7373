from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from odd_benchmarks import (
    break_down,
    die,
    hang,
    leave_a_process_behind,
    measure,
    only_quick,
    say_pid,
    wait_for_the_other,
)

from bench import frame, plots, publish, report
from bench.command_line import BENCHMARKS, main
from bench.figures import Beside, Curve, Figure, at_least, at_most

if TYPE_CHECKING:
    from pathlib import Path


def results_in(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return document


def test_a_benchmark_that_breaks_is_shown_as_failed_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmarks = [
        only_quick("broken", break_down),
        only_quick("dead", die),
        only_quick("sound", partial(measure, "a save", 1.5)),
    ]

    assert main(["--quick", "--out", str(tmp_path)], benchmarks) == 1

    out, err = capsys.readouterr()
    assert re.search(r"^broken +RuntimeError: the pier is closed +FAILED$", out, re.MULTILINE)
    assert re.search(r"^dead +The process ended with -15 .*FAILED$", out, re.MULTILINE)
    assert re.search(r"^sound +a save +1.5 ms +≤ 2 +yes$", out, re.MULTILINE)
    assert "1 of 1 targets hold; failed: broken, dead" in out
    assert "a detail" not in out
    assert "in break_down" in err
    document = results_in(tmp_path)
    assert document["quick"] is True
    assert document["load"] >= 0
    assert 0.1 < document["empty_python_ms"] < 10_000
    assert 0.1 < document["loop_ms"] < 10_000
    assert document["seconds"] > 0
    assert all({"seconds", "processor_s"} <= one.keys() for one in document["benchmarks"])
    assert [one["name"] for one in document["benchmarks"]] == ["broken", "dead", "sound"]
    assert document["benchmarks"][2]["figures"][0]["met"] is True
    assert (tmp_path / "outage.svg").exists()


def test_a_missed_target_is_said_and_is_an_error_only_if_that_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmarks = [only_quick("slow", partial(measure, "a save", 3.5))]

    assert main(["--quick", "--details", "--out", str(tmp_path)], benchmarks) == 0
    assert main(["--quick", "--strict", "--out", str(tmp_path)], benchmarks) == 3

    out = capsys.readouterr().out
    assert re.search(r"^slow +a save +3.5 ms +≤ 2 +NO$", out, re.MULTILINE)
    assert re.search(r"^slow +a detail +7$", out, re.MULTILINE)


def test_a_benchmark_that_does_not_end_is_ended() -> None:
    result = frame.run(only_quick("endless", hang), quick=True, limit_s=0.1)

    assert result.error == "It took longer than 0 s."


def test_what_a_benchmark_leaves_running_ends_with_it() -> None:
    result = frame.run(only_quick("untidy", leave_a_process_behind), quick=True)

    pid = round(result.figures[0].value)
    for _ in range(500):  # its new parent has to take note of its end
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("it lives on")


def test_an_unknown_name_ends_with_the_names_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["no-such"])

    message = capsys.readouterr().err
    assert "no-such" in message
    assert all(benchmark.name in message for benchmark in BENCHMARKS)


def test_a_report_reads_back_what_it_wrote(tmp_path: Path) -> None:
    figure = Figure("a save", 3.0, "ms", at_most(1.6), Beside("an empty one", 2.0, 1.5), "what a person waits for")
    result = frame.Result(
        "hook", 1.0, 0.8, (0.5, 0.6), (figure, Figure("plain", 1)), (Curve("outage", "x", ((0, 1),)),)
    )
    written = report.Report({"python": "3.11"}, (result,))

    (tmp_path / "results.json").write_text(written.as_json(), encoding="utf-8")

    assert report.Report.read(tmp_path / "results.json") == written


def test_a_table_says_which_targets_hold() -> None:
    figures = (
        Figure("ratio", 1.234, target=at_most(1.2)),
        Figure("rate", 12345.6, "jobs/s", at_least(100)),
        Figure("count", 0.02),
        Figure("time", 3.0, "ms", at_most(1.6), Beside("an empty one", 2.0, 1.5)),
    )
    measured = report.Report({}, (frame.Result("queue", 1.0, 0.8, (0, 0), figures),))

    lines = report.as_table(report.rows_of(measured, details=True)).splitlines()

    assert lines[0].split() == ["benchmark", "figure", "value", "beside", "it", "ratio", "target", "holds"]
    assert lines[2].split() == ["queue", "ratio", "1.23", "≤", "1.2", "NO"]
    assert lines[3].split() == ["queue", "rate", "12,346", "jobs/s", "≥", "100", "yes"]
    assert lines[4].split() == ["queue", "count", "0.02"]
    assert lines[5].split() == ["queue", "time", "3", "ms", "2", "an", "empty", "one", "1.5", "≤", "1.6", "yes"]


def test_plots_are_drawn_within_their_axes() -> None:
    curves = [
        Curve("growth: seconds", "first start", ((1_000, 0.4), (100_000, 31.0))),
        Curve("growth: seconds", "next <start>", ((1_000, 0.0), (100_000, 0.2))),
        Curve("growth: memory", "first start", ((1_000, 80.0), (100_000, 130.0))),
    ]

    drawn = plots.draw_all(curves)

    assert list(drawn) == ["growth.svg"]
    root = ET.fromstring(drawn["growth.svg"])  # noqa: S314 - our own document
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"seconds", "peak memory, MiB", "next <start>", "1,000", "100,000"} <= set(texts)
    lines = [path.get("d", "") for path in root.iter("{http://www.w3.org/2000/svg}path") if path.get("fill") == "none"]
    points = [tuple(map(float, point.split())) for line in lines for point in line[1:].split("L")]
    assert len(points) == 6
    assert all(62 <= x <= 386 and 34 <= y <= 234 for x, y in points)


def test_tables_in_a_document_are_made_of_the_results() -> None:
    figure = Figure("a save", 3.0, "ms", at_most(1.6), Beside("an empty one", 2.0, 1.5), "what a person waits for")
    broken = frame.Result("queue", 1.0, 0.8, (0.5, 2.5), error="Traceback\nRuntimeError: no disk")
    where = {"python": "3.11", "sqlite": "3.40", "system": "Linux", "processors": 2, "niceness": 0}
    measured = report.Report(where, (frame.Result("hook", 1.0, 0.8, (0.5, 0.6), (figure,)), broken))
    text = "# It\n<!-- bench: short -->\nstale\n<!-- end -->\n<!-- bench: queue -->\n<!-- end -->\nkept\n"

    filled = publish.with_figures(text, measured)

    assert "| what a person waits for | 3 ms | 2 an empty one | 1.5 | ≤ 1.6 | yes |" in filled
    assert "| RuntimeError: no disk |  |  |  |  | **failed** |" in filled
    assert "stale" not in filled
    assert filled.endswith("<!-- end -->\nkept\n")
    assert publish.with_figures(filled, measured) == filled


def test_a_document_says_how_fast_the_machine_was_if_that_was_measured() -> None:
    where = {"python": "3.11", "sqlite": "3.40", "system": "Linux", "processors": 2, "niceness": 0}
    text = "<!-- bench: surroundings -->\n<!-- end -->\n"
    results = (frame.Result("hook", 1.0, 0.8, (0.5, 0.6)),)

    before = publish.with_figures(text, report.Report(where, results))
    after = publish.with_figures(text, report.Report({**where, "empty_python_ms": 8.9, "loop_ms": 70.2}, results))

    assert "empty Python" not in before
    assert "It starts an empty Python in 8.9 ms and takes 70.2 ms for a million turns" in after


def test_costs_by_size_are_made_of_the_curves() -> None:
    curves = tuple(
        Curve(f"growth: {what}", "first start", tuple((size, value * size) for size in (1_000.0, 100_000.0)))
        for what, value in (("seconds", 0.001), ("requests", 0.01), ("memory", 0.002))
    )
    other = Curve("growth: seconds", "reconcile", ((10_000.0, 3.0),))
    rest = tuple(Curve(f"growth: {what}", "reconcile", ((10_000.0, 5.0),)) for what in ("requests", "memory"))
    measured = report.Report({}, (frame.Result("growth", 1.0, 0.8, (0, 0), curves=(*curves, other, *rest)),))

    filled = publish.with_figures("<!-- bench: sizes -->\n<!-- end -->\n", measured)

    assert filled.splitlines()[1:5] == [
        "|  | 1,000 scenes | 10,000 scenes | 100,000 scenes |",
        "|---|---|---|---|",
        "| first start | 1 s, 10 requests, 2 MiB |  | 100 s, 1,000 requests, 200 MiB |",
        "| reconcile |  | 3 s, 5 requests, 5 MiB |  |",
    ]


def test_benchmarks_of_a_group_share_a_process_and_one_that_breaks_does_not_end_the_others() -> None:
    runs = {"first": say_pid, "broken": break_down, "last": say_pid, "dead": die, "late": say_pid}
    group = [replace(only_quick(name, run), group="together") for name, run in runs.items()]

    first, broken, last, dead, late = frame.run_group(group, quick=True)

    assert first.figures[0].value == last.figures[0].value != os.getpid()
    assert "the pier is closed" in broken.error
    assert "ended with -15" in dead.error
    assert "gave no figures" in late.error
    assert first.seconds > 0


@pytest.mark.parametrize(
    ("one", "other"),
    [({"is_timed": False}, {"is_timed": False}), ({"waits": True}, {"waits_when_quick": True, "is_timed": False})],
)
def test_neighbours_that_spoil_no_time_of_each_other_run_at_the_same_time(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    benchmarks = [
        replace(only_quick(name, partial(wait_for_the_other, tmp_path, name)), **fields)
        for name, fields in (("one", one), ("other", other))
    ]

    assert main(["--quick", "--out", str(tmp_path)], benchmarks) == 0


def test_a_report_says_what_each_benchmark_took() -> None:
    results = (frame.Result("hook", 42.4, 30.2, (0, 0)), frame.Result("queue", 54.0, 51.0, (0, 0)))

    assert report.Report({"seconds": 96.4}, results).times() == (
        "seconds (of a processor): hook 42 (30), queue 54 (51); all 96 (81)"
    )


def test_documents_hold_the_published_results() -> None:
    measured = report.Report.read(publish.PUBLISHED / publish.RESULTS_FILE)

    assert measured.surroundings["quick"] is False
    for document in publish.documents():
        text = document.read_text(encoding="utf-8")
        assert "<!-- bench: " in text
        assert publish.with_figures(text, measured) == text, "run python -m bench.publish docs/performance"
