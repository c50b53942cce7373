"""Runs that nobody asked for: their scenes while these are gathered, and the runs that were stopped for a person."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from scenesync.domain.batches import batched
from scenesync.store.dialect import insert_or_keep
from scenesync.store.tables import automatic_run, automatic_run_scene

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Connection

    from scenesync.store.database import Database

SCENES_AT_ONCE: Final = 500

# The run of a kind that is being gathered.
GATHERING: Final = select(automatic_run.c.id).where(
    automatic_run.c.run_key == bindparam("called"), automatic_run.c.reason == ""
)

# Under which key a run was gathered.
KEY: Final = select(automatic_run.c.run_key).where(automatic_run.c.id == bindparam("run"))

# How many scenes a run has.
SCENES: Final = select(func.count()).where(automatic_run_scene.c.run_id == bindparam("run"))

# The next scenes of a run.
SCENES_AFTER: Final = (
    select(automatic_run_scene.c.scene_id)
    .where(automatic_run_scene.c.run_id == bindparam("run"), automatic_run_scene.c.scene_id > bindparam("last"))
    .order_by(automatic_run_scene.c.scene_id)
    .limit(bindparam("most"))
)

# The runs that were stopped, oldest first.
STOPPED: Final = (
    select(
        automatic_run.c.id,
        automatic_run.c.run_key,
        automatic_run.c.cause,
        automatic_run.c.began_at,
        automatic_run.c.reason,
        automatic_run.c.totals,
    )
    .where(automatic_run.c.reason != "")
    .order_by(automatic_run.c.id)
)

# Those of some scenes that are in a stopped run of a kind.
IN_STOPPED_RUN: Final = (
    select(automatic_run_scene.c.scene_id)
    .join(automatic_run, automatic_run.c.id == automatic_run_scene.c.run_id)
    .where(
        automatic_run.c.run_key == bindparam("called"),
        automatic_run.c.reason != "",
        automatic_run_scene.c.scene_id.in_(bindparam("some", expanding=True)),
    )
)

# Stops a run before its first write.
STOP: Final = (
    update(automatic_run)
    .where(automatic_run.c.id == bindparam("run"))
    .values(reason=bindparam("why"), totals=bindparam("how_much"))
)

# Gathers a stopped run again.
REOPEN: Final = (
    update(automatic_run).where(automatic_run.c.run_key == bindparam("called")).values(reason="", totals="{}")
)

# Takes a run away, its scenes with it.
END: Final = delete(automatic_run).where(automatic_run.c.id == bindparam("run"))

# The same, unless it is being gathered again.
END_STOPPED: Final = END.where(automatic_run.c.reason != "")


@dataclass(frozen=True, slots=True)
class StoppedRun:
    """A run that waits for a person: ``cause`` in words, ``began_at`` in epoch seconds, ``reason`` says why it stopped.

    ``totals`` are those of its plan (``reconciliation.planning.Totals``).
    """

    id: int
    run_key: str
    cause: str
    began_at: float
    reason: str
    totals: Mapping[str, Any] = field(default_factory=dict)

    def as_document(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "run": self.id,
            "cause": self.cause,
            "began_at": self.began_at,
            "reason": self.reason,
            "totals": dict(self.totals),
        }


class AutomaticRunStore:
    """Every method may raise StoreError. What was gathered is on the disk when ``gather`` returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def gather(self, run_key: str, cause: str, scene_ids: Iterable[int], *, at: float) -> None:
        """Add scenes to the run of this key, which begins with them if there is none; each counts once.

        One that was stopped is opened again, to be judged anew with all that it has by then.
        """
        with self._database.transaction() as connection:
            run = self._gathering(connection, run_key)
            if run is None and connection.execute(REOPEN, {"called": run_key}).rowcount:
                run = self._gathering(connection, run_key)
            if run is None:
                row = {"run_key": run_key, "cause": cause, "began_at": at, "reason": "", "totals": "{}"}
                connection.execute(insert(automatic_run), row)
                run = self._gathering(connection, run_key)
            rows = [{"run_id": run, "scene_id": scene_id} for scene_id in scene_ids]
            if rows:
                connection.execute(insert_or_keep(connection, automatic_run_scene), rows)

    def gathering(self, run_key: str) -> int | None:
        """Return the run of this key that is being gathered, None if there is none."""
        with self._database.reading() as connection:
            return self._gathering(connection, run_key)

    def key(self, run: int) -> str | None:
        """Return the key under which a run was gathered, None if there is no such run."""
        with self._database.reading() as connection:
            key: str | None = connection.execute(KEY, {"run": run}).scalar_one_or_none()
        return key

    def size(self, run: int) -> int:
        """Return how many scenes a run has."""
        with self._database.reading() as connection:
            count: int = connection.execute(SCENES, {"run": run}).scalar_one()
        return count

    def scenes(self, run: int) -> Iterator[int]:
        """Yield the run's scenes in the order of their ids."""
        page = self._scenes_after(run, 0)
        while page:
            yield from page
            page = self._scenes_after(run, page[-1])

    def stop(self, run: int, reason: str, totals: Mapping[str, Any]) -> None:
        """Keep a run until somebody decides."""
        with self._database.transaction() as connection:
            connection.execute(STOP, {"run": run, "why": reason, "how_much": json.dumps(dict(totals))})

    def stopped(self) -> tuple[StoppedRun, ...]:
        """Return the runs that wait for a person, oldest first."""
        with self._database.reading() as connection:
            return tuple(
                StoppedRun(run, key, cause, began_at, reason, json.loads(totals))
                for run, key, cause, began_at, reason, totals in connection.execute(STOPPED)
            )

    def stopped_scenes(self, run_key: str, scene_ids: Iterable[int]) -> set[int]:
        """Return those of the scenes that are in a stopped run of this key."""
        found: set[int] = set()
        with self._database.reading() as connection:
            for some in batched(scene_ids, SCENES_AT_ONCE):
                found.update(connection.execute(IN_STOPPED_RUN, {"called": run_key, "some": some}).scalars())
        return found

    def end(self, run: int, *, only_if_stopped: bool = False) -> bool:
        """Forget a run and its scenes; False if there was none, or if it should be stopped and is not (any more)."""
        with self._database.transaction() as connection:
            return connection.execute(END_STOPPED if only_if_stopped else END, {"run": run}).rowcount > 0

    def _scenes_after(self, run: int, last: int) -> list[int]:
        with self._database.reading() as connection:
            parameters = {"run": run, "last": last, "most": SCENES_AT_ONCE}
            return list(connection.execute(SCENES_AFTER, parameters).scalars())

    def _gathering(self, connection: Connection, run_key: str) -> int | None:
        run: int | None = connection.execute(GATHERING, {"called": run_key}).scalar_one_or_none()
        return run
