"""How long the server takes for each page of the dashboard, and what they cost in memory, with full stores.

The stores are filled as years of work would fill them: scenes, items, waiting jobs, dead letters, edits, attempts,
outages, and a plan of everything. Neither Plex nor Stash is there: no page but a scene's comparison asks them.
"""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import urllib3
from pydantic import SecretStr

from bench.child import answers, peak_mib, side_by_side
from bench.figures import Benchmark, Figure, at_most
from scenesync.app.configuration.model import KEYS
from scenesync.app.dashboard.serving import Dashboard
from scenesync.app.data_directory import PLANS_FOLDER, database_file
from scenesync.app.installation import open_installation
from scenesync.app.opening import embedded_queue_at
from scenesync.app.settings import CONFIG_FILE_NAME, LoadedSettings, Settings
from scenesync.domain.diff import FieldChange
from scenesync.domain.fields import Field
from scenesync.domain.item import ListedItem, MediaPart
from scenesync.domain.job import scene_job
from scenesync.domain.journal import SYNC, JournalEntry
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.domain.scene_state import SceneStanding, SceneState
from scenesync.plex.exceptions import PlexServerDown
from scenesync.queue import dead_letters
from scenesync.queue.dead_letters import DeadLetter
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.planning import ItemChanges, PlannedScene, Totals, Verdict
from scenesync.simulators import sample_words as words
from scenesync.store.attempts import AttemptStore
from scenesync.store.database import open_database
from scenesync.store.journal import JournalStore
from scenesync.store.outages import OutageStore
from scenesync.store.path_index import PathIndexStore
from scenesync.store.scene_states import SceneStateStore
from scenesync.web.models import work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scenesync.store.database import Database
    from scenesync.worker.availability.plex_connection import PlexSession

