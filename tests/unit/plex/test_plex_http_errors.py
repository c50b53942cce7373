"""The two tables, row by row."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime

import pytest
from urllib3 import exceptions as urllib3_errors

from scenesync.domain.errors import PermanentError, TransientError
from scenesync.plex.exceptions import (
    PlexBusy,
    PlexError,
    PlexNotFound,
    PlexPermanentError,
    PlexServerDown,
    PlexTemporaryError,
    PlexUnauthorized,
)
from scenesync.plex.http_errors import (
    ADVICE,
    EXCEPTION_CAUSES,
    Cause,
    NoAnswer,
    asks_for_life,
    error_for_failed_write,
    error_for_silence,
    error_for_status,
    retry_after_s,
)
from scenesync.plex.request import RawAnswer, Request

READ = Request("GET", "/library/metadata/1201", "skipRefresh=1")
WRITE = Request("PUT", "/library/sections/4/all", "type=1&id=1201&title.value=Private&title.locked=1")
NOW = 1_700_000_000.0


def exception_classes() -> list[type[Exception]]:
    classes = [thing for _, thing in inspect.getmembers(urllib3_errors, inspect.isclass)]
    own = [thing for thing in classes if thing.__module__ == urllib3_errors.__name__ and issubclass(thing, Exception)]
    return [thing for thing in own if not issubclass(thing, Warning)]


def test_the_walk_finds_the_exceptions() -> None:
    assert len(exception_classes()) > 25


@pytest.mark.parametrize("kind", exception_classes(), ids=lambda kind: kind.__name__)
def test_every_exception_of_urllib3_has_a_row(kind: type[Exception]) -> None:
    assert kind in EXCEPTION_CAUSES


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204 + 100, PlexTemporaryError),
        (302, PlexTemporaryError),
        (400, PlexPermanentError),
        (401, PlexUnauthorized),
        (403, PlexPermanentError),
        (404, PlexNotFound),
        (405, PlexPermanentError),
        (408, PlexTemporaryError),
        (409, PlexPermanentError),
        (414, PlexPermanentError),
        (425, PlexTemporaryError),
        (429, PlexTemporaryError),
        (451, PlexPermanentError),
        (498, PlexUnauthorized),
        (500, PlexTemporaryError),
        (501, PlexTemporaryError),
        (502, PlexServerDown),
        (503, PlexServerDown),
        (504, PlexServerDown),
        (507, PlexTemporaryError),
        (520, PlexTemporaryError),
        (521, PlexServerDown),
        (522, PlexServerDown),
        (523, PlexServerDown),
        (799, PlexTemporaryError),
    ],
)
def test_a_status_means_one_error(status: int, error: type[PlexError]) -> None:
    found = error_for_status(READ, RawAnswer(status), now=NOW)

    assert type(found) is error
    assert found.status == status
    assert isinstance(found, PermanentError) is (error is PlexPermanentError)
    assert isinstance(found, TransientError) is (error is not PlexPermanentError)
    assert "GET /library/metadata/1201" in str(found)
    assert str(status) in str(found)
    assert "skipRefresh" not in str(found)


def test_maintenance_is_named() -> None:
    body = b'{"code":503,"title":"Maintenance","status":"Plex Media Server is currently running startup tasks."}'

    found = error_for_status(READ, RawAnswer(503, {}, body), now=NOW)

    assert type(found) is PlexServerDown
    assert "503 (Maintenance)" in str(found)


@pytest.mark.parametrize("body", [b"", b"[", b"[" * 5000, b'"x"', b"\xff\xfe", b'{"title": 3}', b'{"title":"a\\nb"}'])
def test_a_503_with_any_body_is_an_outage(body: bytes) -> None:
    assert type(error_for_status(READ, RawAnswer(503, {}, body), now=NOW)) is PlexServerDown


def test_the_other_shape_of_a_start_up_is_an_outage() -> None:
    body = b"<html>The server is STILL starting up. Please retry later</html>"

    assert type(error_for_status(WRITE, RawAnswer(400, {}, body), now=NOW)) is PlexServerDown
    assert type(error_for_status(WRITE, RawAnswer(403, {}, body), now=NOW)) is PlexPermanentError


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("99999999999999999999", 3600.0),
        (datetime.fromtimestamp(NOW + 90, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"), 90.0),
        (datetime.fromtimestamp(NOW - 90, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"), 0.0),
        ("Mon, 01 Jan 2300 00:00:00", 3600.0),
        ("", None),
        ("-3", None),
        ("soon", None),
        ("٣", None),
    ],
)
def test_retry_after_is_understood(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


def test_a_429_carries_what_it_asks_for() -> None:
    found = error_for_status(READ, RawAnswer(429, {"retry-after": "12"}), now=NOW)

    assert isinstance(found, PlexTemporaryError)
    assert found.retry_after_s == 12.0


@pytest.mark.parametrize(
    ("request_", "cause", "answering", "alive", "error"),
    [
        (READ, Cause.UNREACHABLE, False, False, PlexServerDown),
        (WRITE, Cause.UNREACHABLE, False, False, PlexServerDown),
        (READ, Cause.TLS, False, False, PlexServerDown),
        (READ, Cause.ADDRESS, False, False, PlexServerDown),
        (READ, Cause.SILENT, False, True, PlexTemporaryError),
        (READ, Cause.SILENT, False, False, PlexServerDown),
        (READ, Cause.SILENT, True, True, PlexTemporaryError),
        (READ, Cause.SILENT, True, False, PlexServerDown),
        (READ, Cause.CUT, False, False, PlexServerDown),
        (READ, Cause.CUT, True, False, PlexTemporaryError),
        (READ, Cause.TLS, True, False, PlexTemporaryError),
        (READ, Cause.GARBLED, False, False, PlexTemporaryError),
        (READ, Cause.CROWDED, False, False, PlexTemporaryError),
        (READ, Cause.CLOSED, False, False, PlexTemporaryError),
        (WRITE, Cause.SILENT, False, True, PlexBusy),
        (WRITE, Cause.SILENT, False, False, PlexServerDown),
        (WRITE, Cause.CUT, False, True, PlexBusy),
        (WRITE, Cause.CUT, False, False, PlexServerDown),
        (WRITE, Cause.CUT, True, True, PlexBusy),
        (WRITE, Cause.GARBLED, True, True, PlexBusy),
        (WRITE, Cause.CROWDED, False, True, PlexTemporaryError),
    ],
)
def test_silence_means_one_error(
    request_: Request, cause: Cause, error: type[PlexError], *, answering: bool, alive: bool
) -> None:
    found = error_for_silence(request_, NoAnswer(cause, detail="why", answering=answering), alive=alive)

    assert type(found) is error
    assert "(why)" in str(found)
    assert "Private" not in str(found)


def test_plex_is_asked_whether_it_lives_only_where_the_answer_matters() -> None:
    asked = {
        (request.method, cause, answering)
        for request in (READ, WRITE)
        for cause in Cause
        for answering in (False, True)
        if asks_for_life(request, NoAnswer(cause, answering=answering))
    }

    assert {(method, cause) for method, cause, answering in asked if not answering} == {
        ("GET", Cause.SILENT),
        ("PUT", Cause.SILENT),
        ("PUT", Cause.CUT),
        ("PUT", Cause.GARBLED),
    }


def test_a_failed_write_is_busy_only_while_plex_lives() -> None:
    assert type(error_for_failed_write(WRITE, 500, alive=True)) is PlexBusy
    assert type(error_for_failed_write(WRITE, 500, alive=False)) is PlexServerDown


@pytest.mark.parametrize("cause", ADVICE)
def test_causes_in_the_settings_name_the_setting(cause: Cause) -> None:
    assert "plex_" in str(error_for_silence(READ, NoAnswer(cause), alive=False))
