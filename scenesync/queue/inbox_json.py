"""The hook's reading and writing with Python's json, for a Stash whose Python has an SQLite without JSON functions."""

from __future__ import annotations  # Stash may bring a Python older than ours

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_TITLE = 500


def read_event(text: str, merged: str) -> dict[str, Any] | None:
    """Return what a hook's document says, by the names of ``inbox.Document``; None if it is no hook's.

    ``touched`` is what ``inbox`` decides by who did it; only a trigger ``merged`` has ``sources``.
    Raises ValueError if it is not what Stash writes.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError(f"a JSON {type(content).__name__}, not an object")  # noqa: TRY004 (malformed is one thing here)
    args = content.get("args")
    context = args.get("hookContext") if isinstance(args, dict) else None
    if not isinstance(context, dict):
        return None
    fields = context.get("input")
    fields = fields if isinstance(fields, dict) else {}
    title, path, object_id = fields.get("title"), fields.get("path"), context.get("id")
    return {
        "trigger": context.get("type"),
        "object_id": object_id if isinstance(object_id, int) else None,
        "title": title if isinstance(title, str) and fields.get("ids") is None else None,
        "path": path if isinstance(path, str) else None,
        "sources": _listed(fields.get("source")) if context.get("type") == merged else None,
        "touched": (json.dumps(context["inputFields"]) if "inputFields" in context else None, fields.get("id")),
    }


def job_of_scene(scene_id: object, update_type: str, path: str | None, title: str | None, now: float) -> str:
    """Return the job of a scene's event."""
    hints = {"path": path, "title": title[:LONGEST_TITLE] if title else None}
    return json.dumps(
        {
            "scene_id": scene_id,
            "update_type": update_type,
            "data": {name: value for name, value in hints.items() if value is not None},
            "enqueued_at": now,
            "job_key": f"scene_{scene_id}",
        }
    )


def job_of_entity(entity: str, entity_id: object, sources: str | None, now: float) -> str:
    """Return the job of an event of what many scenes show; ``sources`` is a JSON list, None if nothing was merged."""
    merged = {"sources": json.loads(sources)} if sources else {}
    return json.dumps(
        {
            "scene_id": 0,
            "update_type": "fanout",
            "data": {"entity": entity, "id": entity_id, **merged},
            "enqueued_at": now,
            "job_key": f"{entity}_{entity_id}",
        }
    )


def _listed(ids: object) -> str:
    """Return the ids, which Stash writes as texts, as the JSON list of numbers that SQLite makes of them."""
    given = ids if isinstance(ids, list) else []
    numbers = [int(each) for each in given if isinstance(each, (int, str)) and str(each).isdecimal()]
    return f"[{','.join(str(number) for number in numbers if number > 0)}]"
