"""Judge the end of the story by what the simulated servers recorded, not by what SceneSync says of itself."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.app.demo.comparison import FIELDS, compare_locks, compare_scene, needless_writes
from scenesync.app.opening import read_state
from scenesync.domain.outcome import Outcome
from scenesync.store.attempts import AttemptStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scenesync.app.demo.story import Facts
    from scenesync.app.demo.world import DemoWorld
    from scenesync.domain.dead_letter import DeadLetter
    from scenesync.queue.records import QueueSnapshot
    from scenesync.simulators.plex.model import PlexItem
    from scenesync.simulators.plex.records import FieldWrite

RECOVERY_WITHIN_S: Final = 5.0
_ATTEMPTS_LOOKED_AT: Final = 100
# Whether Plex is there; whether it announces again; and, once, whether it kept the edits of the moment before.
_QUESTIONS: Final = frozenset({"identity", "notifications", "read"})


@dataclass(frozen=True, slots=True)
class Check:
    """One claim; ``problems`` says where it does not hold."""

    claim: str
    problems: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Ending:
    """What is judged. ``saved`` has one scene id for each save; ``log`` is the worker's, or that of all workers."""

    world: DemoWorld
    facts: Facts
    saved: Sequence[int]
    queue: QueueSnapshot
    letters: Sequence[DeadLetter]
    log: str


def judge(ending: Ending) -> tuple[Check, ...]:
    """Return every claim of the demo with what speaks against it."""
    writes: dict[str, list[FieldWrite]] = defaultdict(list)
    for write in ending.world.plex.field_writes:
        writes[write.rating_key].append(write)
    easy = len(ending.world.sample.scene_ids) - 1
    return (
        Check(
            f"Plex shows what Stash says: {easy} scenes, {len(FIELDS)} fields each, pictures byte for byte",
            tuple(_differences(ending.world)),
        ),
        Check("exactly what was written is locked", tuple(_wrong_locks(ending.world, writes))),
        Check("nothing waits, nothing is in work", tuple(_left_over(ending.queue))),
        Check(
            "one dead letter: the scene that fits two files, neither of which was touched",
            tuple(_letters(ending, writes)),
        ),
        Check(
            f"no field was written that was right already ({sum(map(len, writes.values()))} writes)",
            tuple(_needless(ending.world)),
        ),
        Check("no edit hit a whole library, nothing was deleted", tuple(_disasters(ending.world))),
        Check(f"each of the {len(ending.saved)} saves fired one hook, and none failed", tuple(_hooks(ending))),
        Check(
            f"the outage cost no retry, and work went on within {RECOVERY_WITHIN_S:.0f} s of its end",
            tuple(_outage(ending)),
        ),
        Check("the worker ends cleanly, and no secret is in any log", tuple(_tidiness(ending))),
    )


def _differences(world: DemoWorld) -> Iterator[str]:
    for scene_id in _easy_scenes(world):
        scene = world.stash.scene(scene_id)
        for difference in compare_scene(scene, world.stash.library, _item_of(world, scene_id)):
            yield str(difference)


def _wrong_locks(world: DemoWorld, writes: Mapping[str, Sequence[FieldWrite]]) -> Iterator[str]:
    for scene_id in _easy_scenes(world):
        item = _item_of(world, scene_id)
        if item is not None:  # that it is missing is said by the comparison
            for difference in compare_locks(world.stash.scene(scene_id), item, writes.get(item.rating_key, ())):
                yield str(difference)


def _left_over(queue: QueueSnapshot) -> Iterator[str]:
    if queue.pending:
        yield f"{queue.pending} jobs wait: {queue.waiting_by_error or 'none has failed'}"
    if queue.in_progress:
        yield f"{queue.in_progress} jobs are still marked as in work"


