"""What the handlers ask for. The application implements it; nothing here builds anything or knows where it lies.

Every method may raise what ``problems`` knows how to tell, and the errors of stores and servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from scenesync.web.events import EventRing
    from scenesync.web.models import scene_page, scenes, state, work
    from scenesync.web.models.common import Page


class Health(Protocol):
    """Whether the daemon is alive and can be worked with."""

    def alive(self) -> state.Alive:
        """Say whether the loop goes round. Never waits for anything."""
        ...

    def readiness(self) -> state.Readiness:
        """Ask the stores, no server."""
        ...


class Standing(Protocol):
    """How things stand."""

    def status(self) -> state.Status:
        """Return the state, at most a second old."""
        ...

    def outages(self, limit: int, skip: int = 0) -> Sequence[state.Outage]:
        """Return the latest outages, newest first, without the ``skip`` newest."""
        ...

    def attempts(self, limit: int) -> Sequence[state.Attempt]:
        """Return the latest attempts at any scene, newest first."""
        ...

    def circuits(self) -> Mapping[str, state.Circuit]:
        """Return both circuits."""
        ...

    def reset_circuit(self, services: Sequence[str]) -> Mapping[str, state.ClosedCircuit]:
        """Close these circuits."""
        ...

    def checks(self) -> state.CheckReport:
        """Return what the doctor found last."""
        ...


class Jobs(Protocol):
    """The queue."""

    def waiting(self, *, scene_id: int | None, error: str | None, after: int, limit: int) -> Page[work.Job]:
        """Return jobs that wait, oldest first, those behind row ``after``."""
        ...

    def clear(self, which: work.ClearJobs) -> int:
        """Drop jobs that wait; return how many."""
        ...


class Letters(Protocol):
    """The dead letters."""

    def page(
        self, *, error: str | None, scene_id: int | None, text: str | None, before: tuple[float, int] | None, limit: int
    ) -> Page[work.DeadLetter]:
        """Return letters, newest first, those that failed ``before`` (time and id)."""
        ...

    def groups(self) -> Sequence[work.LetterGroup]:
        """Return how many there are of each error, most first."""
        ...

    def show(self, letter_id: int) -> work.DeadLetter:
        """Return one letter."""
        ...

    def replay(self, which: work.ChosenLetters) -> int:
        """Let their jobs wait again; return how many."""
        ...

    def discard(self, which: work.ChosenLetters) -> int:
        """Delete them; return how many."""
        ...

    def begin_replay(self, which: work.ChosenLetters) -> work.Task:
        """Begin to let their jobs wait again, however many they are."""
        ...

    def begin_discard(self, which: work.ChosenLetters) -> work.Task:
        """Begin to delete them, however many they are."""
        ...

    def purge(self, older_than: float) -> int:
        """Delete those that failed before then; return how many."""
        ...


class Scenes(Protocol):
    """The scenes and what is known of them."""

    def page(self, *, state: str | None, search: str, after: int, limit: int) -> Page[scenes.SceneSummary]:
        """Return known scenes in the order of their ids, those above ``after``."""
        ...

    def counts(self) -> scenes.SceneCounts:
        """Return how many are in which state."""
        ...

    def titles(self, scene_ids: Collection[int]) -> Mapping[int, str]:
        """Return what those of them that are known are called, by their files where they have no title."""
        ...

    def show(self, scene_id: int) -> scenes.Scene:
        """Ask both servers and the stores about one scene."""
        ...

    def pin(self, scene_id: int, rating_key: str) -> scenes.Pinned:
        """Tie the scene to the item."""
        ...

    def unpin(self, scene_id: int) -> bool:
        """Take the pin off; False if there was none."""
        ...

    def holds(self) -> Sequence[scenes.Hold]:
        """Return the scenes that are left alone since they were undone."""
        ...

    def release(self, scene_ids: Sequence[int] | None) -> int:
        """Let held scenes be synced again, None: all of them; return how many were held."""
        ...


class OneScene(Protocol):
    """What is known of one scene without asking a server, and what a person can have done for it."""

    def facts(self, scene_id: int) -> scene_page.SceneFacts:
        """Return what the stores know of the scene; that is nothing for one that was never met."""
        ...

    def items(self, rating_keys: Sequence[str]) -> Sequence[scene_page.KnownItem]:
        """Return items as the index knows them."""
        ...

    def sync_now(self, scene_id: int) -> None:
        """Let the scene be looked at before any other work; that ends a hold."""
        ...


class Rate(Protocol):
    """How much was done lately."""

    def by_minute(self) -> Mapping[tuple[int, str], int]:
        """Return how many attempts of the last hour began in which minute (since 1970) and ended in which way."""
        ...


class Journal(Protocol):
    """What was written to Plex."""

    def edits(
        self, *, scene_ids: Sequence[int], since: str | None, run: str, before: int | None, limit: int
    ) -> Page[scenes.JournalEntry]:
        """Return edits, newest first, those with a number below ``before``."""
        ...

    def runs(self, *, since: str | None, limit: int) -> Sequence[scenes.Run]:
        """Return the runs that made them, newest first."""
        ...

    def latest_runs(self, *, before: int | None, limit: int) -> Sequence[scenes.LatestRun]:
        """Return the runs whose last edit has a number below ``before``, newest first, each counted up to a limit."""
        ...


class StoppedRuns(Protocol):
    """Automatic runs that wait for a person."""

    def all(self) -> Sequence[state.StoppedRun]:
        """Return them, oldest first."""
        ...

    def scenes(self, run: int, *, after: int, limit: int) -> Page[work.PlannedScene]:
        """Return what the run would change, from its ``after``-th scene on."""
        ...

    def go_on(self, run: int) -> int:
        """Let it go on; return how many scenes that enqueued."""
        ...

    def drop(self, run: int) -> None:
        """Forget it."""
        ...


class SupportBundles(Protocol):
    """What helps to help."""

    def make(self, *, with_names: bool) -> bytes:
        """Return a zip of readable text without secrets, and without titles, names and hosts unless ``with_names``."""
        ...


class Tasks(Protocol):
    """Long work: what runs, what ran, and what the daemon does by itself."""

    def all(self) -> Sequence[work.Task]:
        """Return the tasks that are remembered, newest first."""
        ...

    def show(self, task_id: str) -> work.Task:
        """Return one of them."""
        ...

    def routines(self) -> Sequence[work.Routine]:
        """Return what the daemon does by itself."""
        ...

    def run_now(self, name: str) -> None:
        """Let a routine begin at once."""
        ...

    def start(self, kind: str) -> work.Task:
        """Begin work that needs no selectors."""
        ...

    def sync(self, selectors: work.Selectors) -> work.Task:
        """Begin to enqueue scenes and to watch them being worked off."""
        ...

    def reconcile(self, wanted: work.Reconcile) -> work.Task:
        """Begin to compare both libraries and to watch what is found being worked off."""
        ...

    def undo(self, what: work.UndoWhat) -> work.Task:
        """Begin to take edits back."""
        ...

    def cancel(self, task_id: str) -> work.Task:
        """Ask a task to stop."""
        ...


class Plans(Protocol):
    """Plans that were made, kept until newer ones push them out."""

    def make(self, selectors: work.Selectors) -> work.Task:
        """Begin to make one; its id will be the task's."""
        ...

    def all(self) -> Sequence[work.Plan]:
        """Return them, newest first."""
        ...

    def show(self, plan_id: str) -> work.Plan:
        """Return one."""
        ...

    def scenes(self, plan_id: str, *, verdict: str | None, after: int, limit: int) -> Page[work.PlannedScene]:
        """Return its scenes, from the ``after``-th line on."""
        ...

    def apply(self, plan_id: str) -> work.Task:
        """Begin to carry it out, if it still holds."""
        ...


