"""What Plex should show for a scene: a pure function of the scene and the settings."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date as calendar_date
from typing import TYPE_CHECKING, Final

from scenesync.domain.collection import wanted_collections
from scenesync.domain.field_rules import (
    DEFAULT_TITLE,
    Disambiguation,
    FieldRules,
    PartialDates,
    PerformerOrder,
    StudioName,
)
from scenesync.domain.fields import Field, FieldValue, rating_text
from scenesync.domain.name_rules import any_fits
from scenesync.domain.paths import file_name
from scenesync.domain.photos import Photo, version_of
from scenesync.domain.text import NAME_LIMIT, SUMMARY_LIMIT, TITLE_LIMIT, clean_line, clean_name, clean_paragraphs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scenesync.domain.collection import WantedCollection
    from scenesync.domain.field_rules import ContentRatingRules, LabelRules, PerformerRules, TagRules
    from scenesync.domain.scene import Performer, Scene, Studio, Tag

DEFAULT_FIELDS: Final = frozenset(Field) - {
    *(Field.COLLECTIONS, Field.RATING, Field.TAGLINE, Field.LABELS, Field.CONTENT_RATING),
}

DEFAULT_RULES: Final = FieldRules()

_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
_STEP_IN_A_PATH: Final = " / "
_NAMES_IN_A_TITLE: Final = 4
_LENGTH_OF_A_DAY: Final = len("2024-05-31")


@dataclass(frozen=True, slots=True)
class Cut:
    """What did not fit: ``kept`` of ``of`` characters of a text, or names of a list."""

    field: Field
    kept: int
    of: int


@dataclass(frozen=True, slots=True)
class DesiredFields:
    """The wanted value of every field that takes part, where its images come from, and what of it had to be cut.

    ``images`` maps an image field to the picture's URL at Stash. ``photos`` are those of the actors, as far as Stash
    was asked for them. ``collections`` says what those are whose titles are among the values.
    """

    values: Mapping[Field, FieldValue]
    images: Mapping[Field, str]
    cuts: tuple[Cut, ...] = ()
    photos: tuple[Photo, ...] = ()
    collections: tuple[WantedCollection, ...] = ()


def desired_fields(
    scene: Scene, enabled: frozenset[Field] = DEFAULT_FIELDS, rules: FieldRules = DEFAULT_RULES
) -> DesiredFields:
    """Return what Plex should show for ``scene``, restricted to the ``enabled`` fields."""
    fitted = _Fitted()
    cast = _cast(scene.performers, rules.performers)
    actors = fitted.names(Field.ACTORS, tuple(cast), rules.performers.names.maximum)
    studio = studio_name(scene.studio, rules.studio)
    if rules.studio is StudioName.PATH:  # of several names, each of which fits by itself
        studio = fitted.line(Field.STUDIO, studio, NAME_LIMIT)
    collections = wanted_collections(scene, rules.collections) if Field.COLLECTIONS in enabled else ()
    values: dict[Field, FieldValue] = {
        Field.SUMMARY: fitted.paragraphs(Field.SUMMARY, scene.details, SUMMARY_LIMIT),
        Field.TAGLINE: fitted.line(Field.TAGLINE, scene.code, NAME_LIMIT),
        Field.DATE: complete_date(scene.date, rules.partial_dates),
        Field.STUDIO: studio,
        Field.CONTENT_RATING: _content_rating(scene, rules.content_rating) if Field.CONTENT_RATING in enabled else "",
        Field.RATING: _rating(scene.rating100) if Field.RATING in enabled else "",
        Field.ACTORS: actors,
        Field.GENRES: fitted.names(Field.GENRES, _genres(scene.tags, rules.tags), rules.tags.names.maximum),
        Field.DIRECTORS: distinct_names([scene.director] if scene.director else []),
        Field.COLLECTIONS: distinct_names([each.title for each in collections]),
        Field.LABELS: _labels(scene, rules.labels) if Field.LABELS in enabled else (),
    }
    if title := _title(scene, rules, studio, actors, fitted):
        # An item must have a title; a scene without title and without file name has nothing to say about it.
        values = {Field.TITLE: title, Field.SORT_TITLE: title, **values}
    images = {field: scene.screenshot_url for field in (Field.POSTER, Field.BACKGROUND) if scene.screenshot_url}
    return DesiredFields(
        values={field: value for field, value in values.items() if field in enabled},
        images={field: url for field, url in images.items() if field in enabled},
        cuts=tuple(cut for cut in fitted.cuts if cut.field in enabled),
        photos=tuple(_photos(cast, actors)) if Field.ACTORS in enabled else (),
        collections=collections,
    )


def shown_title(scene: Scene) -> str:
    """Return the scene's title or, as Stash's own pages do, the first file's name without its extension."""
    title = clean_line(scene.title, TITLE_LIMIT)
    if title or not scene.files:
        return title
    name = file_name(scene.files[0].path)
    stem, dot, _ = name.rpartition(".")
    return clean_line(stem if dot and stem else name, TITLE_LIMIT)