def _letters(ending: Ending, writes: Mapping[str, Sequence[FieldWrite]]) -> Iterator[str]:
    world = ending.world
    for letter in ending.letters:
        if letter.job.get("scene_id") != world.ambiguous_scene or letter.error_type != "AmbiguousMatch":
            yield f"scene {letter.job.get('scene_id')} was given up: {letter.error_type}: {letter.message}"
    about = [letter for letter in ending.letters if letter.job.get("scene_id") == world.ambiguous_scene]
    if len(about) != 1:
        yield f"scene {world.ambiguous_scene} fits two files and has {len(about)} dead letters"
    for letter in about:
        missing = [key for key in world.candidates if key not in letter.message]
        if missing:
            yield f"its dead letter does not name the candidates {', '.join(missing)}: {letter.message}"
    for key in world.candidates:
        if writes.get(key):
            yield f"item {key} was edited, although it is one of two candidates"


def _needless(world: DemoWorld) -> Iterator[str]:
    for write in needless_writes(world.plex.field_writes, world.plex.requests):
        yield f"item {write.rating_key}, {write.field}: written again as {write.value!r}"


def _disasters(world: DemoWorld) -> Iterator[str]:
    for target in world.plex.whole_library_edits:
        yield f"an edit without ids: {target}"
    for key in world.plex.deleted_media:
        yield f"item {key} was deleted with its file"
    for failure in world.plex.simulator_failures:
        yield f"the simulated Plex itself failed: {failure!r}"


def _hooks(ending: Ending) -> Iterator[str]:
    runs = ending.world.stash.hook_runs
    if sorted(run.scene_id for run in runs) != sorted(ending.saved):
        yield f"{len(ending.saved)} saves, but {len(runs)} hooks"
    for run in runs:
        if run.exit_status != 0 or run.error is not None or run.output != "ok":
            yield f"the hook for scene {run.scene_id} ended with {run.exit_status}, {run.output!r}, {run.error!r}"
    for line in ending.world.stash.log:
        if line.level in {"warning", "error"}:
            yield f"Stash's log: {line.level}: {line.text}"


def _outage(ending: Ending) -> Iterator[str]:
    facts, world = ending.facts, ending.world
    if facts.recovery_s > RECOVERY_WITHIN_S:
        yield f"the first edit came {facts.recovery_s:.1f} s after Plex answered; {RECOVERY_WITHIN_S:.0f} s are allowed"
    for kind, count in facts.requests_in_startup.items():
        if kind not in _QUESTIONS:
            yield f"while Plex started it was asked {count} times for {kind}"
    database = read_state(world.places())
    if database is None:
        yield "there is no database with the attempts"
        return
    with database:
        attempts = AttemptStore(database)
        for scene_id in world.sample.scene_ids:
            for attempt in attempts.latest(scene_id, _ATTEMPTS_LOOKED_AT):
                expected = scene_id == world.late_scene and attempt.error_type == "PlexNotFound"
                if attempt.outcome is Outcome.RETRY and not expected:
                    yield f"scene {scene_id} used up a retry: {attempt.error_type}: {attempt.message}"


def _tidiness(ending: Ending) -> Iterator[str]:
    if ending.facts.stop_status != 0:
        yield f"after SIGTERM the worker ended with {ending.facts.stop_status} in {ending.facts.stop_s:.1f} s"
    logs = {"the worker's log": ending.log, "Stash's log": "\n".join(line.text for line in ending.world.stash.log)}
    for name, text in logs.items():
        if any(secret in text for secret in ending.world.secrets):
            yield f"a secret is in {name}"


def _easy_scenes(world: DemoWorld) -> list[int]:
    return [scene_id for scene_id in world.sample.scene_ids if scene_id != world.ambiguous_scene]


def _item_of(world: DemoWorld, scene_id: int) -> PlexItem | None:
    """Return the item with the scene's file, found by the path alone."""
    try:
        return world.plex.item_by_file(world.plex_file(scene_id))
    except KeyError:
        return None
