"""The state of an installation as people read it, in lines: for the terminal and for Stash's log."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from scenesync.app.wording.counting import counted
from scenesync.app.wording.times import moment, span
from scenesync.domain.gaps import GapKind
from scenesync.reconciliation.findings import Findings
from scenesync.worker.availability.reliability import WINDOW_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.fleet.standing import FleetStanding
    from scenesync.app.overview import Overview
    from scenesync.store.outages import Outage
    from scenesync.store.reconciliations import Reconciliation
    from scenesync.worker.availability.reliability import Reliability


def overview_lines(overview: Overview) -> Iterator[str]:
    """Yield what ``status`` prints, one line after the other."""
    queue = overview.queue
    yield (
        f"queue         {queue.pending} pending ({queue.due} due), {queue.in_progress} in progress, "
        f"{queue.dead_letters} dead letters"
    )
    for error, count in sorted(queue.waiting_by_error.items()):
        yield f"              {count} wait after {error}"
    if queue.oldest_pending_s is not None:
        yield f"              the oldest has waited {span(queue.oldest_pending_s)}"
    yield f"so far        {queue.completed_total} done, {queue.failed_total} given up"
    yield f"last hour     {', '.join(f'{count} {outcome}' for outcome, count in overview.rates.items()) or 'nothing'}"
    if overview.held:
        yield f"held          {overview.held} scenes since they were undone (scenesync holds list)"
    yield f"daemon        {'running' if overview.daemon_running else 'not running'}"
    yield from _fleet(overview.fleet)
    yield from _paused(overview)
    yield f"plex          {overview.plex}, circuit {overview.circuit}, notifications {overview.plex_notifications}"
    yield f"stash         {overview.stash}{_looked(overview)}"
    for run in overview.stopped_runs:
        yield f"stopped       run {run.id}, {run.cause}: {run.reason} (scenesync stopped show {run.id})"
    for line in reliability_lines(overview):
        yield f"{'':14}{line}"
    for outage in overview.outages:
        yield f"outage        {outage_line(outage)}"


def _fleet(fleet: FleetStanding) -> Iterator[str]:
    if fleet.engine == "embedded":
        return
    if fleet.trouble:
        yield f"fleet         nothing is known of it, nor of the queue: {fleet.trouble}"
    else:
        led = f"{fleet.leader} is elected" if fleet.leader else "nobody is elected"
        yield f"fleet         {counted(fleet.workers, 'worker')} on one database, {led}"
    if fleet.outbox:
        age = f", the oldest for {span(fleet.outbox_oldest_s)}" if fleet.outbox_oldest_s is not None else ""
        yield f"outbox        {counted(fleet.outbox, 'event')} of this machine wait to be sent there{age}"


def reliability_lines(overview: Overview) -> Iterator[str]:
    """Yield for each server how dependable it was."""
    if overview.reconciliation is not None:
        yield f"reconciled    {_reconciled(overview.reconciliation)}"
    for service, figures in overview.reliability.items():
        yield f"{service}: {_judged(figures)}"


def outage_line(outage: Outage) -> str:
    """Return one outage: whose, when, how long, how many jobs waited, and why."""
    length = "still going on" if outage.duration_s is None else f"lasted {span(outage.duration_s)}"
    waiting = max(outage.jobs_waiting, outage.jobs_waiting_at_end or 0)
    jobs = f", {waiting} jobs waited" if waiting else ""
    return f"{outage.service} since {moment(outage.began_at)}, {length}{jobs}: {outage.cause}"


def _reconciled(last: Reconciliation) -> str:
    found = Findings.from_document(last.found)
    gaps = ", ".join(f"{found.gaps[kind]} {kind.value}" for kind in GapKind if found.gaps[kind]) or "no gaps"
    if last.ended_at is None:
        return f"{last.scope}, begun {moment(last.began_at)} and not ended: {found.scenes} scenes so far, {gaps}"
    return f"{last.scope}, {moment(last.ended_at)}: {counted(found.scenes, 'scene')}, {gaps}"


def _looked(overview: Overview) -> str:
    if overview.stash_looked_at is None:
        return ""
    looked = f", looked at for changes {span(max(0.0, time.time() - overview.stash_looked_at))} ago"
    news = overview.stash_news
    if news is None or not overview.daemon_running:
        return looked
    return f"{looked}, its news are {'heard' if news.is_up else f'not heard: {news.reason}'}"


def _paused(overview: Overview) -> Iterator[str]:
    paused = overview.paused
    if paused is None:
        return
    yield f"paused        waits for you since {moment(paused.since)}: {paused.message}"
    then = "the daemon goes on by itself" if overview.daemon_running else "the next run tries again"
    yield f"{'':14}no job is lost or spent; once {paused.service}'s settings are changed {then}"


def _judged(figures: Reliability) -> str:
    if figures.availability is None:
        return "not asked yet"
    known = f"the {span(figures.observed_s)} known so far" if figures.observed_s < WINDOW_S else "30 days"
    if figures.mttr_s is None or figures.mtbf_s is None:
        return f"no outage within {known}"
    # Rounded down: "100 %" next to an outage would be a lie.
    percent = math.floor(figures.availability * 10_000) / 100
    return (
        f"{percent:.2f} % available over {known}, outages {figures.outages}, "
        f"{span(figures.mttr_s)} to recover and {span(figures.mtbf_s)} between them on average"
    )
