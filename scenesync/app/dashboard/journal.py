"""Implements ``web.ports.Journal`` and ``web.ports.StoppedRuns``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.app.dashboard.plan_pages import page_of_plan
from scenesync.app.data_directory import PLANS_FOLDER
from scenesync.app.wording.journal import edit_document, run_document
from scenesync.app.wording.times import time_meant
from scenesync.domain.journal import JournalFilter
from scenesync.reconciliation.automatic_run import forget_stopped, let_go_stopped, plan_path
from scenesync.store.automatic_runs import AutomaticRunStore
from scenesync.store.journal import search_edits, search_runs
from scenesync.store.journal_runs import BEHIND_ALL, latest_runs
from scenesync.web.models import scenes, state
from scenesync.web.models.common import Page
from scenesync.web.problems import Conflict, NotFound, Unusable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenesync.app.dashboard.desk import Desk
    from scenesync.web.models import work


class WrittenEdits:
    """What was written to Plex."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def edits(
        self, *, scene_ids: Sequence[int], since: str | None, run: str, before: int | None, limit: int
    ) -> Page[scenes.JournalEntry]:
        """Return edits, newest first, those with a number below ``before``."""
        chosen = JournalFilter(tuple(scene_ids), epoch_meant(since), run)
        found = search_edits(self._desk.installation.database, chosen, limit=limit, before=before)
        cursor = str(found[-1].number) if len(found) == limit else None
        return Page(
            items=[scenes.JournalEntry.model_validate(edit_document(entry)) for entry in found],
            next_cursor=cursor,
        )

    def runs(self, *, since: str | None, limit: int) -> Sequence[scenes.Run]:
        """Return the runs that made them, newest first."""
        chosen = JournalFilter(since=epoch_meant(since))
        found = search_runs(self._desk.installation.database, chosen, limit=limit)
        return [scenes.Run.model_validate(run_document(run)) for run in found]

    def latest_runs(self, *, before: int | None, limit: int) -> Sequence[scenes.LatestRun]:
        """Return the runs whose last edit has a number below ``before``, newest first, each counted up to a limit."""
        found = latest_runs(self._desk.installation.database, limit=limit, before=before or BEHIND_ALL)
        return [
            scenes.LatestRun(
                run=run.run_id,
                cause=run.cause,
                began_at=run.began_at,
                ended_at=run.ended_at,
                last_number=run.last_number,
                scenes=run.scenes,
                fields=run.fields,
                is_counted=run.is_counted,
            )
            for run in found
        ]


class RunsThatWait:
    """Automatic runs that wait for a person."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self) -> Sequence[state.StoppedRun]:
        """Return them, oldest first."""
        found = self._runs.stopped()
        return [state.StoppedRun.model_validate(run.as_document()) for run in found]

    def scenes(self, run: int, *, after: int, limit: int) -> Page[work.PlannedScene]:
        """Return what the run would change, from byte ``after`` of its plan on. Raises NotFound."""
        self._require(run)
        folder = self._desk.installation.settings.data_dir / PLANS_FOLDER
        return page_of_plan(plan_path(folder, run), after=after, limit=limit)

    def go_on(self, run: int) -> int:
        """Let it go on; return how many scenes that enqueued. Raises NotFound."""
        self._require(run)
        installation = self._desk.installation
        count = self._runs.size(run)
        let_go_stopped(self._runs, installation.queue, run, installation.settings.data_dir / PLANS_FOLDER)
        return count

    def drop(self, run: int) -> None:
        """Forget it. Raises NotFound, and Conflict if it is being gathered again."""
        self._require(run)
        folder = self._desk.installation.settings.data_dir / PLANS_FOLDER
        if not forget_stopped(self._runs, run, folder):
            raise Conflict(f"Run {run} is being gathered again; if it is still too much, it will be stopped again.")

    @property
    def _runs(self) -> AutomaticRunStore:
        return AutomaticRunStore(self._desk.installation.database)

    def _require(self, run: int) -> None:
        if all(each.id != run for each in self._runs.stopped()):
            raise NotFound(f"No stopped run has the number {run}.")


def epoch_meant(since: str | None) -> float | None:
    """Return the epoch time that an age or an ISO time means. Raises Unusable."""
    if since is None:
        return None
    try:
        return time_meant(since).timestamp()
    except (ValueError, OverflowError) as error:
        raise Unusable(str(error), code="invalid-time") from None
