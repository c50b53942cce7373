"""Implements ``web.ports.Letters``: the dead letters; many of them are replayed or discarded by a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.app.opening import look_into_queue
from scenesync.app.wording.counting import counted
from scenesync.domain.job import subject
from scenesync.queue.dead_letters import LetterFilter
from scenesync.web.models import work
from scenesync.web.models.common import Page
from scenesync.web.problems import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from scenesync.app.dashboard.desk import Desk
    from scenesync.app.dashboard.tasks import Running, TaskRunner
    from scenesync.queue.dead_letters import DeadLetter
    from scenesync.queue.port import LetterReader

    Answer = TypeVar("Answer")


class GivenUp:
    """The dead letters."""

    def __init__(self, desk: Desk, runner: TaskRunner) -> None:
        self._desk = desk
        self._runner = runner

    def page(
        self, *, error: str | None, scene_id: int | None, text: str | None, before: tuple[float, int] | None, limit: int
    ) -> Page[work.DeadLetter]:
        """Return letters, newest first, those that failed ``before`` (time and id)."""
        which = LetterFilter(error, scene_id, None, text)
        letters = self._read(lambda found: found.list(which, limit=limit, behind=before))
        last = letters[-1] if len(letters) == limit else None
        cursor = None if last is None else f"{last.failed_at!r}:{last.id}"
        return Page(items=[letter_document(letter) for letter in letters], next_cursor=cursor)

    def groups(self) -> Sequence[work.LetterGroup]:
        """Return how many there are of each error."""
        return [
            work.LetterGroup(
                error_type=group.error_type,
                count=group.count,
                first_failed_at=group.first_failed_at,
                last_failed_at=group.last_failed_at,
                example=group.message,
                advice=group.advice,
            )
            for group in self._read(lambda letters: letters.groups())
        ]

    def show(self, letter_id: int) -> work.DeadLetter:
        """Return one letter. Raises NotFound."""
        letter = self._read(lambda found: found.get(letter_id))
        if letter is None:
            raise NotFound(f"There is no dead letter {letter_id}.")
        return letter_document(letter)

    def replay(self, which: work.ChosenLetters) -> int:
        """Let their jobs wait again; return how many."""
        return self._desk.installation.dead_letters.replay(_chosen(which))

    def discard(self, which: work.ChosenLetters) -> int:
        """Delete them; return how many."""
        return self._desk.installation.dead_letters.discard(_chosen(which))

    def begin_replay(self, which: work.ChosenLetters) -> work.Task:
        """Begin to let their jobs wait again. Raises Conflict."""

        def replay(task: Running) -> Mapping[str, Any]:
            count = self._counted(task, which, self._desk.installation.dead_letters.replaying(_chosen(which)))
            waits = "waits" if count == 1 else "wait"
            return {"count": count, "sentence": f"{counted(count, 'job')} {waits} again. What fails again comes back."}

        return self._runner.start("replay", "Replay dead letters", replay)

    def begin_discard(self, which: work.ChosenLetters) -> work.Task:
        """Begin to delete them. Raises Conflict."""

        def discard(task: Running) -> Mapping[str, Any]:
            count = self._counted(task, which, self._desk.installation.dead_letters.discarding(_chosen(which)))
            return {"count": count, "sentence": f"{counted(count, 'dead letter')} deleted."}

        return self._runner.start("discard", "Discard dead letters", discard)

    def _counted(self, task: Running, which: work.ChosenLetters, ended: Iterator[int]) -> int:
        """Work through them and tell how far it is; return how many there were. Raises Cancelled."""
        if not (which.scene_id or which.text):
            groups = [group for group in self.groups() if which.error in {None, group.error_type}]
            task.progress(total=len(which.ids) or sum(group.count for group in groups))
        for count in ended:
            task.progress(task.done + count)
        return task.done

    def purge(self, older_than: float) -> int:
        """Delete those that failed before then; return how many."""
        return self._desk.installation.dead_letters.purge(older_than)

    def _read(self, question: Callable[[LetterReader], Answer]) -> Answer:
        settings = self._desk.loaded.settings
        return look_into_queue(settings, lambda queue: question(queue.dead_letters), checked=False)


def letter_document(letter: DeadLetter) -> work.DeadLetter:
    """Return a letter as the API shows it."""
    scene_id = letter.job.get("scene_id")
    return work.DeadLetter(
        id=letter.id,
        row_id=letter.row_id,
        scene_id=scene_id if isinstance(scene_id, int) else None,
        subject=subject(letter.job),
        job=dict(letter.job),
        error_type=letter.error_type,
        message=letter.message,
        advice=letter.advice,
        traceback=letter.traceback,
        attempts=letter.attempts,
        details=dict(letter.details),
        failed_at=letter.failed_at,
    )


def _chosen(which: work.ChosenLetters) -> Sequence[int] | LetterFilter:
    return which.ids or LetterFilter(which.error, which.scene_id, which.older_than, which.text)
