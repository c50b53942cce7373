"""The plugin's tasks that hold both libraries against each other, as ``scenesync reconcile`` does."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from scenesync.app.reconciling import Demand, reconcile_at_once
from scenesync.app.settings import require_plex
from scenesync.app.wording.findings import MEANING, example, summary
from scenesync.app.wording.progress import FractionView
from scenesync.domain.gaps import GapKind
from scenesync.reconciliation.reconciling import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from scenesync.app.plugin.task import Task
    from scenesync.app.wording.progress import ProgressView
    from scenesync.reconciliation.reconciling import Scope

_SHARES: Final = {"comparing": (0.0, 0.5), "syncing": (0.5, 1.0)}
"""Which part of the bar each part of the work moves."""


def reconcile(scope: Scope) -> Callable[[Task], str]:
    """Return the task that compares the scenes of ``scope``, tells what differs, and mends it."""

    def run(task: Task) -> str:
        require_plex(task.settings)

        def view(part: str) -> AbstractContextManager[ProgressView]:
            begin, end = _SHARES[part]
            return nullcontext(FractionView(lambda done: task.channel.progress(begin + done * (end - begin))))

        try:
            found, report = reconcile_at_once(task.settings, Demand(scope), view, stash=task.stash)
        except Interrupted:
            return "Interrupted; the next one of this kind goes on where this one was."
        for kind in GapKind:
            if found.gaps[kind]:
                examples = "; ".join(map(example, found.examples.get(kind, ())))
                task.channel.log("i", f"{kind.value}: {found.gaps[kind]} ({MEANING[kind]}), such as {examples}")
        first, *more = summary(found)
        for line in more:
            task.channel.log("i", line)
        return f"{first} {report.as_line()}" if report is not None else first

    return run
