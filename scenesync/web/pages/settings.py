"""Settings: what is in force, where it came from and what it means, and whether the servers that it names answer."""

from itertools import groupby
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from scenesync.domain.setting_origin import is_decided
from scenesync.web.asking import ServicesGiven, asking_servers
from scenesync.web.models.scenes import Setting
from scenesync.web.pages.frame import pages_of
from scenesync.web.pages.scenes import query

SERVERS: Final = {"stash": "Stash", "plex": "Plex"}

Which = Literal["all", "set"]

router = APIRouter()


@router.get("/settings")
def settings(
    request: Request,
    services: ServicesGiven,
    which: Which = "all",
    q: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "",
) -> Response:
    """Show them, all or those that somebody set, under their headings."""
    known = services.settings.all()
    by_key = {each.key: each for each in known}
    search = q.strip()
    asked = [each for each in known if is_meant(each, search)]
    decided = [each for each in asked if is_decided(each.origin)]
    shown = decided if which == "set" else asked
    return pages_of(request).render(
        request,
        "settings.html",
        is_decided=is_decided,
        sections=[(section, list(found)) for section, found in groupby(shown, key=lambda each: each.section)],
        tabs=[
            (name, title, len(found), query({"which": name, "q": search}))
            for name, title, found in (("all", "All", asked), ("set", "Set by somebody", decided))
        ],
        which=which,
        search=search,
        file=services.settings.file(),
        servers=[(name, title, by_key[f"{name}_url"].value) for name, title in SERVERS.items()],
    )


@router.post("/settings/test/{service}")
def test_connection(
    request: Request, services: ServicesGiven, service: Annotated[Literal["plex", "stash"], Path()]
) -> Response:
    """Ask a server whether it accepts us, and say what came of it."""
    with asking_servers():
        found = services.settings.test_connection(service)
    return pages_of(request).render(request, "connection.html", found=found, server=SERVERS[service])


def is_meant(setting: Setting, search: str) -> bool:
    """Say whether the words that are searched stand in a setting's name or meaning."""
    text = f"{setting.key} {setting.meaning} {setting.section}".casefold().replace("_", " ")
    return all(word in text for word in search.casefold().replace("_", " ").split())
