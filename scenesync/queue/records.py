from dataclasses import dataclass, field

from scenesync.domain.job import PRIORITY_BULK, PRIORITY_FANOUT, PRIORITY_PERSON, ClaimedJob, Job

__all__ = [
    "PRIORITY_BULK",
    "PRIORITY_FANOUT",
    "PRIORITY_PERSON",
    "BulkResult",
    "ClaimedJob",
    "EnqueueResult",
    "FoundJobs",
    "Job",
    "LetterFilter",
    "LetterGroup",
    "OutboxEvent",
    "PendingJob",
    "QueueSnapshot",
]


@dataclass(frozen=True, slots=True)
class EnqueueResult:
    """What became of one event: its row, and whether it joined a job that was waiting already."""

    row_id: int
    merged: bool


@dataclass(frozen=True, slots=True)
class BulkResult:
    """How many jobs a bulk enqueue made, and how many joined jobs that were waiting already."""

    created: int = 0
    merged: int = 0

    def __add__(self, other: "BulkResult") -> "BulkResult":
        return BulkResult(self.created + other.created, self.merged + other.merged)


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event on its way from one queue to another, and its number among those of its outbox.

    ``happened_at`` is in epoch seconds by the clock of the machine on which it came.
    """

    number: int
    job: Job
    lane: int
    happened_at: float


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A waiting job as a listing shows it. ``due_at`` is in epoch seconds, 0 for at once."""

    row_id: int
    job: Job
    priority: int
    due_at: float
    deliveries: int
    enqueued_timestamp: float


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """What the queue has under one key; of each at most one, unless a stock writer put more."""

    waiting: tuple[PendingJob, ...] = ()
    running: tuple[PendingJob, ...] = ()


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """All letters of one error; times in epoch seconds, message and advice are those of the latest."""

    error_type: str
    count: int
    first_failed_at: float
    last_failed_at: float
    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant; an empty filter means all. ``older_than`` is an epoch time in seconds."""

    error: str | None = None
    scene_id: int | None = None
    older_than: float | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The queue at one moment, for ``status``.

    ``pending`` counts jobs that wait, due or not, and events in the spool; not those in progress.
    """

    pending: int = 0
    due: int = 0
    in_progress: int = 0
    dead_letters: int = 0
    completed_total: int = 0
    failed_total: int = 0
    oldest_pending_s: float | None = None
    waiting_by_error: dict[str, int] = field(default_factory=dict)
    spooled: int = 0
