"""What came of a task, in one sentence, and where there is more about it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scenesync.domain.quantities import counted
from scenesync.web.pages.words import grouped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.web.models.work import Task


@dataclass(frozen=True, slots=True)
class More:
    """A page with more about it."""

    path: str
    title: str


_PAGES: Final = {
    "doctor": More("/", "What needs a look"),
    "coverage": More("/coverage", "Class by class"),
}


def came_of(task: Task) -> str:
    """Return what came of a task that has ended."""
    if task.state == "failed":
        return task.error or "It failed."
    if task.state == "cancelled":
        return "What it had done stays done."
    result = task.result or {}
    words = _SENTENCES.get(task.kind, _sentence)(result)
    return words or "Done."


def more_about(task: Task) -> More | None:
    """Return where there is more about what came of it, None for nowhere."""
    if task.state != "done":
        return None
    return More(f"/plan/{task.id}", "The plan") if task.kind == "plan" else _PAGES.get(task.kind)


def _sentence(result: Mapping[str, Any]) -> str:
    return str(result.get("sentence", "")).removeprefix("Plan: ")


def _of_doctor(result: Mapping[str, Any]) -> str:
    verdicts = Counter(check["verdict"] for check in result["checks"])
    odd = [f"{verdicts[verdict]} {word}" for verdict, word in _VERDICTS.items() if verdicts[verdict]]
    return f"{counted(len(result['checks']), 'check')}: {', '.join(odd) or 'all is well'}."


_VERDICTS: Final = {"failed": "failed", "warning": "to look at"}


def _of_coverage(result: Mapping[str, Any]) -> str:
    return f"{counted(result['scenes'], 'scene')} and {counted(result['items'], 'item')} compared."


def _of_sync(result: Mapping[str, Any]) -> str:
    return f"{grouped(result['created'])} queued, {grouped(result['merged'])} waited already. {_left(result)}"


def _of_reconciliation(result: Mapping[str, Any]) -> str:
    gaps = sum(gap["count"] for gap in result["gaps"].values())
    found = f"{counted(result['scenes'], 'scene')} compared, {counted(gaps, 'gap')} found"
    if result["dry_run"]:
        return f"{found}; nothing was queued."
    if result["stopped"]:
        return f"{found}. That is so much that it waits for you."
    return f"{found}, {grouped(result['enqueued'])} queued. {_left(result)}"


def _left(result: Mapping[str, Any]) -> str:
    """Say what was worked off, and what is left in the queue."""
    left = [
        f"{grouped(result[key])} {word}"
        for key, word in (("pending", "still waiting"), ("dead_letters", "given up in all"))
        if result.get(key)
    ]
    return ", ".join([f"{grouped(result['completed'])} worked off", *left]) + "."


def _of_backup(result: Mapping[str, Any]) -> str:
    return f"Written to {result['file']} ({result['size_bytes'] / 1e6:.1f} MB)."


def _of_test_message(result: Mapping[str, Any]) -> str:
    ways = result["ways"]
    failed = [f"{way['way']}: {way['reason']}" for way in ways if not way["arrived"]]
    return f"Sent by {len(ways) - len(failed)} of {counted(len(ways), 'way')}.{''.join(f' {each}.' for each in failed)}"


_SENTENCES: Final = {
    "backup": _of_backup,
    "notify_test": _of_test_message,
    "doctor": _of_doctor,
    "coverage": _of_coverage,
    "sync": _of_sync,
    "reconcile": _of_reconciliation,
    "apply": _left,
}