def complete_date(date: str, partial: PartialDates = PartialDates.COMPLETE) -> str:
    """Return an ISO day for Stash's full or partial date (2024, 2024-05), "" for anything else."""
    if _is_day(date):  # nearly all dates are whole ones
        return date
    found = _DATE.fullmatch(date.strip())
    if found is None or (partial is PartialDates.DROP and found[3] is None):
        return ""
    year, month, day = (int(part) if part else 1 for part in found.groups())
    try:
        return calendar_date(year, month, day).isoformat()
    except ValueError:  # 2023-02-30: Plex would refuse the whole edit
        return ""


def _is_day(text: str) -> bool:
    if len(text) != _LENGTH_OF_A_DAY:
        return False
    try:
        return calendar_date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def studio_line(studio: Studio | None) -> tuple[str, ...]:
    """Return the names from the studio itself up to the last one that it belongs to; blank ones are left out."""
    names: list[str] = []
    while studio is not None:
        names.append(clean_name(studio.name))
        studio = studio.parent
    return tuple(name for name in names if name)


def studio_name(studio: Studio | None, which: StudioName) -> str:
    """Return the name that is shown for the studio, "" if there is none."""
    line = studio_line(studio)
    if not line:
        return ""
    match which:
        case StudioName.OWN:
            return line[0]
        case StudioName.PARENT:
            return line[min(1, len(line) - 1)]
        case StudioName.ROOT:
            return line[-1]
        case StudioName.PATH:
            return _STEP_IN_A_PATH.join(reversed(line))


def distinct_names(raw: Iterable[str]) -> tuple[str, ...]:
    """Return the cleaned, non-empty names in order, each once (Plex tags are one per name, whatever their case)."""
    seen: dict[str, str] = {}
    for name in raw:
        cleaned = clean_name(name)
        if cleaned:
            seen.setdefault(cleaned.casefold(), cleaned)
    return tuple(seen.values())


@dataclass(slots=True)
class _Fitted:
    """Makes values fit and remembers what was left out."""

    cuts: list[Cut] = dataclass_field(default_factory=list)

    def line(self, field: Field, text: str, limit: int) -> str:
        return self._text(field, text, limit, clean_line)

    def paragraphs(self, field: Field, text: str, limit: int) -> str:
        return self._text(field, text, limit, clean_paragraphs)

    def names(self, field: Field, names: tuple[str, ...], maximum: int) -> tuple[str, ...]:
        if not maximum or len(names) <= maximum:
            return names
        self.cuts.append(Cut(field, maximum, len(names)))
        return names[:maximum]

    def _text(self, field: Field, text: str, limit: int, clean: Callable[[str, int], str]) -> str:
        if not text:
            return ""
        kept = clean(text, limit)
        if len(text) > limit and (whole := len(clean(text, sys.maxsize))) > len(kept):
            self.cuts.append(Cut(field, len(kept), whole))
        return kept


def _title(scene: Scene, rules: FieldRules, studio: str, actors: Sequence[str], fitted: _Fitted) -> str:
    """Return the title that the template makes; the plain one where it makes none."""
    if rules.title.text == DEFAULT_TITLE:  # nearly everybody's
        return fitted.line(Field.TITLE, scene.title, TITLE_LIMIT) or shown_title(scene)
    plain = shown_title(scene)
    line = studio_line(scene.studio)
    day = complete_date(scene.date)
    facts = {
        "title": plain,
        "studio": studio,
        "parent_studio": line[1] if len(line) > 1 else "",
        "date": scene.date.strip() if day else "",  # as partial as Stash has it: nobody wants an invented day to read
        "year": day[:4],
        "performers": _listed(actors),
        "director": clean_name(scene.director),
        "code": clean_line(scene.code, NAME_LIMIT),
        "group": _listed(distinct_names(group.name for group in scene.groups)),
    }
    return fitted.line(Field.TITLE, rules.title.render(facts), TITLE_LIMIT) or plain


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= _NAMES_IN_A_TITLE else [*names[: _NAMES_IN_A_TITLE - 1], "…"])


