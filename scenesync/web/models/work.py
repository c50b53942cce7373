"""Jobs that wait, dead letters, tasks and plans."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from scenesync.web.models.common import Document, EpochS, RowId, SceneId, ShortText, Wish

TaskState = Literal["running", "done", "failed", "cancelled"]
TaskId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]


class Job(Document):
    """A job that waits; ``pqid`` is null for an event that a hook had to leave beside the queue."""

    pqid: int | None
    scene_id: int | None
    job_key: str | None
    update_type: str
    data: dict[str, Any]
    enqueued_at: EpochS | None
    lane: str
    due_at: EpochS = Field(description="When it may be tried next; 0: at once.")
    deliveries: int
    retry_count: int
    last_error_type: str | None


class ClearJobs(Wish):
    """Which jobs to drop: those of a scene, older ones (epoch seconds), or all. Exactly one way."""

    scene_id: SceneId | None = None
    older_than: float | None = Field(default=None, ge=0, le=1e12, allow_inf_nan=False)
    all: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.all == (self.scene_id is not None or self.older_than is not None):
            raise ValueError("say which jobs: scene_id, older_than, or all")
        return self


class DeadLetter(Document):
    """A job that was given up; ``details`` has attempts, candidates and what was refused, where there is any."""

    id: int
    row_id: int | None
    scene_id: int | None
    subject: str
    job: dict[str, Any]
    error_type: str
    message: str
    advice: str
    traceback: str
    attempts: int
    details: dict[str, Any]
    failed_at: EpochS


class LetterGroup(Document):
    """All letters of one error, with one of them as an example."""

    error_type: str
    count: int
    first_failed_at: EpochS
    last_failed_at: EpochS
    example: str
    advice: str


class ChosenLetters(Wish):
    """Which letters are meant: by id, by what they have in common, or all. Exactly one way."""

    ids: list[RowId] = Field(default=[], max_length=10_000)
    error: ShortText | None = None
    scene_id: SceneId | None = None
    older_than: float | None = Field(default=None, ge=0, le=1e12, allow_inf_nan=False)
    text: ShortText | None = None
    all: bool = False

    @property
    def has_filter(self) -> bool:
        """Whether anything but ids chooses."""
        return any(value is not None for value in (self.error, self.scene_id, self.older_than, self.text))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if [bool(self.ids), self.has_filter, self.all].count(True) != 1:
            raise ValueError("name letters by ids, or by error, scene_id, older_than, text, or take all")
        return self


class PurgeLetters(Wish):
    """Delete the letters that failed before then (epoch seconds)."""

    older_than: float = Field(ge=0, le=1e12, allow_inf_nan=False)


class Progress(Document):
    """How far a task is; ``total`` is null while nobody knows."""

    done: int
    total: int | None
    text: str


class Task(Document):
    """Long work that was asked for; ``result`` is there once it is done, ``error`` if it failed."""

    id: str
    kind: str
    title: str
    state: TaskState
    started_at: EpochS
    ended_at: EpochS | None
    progress: Progress
    can_be_cancelled: bool
    result: dict[str, Any] | None
    error: str | None


class Routine(Document):
    """What the daemon does by itself now and then."""

    name: str
    title: str
    every_s: float = Field(description="0: only when asked.")
    running: bool
    last_started_at: EpochS | None
    last_ended_at: EpochS | None
    last_error: str | None
    next_at: EpochS | None


class StartTask(Wish):
    """Work that needs no selectors."""

    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]


class Selectors(Wish):
    """Which scenes are meant: by id, changed in Stash since then (an age such as 24h, or an ISO time), or all."""

    scene_ids: list[SceneId] = Field(default=[], max_length=10_000)
    since: ShortText | None = None
    all: bool = False
    include_held: bool = Field(default=False, description="With all: also scenes held since they were undone.")
    force: bool = Field(
        default=False, description="With since or all: look at Plex even where it was seen to show what is wanted."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if [bool(self.scene_ids), self.since is not None, self.all].count(True) != 1:
            raise ValueError("name scene_ids, or a time with since, or take all")
        if self.include_held and not self.all:
            raise ValueError("include_held goes with all")
        if self.force and self.scene_ids:
            raise ValueError("force goes with since or all; scenes that are named are looked at in any case")
        return self


class Reconcile(Wish):
    """Which scenes to compare: those that Stash changed within this time, or all; null: as the settings say."""

    scope: Literal["24h", "7d", "all"] | None = None
    dry_run: bool = Field(default=False, description="Only say what is found; nothing is enqueued.")


class SceneIds(Wish):
    """Scenes by id, or all that are concerned."""

    scene_ids: list[SceneId] = Field(default=[], max_length=10_000)
    all: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.scene_ids) is self.all:
            raise ValueError("name scene_ids, or take all")
        return self


class PlanTotals(Document):
    """What a plan would do in all, like ``scenesync plan --json``."""

    change: int
    unchanged: int
    unmatched: int
    ambiguous: int
    left_out: int
    refused: int
    fields: int
    cleared_fields: int
    pictures: int
    edits_overwritten: int
    edits_kept: int
    left_out_by_reason: dict[str, int]


class Plan(Document):
    """A plan that was made; its scenes are asked for page by page."""

    id: str
    made_at: EpochS
    server_id: str
    selectors: Selectors
    sentence: str
    totals: PlanTotals
    applied_at: EpochS | None = None
    """When it was last carried out: when its scenes were put into the queue."""


class FieldChange(Document):
    """One field: what Plex shows, what it would show."""

    field: str
    before: str | list[str]
    after: str | list[str]
    removed: list[str] = Field(default=[])
    owned: list[str] | None = None


class Conflict(Document):
    """A field that a person edited or locked in Plex."""

    field: str
    by: Literal["lock", "edit"]
    overwritten: bool


class PlannedItem(Document):
    """What would change on one item of Plex."""

    rating_key: str
    changes: list[FieldChange]
    pictures: list[str]
    conflicts: list[Conflict]
    photos: list[str]


class PlannedScene(Document):
    """What would become of one scene."""

    scene_id: int
    title: str
    verdict: Literal["change", "unchanged", "unmatched", "ambiguous", "left_out", "refused"]
    rule: str | None
    reason: str | None
    items: list[PlannedItem]


class UndoWhat(Wish):
    """Which edits to take back: of scenes, since a time (an age or an ISO time), of a run, or any of these together.

    ``edits`` names single ones.
    """

    scene_ids: list[SceneId] = Field(default=[], max_length=10_000)
    since: ShortText | None = None
    run: ShortText | None = None
    edits: list[RowId] = Field(default=[], max_length=1_000, description="Entries of the journal, by their number.")
    dry_run: bool = False
    force: bool = Field(default=False, description="Also over edits made since, by a person or a later run.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.scene_ids or self.since or self.run or self.edits):
            raise ValueError("say what to undo: scene_ids, since, run or edits")
        return self
