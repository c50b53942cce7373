"""Put the application together: the routes of API and pages behind the door, limits in front of both."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread
from fastapi import FastAPI

from scenesync.web import problems
from scenesync.web.api import (
    dead_letters,
    health,
    journal,
    log,
    plans,
    queue,
    scenes,
    settings,
    status,
    stopped_runs,
    support,
    tasks,
)
from scenesync.web.event_stream import Audience
from scenesync.web.guard.attempts import WrongKeys
from scenesync.web.guard.door import Door
from scenesync.web.guard.hosts import Hosts
from scenesync.web.guard.keys import Keys
from scenesync.web.guard.limits import BodyLimit, Frame
from scenesync.web.models.common import Problem
from scenesync.web.pages import assets, coverage, login, outages, overview, progress, undo
from scenesync.web.pages import dead_letters as dead_letter_pages
from scenesync.web.pages import journal as journal_page
from scenesync.web.pages import log as log_page
from scenesync.web.pages import plans as plan_pages
from scenesync.web.pages import queue as queue_page
from scenesync.web.pages import scene as scene_page
from scenesync.web.pages import scenes as scene_pages
from scenesync.web.pages import settings as settings_page
from scenesync.web.pages import stopped as stopped_page
from scenesync.web.pages import tasks as tasks_page
from scenesync.web.pages.frame import Pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from scenesync.web.ports import Services
    from scenesync.web.server import Address

THREADS: Final = 8
"""Handlers work in so many threads at most: the page must never crowd out the work."""
PREFIX: Final = "/api/v1"
API_ROUTES: Final = (
    status.router,
    queue.router,
    dead_letters.router,
    scenes.router,
    journal.router,
    stopped_runs.router,
    plans.router,
    tasks.router,
    log.router,
    settings.router,
    support.router,
)
PAGE_ROUTES: Final = (
    assets.router,
    login.router,
    overview.router,
    scene_pages.router,
    scene_page.router,
    stopped_page.router,
    queue_page.router,
    dead_letter_pages.router,
    journal_page.router,
    undo.router,
    plan_pages.router,
    coverage.router,
    outages.router,
    tasks_page.router,
    log_page.router,
    settings_page.router,
    progress.router,
)


def build(services: Services, address: Address, *, version: str) -> tuple[ASGIApp, Audience]:
    """Return the application and who listens to its events."""
    keys = Keys(address.api_key)
    hosts = Hosts(address.trusted_hosts, address.host)
    audience = Audience(services.standing.status)
    app = _routes(version)
    app.state.services = services
    app.state.keys = keys
    app.state.audience = audience
    app.state.wrong_logins = WrongKeys(login.MOST_WRONG, login.WITHIN_S)
    app.state.pages = Pages(address.base_path, version, routes=address.routes)
    guarded = BodyLimit(Door(app, keys, hosts, address.base_path))
    return Frame(guarded, hosts, address.base_path), audience


def openapi_document(version: str) -> dict[str, Any]:
    """Return the document that describes the API."""
    return _routes(version).openapi()


class _Described(FastAPI):
    """Describes itself when somebody asks for it: the document is large, and few do."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the form of problems and the ways to present the key."""
        is_new = self.openapi_schema is None
        document = super().openapi()
        if is_new:
            _describe_problems_and_keys(document)
        return document


def _routes(version: str) -> FastAPI:
    app = _Described(
        title="SceneSync",
        version=version,
        summary="Carries every metadata change from Stash to Plex.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_few_threads,
        responses=problems.documented(),
        separate_input_output_schemas=False,
        redirect_slashes=False,
    )
    problems.install(app)
    for router in API_ROUTES:
        app.include_router(router, prefix=PREFIX)
    app.include_router(health.router)
    for router in PAGE_ROUTES:
        app.include_router(router, include_in_schema=False)
    return app


@asynccontextmanager
async def _few_threads(_app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def _describe_problems_and_keys(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    document["security"] = [{"key": []}, {"bearer": []}]
