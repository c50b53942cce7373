"""Stash's JSON as values of the domain. Pure and lenient: what is missing or of a wrong type reads as unset."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from scenesync.domain.scene import NOTHING_MORE, About, Group, Performer, Scene, SceneFile, Studio, Tag

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_WHOLE_NUMBER: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_MOST_DIGITS: Final = 19
_REMEMBERED: Final = 4096
_PLACEHOLDER: Final = "default=true"
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):?(\d\d))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SceneHint:
    """Just enough of a scene to enqueue a job for it and to show that job.

    ``title`` and ``path`` (of the primary file) are for display and may be ""; times are Stash's own texts, "" if they
    were not asked for, and so are ``files``.
    """

    id: int
    title: str = ""
    path: str = ""
    updated_at: str = ""
    created_at: str = ""
    files: tuple[SceneFile, ...] = ()


def to_scene(document: Any) -> Scene | None:  # noqa: ANN401 - JSON
    """Return the scene that ``document`` (``queries.scenes``) describes, None if it has no usable id.

    Performers and tags keep Stash's order, files too: the primary one is first (facts/stash.md 3.2).
    """
    fields = _object(document)
    scene_id = to_int(fields.get("id"))
    if scene_id is None:
        return None
    return Scene(
        id=scene_id,
        title=_text(fields.get("title")),
        code=_text(fields.get("code")),
        details=_text(fields.get("details")),
        director=_text(fields.get("director")),
        date=_text(fields.get("date")),
        rating100=to_int(fields.get("rating100")),
        organized=fields.get("organized") is True,
        studio=_studio(fields.get("studio")),
        performers=_each(fields.get("performers"), _performer),
        tags=_each(fields.get("tags"), _tag),
        groups=_each(fields.get("groups"), _group),
        files=_each(fields.get("files"), _file),
        screenshot_url=_text(_object(fields.get("paths")).get("screenshot")),
        updated_at=_text(fields.get("updated_at")),
    )


def to_hint_with_files(document: Any) -> SceneHint | None:  # noqa: ANN401 - JSON
    """Return the hint in ``document`` with all that a scene knows of its files, None if it has no usable id."""
    hint = to_hint(document)
    return None if hint is None else replace(hint, files=_each(_object(document).get("files"), _file))


def to_hint(document: Any) -> SceneHint | None:  # noqa: ANN401 - JSON
    """Return the hint in ``document``, None if it has no usable id."""
    fields = _object(document)
    scene_id = to_int(fields.get("id"))
    if scene_id is None:
        return None
    files = _each(fields.get("files"), _file)
    return SceneHint(
        id=scene_id,
        title=_text(fields.get("title")),
        path=files[0].path if files else "",
        updated_at=_text(fields.get("updated_at")),
        created_at=_text(fields.get("created_at")),
    )


def to_time(text: str) -> datetime | None:
    """Return a moment as Stash writes it, None if it is none.

    Stash keeps the zone per row and writes from none to nine fractional digits (facts/stash.md 0.6, 3.2); what is finer
    than a microsecond is dropped. A text without a zone is no moment.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zulu, sign, zone_hours, zone_minutes = found.groups()
    try:
        zone = UTC if zulu else _zone(sign, int(zone_hours), int(zone_minutes))
        microsecond = int((fraction or "")[:6].ljust(6, "0"))
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), microsecond, zone)
    except ValueError:
        return None


def to_int(value: Any) -> int | None:  # noqa: ANN401 - JSON
    """Return a whole number that may come as a text (ids do), None for anything else."""
    if isinstance(value, str):
        # An id, nearly always; `isdigit` alone would take digits of other scripts too.
        is_plain = value.isdigit() and value.isascii() and len(value) <= _MOST_DIGITS
        return int(value) if is_plain or _WHOLE_NUMBER.fullmatch(value) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return None


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if sign == "-" else offset)


def _studio(document: Any) -> Studio | None:  # noqa: ANN401 - JSON
    fields = _object(document)
    studio_id = to_int(fields.get("id"))
    if studio_id is None:
        return None
    name, parent, about = _text(fields.get("name")), _studio(fields.get("parent_studio")), _about(fields, "details")
    if parent is None and about is NOTHING_MORE:
        return _plain_studio(studio_id, name)
    return Studio(studio_id, name, parent, about)


# Many scenes have the same ones: what is made once is neither made nor kept again.
@lru_cache(maxsize=_REMEMBERED)
def _plain_studio(studio_id: int, name: str) -> Studio:
    return Studio(studio_id, name)


@lru_cache(maxsize=_REMEMBERED)
def _plain_tag(tag_id: int, name: str) -> Tag:
    return Tag(tag_id, name)


_known_performer = lru_cache(maxsize=_REMEMBERED)(Performer)


def _performer(fields: dict[str, Any]) -> Performer | None:
    performer_id = to_int(fields.get("id"))
    if performer_id is None:
        return None
    return _known_performer(
        performer_id,
        _text(fields.get("name")),
        _text(fields.get("disambiguation")),
        _text(fields.get("gender")).lower(),
        fields.get("favorite") is True,
        _text(fields.get("image_path")),
    )


def _tag(fields: dict[str, Any]) -> Tag | None:
    tag_id = to_int(fields.get("id"))
    if tag_id is None:
        return None
    name, parents, about = _text(fields.get("name")), _each(fields.get("parents"), _tag), _about(fields, "description")
    return Tag(tag_id, name, parents, about) if parents or about is not NOTHING_MORE else _plain_tag(tag_id, name)


def _group(fields: dict[str, Any]) -> Group | None:
    group = _object(fields.get("group"))
    group_id = to_int(group.get("id"))
    if group_id is None:
        return None
    about = _about(group, "synopsis", image="front_image_path")
    return Group(group_id, _text(group.get("name")), to_int(fields.get("scene_index")), about)


def _about(fields: dict[str, Any], description: str, *, image: str = "image_path") -> About:
    if not (description in fields or image in fields or "updated_at" in fields):  # nobody asked
        return NOTHING_MORE
    changed = to_time(_text(fields.get("updated_at")))
    image_url = _text(fields.get(image))
    return About(
        _text(fields.get(description)),
        # Stash draws something where there is no picture, and says so in the address alone (facts/stash.md 3.6).
        "" if _PLACEHOLDER in image_url else image_url,
        changed.timestamp() if changed is not None else 0.0,
    )


def _file(fields: dict[str, Any]) -> SceneFile | None:
    path = _text(fields.get("path"))
    if not path:
        return None
    size_bytes = to_int(fields.get("size"))
    return SceneFile(
        path=path,
        size_bytes=size_bytes if size_bytes is not None and size_bytes >= 0 else None,
        duration_s=_duration_s(fields.get("duration")),
    )


def _duration_s(value: Any) -> float | None:  # noqa: ANN401 - JSON
    """Return a duration; a film of no length is one whose length Stash could not read."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


def _each(value: Any, read: Callable[[dict[str, Any]], T | None]) -> tuple[T, ...]:  # noqa: ANN401 - JSON
    """Return what ``read`` makes of each object in a list, without those of which it makes nothing."""
    if not isinstance(value, list):
        return ()
    return tuple([found for entry in value if (found := read(_object(entry))) is not None])


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else ""
