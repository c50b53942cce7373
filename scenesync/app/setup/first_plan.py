"""Compare both libraries before anything is written: the path map that fits, the coverage, the first plan."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from scenesync.app.coverage_report import gather, summarize
from scenesync.app.data_directory import PLANS_FOLDER
from scenesync.app.doctor.path_check import judge_paths
from scenesync.app.installation import open_installation
from scenesync.app.plan_report import plans
from scenesync.app.setup.state import FirstPlan, FoundPaths
from scenesync.reconciliation import plan_file
from scenesync.reconciliation.planning import Totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.app.settings import Settings

PLAN_FILE: Final = "set-up.plan"
EXAMPLES: Final = 3


def look_at_paths(settings: Settings) -> FoundPaths:
    """Read Plex's libraries and match a sample. Raises what the clients and stores raise."""
    with open_installation(settings) as installation:
        index = installation.session(installation.plex.identity()).index
        index.refresh()
        judged = judge_paths(installation.stash, index, settings)
    return FoundPaths(judged.finding, judged.cure, judged.is_good, judged.path_map)


def make_first_plan(settings: Settings, progress: Callable[[str, int, int], None]) -> FirstPlan:
    """Compare all and plan all, and keep the plan in the data directory. Raises alike, and what ``progress`` raises."""
    folder = settings.data_dir / PLANS_FOLDER
    with open_installation(settings) as installation:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        total = installation.stash.scene_count()
        progress("Comparing both libraries", 0, total)
        coverage = summarize(gather(installation), EXAMPLES)
        identity = installation.plex.identity()
        header = plan_file.PlanHeader(identity.machine_identifier, time.time())
        totals = Totals()
        with plan_file.writing(folder / PLAN_FILE, header) as writer:
            every = plans(installation, identity, None, None, include_held=False)
            for number, planned in enumerate(every, start=1):
                totals.count(planned)
                writer.add(planned)
                progress("Planning", number, total)
    return FirstPlan(coverage, totals, folder / PLAN_FILE)
