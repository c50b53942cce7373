from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bench import (
    bare_pages,
    ceilings,
    child,
    fleet,
    growth,
    hook,
    index,
    long_run,
    naive_client,
    pictures,
    queue_bulk,
    queue_speed,
    recovery,
    requests_per_scene,
    served_libraries,
    throughput,
)
from bench.figures import Beside, Curve, Figure, at_most, interleaved, paired_ratio
from bench.queue_rivals import Content
from bench.request_kinds import RequestCounts, count_requests
from scenesync.simulators.plex.records import RequestRecord
from scenesync.simulators.postgres import NoPostgresHere

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path


def by_name(figures: Sequence[Figure | Curve]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures if isinstance(figure, Figure)}


def test_the_hook_is_measured_at_each_depth(tmp_path: Path) -> None:
    figures = hook.run(hook.Sizes(runs=2, depths=(0, 7)), tmp_path)

    assert [figure.name for figure in figures] == [
        f"{what} (depth {depth})"
        for depth in (0, 7)
        for what in ("hook, p50 of 2", "hook, p50 of 2", "of 3 events, found in the spool")
    ] + ["hook / empty Python, at depth 7 / at 0"]
    for figure in (figures[0], figures[3]):
        assert figure.beside is not None
        assert figure.beside.name == "empty Python"
        assert figure.beside.ratio == pytest.approx(figure.value / figure.beside.value)
        assert figure.target == at_most(1.6)


def test_hooks_are_measured_cold_at_once_and_in_a_row(tmp_path: Path) -> None:
    sizes = hook.Sizes(runs=1, depths=(3,), cold_runs=1, volleys=1, saves=(4,))

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
    serial = throughput.SerialLoad(write_s=0.005, scenes=6)
    load = throughput.Load(latency_s=0.001, scenes=6, rounds=1)
    sizes = throughput.Sizes((load,), (serial,), workers=2, ramp_edits=2)

    figures = by_name(throughput.run(sizes, tmp_path))
    values = {name: figure.value for name, figure in figures.items()}
    waited = values.pop("one write at a time, 5 ms each: share of edits that waited behind ours")
    assert 0 <= waited < 1
    assert values["one write at a time, 5 ms each: product"] > 0
    assert all(value > 0 for value in values.values())
    product = figures["1 ms: product"]
    assert product.beside is not None
    assert product.beside.ratio == pytest.approx(product.value / product.beside.value)
    assert "simulated Plex without latency" in values


@pytest.mark.integration
def test_a_fleet_on_postgresql_is_measured_beside_the_embedded_queue(tmp_path: Path) -> None:
    sizes = fleet.Sizes(
        (2,), 16, 0.3, (500,), block=60, rounds=1, puts=5, bulk=50, latency_s=0.002, scenes=10, product_scenes=6
    )
    try:
        figures = by_name(fleet.run(sizes, tmp_path))
    except NoPostgresHere as why:
        pytest.skip(str(why))

    assert all(figure.value > 0 for name, figure in figures.items() if "processor time" not in name)
    two = figures["PostgreSQL: 2 workers at 2 ms per request"]
    assert two.beside is not None
    assert 0 < two.beside.value < 2 / 0.002
    assert two.beside.ratio == pytest.approx(two.value / two.beside.value, rel=0.5)  # the turns' ratios
    assert {name.rpartition(" beside ")[2].split(":")[0] for name in figures if " beside " in name} == {
        "500 waiting",
        "500 asleep",
    }


@pytest.mark.integration
def test_a_naive_client_writes_the_same_fields_one_by_one(tmp_path: Path) -> None:
    sizes = naive_client.Sizes(latencies_s=(0.0,), scenes=6, naive_s=0.1, rounds=1, workers=2)

    figures = by_name(naive_client.run(sizes, tmp_path))

    assert figures["0 ms: naive client, requests per scene"].value > 3
    product = figures["0 ms: product, start to last proof"]
    assert product.beside is not None
    assert product.beside.value > 0


@pytest.mark.integration
def test_a_recovery_is_measured_and_drawn(tmp_path: Path) -> None:
    sizes = recovery.Sizes(waiting=100, spare=400, before_s=0.0, outage_s=0.5, after_s=6.0, ramp_s=4.0, latency_s=0.04)

    measured = recovery.run(sizes, tmp_path)

    first_edit, burst = [figure for figure in measured if isinstance(figure, Figure)][:2]
    assert 0 < first_edit.value < 3
    assert burst.value > 0
    edits = next(curve for curve in measured if isinstance(curve, Curve))
    assert sum(count for _, count in edits.points) > 0
    assert all(count == 0 for at, count in edits.points if at == -0.5)


def test_a_burst_above_the_pace_is_told_from_what_the_pace_allows() -> None:
    sizes = recovery.Sizes(waiting=0, spare=0, before_s=1, outage_s=1, after_s=20, ramp_s=10, workers=4)
    paced, begun = [], 0
    for step in range(10_000):
        while recovery.allowed(step / 1000, 10) > begun:
            paced.append(step / 1000)
            begun += 1

    assert recovery.worst_burst(paced, 0.0, sizes) <= 1.0
    assert recovery.worst_burst(sorted([*paced, *[3.0] * 60]), 0.0, sizes) > 1.0


