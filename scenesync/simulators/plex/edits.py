"""Read the parameters of an edit: values, locks and tag lists, in the spellings that clients send."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.tags import TAG_ELEMENTS, title_case_label

TEXT_FIELDS: Final = frozenset({
    "title", "titleSort", "originalTitle", "summary", "tagline", "studio", "contentRating", "editionTitle",
    "originallyAvailableAt", "collectionMode", "collectionSort",
})  # fmt: skip
RATING_FIELDS: Final = frozenset({"userRating", "rating", "audienceRating"})
TIME_FIELDS: Final = frozenset({"addedAt"})
SCALAR_FIELDS: Final = TEXT_FIELDS | RATING_FIELDS | TIME_FIELDS
IMAGE_LOCKS: Final = frozenset({"thumb", "art", "clearLogo", "squareArt"})
LOCKABLE: Final = SCALAR_FIELDS | IMAGE_LOCKS | frozenset(TAG_ELEMENTS)

_SCALAR: Final = re.compile(r"(\w+)\.(value|locked)")
_TAG: Final = re.compile(r"(\w+)\[(\d*)\]\.(tag\.tag-|tag\.tag|tag\.thumb|tagging\.text|tag)")
# A studio sent as a tag lands among the directors (python-plexapi issue 477).
_MISPLACED: Final = {"studio": "director"}


@dataclass(slots=True)
class NamedTag:
    """One entry of an indexed list."""

    name: str = ""
    role: str = ""
    thumb: str | None = None


@dataclass(slots=True)
class TagEdit:
    """What one request asks for one kind of tags."""

    indexed: dict[int, NamedTag] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    """``label[].tag.tag=A``, repeated: the complete new list."""
    removed: list[str] = field(default_factory=list)
    clears: bool = False
    """``genre[].tag=``: remove everything of this kind."""

    @property
    def named(self) -> list[NamedTag]:
        """The entries that have a name, in the order of their indexes."""
        return [self.indexed[index] for index in sorted(self.indexed) if self.indexed[index].name]


@dataclass(frozen=True, slots=True)
class Edit:
    """The parts of one edit request. What no real server would understand is left out, as they leave it out."""

    values: Mapping[str, str]
    locks: Mapping[str, bool]
    tags: Mapping[str, TagEdit]


def parse_edit(query: Iterable[tuple[str, str]], behaviour: PlexBehaviour) -> Edit:
    """Return what a query (decoded once) asks for."""
    heeded = SCALAR_FIELDS if behaviour.edit_sets_user_rating else SCALAR_FIELDS - {"userRating"}
    values: dict[str, str] = {}
    locks: dict[str, bool] = {}
    tags: dict[str, TagEdit] = {}
    for name, value in query:
        if (scalar := _SCALAR.fullmatch(name)) is not None:
            stem, what = scalar.groups()
            if what == "locked" and stem in LOCKABLE:
                locks[stem] = value == "1"
            elif what == "value" and stem in heeded:
                values[stem] = value
        elif (tag := _TAG.fullmatch(name)) is not None:
            stem = _MISPLACED.get(tag[1], tag[1])
            if stem in TAG_ELEMENTS:
                _read_tag(tags.setdefault(stem, TagEdit()), stem, tag[2], tag[3], value, behaviour)
    return Edit(values, locks, tags)


def _read_tag(edit: TagEdit, kind: str, index: str, what: str, value: str, behaviour: PlexBehaviour) -> None:
    match what:
        case "tag.tag-":
            names = _removed_names(kind, value, behaviour)
            edit.removed = names if behaviour.minus_repeated_keys_last_wins else edit.removed + names
        case "tag" if not value:
            edit.clears = True
        case "tag.tag" if index:
            edit.indexed.setdefault(int(index), NamedTag()).name = _stored_name(kind, value, behaviour)
        case "tag.tag" if value:
            edit.whole.append(_stored_name(kind, value, behaviour))
        case "tagging.text" if index:
            edit.indexed.setdefault(int(index), NamedTag()).role = value
        case "tag.thumb" if index:
            edit.indexed.setdefault(int(index), NamedTag()).thumb = value
        case _:
            pass  # no server is known to read the remaining combinations


def _removed_names(kind: str, value: str, behaviour: PlexBehaviour) -> list[str]:
    names = value.split(",")
    if behaviour.minus_decoding == "twice":
        names = [unquote(name) for name in names]
    return [_stored_name(kind, name, behaviour) for name in names if name]


def _stored_name(kind: str, name: str, behaviour: PlexBehaviour) -> str:
    stripped = name.strip()
    return title_case_label(stripped) if kind == "label" and behaviour.labels_title_cased else stripped
