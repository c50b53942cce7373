"""The promises of DESIGN 3 as the simulation checks them: while it goes on, and once everything has come to rest."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scenesync.domain.fields import LIST_FIELDS, Field
from scenesync.domain.outcome import Attempt, Outcome
from scenesync.queue.suspicion import MAX_DELIVERIES
from scenesync.worker.availability.gate import RETRY_REFUSED_EVERY_S

if TYPE_CHECKING:
    from sim_household import Household
    from sim_kernel import SimulatedProcess
    from sim_plex import PlexItem
    from sim_process import WorkerProcess
    from sim_stash import StashScene

    from scenesync.domain.job import ClaimedJob

INDEX_MAY_BE_OLD_S: Final = 6.5
"""A scene that is not found looks at Plex's list again at most every five seconds."""
CLAIM_LATENCY_S: Final = 8.0
"""From the enqueueing to the edit, with healthy servers and nothing else to do: one idle wait, requests, a lag."""
NOTICED_WITHIN_S: Final = 6.0
"""From Plex answering to the circuit being closed: one second to the probe, and its requests over a slow line."""
GHOSTS: Final = 40
LONGEST_REST_S: Final = 4 * 3600.0
OUTAGES: Final = {"PlexServerDown", "StashUnavailable", "PlexUnauthorized", "StashUnauthorized"}
WAITED_OUT: Final = OUTAGES | {"AttemptCut", "StoreUnavailable"}

_TWO_OF_A_KEY: Final = """
    SELECT job_key, status = 2, COUNT(*) FROM ack_queue_default WHERE status IN (0, 1, 2)
    GROUP BY job_key, status = 2 HAVING COUNT(*) > 1"""
_OPEN_ROWS: Final = "SELECT job_key, status, owner, data FROM ack_queue_default WHERE status IN (0, 1, 2)"
_OWNER_OF: Final = "SELECT owner FROM ack_queue_default WHERE job_key = ? AND status = 2"
_CLAIM_OF: Final = "SELECT owner, claim_no FROM ack_queue_default WHERE _id = ? AND status = 2"
_LETTER_OR_JOB: Final = """
    SELECT EXISTS (SELECT 1 FROM dead_letters WHERE id = :letter_id AND job_key = :job_key)
        OR EXISTS (SELECT 1 FROM ack_queue_default WHERE job_key = :job_key AND status IN (0, 1, 2))"""
_CIRCUIT: Final = "SELECT state FROM circuit WHERE service = 'plex'"
_NEXT_DUE: Final = "SELECT MIN(due_at) FROM ack_queue_default WHERE status < 2 AND due_at > ?"


@dataclass(frozen=True)
class Broken:
    """A promise that was broken."""

    promise: str
    text: str