@pytest.mark.integration
def test_growth_and_memory_are_measured_in_libraries_of_their_own(tmp_path: Path) -> None:
    measured = growth.run(growth.Sizes(libraries=(8,), batch=2), tmp_path / "growth")

    figures = by_name(measured)
    assert figures["8 scenes: the next start, requests"].value > 0
    assert figures["8 scenes: the next start, peak memory"].value > 10
    assert len([curve for curve in measured if isinstance(curve, Curve)]) == 9
    flat = by_name(long_run.run(long_run.Sizes(scenes=3, first=1, more=1), tmp_path / "memory"))
    assert flat["growth of it with 3 more jobs"].value >= 0


def test_the_largest_library_is_held_against_the_smallest_in_whatever_order_they_were_measured() -> None:
    tasks = [
        growth.Task(name, scenes, scenes / 10, 5, 80.0)
        for name in (growth.COLD, growth.WARM, growth.BATCH)
        for scenes in (20, 10, 40)
    ]

    figures = by_name(growth.figures_of(tasks, batch=3, growth=1.2))

    largest = figures["3 changed scenes: time among 40"]
    assert (largest.value, largest.beside) == (4.0, Beside("s: among 10", 1.0, 1.2))
    started = figures["the next start: time among 40"]
    assert started.beside == Beside("s: among 10", 1.0, 4.0)


@pytest.mark.integration
def test_simulated_servers_are_measured_alone(tmp_path: Path) -> None:
    figures = by_name(ceilings.run(ceilings.Sizes(seconds=0.05, scenes=60, connections=2), tmp_path))

    assert len(figures) == 4
    assert all(figure.value > 0 for figure in figures.values())


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


def test_the_index_is_measured_by_a_build_a_look_a_start_and_a_daemon(tmp_path: Path) -> None:
    figures = by_name(index.run(index.Sizes((40,), 40, idle_s=0.1), tmp_path))

    assert figures["40 items: first build, pages"].value == 1
    assert figures["40 items: a look when nothing changed, pages"].value == 1
    assert figures["40 items: opened until a file is found, requests"].is_met
    assert figures["daemon at rest, with an index of 40 items"].value > 20


def test_a_scene_with_pictures_is_measured_from_its_first_request_to_its_last_write() -> None:
    def at(seconds: float, kind: str, path: str, *query: tuple[str, str]) -> RequestRecord:
        return RequestRecord("GET", path, query, 200, seconds, kind)

    records = [
        at(1.0, "read", "/library/metadata/7"),
        at(1.1, "image", "/library/metadata/7/posters"),
        at(1.1, "image", "/library/metadata/8/posters"),
        at(1.2, "edit", "/library/sections/1/all", ("id", "7")),
        at(2.5, "read", "/library/metadata/7"),
        at(9.0, "edit", "/library/sections/1/all", ("id", "8")),
    ]

    assert pictures.between_arrivals_s(records[:4]) == pytest.approx(0.1)
    took = pictures.what_it_took(records, "7", 0.05)

    assert took.seconds == pytest.approx(0.25)
    assert took.requests == 3
    proof = [at(3.0, "edit", "/library/sections/1/all", ("id", "7")), at(4.2, "read", "/library/metadata/6,7")]
    assert requests_per_scene.proven_after_s([*records[:5], *proof]) == pytest.approx(1.2)


def test_all_that_was_read_is_asked_for_again_by_a_bare_client() -> None:
    records = [
        record("list", "/library/sections/1/all", ("type", "1"), ("X-Plex-Container-Start", "1000")),
        replace(record("edit", "/library/sections/1/all", ("id", "7")), method="PUT"),
        record("read", "/library/metadata/7,8", ("includeFields", "a b")),
    ]

    assert bare_pages.targets_of(records) == [
        "/library/sections/1/all?type=1&X-Plex-Container-Start=1000",
        "/library/metadata/7,8?includeFields=a%20b",
    ]


def test_what_is_made_beforehand_is_made_in_other_processes_and_its_processor_time_is_counted(tmp_path: Path) -> None:
    before_s = child.processor_s_side_by_side()

    child.side_by_side([partial(compute_and_say_who, tmp_path / name) for name in ("one", "other")])

    assert all((tmp_path / name).read_text() != str(os.getpid()) for name in ("one", "other"))
    assert child.processor_s_side_by_side() - before_s > 0.02


def compute_and_say_who(file: Path) -> None:
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    file.write_text(str(os.getpid()))


def test_a_library_that_is_kept_is_the_same_for_all_who_need_one_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    made, ended = list[int](), list[int]()

    @contextmanager
    def make(scenes: int) -> Iterator[int]:
        made.append(scenes)
        yield len(made)
        ended.append(scenes)

    monkeypatch.setattr(served_libraries, "_made", make)
    with served_libraries.keeping():
        for scenes in (10, 20, 10):
            with served_libraries.library(scenes):
                pass
        assert (made, ended) == ([10, 20], [])
    assert ended == [20, 10]
    with served_libraries.library(10):
        assert made == [10, 20, 10]
    assert ended == [20, 10, 10]


@pytest.mark.skipif(not child.STATUS.exists(), reason="only Linux tells it of a process")
def test_a_process_that_a_large_one_starts_is_not_taken_for_large() -> None:
    ballast = bytearray(b"x") * (300 * 1024 * 1024)
    with child.answers(tell_peak) as answer:
        peak_mib = answer.recv()

    assert 1 < peak_mib < 250
    assert child.peak_mib() > len(ballast) / 1024**2


def tell_peak(pipe: Connection) -> None:
    pipe.send(child.peak_mib())