def _photos(cast: Mapping[str, Performer], actors: Sequence[str]) -> Iterator[Photo]:
    for name in actors:
        performer = cast[name]
        if performer.image_url:
            yield Photo(name, performer.id, version_of(performer.image_url))


def _cast(performers: Sequence[Performer], rules: PerformerRules) -> Mapping[str, Performer]:
    """Return the performers who take part, in the order that was asked for, by the name that each has in Plex.

    Of several who would be one actor in Plex (a tag is one per name, whatever its case) the first stands for all.
    """
    shown = _taking_part(performers, rules)
    if rules.order is PerformerOrder.FAVORITES:
        shown.sort(key=lambda performer: not performer.favorite)
    elif rules.order is PerformerOrder.NAME:
        shown.sort(key=lambda performer: performer.name.casefold())
    names = _names(shown, rules)
    if all(names) and _are_distinct(names):  # nearly always
        return dict(zip(names, shown, strict=True))
    cast: dict[str, tuple[str, Performer]] = {}
    for performer, name in zip(shown, names, strict=True):
        if name:
            cast.setdefault(name.casefold(), (name, performer))
    return dict(cast.values())


def _are_distinct(names: Sequence[str]) -> bool:
    """Say whether each would be a tag of its own in Plex."""
    return len({name.casefold() for name in names}) == len(names)


def _taking_part(performers: Sequence[Performer], rules: PerformerRules) -> list[Performer]:
    if rules.names.leave_all_as_they_are and not rules.skip_genders:
        return list(performers)
    return [
        performer
        for performer in performers
        if performer.gender not in rules.skip_genders and rules.names.shows(clean_name(performer.name))
    ]


def _names(performers: Sequence[Performer], rules: PerformerRules) -> list[str]:
    """Return what each is called in Plex."""
    names = [clean_name(performer.name) for performer in performers]
    if not rules.names.leave_all_as_they_are:
        names = [rules.names.renamed(name) for name in names]
    is_told_by_names = rules.disambiguation is not Disambiguation.ALWAYS and _are_distinct(names)
    if is_told_by_names or not any(performer.disambiguation for performer in performers):
        return names if rules.names.leave_all_as_they_are else [clean_name(name) for name in names]
    bearers = Counter(name.casefold() for name in names)
    return [
        clean_name(
            f"{name} ({performer.disambiguation})"
            if performer.disambiguation and _is_told_apart(rules.disambiguation, bearers[name.casefold()])
            else name
        )
        for performer, name in zip(performers, names, strict=True)
    ]


def _is_told_apart(when: Disambiguation, bearers: int) -> bool:
    """Say whether a name that so many in the cast would share as one tag in Plex gets its disambiguation."""
    return when is Disambiguation.ALWAYS or (when is Disambiguation.NEEDED and bearers > 1)


def _genres(tags: Sequence[Tag], rules: TagRules) -> tuple[str, ...]:
    shown = _with_parents(tags) if rules.parents else tags
    if rules.names.leave_all_as_they_are:
        return distinct_names(tag.name for tag in shown)
    names = _tag_names(shown)
    return distinct_names(rules.names.renamed(name) for name in names if rules.names.shows(name))


def _with_parents(tags: Sequence[Tag]) -> list[Tag]:
    """Return the tags and behind them those above them, level by level, each once."""
    found: dict[int, Tag] = {}
    level = list(tags)
    while level:
        new = [tag for tag in level if found.setdefault(tag.id, tag) is tag]
        level = [parent for tag in new for parent in tag.parents]
    return list(found.values())


def _tag_names(tags: Iterable[Tag]) -> list[str]:
    return [clean_name(tag.name) for tag in tags]


def _content_rating(scene: Scene, rules: ContentRatingRules) -> str:
    return clean_line(rules.of(_tag_names(scene.tags)), NAME_LIMIT)


def _rating(rating100: int | None) -> str:
    return "" if rating100 is None else rating_text(rating100 / 10)


def _labels(scene: Scene, rules: LabelRules) -> tuple[str, ...]:
    organized = [rules.organized] if scene.organized else []
    tags = [name for name in _tag_names(scene.tags) if any_fits(rules.tags, name)]
    return distinct_names([*rules.always, *organized, *tags])
