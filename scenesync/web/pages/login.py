"""Logging in with the API key, and out."""

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from scenesync.web.guard.door import COOKIE, LOGIN
from scenesync.web.guard.keys import SESSION_S, Keys
from scenesync.web.pages.frame import pages_of
from scenesync.web.problems import Unusable

if TYPE_CHECKING:
    from scenesync.web.guard.attempts import WrongKeys

MOST_WRONG: Final = 5
WITHIN_S: Final = 60.0
MOST_FIELDS: Final = 10_000
"""The first-run page sends one per library; a body of the largest size could hold half a million."""

router = APIRouter()


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form that was sent, the first of each name. Raises Unusable for more than MOST_FIELDS."""
    text = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:  # it has no other reason
        raise Unusable(f"A form has at most {MOST_FIELDS} fields.", code="invalid-request") from None
    return {name: values[0] for name, values in fields.items()}


Form = Annotated[dict[str, str], Depends(form_of)]


@router.get(LOGIN)
def login_page(request: Request, next_path: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Show where the key is asked for."""
    if getattr(request.state, "session", None) is not None:
        return RedirectResponse(pages_of(request).url(own_path(next_path)), HTTPStatus.SEE_OTHER)
    return _asked(request, own_path(next_path))


@router.post(LOGIN)
def log_in(request: Request, form: Form) -> Response:
    """Begin a session for who knows the key."""
    tries: WrongKeys = request.app.state.wrong_logins
    keys: Keys = request.app.state.keys
    pages = pages_of(request)
    address = request.client.host if request.client is not None else ""
    next_path = own_path(form.get("next", "/"))
    wait_s = tries.wait_s(address)
    if wait_s > 0:
        message = f"Too many wrong keys. Try again in {math.ceil(wait_s)} s."
        answer = _asked(request, next_path, message, HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(math.ceil(wait_s))
        return answer
    if not keys.lets_in(form.get("key", "").strip()):
        tries.failed(address)
        message = "That is not the code, or a newer one was printed." if keys.asks_for_code else "That is not the key."
        return _asked(request, next_path, message, HTTPStatus.FORBIDDEN)
    tries.forget(address)
    answer = RedirectResponse(pages.url(next_path), HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        COOKIE,
        keys.begin_session(),
        max_age=int(SESSION_S),
        path=pages.base_path or "/",
        secure=_is_over_tls(request),
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/logout")
def log_out(request: Request) -> Response:
    """End the session."""
    session = getattr(request.state, "session", None)
    if session is not None:
        request.app.state.keys.end_session(session)
    pages = pages_of(request)
    answer = Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": pages.url(LOGIN)})
    answer.delete_cookie(COOKIE, path=pages.base_path or "/", httponly=True, samesite="strict")
    return answer


def _asked(request: Request, next_path: str, message: str = "", http_status: int = HTTPStatus.OK) -> Response:
    return pages_of(request).render(
        request,
        "login.html",
        http_status=http_status,
        next_path=next_path,
        message=message,
        asks_for_code=request.app.state.keys.asks_for_code,
    )


def own_path(path: str) -> str:
    """Return a path of ours to go to, "/" for anything that could lead elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_ours else "/"


def _is_over_tls(request: Request) -> bool:
    """Say whether the browser speaks TLS, to us or to a proxy before us."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "")}
