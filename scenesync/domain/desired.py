"""What Plex should show for a scene: a pure function of the scene and the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date as calendar_date
from typing import TYPE_CHECKING, Final

from scenesync.domain.fields import Field, FieldValue
from scenesync.domain.paths import file_name
from scenesync.domain.text import NAME_LIMIT, SUMMARY_LIMIT, TITLE_LIMIT, clean_line, clean_paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scenesync.domain.scene import Performer, Scene

DEFAULT_FIELDS: Final = frozenset(Field) - {Field.COLLECTIONS}

_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


@dataclass(frozen=True, slots=True)
class DesiredFields:
    """The wanted value of every field that takes part, and where its images come from.

    ``images`` maps an image field to the picture's URL at Stash.
    """

    values: Mapping[Field, FieldValue]
    images: Mapping[Field, str]


def desired_fields(scene: Scene, enabled: frozenset[Field] = DEFAULT_FIELDS) -> DesiredFields:
    """Return what Plex should show for ``scene``, restricted to the ``enabled`` fields."""
    title = shown_title(scene)
    values: dict[Field, FieldValue] = {
        Field.TITLE: title,
        Field.SORT_TITLE: title,
        Field.SUMMARY: clean_paragraphs(scene.details, SUMMARY_LIMIT),
        Field.DATE: complete_date(scene.date),
        Field.STUDIO: clean_line(scene.studio.name, NAME_LIMIT) if scene.studio else "",
        Field.ACTORS: _names(_performer_name(performer, scene.performers) for performer in scene.performers),
        Field.GENRES: _names(tag.name for tag in scene.tags),
        Field.DIRECTORS: _names([scene.director]),
        Field.COLLECTIONS: _names([scene.studio.name] if scene.studio else []),
    }
    if not title:
        # An item must have a title; a scene without title and without file name has nothing to say about it.
        del values[Field.TITLE], values[Field.SORT_TITLE]
    images = {field: scene.screenshot_url for field in (Field.POSTER, Field.BACKGROUND) if scene.screenshot_url}
    return DesiredFields(
        values={field: value for field, value in values.items() if field in enabled},
        images={field: url for field, url in images.items() if field in enabled},
    )


def shown_title(scene: Scene) -> str:
    """Return the scene's title or, as Stash's own pages do, the first file's name without its extension."""
    title = clean_line(scene.title, TITLE_LIMIT)
    if title or not scene.files:
        return title
    name = file_name(scene.files[0].path)
    stem, dot, _ = name.rpartition(".")
    return clean_line(stem if dot and stem else name, TITLE_LIMIT)


def complete_date(date: str) -> str:
    """Return an ISO day for Stash's full or partial date (2024, 2024-05), "" for anything else."""
    found = _DATE.fullmatch(date.strip())
    if found is None:
        return ""
    year, month, day = (int(part) if part else 1 for part in found.groups())
    try:
        return calendar_date(year, month, day).isoformat()
    except ValueError:  # 2023-02-30: Plex would refuse the whole edit
        return ""


def _performer_name(performer: Performer, cast: Sequence[Performer]) -> str:
    """Name the performer, with the disambiguation only where the cast has two of that name."""
    if performer.disambiguation and _namesakes(performer, cast) > 1:
        return f"{performer.name} ({performer.disambiguation})"
    return performer.name


def _namesakes(performer: Performer, cast: Sequence[Performer]) -> int:
    """Count who would share the performer's tag in Plex, the performer included."""
    name = clean_line(performer.name, NAME_LIMIT).casefold()
    return sum(clean_line(other.name, NAME_LIMIT).casefold() == name for other in cast)


def _names(raw: Iterable[str]) -> tuple[str, ...]:
    """Return the cleaned, non-empty names in order, each once (Plex tags are one per name, whatever their case)."""
    seen: dict[str, str] = {}
    for name in raw:
        cleaned = clean_line(name, NAME_LIMIT)
        if cleaned:
            seen.setdefault(cleaned.casefold(), cleaned)
    return tuple(seen.values())
