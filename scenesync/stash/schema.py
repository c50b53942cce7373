"""What of its GraphQL schema a Stash has: asked once for each version, so that no query names what it does not know.

Stash refuses a query as a whole if one field of it is unknown, and fields came (groups, v0.27) and went over the years
(facts/stash.md 4). What is left out here is shown by nobody and missed by nothing: it has a fallback, or is optional.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIND_BY_IDS: Final = "Query.findScenes.ids"
GROUPS: Final = "Scene.groups"
FILES_FILTER: Final = "SceneFilterType.files_filter"
JOBS: Final = "Query.jobQueue"
JOB_NEWS: Final = "Subscription.jobsSubscribe"
SCAN_NEWS: Final = "Subscription.scanCompleteSubscribe"

WANTED: Final[Mapping[str, str]] = {
    FIND_BY_IDS: "",  # scene_ids does the same
    GROUPS: "groups are read as the movies that they were called before v0.27",
    FILES_FILTER: "a moved file is found by the walk over all scenes alone, which takes longer (v0.30 has a filter)",
    "Scene.code": "no code can be shown",
    "Scene.director": "no director can be shown",
    "Performer.disambiguation": "performers of the same name cannot be told apart",
    "Performer.gender": "performers cannot be chosen by gender",
    "Performer.favorite": "favourites cannot be put first",
    "Studio.details": "collections of studios have no description",
    "Tag.description": "collections of tags have no description",
    JOBS: "it is not known when Stash runs a job",
    JOB_NEWS: "the end of a job is noticed at the next look",
    SCAN_NEWS: "the end of a scan is noticed at the next look",
}
"""What is asked for where it exists, each with what is missing without it, in words for a person ("": nothing)."""

ASSUMED_MISSING: Final = frozenset({FILES_FILTER})
"""What v0.27 does not have, the oldest release for which nothing else is missing."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Which of ``WANTED`` a Stash lacks."""

    lacks: frozenset[str] = ASSUMED_MISSING

    def has(self, name: str) -> bool:
        """Say whether the Stash has it."""
        return name not in self.lacks

    def having(self, kind: str, fields: str) -> str:
        """Return the ``fields`` of a type (names with blanks between them) without those that there are not."""
        return " ".join(field for field in fields.split() if self.has(f"{kind}.{field}"))

    def shortcomings(self) -> tuple[str, ...]:
        """Return in words what is missing, in the order of ``WANTED``."""
        return tuple(words for name, words in WANTED.items() if name in self.lacks and words)

    @classmethod
    def from_text(cls, text: str) -> Schema:
        """Return the schema that ``to_text`` wrote. Raises ValueError, TypeError."""
        return cls(frozenset(json.loads(text)))

    def to_text(self) -> str:
        """Return the schema as text."""
        return json.dumps(sorted(self.lacks))


ASSUMED: Final = Schema()

Recall = Callable[[str], "str | None"]
Note = Callable[[str, str], None]


def schema_of(data: Mapping[str, Any]) -> Schema:
    """Return the schema that an answer to ``queries.SCHEMA`` describes."""
    names = {f"{kind}.{name}" for kind, name in _members(data)}
    names |= {f"Query.findScenes.{name}" for name in _arguments_of_find_scenes(data)}
    return Schema(frozenset(name for name in WANTED if name not in names))


def _members(data: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for description in data.values():
        if not isinstance(description, dict):  # a type that there is not answers null
            continue
        for member in [*(description.get("fields") or ()), *(description.get("inputFields") or ())]:
            yield str(description.get("name")), str(member.get("name"))


def _arguments_of_find_scenes(data: Mapping[str, Any]) -> Iterable[str]:
    for field in (data.get("Query") or {}).get("fields") or ():
        if field.get("name") == "findScenes":
            yield from (str(argument.get("name")) for argument in field.get("args") or ())


class KnownSchema:
    """The schema of one Stash, asked for once a version. May be shared by threads.

    ``ask_version`` and ``ask_schema`` ask Stash and may raise what its client raises. Until ``keep`` is called nothing
    is asked, and ``ASSUMED`` is taken for the schema.
    """

    def __init__(self, ask_version: Callable[[], str], ask_schema: Callable[[], Schema]) -> None:
        self._ask_version = ask_version
        self._ask_schema = ask_schema
        self._kept: tuple[Recall, Note] | None = None
        self._schema: Schema | None = None
        self._lock = threading.Lock()

    def keep(self, recall: Recall, note: Note) -> None:
        """Ask from now on, and keep the answers: ``recall`` and ``note`` take a version of Stash."""
        self._kept = (recall, note)

    def get(self) -> Schema:
        """Return the schema; the first time that costs one request or two."""
        if self._kept is None:
            return ASSUMED
        with self._lock:
            if self._schema is None:
                recall, note = self._kept
                version = self._ask_version()
                self._schema = _readable(recall(version)) or self._ask_and_note(version, note)
            return self._schema

    def is_outdated(self, used: Schema) -> bool:
        """Ask again after a query made for ``used`` was not understood; say whether the schema is another by now."""
        if self._kept is None:
            return False
        with self._lock:
            if self._schema in (None, used):
                self._schema = self._ask_and_note(self._ask_version(), self._kept[1])
            return self._schema != used

    def _ask_and_note(self, version: str, note: Note) -> Schema:
        schema = self._ask_schema()
        note(version, schema.to_text())
        return schema


def _readable(text: str | None) -> Schema | None:
    try:
        return None if text is None else Schema.from_text(text)
    except (ValueError, TypeError):
        return None
