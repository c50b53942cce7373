"""Implements ``web.ports.Tasks`` and ``web.ports.CoverageReports``: what each kind of long work does."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from scenesync.app.backup.making import back_up
from scenesync.app.coverage_report import gather, summarize
from scenesync.app.dashboard.plans import moment_meant
from scenesync.app.dashboard.tasks import Cancelled
from scenesync.app.dashboard.watching import watch_queue
from scenesync.app.doctor.checks import run_checks
from scenesync.app.installation import new_run_id
from scenesync.app.reconciling import Demand, reconcile
from scenesync.app.running.reconciliation_schedule import Schedule
from scenesync.app.scene_standings import StandingsKeeper, of_finding
from scenesync.app.telling.ways import try_ways, ways_of
from scenesync.app.undo_run import undo_scenes
from scenesync.app.wording.undo import UndoTotals, undo_document
from scenesync.domain.job import PRIORITY_BULK
from scenesync.domain.journal import JournalFilter
from scenesync.intake.polling import enqueue_everything
from scenesync.intake.selection import enqueue_ids, enqueue_since
from scenesync.reconciliation.reconciling import Interrupted, Scope
from scenesync.store.holds import release_held
from scenesync.store.journal import count_scenes, search_edits
from scenesync.store.memory import Memory
from scenesync.store.reconciliations import latest_reconciliation
from scenesync.store.scene_states import SceneStateStore
from scenesync.web.models import scenes, work
from scenesync.web.problems import NotFound, Unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scenesync.app.dashboard.desk import Desk
    from scenesync.app.dashboard.standing import DaemonStanding
    from scenesync.app.dashboard.tasks import Running, TaskRunner
    from scenesync.app.installation import Installation
    from scenesync.app.running.background import Routine
    from scenesync.domain.job import Job
    from scenesync.queue.records import BulkResult
    from scenesync.reconciliation.coverage import Finding

EXAMPLES: Final = 5
RECONCILIATION: Final = "reconciliation"
SCENES_TOLD: Final = 200
"""Of a larger undo the journal has the rest."""


class CoverageKept:
    """The last comparison of both libraries."""

    def __init__(self) -> None:
        self._latest = scenes.Coverage(made_at=None, scenes=0, items=0, classes=[])

    def latest(self) -> scenes.Coverage:
        """Return the last report."""
        return self._latest

    def keep(self, document: Mapping[str, object]) -> None:
        """Take a new one."""
        self._latest = scenes.Coverage.model_validate({**document, "made_at": time.time()})


class AskedWork:
    """The kinds of long work, and the routines of the round that is under way."""

    def __init__(self, desk: Desk, runner: TaskRunner, standing: DaemonStanding, coverage: CoverageKept) -> None:
        self._desk = desk
        self._runner = runner
        self._standing = standing
        self._coverage = coverage
        self._routines: Sequence[Routine] = ()
        self._simple: Mapping[str, tuple[str, Callable[[Running], Mapping[str, Any]]]] = {
            "doctor": ("Check everything", self._check),
            "coverage": ("Compare both libraries", self._compare),
            "backup": ("Back up state and queue", self._back_up),
            "notify_test": ("Send a test message", self._send_test_message),
        }

    @contextmanager
    def with_routines(self, routines: Sequence[Routine]) -> Iterator[None]:
        """Know these routines while the block runs."""
        self._routines = routines
        try:
            yield
        finally:
            self._routines = ()

    def all(self) -> Sequence[work.Task]:
        """Return the tasks that are remembered, newest first."""
        return self._runner.all()

    def show(self, task_id: str) -> work.Task:
        """Return one of them. Raises NotFound."""
        return self._runner.show(task_id)

    def cancel(self, task_id: str) -> work.Task:
        """Ask a task to stop. Raises NotFound, Conflict."""
        return self._runner.cancel(task_id)

    def routines(self) -> Sequence[work.Routine]:
        """Return what the daemon does by itself."""
        return [*(routine_document(routine) for routine in self._routines), self._reconciliation()]

    def _reconciliation(self) -> work.Routine:
        """Return the scheduled comparison as a routine: it notes itself when it began."""
        latest = latest_reconciliation(self._desk.installation.database)
        schedule = Schedule(self._desk.installation, self._desk.round.require_session)
        began_at, next_at = schedule.last_and_next()
        return work.Routine(
            name=RECONCILIATION,
            title="Compare both libraries and mend gaps",
            every_s=schedule.interval_s,
            running=latest is not None and latest.ended_at is None,
            last_started_at=began_at,
            last_ended_at=None if latest is None else latest.ended_at,
            last_error=None,
            next_at=next_at,
        )

    def run_now(self, name: str) -> None:
        """Let a routine begin at once. Raises NotFound, and Conflict for a comparison while one runs."""
        if name == RECONCILIATION:
            self.reconcile(work.Reconcile())
            return
        routine = next((each for each in self._routines if each.name == name), None)
        if routine is None:
            raise NotFound(f"There is no routine {name!r}.")
        routine.run_now()

    def start(self, kind: str) -> work.Task:
        """Begin work that needs no selectors. Raises NotFound, Conflict."""
        if kind not in self._simple:
            raise NotFound(f"There is no task {kind!r}; there are {', '.join(sorted(self._simple))}.")
        title, do = self._simple[kind]
        return self._runner.start(kind, title, do)

    def sync(self, selectors: work.Selectors) -> work.Task:
        """Begin to enqueue scenes and to watch them being worked off. Raises Conflict, Unusable."""
        since = moment_meant(selectors.since)
        installation = self._desk.installation

        def sync(task: Running) -> Mapping[str, Any]:
            if selectors.scene_ids or selectors.include_held:
                release_held(installation.database, selectors.scene_ids or None)
            queue = CountedQueue(installation, task)
            if selectors.scene_ids:
                enqueued = enqueue_ids(queue, selectors.scene_ids)
            elif since is not None:
                enqueued = enqueue_since(installation.stash, queue, since, look=selectors.force)
            else:
                task.progress(total=installation.stash.scene_count(), text="asking Stash for its scenes")
                enqueued = enqueue_everything(
                    installation.stash, queue, Memory(installation.database), look=selectors.force
                )
            left = watch_queue(installation, task)
            return {"created": enqueued.created, "merged": enqueued.merged, **left}

        return self._runner.start("sync", "Sync scenes", sync)

    def reconcile(self, wanted: work.Reconcile) -> work.Task:
        """Begin to compare both libraries and to watch what is found being worked off. Raises Conflict."""
        installation = self._desk.installation
        scope = Scope(wanted.scope or installation.settings.reconcile_scope.value)
        demand = Demand(scope, dry_run=wanted.dry_run)

        def compare(task: Running) -> Mapping[str, Any]:
            session = installation.session(installation.plex.identity())
            try:
                found = reconcile(installation, session, demand, task.stop, TaskWatch(task))
            except Interrupted:
                raise Cancelled from None
            left = {} if wanted.dry_run else watch_queue(installation, task)
            return {"scope": scope.value, "dry_run": wanted.dry_run, **found.as_document(), **left}

        return self._runner.start("reconcile", "Compare both libraries and mend gaps", compare)

    def undo(self, what: work.UndoWhat) -> work.Task:
        """Begin to take edits back. Raises NotFound for a run or edits that are unknown, Conflict, Unusable."""
        since = moment_meant(what.since)
        chosen = JournalFilter(
            tuple(what.scene_ids), since.timestamp() if since else None, what.run or "", tuple(what.edits)
        )
        # A run of its own, so that it can be undone without the syncs of this round.
        installation = replace(self._desk.installation, run_id=new_run_id())
        if what.run and not search_edits(installation.database, JournalFilter(run_id=what.run), limit=1):
            raise NotFound(f"No edit of a run {what.run} is known.")
        if what.edits and not search_edits(installation.database, JournalFilter(numbers=chosen.numbers), limit=1):
            raise NotFound("The journal has no such edits any more.")

        def undo(task: Running) -> Mapping[str, Any]:
            totals = UndoTotals()
            told: list[Mapping[str, Any]] = []
            task.progress(total=count_scenes(installation.database, chosen), text="asking Stash and Plex")
            for scene, title in undo_scenes(installation, chosen, task.stop, force=what.force, dry_run=what.dry_run):
                totals.count(scene)
                if len(told) < SCENES_TOLD:
                    told.append({**undo_document(scene), "title": title})
                task.done += 1
                task.progress(text=title)
            task.go_on()
            run = None if what.dry_run else installation.run_id
            return {
                "run": run,
                "dry_run": what.dry_run,
                "chosen": what.model_dump(mode="json"),
                "sentence": totals.as_sentence(),
                "totals": totals.as_document(),
                "scenes": told,
            }

        title = "Look what would be taken back" if what.dry_run else "Take edits back"
        return self._runner.start("undo", title, undo)

    def _check(self, task: Running) -> Mapping[str, Any]:
        report = self._standing.note_checks(
            list(task.walk(run_checks(self._desk.loaded, self._desk.installation.stash)))
        )
        return report.model_dump()

    def _back_up(self, task: Running) -> Mapping[str, Any]:
        return back_up(self._desk.installation.settings, go_on=task.go_on).as_document()

    def _send_test_message(self, task: Running) -> Mapping[str, Any]:
        ways = ways_of(self._desk.installation.settings)
        if not ways:
            raise Unusable("Neither notify_urls nor notify_webhook_url is set.", code="nobody-to-tell")
        return {"ways": [each.as_document() for way in task.walk(ways) for each in try_ways([way])]}

    def _compare(self, task: Running) -> Mapping[str, Any]:
        installation = self._desk.installation
        coverage = gather(installation)
        with StandingsKeeper(SceneStateStore(installation.database), coverage.server_id) as keeper:
            counted = replace(coverage, findings=_noted(keeper, task.walk(coverage.findings)))
            document = summarize(counted, EXAMPLES).as_document()
        self._coverage.keep(document)
        return document


def _noted(keeper: StandingsKeeper, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings, and keep where their scenes stand."""
    for finding in findings:
        keeper.add(of_finding(finding))
        yield finding


class CountedQueue:
    """A queue that takes many jobs for a task, which can be cancelled in between. Implements ``BulkQueue``."""

    def __init__(self, installation: Installation, task: Running) -> None:
        self._queue = installation.queue
        self._task = task

    def put_many(self, jobs: Iterable[Job], priority: int = PRIORITY_BULK) -> BulkResult:
        """Enqueue in short transactions; what was enqueued before a cancel stays."""
        return self._queue.put_many(self._task.walk(jobs), priority=priority)


class TaskWatch:
    """Shows a task how a comparison goes on. Implements ``reconciliation.reconciling.Watch``."""

    def __init__(self, task: Running) -> None:
        self._task = task

    def show(self, done: int, left: int) -> None:
        """So many scenes are compared, and so many left."""
        self._task.progress(done, done + left, "comparing")


def routine_document(routine: Routine) -> work.Routine:
    """Return a routine as the API shows it."""
    return work.Routine(
        name=routine.name,
        title=routine.title,
        every_s=routine.interval_s,
        running=routine.is_running,
        last_started_at=routine.last_started_at,
        last_ended_at=routine.last_ended_at,
        last_error=routine.last_error or None,
        next_at=routine.next_at,
    )
