"""The plugin's tasks that only look: their findings go into Stash's log, the sum of them is the result."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from scenesync.app.doctor.checks import run_checks
from scenesync.app.doctor.finding import Check, Verdict
from scenesync.app.installation import open_installation
from scenesync.app.opening import look_into_queue
from scenesync.app.overview import read_overview
from scenesync.app.plan_report import plans
from scenesync.app.plugin.install import is_up_to_date
from scenesync.app.wording.counting import counted
from scenesync.app.wording.overview import outage_line, overview_lines, reliability_lines
from scenesync.app.wording.plan import scene_lines, summary
from scenesync.domain.job import subject
from scenesync.reconciliation.planning import Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.app.plugin.task import Task
    from scenesync.domain.dead_letter import DeadLetter
    from scenesync.queue.port import QueueView
    from scenesync.stash.plugin_protocol import Level

LETTERS_SHOWN: Final = 50
OUTAGES_REPORTED: Final = 50
PLAN_LINES_SHOWN: Final = 1000
"""Stash's log page holds a few hundred lines, its log file all; whoever wants more takes the command."""
_USUAL_CHECKS: Final = 12
_LEVELS: Final[dict[Verdict, Level]] = {Verdict.OK: "i", Verdict.WARNING: "w", Verdict.FAILED: "e"}


def report_status(task: Task) -> str:
    """Tell how things stand."""
    overview = read_overview(task.settings)
    for line in overview_lines(overview):
        task.channel.log("i", line)
    queue = overview.queue
    line = (
        f"{queue.pending} pending ({queue.due} due), {queue.in_progress} in progress, "
        f"{queue.dead_letters} dead letters, {queue.completed_total} done so far"
    )
    if overview.paused is None:
        return line
    task.channel.log("w", f"work waits for you: {overview.paused.message}")
    return f"{line}; work waits for you: {overview.paused.message}"


def report_outages(task: Task) -> str:
    """Tell when Plex and Stash were away, for how long, and how dependable they are."""
    overview = read_overview(task.settings, outages_shown=OUTAGES_REPORTED)
    for line in (*reliability_lines(overview), *map(outage_line, overview.outages)):
        task.channel.log("i", line)
    counts = ", ".join(f"{figures.outages} of {service}" for service, figures in overview.reliability.items())
    return f"Outages within 30 days: {counts}. Now plex is {overview.plex}, stash is {overview.stash}."


def report_health(task: Task) -> str:
    """Check everything that can be wrong, and say what to do about it."""
    verdicts: Counter[Verdict] = Counter()
    for number, check in enumerate(_checks(task), 1):
        verdicts[check.verdict] += 1
        task.channel.log(_LEVELS[check.verdict], f"{check.verdict.value}: {check.name}: {check.finding}")
        if check.cure:
            task.channel.log(_LEVELS[check.verdict], f"-> {check.cure}")
        task.channel.progress(number / max(number + 1, _USUAL_CHECKS))
    if not verdicts[Verdict.FAILED] and not verdicts[Verdict.WARNING]:
        return f"All is well: {counted(verdicts[Verdict.OK], 'check')}."
    return (
        f"{verdicts[Verdict.FAILED]} to be mended, {counted(verdicts[Verdict.WARNING], 'warning')}, "
        f"{verdicts[Verdict.OK]} fine; the log says what to do."
    )


def report_plan(task: Task) -> str:
    """Tell what a sync of everything would change in Plex; nothing is written there."""
    totals, lines = Totals(), 0
    with open_installation(task.settings, stash=task.stash) as installation:
        expected = task.stash.scene_count()
        identity = installation.plex.identity()
        for number, planned in enumerate(plans(installation, identity, None, None, include_held=False), 1):
            totals.count(planned)
            for line in scene_lines(planned):
                lines += 1
                if lines <= PLAN_LINES_SHOWN:
                    task.channel.log("i", line.plain)
            task.channel.progress(number / max(number, expected))
    if lines > PLAN_LINES_SHOWN:
        task.channel.log("i", f"... and {lines - PLAN_LINES_SHOWN} more lines; `scenesync plan --all` prints all")
    return summary(totals)


def list_letters(task: Task) -> str:
    """Tell what was given up, and why."""
    letters, count = look_into_queue(task.settings, _letters)
    for letter in letters:
        task.channel.log(
            "w", f"{letter.id}: {subject(letter.job)}: {letter.error_type}: {letter.message} {letter.advice}"
        )
    more = f", the newest {LETTERS_SHOWN} are in the log" if count > LETTERS_SHOWN else ""
    return f"{counted(count, 'dead letter')}{more}"


def _checks(task: Task) -> Iterator[Check]:
    if task.plugin_dir is not None and not is_up_to_date(task.plugin_dir):
        yield Check(
            "dependencies",
            Verdict.WARNING,
            "installed for an earlier version of the plugin",
            "Run the task Install or update dependencies.",
        )
    yield from run_checks(task.loaded, task.stash)


def _letters(queue: QueueView) -> tuple[Sequence[DeadLetter], int]:
    found = queue.dead_letters
    return found.list(limit=LETTERS_SHOWN), found.count()