KEY: Final = "fake-benchmark-key-0123456789"
NOWHERE: Final = "http://127.0.0.1:9"
SERVER: Final = "benchmark-server"
PLAN: Final = "benchmark-plan"
PAGE_MS: Final = 200
GROWTH_MIB: Final = 20
ROUNDS: Final = 5
AT_ONCE: Final = 5_000
OUTAGES: Final = 200
RUNS: Final = 200
_ODD_ONES: Final = (
    SceneState.DIFFERS,
    SceneState.UNMATCHED,
    SceneState.AMBIGUOUS,
    SceneState.LEFT_OUT,
    SceneState.FAILED,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of each page, and the peak memory of the process before and after it served them all."""

    pages_ms: Mapping[str, float]
    before_mib: float
    after_mib: float


def run(library: int, folder: Path, rounds: int = ROUNDS) -> list[Figure]:
    """Return the time of each page, and what all of them added to the memory of the process that served them."""
    _fill(folder, library)
    with answers(_measure, str(folder), library, rounds) as answer:
        measured = answer.recv()
    slowest = max(measured.pages_ms, key=lambda name: measured.pages_ms[name])
    return [
        *(Figure(name, took_ms, "ms", target=at_most(PAGE_MS)) for name, took_ms in measured.pages_ms.items()),
        Figure(
            f"slowest page with {library} scenes ({slowest})",
            measured.pages_ms[slowest],
            "ms",
            target=at_most(PAGE_MS),
            headline=f"slowest page of the dashboard, {library} scenes",
        ),
        Figure("memory that serving them added", measured.after_mib - measured.before_mib, "MiB", at_most(GROWTH_MIB)),
    ]


def _paths(library: int) -> Mapping[str, str]:
    """Return the address of each page, by what it is called in the results; the search finds the last scene alone."""
    return {
        "overview": "/",
        "overview, what changes": "/parts/overview",
        "scenes": "/scenes",
        "scenes, from the middle on": f"/scenes?cursor={library // 2}",
        "scenes that wait": "/scenes?state=waiting",
        "scenes that differ": "/scenes?state=differs",
        "scenes, searched for one": f"/scenes?q=evening+{library}",
        "scenes, searched in vain": "/scenes?q=no+such+words",
        "ambiguous scenes, searched in vain": "/scenes?state=ambiguous&q=no+such+words",
        "a scene": f"/scenes/{library // 2}",
        "queue": "/queue",
        "queue, what changes": "/parts/queue",
        "queue, from the middle on": f"/queue?cursor={library // 2}",
        "queue, after an error that none waits after": "/queue?error=PlexBusy",
        "queue, one scene": f"/queue?scene={library // 2}",
        "dead letters": "/dead-letters",
        "dead letters of the most frequent error": "/dead-letters?error=PlexNotFound",
        "dead letters of a rare error": "/dead-letters?error=PlexPermanentError",
        "dead letters of a scene": f"/dead-letters?scene={library // 2}",
        "a dead letter": "/dead-letters/1",
        "journal": "/journal",
        "journal, from the middle on": f"/journal?cursor={library // 2}",
        "journal, the oldest run": f"/journal?run={_run_id(0)}",
        "journal, one scene": f"/journal?scene={library // 2}",
        "journal, its runs": "/journal/runs",
        "what is to be undone": f"/journal/undo?run={_run_id(0)}",
        "outages": "/outages",
        "plans": "/plan",
        "a plan": f"/plan/{PLAN}",
        "a plan, what is left out": f"/plan/{PLAN}?verdict=left_out",
        "a plan, its refused ones (none)": f"/plan/{PLAN}?verdict=refused",
        "coverage": "/coverage",
        "tasks": "/tasks",
        "log": "/log",
        "log of one scene": "/log?scene_id=1",
        "settings": "/settings",
        "API: state": "/api/v1/status",
        "API: scenes, searched for one": f"/api/v1/scenes?search=evening+{library}",
        "API: counts of scenes": "/api/v1/scenes/counts",
        "API: queue": "/api/v1/queue",
        "API: dead letters": "/api/v1/dead-letters",
        "API: journal": "/api/v1/journal",
        "figures for Prometheus": "/metrics",
    }


def _measure(answer: Any, folder: str, library: int, rounds: int) -> None:  # noqa: ANN401
    loaded = _loaded(folder)
    with open_installation(loaded.settings, repairs=False) as installation:
        dashboard = Dashboard(loaded)
        dashboard.serve(loaded)
        try:
            with dashboard.shows(installation, loaded, _no_session, ()):
                url, paths = str(dashboard.url), _paths(library)
                _took_ms(url, "/scenes?q=a", 1)  # the first one pays for what is loaded once
                before_mib = peak_mib()
                pages_ms = {name: _took_ms(url, path, rounds) for name, path in paths.items()}
                answer.send(Measured(pages_ms, before_mib, peak_mib()))
        finally:
            dashboard.close()


def _took_ms(url: str, path: str, rounds: int) -> float:
    """Return the median time of an answer. Raises RuntimeError for one that is none."""
    http = urllib3.PoolManager(retries=False, timeout=30)
    times_ms = []
    for _ in range(rounds):
        started = time.perf_counter()
        answer = http.request("GET", url + path, headers={"X-Api-Key": KEY})
        times_ms.append(1000 * (time.perf_counter() - started))
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{path} answered {answer.status}: {answer.data[:300]!r}")
    return statistics.median(times_ms)


def _no_session() -> PlexSession:
    raise PlexServerDown("There is no Plex in this benchmark.")


def _loaded(folder: str) -> LoadedSettings:
    settings = Settings(
        stash_url=NOWHERE,
        plex_url=NOWHERE,
        plex_token=SecretStr("fake-token"),
        data_dir=Path(folder),
        http_api_key=SecretStr(KEY),
        http_port=0,
    )
    return LoadedSettings(settings, dict.fromkeys(KEYS, "default"), (), (settings.data_dir / CONFIG_FILE_NAME,))


def _fill(folder: Path, library: int) -> None:
    """Make all that the pages show. Both files are there before they are filled at the same time."""
    settings = _loaded(str(folder)).settings
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_installation(settings, repairs=True):
        pass
    plans = settings.data_dir / PLANS_FOLDER / "asked"
    fillings = [partial(fill, settings, library) for fill in (_fill_stores, _fill_queue)]
    side_by_side([*fillings, partial(_write_plan, plans, library)])


def _fill_queue(settings: Settings, library: int) -> None:
    with closing(embedded_queue_at(settings, auto_resume=False, repairs=False)) as queue:
        now = time.time()
        queue.put_many(scene_job(number, now) for number in range(1, library + 1))
        for numbers in _batches(library):
            with queue.writing() as connection:
                for number in numbers:
                    dead_letters.insert(connection, _letter(number, now - library + number))


def _fill_stores(settings: Settings, library: int) -> None:
    with open_database(database_file(settings.data_dir)) as database:
        _fill_state(database, library)


def _fill_state(database: Database, library: int) -> None:
    states = SceneStateStore(database)
    outages, attempts = OutageStore(database), AttemptStore(database)
    items = (
        ListedItem(str(number), "1", (MediaPart(_path(number), 1_000_000 + number, 60_000),), updated_at=number)
        for number in range(1, library + 1)
    )
    PathIndexStore(database, SERVER).replace_library("1", items, started_at=time.time())
    for numbers in _batches(library):
        states.keep(SERVER, map(_standing, numbers))
        attempts.add_all([_attempt(number, library) for number in numbers])
    for run in range(RUNS):  # the last is a daemon that has run for long, and wrote half of all
        written = range(run * library // RUNS // 2 + 1, (run + 1) * library // RUNS // 2 + 1)
        journal = JournalStore(database, SERVER, run_id=_run_id(run))
        journal.append([_edit(number) for number in written])
    for numbers in _batches(library // 2):
        journal.append([_edit(number + library // 2) for number in numbers])
    for number in range(OUTAGES):
        began_at = time.time() - (OUTAGES - number) * 10_000.0
        outages.begin("plex", "connection refused", at=began_at, jobs_waiting=number)
        outages.end("plex", at=began_at + 300.0, jobs_waiting=0)


def _batches(library: int) -> Iterator[range]:
    for start in range(1, library + 1, AT_ONCE):
        yield range(start, min(start + AT_ONCE, library + 1))


def _path(number: int) -> str:
    return f"/mnt/media/concerts/{number // 100}/Harbour concert, evening {number}.mkv"


def _standing(number: int) -> SceneStanding:
    state = SceneState.IN_SYNC if number % 100 else _ODD_ONES[number // 100 % len(_ODD_ONES)]
    title = f"Harbour concert, evening {number}"
    return SceneStanding(number, state, time.time(), title, _path(number), "", "path", (str(number),))


def _edit(number: int) -> JournalEntry:
    before = " ".join(words.SENTENCES)
    after = before.replace("evening", f"morning {number}")
    return JournalEntry(time.time(), number, str(number), Field.SUMMARY, before, after, SYNC)


def _run_id(number: int) -> str:
    return f"{20_240_101 + number}T000000-beef"


def _letter(number: int, failed_at: float) -> DeadLetter:
    """Return what a wrong path map leaves of each scene, and now and then something else."""
    error = "PlexPermanentError" if number % 1_000 == 0 else "PlexNotFound"
    made = [{"at": failed_at, "outcome": "retry", "error": f"{error}: no item has this file"}] * 12
    return DeadLetter(
        scene_job(number, failed_at),
        error,
        f"No item of Plex has the file {_path(number)}.",
        traceback="Traceback (most recent call last):\n" + '  File "locator.py", line 12, in locate\n' * 12,
        attempts=12,
        failed_at=failed_at,
        advice="Check the path map, then replay.",
        details={"attempts": made},
    )


def _attempt(number: int, library: int) -> Attempt:
    started_at = time.time() - (library - number) * 3600.0 / library  # all within the last hour
    return Attempt(number, Outcome.SYNCED, started_at, 0.05, rule="path", rating_keys=(str(number),))


def _write_plan(folder: Path, library: int) -> None:
    """Write a plan as the task that makes one does."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    totals, made_at = Totals(), time.time()
    with plan_file.writing(folder / f"{PLAN}.plan", plan_file.PlanHeader(SERVER, made_at)) as writer:
        for number in range(1, library + 1):
            planned = _planned(number)
            totals.count(planned)
            writer.line(plan_file.to_document(planned))
    plan = work.Plan(
        id=PLAN,
        made_at=made_at,
        server_id=SERVER,
        selectors=work.Selectors(all=True),
        sentence=f"Plan: {library} scenes.",
        totals=work.PlanTotals.model_validate(totals.as_document()),
    )
    (folder / f"{PLAN}.json").write_text(plan.model_dump_json(), encoding="utf-8")


def _planned(number: int) -> PlannedScene:
    title = f"Harbour concert, evening {number}"
    if number % 1_000 == 0:
        return PlannedScene(number, title, Verdict.LEFT_OUT, reason="It has a tag.", left_out_by="exclude_tags")
    before = " ".join(words.SENTENCES)
    change = FieldChange(Field.SUMMARY, before, before.replace("evening", f"morning {number}"))
    return PlannedScene(number, title, Verdict.CHANGE, "path", (ItemChanges(str(number), (change,)),))


BENCHMARK: Final = Benchmark(
    "pages",
    full=partial(run, 100_000),
    quick=partial(run, 2_000, rounds=2),
    in_quick=False,  # pages of short lists are quick in any case
)
