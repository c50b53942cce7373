"""Implements ``web.ports.Plans``: plans are made by tasks, kept as files, and carried out if they still hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from scenesync.app.applying import moved_on_since
from scenesync.app.dashboard.plan_pages import page_of_plan
from scenesync.app.dashboard.watching import watch_queue
from scenesync.app.data_directory import PLANS_FOLDER
from scenesync.app.plan_report import plans
from scenesync.app.scene_standings import StandingsKeeper, of_planned
from scenesync.app.wording.plan import summary
from scenesync.app.wording.times import time_meant
from scenesync.disk.drafts import drafted
from scenesync.intake.selection import enqueue_ids
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.planning import Totals, Verdict
from scenesync.store.holds import release_held
from scenesync.store.scene_states import SceneStateStore
from scenesync.web.models import work
from scenesync.web.problems import Conflict, NotFound, Unusable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from scenesync.app.dashboard.desk import Desk
    from scenesync.app.dashboard.tasks import Running, TaskRunner
    from scenesync.reconciliation.planning import PlannedScene
    from scenesync.web.models.common import Page

KEPT: Final = 10
MOVED_ON_SHOWN: Final = 20
_PLAN, _ABOUT = ".plan", ".json"


class KeptPlans:
    """The plans of the data directory that people asked for here."""

    def __init__(self, desk: Desk, runner: TaskRunner) -> None:
        self._desk = desk
        self._runner = runner

    def make(self, selectors: work.Selectors) -> work.Task:
        """Begin to make one; its id will be the task's. Raises Conflict, Unusable."""
        since = moment_meant(selectors.since)
        installation = self._desk.installation

        def make(task: Running) -> Mapping[str, Any]:
            identity = installation.plex.identity()
            folder = self._folder
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            totals, made_at = Totals(), time.time()
            wanted = selectors.scene_ids or None
            held = selectors.include_held or bool(selectors.scene_ids)
            relying = not (selectors.force or selectors.scene_ids)
            header = plan_file.PlanHeader(identity.machine_identifier, made_at)
            states = SceneStateStore(installation.database)
            with (
                plan_file.writing(folder / f"{task.id}{_PLAN}", header) as writer,
                StandingsKeeper(states, identity.machine_identifier) as keeper,
            ):
                task.progress(total=installation.stash.scene_count() if selectors.all else len(wanted or ()) or None)
                for planned in task.walk(
                    plans(installation, identity, wanted, since, include_held=held, relying=relying)
                ):
                    totals.count(planned)
                    keeper.add([of_planned(planned)])
                    if planned.verdict is not Verdict.UNCHANGED or planned.items:
                        writer.line(plan_file.to_document(planned))
            plan = work.Plan(
                id=task.id,
                made_at=made_at,
                server_id=identity.machine_identifier,
                selectors=selectors,
                sentence=summary(totals),
                totals=work.PlanTotals.model_validate(totals.as_document()),
            )
            self._keep(plan)
            return plan.model_dump()

        return self._runner.start("plan", "Make a plan", make)

    def all(self) -> Sequence[work.Plan]:
        """Return them, newest first."""
        return [self._read(path) for path in self._kept()]

    def show(self, plan_id: str) -> work.Plan:
        """Return one. Raises NotFound."""
        return self._read(self._folder / f"{plan_id}{_ABOUT}")

    def scenes(self, plan_id: str, *, verdict: str | None, after: int, limit: int) -> Page[work.PlannedScene]:
        """Return its scenes, from byte ``after`` of its file on. Raises NotFound."""
        return page_of_plan(self._folder / f"{plan_id}{_PLAN}", after=after, limit=limit, verdict=verdict)

    def apply(self, plan_id: str) -> work.Task:
        """Begin to carry it out, if it still holds. Raises NotFound, Conflict."""
        plan = self.show(plan_id)
        file = self._folder / f"{plan_id}{_PLAN}"
        installation = self._desk.installation

        def carry_out(task: Running) -> Mapping[str, Any]:
            header, scenes = plan_file.read(file)
            changing = [scene for scene in scenes if scene.verdict is Verdict.CHANGE]
            task.progress(0, len(changing), "holding the plan against today")
            moved_on = list(task.walk(moved_on_since(installation, header, changing)))
            if moved_on:
                raise Conflict(_told(moved_on, len(changing)), code="moved-on")
            chosen = [scene.scene_id for scene in changing]
            release_held(installation.database, chosen)
            enqueue_ids(installation.queue, chosen)
            self._keep(plan.model_copy(update={"applied_at": time.time()}))
            return watch_queue(installation, task)

        return self._runner.start("apply", "Carry a plan out", carry_out)

    @property
    def _folder(self) -> Path:
        return self._desk.loaded.settings.data_dir / PLANS_FOLDER / "asked"

    def _kept(self) -> Sequence[Path]:
        return sorted(self._folder.glob(f"*{_ABOUT}"), reverse=True)

    def _read(self, path: Path) -> work.Plan:
        try:
            return work.Plan.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValueError):
            raise NotFound("No such plan is kept; make a new one.") from None

    def _keep(self, plan: work.Plan) -> None:
        path = self._folder / f"{plan.id}{_ABOUT}"
        with drafted(path) as draft:
            draft.write_text(plan.model_dump_json(), encoding="utf-8")
        for old in self._kept()[KEPT:]:
            old.unlink(missing_ok=True)
            old.with_suffix(_PLAN).unlink(missing_ok=True)


def moment_meant(since: str | None) -> datetime | None:
    """Return the moment that an age or an ISO time means. Raises Unusable."""
    try:
        return None if since is None else time_meant(since)
    except ValueError as error:
        raise Unusable(str(error), code="invalid-time") from None


def _told(moved_on: Sequence[tuple[PlannedScene, str]], planned: int) -> str:
    examples = "; ".join(f"scene {scene.scene_id}: {difference}" for scene, difference in moved_on[:MOVED_ON_SHOWN])
    return (
        f"{len(moved_on)} of {planned} scenes have moved on since the plan was made, so nothing was written. "
        f"Make a new plan. {examples}"
    )
