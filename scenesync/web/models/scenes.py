"""Scenes, what was written for them, what meets, and what is known of each setting."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from scenesync.web.models.common import Document, EpochS, Wish

SceneStateName = Literal["in_sync", "waiting", "differs", "unmatched", "ambiguous", "left_out", "failed"]
RatingKey = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[0-9A-Za-z_-]+$")]
Level = Literal["debug", "info", "warning", "error"]


class SceneSummary(Document):
    """What was last found out about a scene; ``at`` says when."""

    scene_id: int
    title: str
    path: str
    state: SceneStateName
    detail: str
    rule: str
    rating_keys: list[str]
    at: EpochS


class SceneCounts(Document):
    """How many scenes are known in each state."""

    total: int
    states: dict[str, int]


class ItemChange(Document):
    """One field of an item that shows something else than it should."""

    rating_key: str
    field: str
    before: str | list[str]
    after: str | list[str]


class ComparedField(Document):
    """One field of an item, both sides; ``wanted`` is null for a field that is not written."""

    field: str
    shown: str | list[str]
    wanted: str | list[str] | None
    locked: bool


class ComparedItem(Document):
    """An item of Plex beside its scene."""

    rating_key: str
    library_key: str
    plex_url: str = Field(description="The item's page in Plex.")
    files: list[str]
    fields: list[ComparedField]


class Scene(Document):
    """Why a scene is, or is not, in sync, like ``scenesync explain --json``; ``compared`` has both sides."""

    scene_id: int
    title: str
    verdict: str
    takes_part: bool
    left_out_by: str | None
    paths: list[str]
    rule: str | None
    rating_keys: list[str]
    candidates: list[str]
    refused: list[str]
    shared_with: list[int]
    changes: list[ItemChange]
    conflicts: list[str]
    waiting: list[str]
    dead_letters: list[str]
    attempts: list[str]
    stash_url: str = Field(description="The scene's page in Stash.")
    is_judged: bool = Field(description="Whether both servers could be asked; if not, nothing is known to differ.")
    wanted: dict[str, str | list[str]] = Field(description="What Plex should show by what Stash has, field by field.")
    compared: list[ComparedItem]
    is_held: bool
    is_pinned: bool


class PinTo(Wish):
    """The item that shows the scene, by a person's word."""

    rating_key: RatingKey


class Pinned(Document):
    """What was tied to what."""

    scene_id: int
    rating_key: str
    scene_files: list[str]
    item_files: list[str]
    before: str | None


class Hold(Document):
    """A scene that is left alone since it was undone."""

    scene_id: int
    since: EpochS
    run: str


class JournalEntry(Document):
    """One field of one edit that SceneSync made in Plex."""

    number: int
    at: EpochS
    run: str
    cause: str
    scene_id: int
    rating_key: str
    field: str
    before: str | list[str]
    after: str | list[str]
    shown: str | list[str]
    lock_before: str | None
    lock_after: str | None
    file: str


class Run(Document):
    """What one run wrote, from its first edit to its last."""

    run: str
    cause: str
    began_at: EpochS
    ended_at: EpochS
    scenes: int
    fields: int


class LatestRun(Document):
    """A run as a list of the latest ones shows it; ``is_counted`` is false if it wrote more fields than were counted.

    ``last_number`` is that of its last entry in the journal.
    """

    run: str
    cause: str
    began_at: EpochS
    ended_at: EpochS
    last_number: int
    scenes: int
    fields: int
    is_counted: bool


class CoverageExample(Document):
    """One scene or item of a class."""

    scene_ids: list[int]
    rating_keys: list[str]
    path: str
    text: str


class CoverageClass(Document):
    """One class of scenes (``side`` stash) or items (``side`` plex), and what a person can do about it."""

    name: str = Field(alias="class")
    detail: str | None
    side: Literal["stash", "plex"]
    count: int
    what_to_do: str
    examples: list[CoverageExample]


class Coverage(Document):
    """How much of both libraries met when it was last looked at; null: never (the task ``coverage`` looks)."""

    made_at: EpochS | None
    scenes: int
    items: int
    classes: list[CoverageClass]


class PathMapChange(Document):
    """A path map that was written to the settings file, and the one that stood there before."""

    at: EpochS
    file: str
    before: list[str]
    after: list[str]


class PathMap(Document):
    """What folders are called by Stash and by Plex, as rules ``stash_prefix => plex_prefix``."""

    in_force: list[str]
    proposed: list[str] = Field(description="What the doctor found to be better; empty: nothing, or it was not asked.")
    file: str = Field(description="The settings file that would be written.")
    why_not: str = Field(description="Why what the file says would not count; empty: it would.")
    latest: PathMapChange | None = Field(description="What was last written from here, null once it was changed since.")
    is_awaited: bool = Field(description="Whether that is still to be taken over, which takes seconds.")


class WritePathMap(Wish):
    """The rules to write: those that are proposed, or those that stood there before the latest change."""

    rules: Annotated[list[Annotated[str, Field(max_length=4_000)]], Field(max_length=200)]


class LogEntry(Document):
    """One line of the log."""

    number: int
    at: EpochS
    level: str
    logger: str
    message: str
    scene_id: int | None
    traceback: str | None


class Setting(Document):
    """One setting: its value (of a secret, only whether it is set), where that came from, and what it means.

    ``section`` is the heading under which it stands in docs/SETTINGS.md, ``variable`` its name in the environment.
    """

    key: str
    section: str
    variable: str
    value: Any
    origin: str
    default: Any
    allowed: str
    meaning: str
    is_secret: bool
    is_effective: bool


class Connection(Document):
    """Whether a server answers as it should, and how fast."""

    service: Literal["plex", "stash"]
    ok: bool
    finding: str
    cure: str
    took_s: float
