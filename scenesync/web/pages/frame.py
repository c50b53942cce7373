"""The frame of every page: templates, navigation, addresses under the base path, errors that people can read.

A page is added in four steps: a module beside this one with a router, a template that extends ``base.html``, a line in
NAVIGATION, and its router in ``application.PAGE_ROUTES``. Its data comes from ``ports.Services`` like the API's.
"""

from __future__ import annotations

import asyncio
import time
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

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
TOGETHER_S: Final = 0.5
"""Pages hear of a change at one moment and ask half a second later (static/app.js): one answer is for all of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page in the navigation."""

    path: str
    title: str


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


class Pages:
    """Renders templates; every text is escaped, and a name that a template misspells is an error."""

    def __init__(self, base_path: str, version: str, navigation: Sequence[Place] = NAVIGATION) -> None:
        self.base_path = base_path
        self.assets = Assets()
        self._making = asyncio.Lock()
        self._times_forgotten = 0
        self._made: dict[str, tuple[float, bytes]] = {}
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
            **context,
        }
        return HTMLResponse(self._templates.get_template(template).render(known), http_status)

    async def shared(self, key: str, make: Callable[[], HTMLResponse]) -> Response:
        """Return a part of a page that is the same for everybody, made anew when it is older than TOGETHER_S.

        ``make`` runs in a thread; who asks meanwhile waits for it without one.
        """
        async with self._making:
            made = self._made.get(key)
            if made is None or time.monotonic() - made[0] >= TOGETHER_S:
                begun_at, times_forgotten = time.monotonic(), self._times_forgotten
                made = begun_at, bytes((await to_thread.run_sync(make)).body)
                if times_forgotten == self._times_forgotten:
                    self._made[key] = made
        return HTMLResponse(made[1])

    def forget(self, key: str) -> None:
        """Have a part that is shared made anew when it is next asked for: somebody changed what it shows."""
        self._times_forgotten += 1
        self._made.pop(key, None)

    def problem(self, request: Request, status: int, title: str, detail: str) -> HTMLResponse:
        """Return a page that tells a problem."""
        return self.render(request, "problem.html", http_status=status, title=title, detail=detail)

    def _asset(self, file: str) -> str:
        return self.url(f"/static/{self.assets.name_of(file)}")


def pages_of(request: Request) -> Pages:
    """Return the pages of the application that was asked."""
    pages: Pages = request.app.state.pages
    return pages
