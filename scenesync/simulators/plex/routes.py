"""Which endpoint answers which request."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scenesync.simulators.http_server import Request, Response, Upgrade
from scenesync.simulators.plex import reading, writing
from scenesync.simulators.plex.state import Call, Kind, PlexState

Endpoint = Callable[[PlexState, Call], Response | Upgrade]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. ``admin`` requests need the owner's token; ``writes`` take the writer's turn."""

    methods: frozenset[str]
    pattern: re.Pattern[str]
    kind: Kind
    endpoint: Endpoint
    writes: bool = False
    admin: bool = False
    open_to_all: bool = False


def _read(pattern: str, kind: Kind, endpoint: Endpoint, *, open_to_all: bool = False) -> Route:
    return Route(frozenset({"GET", "HEAD"}), re.compile(pattern), kind, endpoint, open_to_all=open_to_all)


def _write(methods: str, pattern: str, kind: Kind, endpoint: Endpoint) -> Route:
    return Route(frozenset(methods.split()), re.compile(pattern), kind, endpoint, writes=True, admin=True)


_SECTION: Final = r"/library/sections/(?P<section>\d+)"
_ITEM: Final = r"/library/metadata/(?P<id>\d+)"
_ITEMS: Final = r"/library/metadata/(?P<ids>\d+(?:,\d+)*)"
_COLLECTION: Final = r"/library/collections/(?P<id>\d+)"
_LISTED_IMAGES: Final = r"(?P<element>posters|arts)"
_IMAGE: Final = r"(?P<element>posters|poster|thumbs|thumb|arts|art)"

# The most frequent first; the first that fits answers.
ROUTES: Final = (
    _read(rf"{_SECTION}/(?:all|collections)", Kind.LIST, reading.listing),
    _read(_ITEMS, Kind.READ, reading.metadata),
    _write("PUT", rf"{_SECTION}/all", Kind.EDIT, writing.edit_section),
    _write("PUT", _ITEMS, Kind.EDIT, writing.edit_metadata),
    _read("/identity", Kind.IDENTITY, reading.identity, open_to_all=True),
    _read("/:/websockets?/notifications", Kind.NOTIFICATIONS, reading.notifications),
    _read("/", Kind.SERVER, reading.server_info),
    _read("/library/?", Kind.SERVER, reading.library_root),
    _read("/activities", Kind.SERVER, reading.activities),
    _read("/library/sections/?(?:all)?", Kind.SECTIONS, reading.sections),
    _read(_SECTION, Kind.SECTIONS, reading.section),
    _read(rf"{_ITEM}/{_LISTED_IMAGES}", Kind.IMAGE_LIST, reading.image_list),
    _read(rf"{_ITEM}/{_IMAGE}(?:/\d+)?", Kind.IMAGE_READ, reading.current_image),
    _read(rf"{_ITEM}/file", Kind.IMAGE_READ, reading.image_file),
    _read("/photo/:/transcode", Kind.IMAGE_READ, reading.transcoded_image),
    _write("POST", rf"{_ITEM}/{_IMAGE}", Kind.IMAGE, writing.upload_image),
    _write("PUT", rf"{_ITEM}/{_IMAGE}", Kind.IMAGE, writing.select_image),
    _write("DELETE", rf"{_ITEM}/{_IMAGE}", Kind.IMAGE, writing.remove_image),
    _write("PUT", "/:/rate", Kind.RATE, writing.rate),
    _read(rf"{_COLLECTION}/(?:children|items)", Kind.LIST, reading.collection_children),
    _read("/library/collections/(?P<ids>[0-9]+)", Kind.READ, reading.metadata),
    _write("POST", "/library/collections", Kind.COLLECTION, writing.create_collection),
    _write("PUT", rf"{_COLLECTION}/items", Kind.COLLECTION, writing.add_to_collection),
    _write("PUT DELETE", rf"{_COLLECTION}/items/(?P<item>\d+)", Kind.COLLECTION, writing.leave_collection),
    _write("PUT", rf"{_COLLECTION}/items/(?P<item>\d+)/move", Kind.COLLECTION, writing.move_in_collection),
    _write("PUT", r"/library/(?:collections|metadata)/(?P<id>\d+)/prefs", Kind.COLLECTION, writing.set_preferences),
    _write("DELETE", _COLLECTION, Kind.COLLECTION, writing.delete_collection),
    _write("DELETE", rf"{_SECTION}/collection/(?P<id>\d+)", Kind.COLLECTION, writing.delete_collection),
    Route(frozenset({"GET", "POST", "PUT"}), re.compile(rf"{_SECTION}/refresh"), Kind.SCAN, writing.scan, admin=True),
    _write("PUT", rf"{_SECTION}/emptyTrash", Kind.DELETE, writing.empty_trash),
    _write("PUT", rf"{_ITEMS}/refresh", Kind.REFRESH, writing.refresh_item),
    _write("PUT", rf"{_ITEMS}/analyze", Kind.REFRESH, writing.analyze_item),
    _write("DELETE", _ITEM, Kind.DELETE, writing.delete_item),
    _read(rf"{_SECTION}/(?P<tag>\w+)", Kind.CHOICES, reading.choices),
)


def find_route(request: Request) -> tuple[Route, Call] | None:
    """Return the route of a request and the request as the endpoint sees it.

    A wrong verb is answered like a wrong path, with 404, as real servers do.
    """
    for route in ROUTES:
        if request.method in route.methods:
            parts = route.pattern.fullmatch(request.path)
            if parts is not None:
                return route, Call(request, parts.groupdict())
    return None