class CoverageReports(Protocol):
    """How much of both libraries meets."""

    def latest(self) -> scenes.Coverage:
        """Return the last report."""
        ...


class LogBook(Protocol):
    """The latest lines of the log."""

    def entries(
        self, *, level: str | None, scene_id: int | None, before: int | None, limit: int
    ) -> Page[scenes.LogEntry]:
        """Return lines of this level or above, newest first."""
        ...


class SettingsView(Protocol):
    """The settings in force, and whether what they name answers."""

    def all(self) -> Sequence[scenes.Setting]:
        """Return every setting."""
        ...

    def file(self) -> str:
        """Return where the settings file is, or would be."""
        ...

    def test_connection(self, service: str) -> scenes.Connection:
        """Ask a server whether it accepts us."""
        ...


class PathMaps(Protocol):
    """The path map in force, the one that is proposed, and the settings file."""

    def show(self) -> scenes.PathMap:
        """Return them, and what was last written from here."""
        ...

    def write(self, rules: Sequence[str]) -> scenes.PathMap:
        """Write rules to the settings file: those that are proposed, or those that stood there before."""
        ...


class Metrics(Protocol):
    """The figures for Prometheus."""

    def text(self) -> str:
        """Return them in the text format."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the handlers may ask for."""

    health: Health
    standing: Standing
    jobs: Jobs
    letters: Letters
    scenes: Scenes
    one_scene: OneScene
    rate: Rate
    journal: Journal
    stopped_runs: StoppedRuns
    tasks: Tasks
    plans: Plans
    coverage: CoverageReports
    log: LogBook
    settings: SettingsView
    support: SupportBundles
    path_maps: PathMaps
    metrics: Metrics
    events: EventRing
