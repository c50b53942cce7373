"""What ``doctor`` looks at where the state is kept by a database server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.app.distributed.loading import engines, shared_address
from scenesync.app.doctor.finding import Check, Verdict
from scenesync.app.settings import SettingsError
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenesync.app.distributed.standing import DatabaseStanding
    from scenesync.app.settings import Settings

OLDEST_SERVER: Final = 13
CLOCKS_APART_S: Final = 5.0
"""Retries, outages and the poll's cursor are kept by the machines' clocks, and compared between machines."""


def check_database(settings: Settings) -> Iterator[Check]:
    """Yield whether the database can be reached, is new enough, has the tables of this version, and keeps time."""
    if (address := shared_address(settings)) is None:
        return
    try:
        found = engines().standing(*address)
    except SettingsError as error:
        yield Check("database", Verdict.FAILED, str(error), "Install the extra, or unset database_url.")
        return
    except (StoreError, QueueError) as error:
        yield Check("database", Verdict.FAILED, str(error), "Check database_url, and that the server lets you in.")
        return
    yield _judge_server(found)
    yield _judge_schema(found)
    if abs(found.clock_ahead_s) > CLOCKS_APART_S:
        direction = "ahead of" if found.clock_ahead_s > 0 else "behind"
        yield Check(
            "database",
            Verdict.WARNING,
            f"its clock is {abs(found.clock_ahead_s):.0f} s {direction} this machine's",
            "Let all machines keep time by NTP.",
        )


def _judge_server(found: DatabaseStanding) -> Check:
    where = f"PostgreSQL {found.server_version}, {found.name}, schema {found.schema}"
    if found.server_major < OLDEST_SERVER:
        return Check("database", Verdict.FAILED, where, f"SceneSync needs PostgreSQL {OLDEST_SERVER} or newer.")
    return Check("database", Verdict.OK, where)


def _judge_schema(found: DatabaseStanding) -> Check:
    if found.version is None:
        return Check("database", Verdict.OK, "nothing in it yet; what is needed is made when it is first used")
    if found.is_current:
        newer = f" (this SceneSync knows {found.needs})" if found.version > found.needs else ""
        return Check("database", Verdict.OK, f"state store version {found.version}{newer}, queue complete")
    missing = len(found.missing_state) + len(found.missing_queue)
    return Check(
        "database", Verdict.FAILED, f"{missing} steps of its tables are missing", "Run `scenesync db upgrade`."
    )
