"""Errors as problem+json (RFC 9457): one table from exceptions to what a caller is told."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from scenesync.domain.errors import PermanentError, StashUnavailable, TransientError
from scenesync.plex.exceptions import PlexServerDown
from scenesync.queue.errors import QueueError
from scenesync.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
URN: Final = "urn:scenesync:problem:"
RETRY_AFTER_S: Final = "5"
DATA_PATHS: Final = ("/api/", "/metrics", "/health/")
"""What programs ask for: there nobody is answered with a page."""


class ProblemError(Exception):
    """Something that a caller is told as it is; ``code`` names its kind."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal"

    def __init__(self, detail: str, *, code: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code


class NotFound(ProblemError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND
    code = "not-found"


class Conflict(ProblemError):
    """It cannot be done as things are."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class Unusable(ProblemError):
    """The request says something that means nothing."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unusable"


class Unavailable(ProblemError):
    """Not now; later it may work."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"


_UNAVAILABLE: Final = (
    (PlexServerDown, "plex-unreachable"),
    (StashUnavailable, "stash-unreachable"),
    (TransientError, "server-trouble"),
    (QueueError, "queue-unavailable"),
    (StoreError, "store-unavailable"),
    (OSError, "disk-trouble"),
)


def problem(status: int, code: str, detail: str = "", errors: Sequence[str] = ()) -> Response:
    """Return the answer that tells a problem."""
    document = {
        "type": URN + code,
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "errors": list(errors),
    }
    headers = {"Retry-After": RETRY_AFTER_S} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse(document, status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the application answer every exception as a problem."""
    app.add_middleware(Bugs)
    app.add_exception_handler(ProblemError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for error, _ in _UNAVAILABLE:
        app.add_exception_handler(error, _unavailable)
    app.add_exception_handler(PermanentError, _refused)


def _answer(request: Request, status: int, code: str, detail: str) -> Response:
    """Return the problem, as a page for who opened one in a browser."""
    if _wants_page(request):
        answer: Response = request.app.state.pages.problem(request, status, HTTPStatus(status).phrase, detail)
        return answer
    return problem(status, code, detail)


def _wants_page(request: Request) -> bool:
    is_page = not request.url.path.startswith(DATA_PATHS) and "hx-request" not in request.headers
    return is_page and "text/html" in request.headers.get("accept", "")


def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for nothing else
    return _answer(request, error.status, error.code, error.detail)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    if _wants_page(request):
        if all(each["loc"][0] == "path" for each in error.errors()):
            return _answer(request, HTTPStatus.NOT_FOUND, "not-found", "")
        return _answer(
            request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The address says what means nothing here."
        )
    # What was sent is not repeated: it may be a secret in the wrong place.
    errors = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    clean = [text.encode("utf-8", "replace").decode() for text in errors]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request is not valid.", clean)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    detail = str(error.detail)
    answer = _answer(request, error.status_code, code, "" if detail == HTTPStatus(error.status_code).phrase else detail)
    answer.headers.update(error.headers or {})
    return answer


def _unavailable(request: Request, error: Exception) -> Response:
    code = next(code for kind, code in _UNAVAILABLE if isinstance(error, kind))
    return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, code, str(error))


def _refused(request: Request, error: Exception) -> Response:
    return _answer(request, HTTPStatus.CONFLICT, "refused", str(error))


class Bugs:
    """An ASGI layer that answers what nobody expected, and keeps its traceback for the log alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer in place of an application that fails before it answered."""
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            log.exception("a request failed path=%s", scope.get("path"))
            if has_begun:
                raise  # the connection must not look as if the answer were whole
            words = "This is a fault of SceneSync; its log has the details."
            await problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", words)(scope, receive, send)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return these problems for the OpenAPI document, and those that every path may have."""
    everywhere = (400, 401, 403, 405, 413, 421, 422, 429, 503)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({*everywhere, *statuses})
    }
