"""The frame of every page: templates, navigation, addresses under the base path, errors that people can read.

A page is added in four steps: a module beside this one with a router, a template that extends ``base.html``, a line in
NAVIGATION, and its router in ``application.PAGE_ROUTES``. Its data comes from ``ports.Services`` like the API's.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from scenesync.domain import scene_words
from scenesync.domain.quantities import counted, span
from scenesync.web.pages import error_words, words
from scenesync.web.pages.assets import Assets
from scenesync.web.pages.differences import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from scenesync.web.server import RouteDoor

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
TOGETHER_S: Final = 0.5
"""Pages hear of a change at one moment and ask half a second later (static/app.js): one answer is for all of them."""
STILL_GOOD_S: Final = 5.0
"""How old a part may be that is shown to who finds it being made: one from before a pause would mislead."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page in the navigation."""

    path: str
    title: str


@dataclass(frozen=True, slots=True)
class RouteLink:
    """The dashboard of a route, as a page leads to it."""

    name: str
    address: str
    is_here: bool


NAVIGATION: Final = (
    Place("/", "Overview"),
    Place("/scenes", "Scenes"),
    Place("/queue", "Queue"),
    Place("/dead-letters", "Dead letters"),
    Place("/journal", "Journal"),
    Place("/plan", "Plan"),
    Place("/coverage", "Coverage"),
    Place("/outages", "Outages"),
    Place("/tasks", "Tasks"),
    Place("/log", "Log"),
    Place("/settings", "Settings"),
)


@dataclass(frozen=True, slots=True)
class _Made:
    """A part as it was made: ``begun_at`` (monotonic), and the mark that its part had then."""

    mark: object
    begun_at: float
    body: bytes


class _Part:
    """A part that pages share. The loop makes it; any thread may give it a new mark, which what was made lacks then."""

    def __init__(self) -> None:
        self.making = asyncio.Lock()
        self.mark = object()
        self.made: _Made | None = None

    def made_within(self, age_s: float) -> bytes | None:
        """Return it as it was made last, None if that was forgotten or is older."""
        made = self.made
        if made is None or made.mark is not self.mark or time.monotonic() - made.begun_at >= age_s:
            return None
        return made.body


class Pages:
    """Renders templates; every text is escaped, and a name that a template misspells is an error."""

    def __init__(
        self,
        base_path: str,
        version: str,
        navigation: Sequence[Place] = NAVIGATION,
        routes: Sequence[RouteDoor] = (),
    ) -> None:
        self.base_path = base_path
        self._routes = routes
        self.assets = Assets()
        self._parts: defaultdict[str, _Part] = defaultdict(_Part)
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(
            url=self.url,
            asset=self._asset,
            navigation=navigation,
            version=version,
            counted=counted,
            pieces=pieces,
            class_name=scene_words.class_name,
            standing_detail=scene_words.standing_detail,
            utc_offset_s=words.utc_offset_s,
        )
        self._templates.filters.update(
            moment=words.moment,
            clock=words.clock,
            iso=words.iso,
            ago=words.ago,
            ahead=words.ahead,
            every=words.every,
            span=span,
            grouped=words.grouped,
            ticked=words.ticked,
            setting_lines=words.setting_lines,
            error_name=error_words.error_name,
            state_name=scene_words.state_name,
            outcome_name=scene_words.outcome_name,
            rule_name=scene_words.rule_name,
            field_name=scene_words.field_name,
            verdict_words=scene_words.verdict_words,
        )

    def url(self, path: str) -> str:
        """Return the address of a path of ours, as the browser has to ask for it."""
        return self.base_path + path

    def render(
        self,
        request: Request,
        template: str,
        *,
        http_status: int = HTTPStatus.OK,
        **context: Any,  # noqa: ANN401
    ) -> HTMLResponse:
        """Return a page or a part of one; ``place`` is where the navigation stands."""
        session = getattr(request.state, "session", None)
        known = {
            "csrf_token": session.csrf_token if session is not None else "",
            "is_logged_in": session is not None,
            "place": request.url.path,
            "routes": [RouteLink(each.name, _address(each, request), each.is_here) for each in self._routes],
            **context,
        }
        return HTMLResponse(self._templates.get_template(template).render(known), http_status)

    async def shared(self, key: str, make: Callable[[], HTMLResponse]) -> Response:
        """Return a part of a page that is the same for everybody, made anew when it is older than TOGETHER_S.

        ``make`` runs in a thread. Who asks meanwhile gets the one before, unless that is older than STILL_GOOD_S or was
        forgotten: then they wait for the new one, without a thread. No part waits for another.
        """
        part = self._parts[key]
        if part.making.locked() and (before := part.made_within(STILL_GOOD_S)) is not None:
            return HTMLResponse(before)
        async with part.making:
            body = part.made_within(TOGETHER_S)
            if body is None:
                mark, begun_at = part.mark, time.monotonic()
                body = bytes((await to_thread.run_sync(make)).body)
                part.made = _Made(mark, begun_at, body)
        return HTMLResponse(body)

    def forget(self, key: str) -> None:
        """Have a part that is shared made anew when it is next asked for: somebody changed what it shows."""
        part = self._parts.get(key)
        if part is not None:
            part.mark = object()

    def problem(self, request: Request, status: int, title: str, detail: str) -> HTMLResponse:
        """Return a page that tells a problem."""
        return self.render(request, "problem.html", http_status=status, title=title, detail=detail)

    def _asset(self, file: str) -> str:
        return self.url(f"/static/{self.assets.name_of(file)}")


def _address(route: RouteDoor, request: Request) -> str:
    """Return where the browser finds the dashboard of a route: beside this one, "" if that is not known."""
    if route.base_path:
        return f"{route.base_path}/"
    host = request.url.hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    return f"{request.url.scheme}://{shown}:{route.port}/" if route.port else ""


def pages_of(request: Request) -> Pages:
    """Return the pages of the application that was asked."""
    pages: Pages = request.app.state.pages
    return pages
