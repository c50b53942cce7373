"""What all the rest needs of a queue, whichever engine keeps it: a file beside us, or a PostgreSQL that many share.

The worker sees less of it (``domain.ports.JobQueue``); ways in and pages name the few methods that they call. Who opens
a queue hands it on as this. What the engines do differently is in docs/ARCHITECTURE.md.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from scenesync.domain.dead_letter import DeadLetter
from scenesync.domain.job import KeyOf
from scenesync.domain.ports import Fleet, JobQueue
from scenesync.queue.records import (
    PRIORITY_BULK,
    PRIORITY_PERSON,
    BulkResult,
    ClaimedJob,
    EnqueueResult,
    FoundJobs,
    LetterFilter,
    LetterGroup,
    OutboxEvent,
    PendingJob,
    QueueSnapshot,
)

EVERY_LETTER = LetterFilter()


class LetterReader(Protocol):
    """The dead letters, for who only looks at them."""

    def count(self) -> int:
        """Return how many letters there are."""
        ...

    def list(
        self,
        letters: LetterFilter = EVERY_LETTER,
        *,
        limit: int = 1000,
        newest_first: bool = True,
        behind: tuple[float, int] | None = None,
    ) -> tuple[DeadLetter, ...]:
        """Return the letters that match, up to ``limit``, those that come ``behind`` a time and an id."""
        ...

    def of_scene(self, scene_id: int) -> tuple[DeadLetter, ...]:
        """Return the letters of one scene, the newest first."""
        ...

    def scenes_given_up(self, error_type: str) -> frozenset[int]:
        """Return the scenes that have a dead letter of this class of error."""
        ...

    def groups(self) -> tuple[LetterGroup, ...]:
        """Return how many letters there are of each error, the most frequent first."""
        ...

    def get(self, letter_id: int) -> DeadLetter | None:
        """Return one letter, None if there is none of this id."""
        ...


class Letters(LetterReader, Protocol):
    """The dead letters, with what can be done about them."""

    def add(self, letter: DeadLetter) -> int:
        """Store a letter for a job that is in no row of this queue; return its id."""
        ...

    def replay(self, which: Sequence[int] | LetterFilter = EVERY_LETTER) -> int:
        """Make the jobs of these letters wait again, without retry state; return how many letters that were.

        A job that waits already under the same key absorbs the letter's: there is never a second one.
        """
        ...

    def discard(self, which: Sequence[int] | LetterFilter) -> int:
        """Delete these letters for good; return how many."""
        ...

    def replaying(self, which: Sequence[int] | LetterFilter = EVERY_LETTER) -> Iterator[int]:
        """Do as ``replay``, a short transaction at a time; yield after each how many letters it replayed."""
        ...

    def discarding(self, which: Sequence[int] | LetterFilter) -> Iterator[int]:
        """Do as ``discard``, a short transaction at a time; yield after each how many letters it deleted."""
        ...

    def purge(self, older_than: float) -> int:
        """Delete the letters that failed before ``older_than`` (epoch seconds); return how many."""
        ...


class Queue(JobQueue, Protocol):
    """A durable queue: what the worker needs, what puts jobs in, and what looks. All may raise QueueError.

    Every method is one atomic step, ``put_many`` and ``wake_for_files`` many small ones; any thread may call any.
    What a call acknowledged survives the death of this process and of the machine that keeps the queue.
    """

    @property
    def fleet(self) -> Fleet:
        """Those who work on this queue."""
        ...

    @property
    def dead_letters(self) -> Letters:
        """The jobs that were given up."""
        ...

    def put_job(self, job: Mapping[str, Any], priority: int = PRIORITY_PERSON) -> EnqueueResult:
        """Store an event: as a new job, or merged into the one that waits under the same ``job_key``."""
        ...

    def put_many(self, jobs: Iterable[Mapping[str, Any]], priority: int = PRIORITY_BULK) -> BulkResult:
        """Store any number of events, in bounded memory and in transactions that let others have their turn."""
        ...

    def taken_from(self, outbox_id: str) -> int:
        """Return up to which number the events of an outbox were taken in, 0 for none."""
        ...

    def take_in(self, outbox_id: str, events: Sequence[OutboxEvent]) -> BulkResult:
        """Store those of the events, in the order of their numbers, that were not taken in before.

        Which these are is noted in the same transaction, so that a repeated call repeats nothing.
        """
        ...

    def held(self, job: Mapping[str, Any]) -> ClaimedJob | None:
        """Return the claim under which this process holds ``job`` (by its ``pqid``), None if it does not."""
        ...

    def find(self, job_key: str) -> FoundJobs:
        """Return what waits and what is in hand under ``job_key``."""
        ...

    def list_pending(self, limit: int = 100, after: int = 0) -> tuple[PendingJob, ...]:
        """Return waiting jobs in the order of their rows, those after row ``after``."""
        ...

    def waiting_scenes(self, scene_ids: Iterable[int], key_of: KeyOf = ...) -> set[int]:
        """Return those of the scenes for which a job waits, due or not."""
        ...

    def departing_scenes(self, scene_ids: Iterable[int], key_of: KeyOf = ...) -> set[int]:
        """Return those of the scenes of whose deletion a job tells that waits or is in hand."""
        ...

    def drop_pending(self, *, job_key: str | None = None, older_than: float | None = None) -> int:
        """Delete waiting jobs, all or those that match; return how many. Jobs in hand go on."""
        ...

    @property
    def total(self) -> int:
        """How many jobs wait, due or not."""
        ...

    def totals(self) -> tuple[int, int]:
        """Return how many jobs were ever completed, and how many ever failed for good."""
        ...

    def snapshot(self, now: float | None = None) -> QueueSnapshot:
        """Return the queue in figures at ``now`` (epoch seconds)."""
        ...

    def recover(self) -> object:
        """Replace what turned out damaged while it was open, where that is ours to do; tell what was saved, or None."""
        ...

    def close(self) -> None:
        """Let go of the queue; jobs still in hand can be taken over by others from now on."""
        ...


class QueueView(Protocol):
    """A queue as it was found, for who only looks; events that hooks left beside it are part of it."""

    @property
    def dead_letters(self) -> LetterReader:
        """The jobs that were given up."""
        ...

    def list_pending(self, limit: int, after: int = 0) -> tuple[PendingJob, ...]:
        """Return waiting jobs in the order of their rows, those after row ``after``."""
        ...

    def find(self, job_key: str) -> FoundJobs:
        """Return what waits and what is in hand under ``job_key``."""
        ...

    def scenes_waiting(self, scene_ids: Iterable[int], key_of: KeyOf = ...) -> frozenset[int]:
        """Return those of the scenes for which a job waits or is in hand."""
        ...

    def spooled(self) -> tuple[PendingJob, ...]:
        """Return the events that wait beside the queue, as the jobs they will be; they have no row yet."""
        ...


class Ours:
    """Marks the classes that keep the promises above, so that they are told from a stock queue or a stand-in by class.

    Never by attribute: a mock has every attribute.
    """


def is_our_queue(queue: object) -> TypeGuard[Queue]:
    """Say whether ``queue`` is one of our engines, with its atomic ways back and out."""
    return isinstance(queue, Ours)


def are_our_letters(letters: object) -> TypeGuard[Letters]:
    """Say whether ``letters`` are kept by one of our engines."""
    return isinstance(letters, Ours)