class Promises:
    """Watches one history."""

    def __init__(self, history: Household) -> None:
        self._history = history
        self._kernel = history.kernel
        self._look = sqlite3.connect(
            history.folder / "queue" / "data.db", isolation_level=None, check_same_thread=False, timeout=0.0
        )
        self._state = sqlite3.connect(
            history.folder / "scenesync.db", isolation_level=None, check_same_thread=False, timeout=0.0
        )
        self._moved_at: dict[str, float] = {}
        history.kernel.next_due = self._next_due

    def close(self) -> None:
        """Close the files."""
        self._look.close()
        self._state.close()

    def violate(self, promise: str, text: str) -> None:
        """Note a broken promise; the history ends."""
        self._kernel.note(f"BROKEN {promise}: {text.partition(chr(10))[0]}")
        self._history.account.broken.append(Broken(promise, text))

    def moved(self, path: str) -> None:
        """Hear that Plex found or lost a file."""
        self._moved_at[path] = self._kernel.now

    # -- while it goes on

    def require_held(self, process: SimulatedProcess, scene_id: int) -> None:
        """Nobody writes for a job that it does not hold, but for what was under way when it lost it (I9)."""
        if scene_id == 0:
            return
        key = f"scene_{scene_id}"
        queue = process.queue  # type: ignore[attr-defined]
        row = self._look.execute(
            "SELECT owner FROM ack_queue_default WHERE job_key = ? AND status = 2", (key,)
        ).fetchone()
        if row is not None and row[0] == queue._owner.name:
            return
        task = self._kernel.running.name
        confirmed_at = queue.confirmed_at.get((task, key), -1.0)
        if self._kernel.now - confirmed_at > 0.01:
            self.violate(
                "I9",
                f"{process.name}/{task} writes for {key} at {self._kernel.now:.3f}, which {row or 'nobody'} holds; "
                f"asked whether it still has it at {confirmed_at:.3f}",
            )

    def holds(self, owner: str, claimed: ClaimedJob) -> bool:
        """Say whether the queue's file has the job as claimed by this owner, under this claim."""
        row = self._look.execute(_CLAIM_OF, (claimed.row_id,)).fetchone()
        return row is not None and row == (owner, claimed.claim_no)

    def watch_the_recovery(self) -> None:
        """Plex answers from now on: the circuit is soon closed, unless something else is wrong (I5)."""
        since = self._kernel.now
        workers = [process for process in self._history.processes if process.is_running]
        # Another one may die as the one who asks.
        if len(workers) == 1 and not self._history.account.happened["unauthorized"]:
            self._kernel.at(since + NOTICED_WITHIN_S, lambda: self._look_at_the_circuit(since, workers[0]))

    def _look_at_the_circuit(self, since: float, worker: WorkerProcess) -> None:
        plex = self._history.plex
        disturbed = plex.states[-1][0] > since or any(when >= since for when, _, _ in plex.failures)
        if disturbed or not worker.is_running or worker.stop.is_set():
            return
        state = self._state.execute(_CIRCUIT).fetchone()
        if state not in (None, ("closed",)):
            self.violate("I5", f"Plex answers since {since:.3f}, and the circuit is {state[0]}")

    def require_letter(self, letter_id: int, job_key: str) -> None:
        """A job that is given up is a dead letter, unless somebody has replayed it already (I1)."""
        if self._look.execute(_LETTER_OR_JOB, {"letter_id": letter_id, "job_key": job_key}).fetchone() != (1,):
            self.violate("I1", f"{job_key} was given up without a dead letter")

    def observe(self, process: WorkerProcess, attempt: Attempt) -> None:
        """Every attempt ends for a reason that was there (I5)."""
        self._history.account.attempts += 1
        self._kernel.note(f"scene {attempt.scene_id} {attempt.outcome} {attempt.error_type} {attempt.changed_fields}")
        since = self._kernel.now - attempt.duration_s - INDEX_MAY_BE_OLD_S
        error, scene = attempt.error_type, self._history.stash.scenes.get(attempt.scene_id)
        where = f"{process.name}: scene {attempt.scene_id} {attempt.outcome}: {error} {attempt.message}"
        match attempt.outcome:
            case Outcome.RETRY | Outcome.DEAD:
                if error in OUTAGES:
                    self.violate("I5", f"an outage cost a retry: {where}")
                elif not self._is_earned(error, attempt.scene_id, scene, since):
                    self.violate("I5", f"nothing of that kind happened: {where}")
            case Outcome.DEFERRED:
                if error not in WAITED_OUT:
                    self.violate("I5", f"waits for no outage: {where}")
            case Outcome.SKIPPED:
                if scene is not None:
                    self.violate("I1", f"the scene is there: {where}")
            case _:
                pass

    def _is_earned(self, error: str, scene_id: int, scene: StashScene | None, since: float) -> bool:
        history = self._history
        match error:
            case "PlexTemporaryError" | "PlexBusy":
                return history.plex.failed_since(error, since)
            case "PlexNotFound":
                if scene is None:
                    return True
                return not history.plex.items_of(scene.path) or self._moved_at.get(scene.path, -1.0) >= since
            case "AmbiguousMatch":
                return scene_id in history.ambiguous
            case "EditIgnored":
                return any(history.plex.ignored_for.values())
            case _:
                return False

    def look_at_the_queue(self) -> None:
        """Never two waiting or two running jobs under one key (I2)."""
        for key, is_running, count in self._look.execute(_TWO_OF_A_KEY).fetchall():
            self.violate("I2", f"{count} {'running' if is_running else 'waiting'} jobs under {key}")
        for name, error in self._kernel.failures:
            self.violate("thread", f"{name} died of {error!r}")
        self._kernel.failures.clear()

    def jobs_in_hand(self) -> bool:
        """Say whether anybody is working on a job."""
        return any(status == 2 for _, status, _, _ in self._open_rows())

    def look_after_a_stop(self, process: WorkerProcess) -> None:
        """Who ended in time has given back what it had."""
        queue = process.queue
        if queue is None or not process.has_returned:
            return
        held = [key for key, status, owner, _ in self._open_rows() if status == 2 and owner == queue._owner.name]
        if held:
            self.violate("stop", f"{process.name} ended and still holds {held}")

    # -- at the end

    def look_at_the_end(self) -> None:
        """Let it come to rest and look; replay the letters and look again; enqueue all again, and nothing happens."""
        history = self._history
        for step in (
            self._first_rest,
            self._after_replay,
            self._fresh_job_overtakes,
            self._nothing_to_write,
            self._last,
        ):
            if history.account.broken:
                return
            step()
            self.look_at_the_queue()

    def _first_rest(self) -> None:
        self._rest()
        letters = self._history.letters.list()
        self._history.account.happened["dead letters"] += len(letters)
        for letter in letters:
            if letter.error_type in OUTAGES or (letter.error_type == "WorkerCrash" and not self._many_died()):
                self.violate("I5", f"a dead letter of {letter.error_type}: {letter.message} {letter.job}")
        dead = {letter.job.get("scene_id") for letter in letters}
        self._compare([scene for scene in self._reachable() if scene.id not in dead])

    def _many_died(self) -> bool:
        """Say whether a job may have lost its worker five times: by kills, or by one whose lock was taken from it."""
        happened = self._history.account.happened
        return happened["locks lost"] > 0 or happened["crash"] >= MAX_DELIVERIES

    def _after_replay(self) -> None:
        self._history.replay()
        self._rest()
        self._compare(self._reachable())

    def _fresh_job_overtakes(self) -> None:
        """Jobs in backoff hold up nobody (I7)."""
        history = self._history
        scenes = self._reachable()
        if not scenes:
            return
        # A token that was refused at last is tried again after a while, if nobody changes the settings.
        history.sleep(RETRY_REFUSED_EVERY_S + 60.0 if history.account.happened["unauthorized"] else 60.0)
        wall = self._kernel.wall()
        history.hand.put_many(
            {
                "scene_id": 5_000 + n,
                "update_type": "metadata",
                "data": {},
                "enqueued_at": wall,
                "job_key": f"scene_{5_000 + n}",
                "retry_count": 3,
                "next_retry_at": wall + 500 + n,
                "last_error_type": "PlexBusy",
            }
            for n in range(GHOSTS)
        )
        scene = history.plan.choice(scenes)
        history.stash.save(scene)
        began = self._kernel.now
        history.put(scene, "hook")
        if not history.until(lambda: not self._differences(scene), CLAIM_LATENCY_S):
            self.violate(
                "I7",
                f"scene {scene.id} was not brought to Plex {self._kernel.now - began:.1f} s after it was saved",
            )
        for n in range(GHOSTS):
            history.hand.drop_pending(job_key=f"scene_{5_000 + n}")

    def _nothing_to_write(self) -> None:
        """Running all jobs again writes nothing (I4)."""
        self._rest()
        writes = self._history.plex.count.writes
        self._history.enqueue_all()
        self._rest()
        if self._history.plex.count.writes != writes:
            self.violate("I4", f"{self._history.plex.count.writes - writes} writes although nothing had changed")

    def _last(self) -> None:
        self._compare(self._reachable())
        for process in self._history.running():
            self._history.end_process(process)
            if not process.has_returned:
                self.violate("stop", f"{process.name} did not end within eight seconds although all servers answer")

    def _rest(self) -> None:
        """Wait until nothing is left to do but what can never be done."""
        self._kernel.longest_idle_jump_s = 20.0
        if not self._history.until(self._is_at_rest, LONGEST_REST_S) and not self._history.account.broken:
            self.violate("rest", f"still to do after four hours without faults: {self._open_rows()[:5]}")

    def _is_at_rest(self) -> bool:
        if self._history.hand._spool.has_arrivals():
            return False
        patient = {f"scene_{scene_id}" for scene_id in self._history.never}
        return all(
            key in patient and status < 2 and b"retry_count" in data for key, status, _, data in self._open_rows()
        )

    def _reachable(self) -> list[StashScene]:
        history = self._history
        return [
            scene
            for scene in history.stash.scenes.values()
            if scene.id not in history.ambiguous and history.plex.items_of(scene.path)
        ]

    def _compare(self, scenes: list[StashScene]) -> None:
        """What Plex shows is what the newest state in Stash asks for (I1, I6)."""
        for scene in scenes:
            differences = self._differences(scene)
            if differences:
                self._history.account.lost += 1
                self.violate("I1/I6", f"scene {scene.id} v{scene.version} in Plex: {differences}")

    def _differences(self, scene: StashScene) -> list[str]:
        found = []
        for item in self._history.plex.items_of(scene.path):
            for name, wanted in scene.wanted().items():
                shown = self._shown(item, name)
                same = set(shown) == set(wanted) if name in LIST_FIELDS - {Field.ACTORS} else shown == wanted
                if not same:
                    found.append(f"{item.rating_key} {name.value}: {shown!r} instead of {wanted!r}")
            found += self._wrong_pictures(item, scene)
        return found

    def _shown(self, item: PlexItem, name: Field) -> str | tuple[str, ...]:
        shown = item.shown(name, self._kernel.now + 10.0)
        if shown is None and name is Field.SORT_TITLE:
            shown = item.shown(Field.TITLE, self._kernel.now + 10.0)
        if shown is None:
            return () if name in LIST_FIELDS else ""
        return shown

    def _wrong_pictures(self, item: PlexItem, scene: StashScene) -> list[str]:
        if not scene.cover:
            return []
        sha1 = scene.picture().sha1
        return [
            f"{item.rating_key} {name.value} is not cover {scene.cover}"
            for name in (Field.POSTER, Field.BACKGROUND)
            if (chosen := item.selected.get(name)) is None or chosen.value != sha1
        ]

    def _open_rows(self) -> list[tuple[str, int, str | None, bytes]]:
        return self._look.execute(_OPEN_ROWS).fetchall()

    def _next_due(self) -> float | None:
        wall = self._kernel.wall()
        due_at = self._look.execute(_NEXT_DUE, (wall,)).fetchone()[0]
        return None if due_at is None else self._kernel.now + max(0.0, due_at - wall)
