"""The application of the first run: the page and what it needs, behind the same door and limits as the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from scenesync.web import problems
from scenesync.web.first_run import pages
from scenesync.web.guard.attempts import WrongKeys
from scenesync.web.guard.door import Door
from scenesync.web.guard.hosts import Hosts
from scenesync.web.guard.keys import Keys
from scenesync.web.guard.limits import BodyLimit, Frame
from scenesync.web.pages import assets, login
from scenesync.web.pages.frame import Pages

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from scenesync.web.first_run.ports import SetUpDesk
    from scenesync.web.guard.one_time_code import OneTimeCode
    from scenesync.web.server import Address


def build_first_run(desk: SetUpDesk, address: Address, *, version: str, code: OneTimeCode | None) -> ASGIApp:
    """Return the application; ``code`` lets one person in once, None for nobody without the key."""
    keys = Keys(address.api_key, code)
    hosts = Hosts(address.trusted_hosts, address.host)
    app = FastAPI(title="SceneSync", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    problems.install(app)
    app.state.set_up = desk
    app.state.keys = keys
    app.state.wrong_logins = WrongKeys(login.MOST_WRONG, login.WITHIN_S)
    app.state.pages = Pages(address.base_path, version, navigation=())
    for router in (assets.router, login.router, pages.router):
        app.include_router(router)
    return Frame(BodyLimit(Door(app, keys, hosts, address.base_path)), hosts, address.base_path)
