"""The endpoints that change nothing."""

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from scenesync.simulators.http_server import Response, Upgrade
from scenesync.simulators.plex import rendering
from scenesync.simulators.plex.describing import FULL, Projection, describe, describe_image
from scenesync.simulators.plex.filter_menu import filter_menu
from scenesync.simulators.plex.images import IMAGE_KINDS, content_type
from scenesync.simulators.plex.model import COLLECTION_TYPE, PlexCollection, PlexItem, PlexLibrary
from scenesync.simulators.plex.rendering import Attribute, Container, Element, error_page, respond
from scenesync.simulators.plex.selection import page, select
from scenesync.simulators.plex.state import Call, PlexState
from scenesync.simulators.plex.tags import TAG_ELEMENTS

_IDENTIFIER: Final = "com.plexapp.plugins.library"
# From API version 1.0 on, includeFields means "only these"; before, "these too".
_FIRST_API_WITH_ONLY: Final = 1.0


def identity(state: PlexState, call: Call) -> Response:
    """``GET /identity``: the one endpoint without a token."""
    attributes: dict[str, Attribute] = {
        "size": 0,
        "claimed": True,
        "machineIdentifier": state.machine_identifier,
        "version": state.version,
    }
    return respond(Container(attributes), as_json=call.as_json)


def server_info(state: PlexState, call: Call) -> Response:
    """``GET /``."""
    attributes: dict[str, Attribute] = {
        "size": 2,
        "allowSync": True,
        "friendlyName": "Simulated Plex",
        "machineIdentifier": state.machine_identifier,
        "myPlex": True,
        "myPlexSigninState": "ok",
        "myPlexSubscription": True,
        "platform": "Linux",
        "platformVersion": "6.1",
        "updatedAt": state.catalogue.now,
        "version": state.version,
    }
    children = tuple(Element("Directory", {"count": 1, "key": key, "title": key}) for key in ("activities", "library"))
    return respond(Container(attributes, children), as_json=call.as_json)


def library_root(_state: PlexState, call: Call) -> Response:
    """``GET /library``."""
    attributes: dict[str, Attribute] = {"size": 1, "allowSync": False, "identifier": _IDENTIFIER, "title1": "Library"}
    children = (Element("Directory", {"key": "sections", "title": "Library Sections"}),)
    return respond(Container(attributes, children), as_json=call.as_json)


def notifications(state: PlexState, call: Call) -> Response | Upgrade:
    """``GET /:/websockets/notifications``: becomes a websocket."""
    return state.listen(call)


def activities(_state: PlexState, call: Call) -> Response:
    """``GET /activities``: nothing is ever going on for long."""
    return respond(Container({"size": 0}), as_json=call.as_json)


def sections(state: PlexState, call: Call) -> Response:
    """``GET /library/sections`` and ``/library/sections/all``."""
    children = tuple(_section(library) for library in state.catalogue.libraries.values())
    attributes: dict[str, Attribute] = {"size": len(children), "allowSync": False, "title1": "Plex Library"}
    return respond(Container(attributes, children), as_json=call.as_json)


def section(state: PlexState, call: Call) -> Response:
    """``GET /library/sections/{id}``: the menu of a library."""
    library = state.catalogue.libraries.get(call.path["section"])
    if library is None:
        return error_page(404)
    children = tuple(
        Element("Directory", {"key": key, "title": title})
        for key, title in (("all", "All"), ("collections", "By Collection"))
    )
    attributes = {"size": len(children), "content": "secondary", "identifier": _IDENTIFIER, **_hoisted(library)}
    return respond(Container(attributes, children), as_json=call.as_json)


def listing(state: PlexState, call: Call) -> Response:
    """``GET /library/sections/{id}/all`` and ``…/collections``: paged, filtered, truncated."""
    library = state.catalogue.libraries.get(call.path["section"])
    if library is None:
        return error_page(404)
    query = call.request.query
    if call.request.path.endswith("/collections"):
        query = (*(pair for pair in query if pair[0] != "type"), ("type", COLLECTION_TYPE))
    start, size = _paging(call)
    found = page(select(library, query, state.behaviour), start, size, state.behaviour.page_size_cap)
    projection = _listing_projection(state, call)
    attributes: dict[str, Attribute] = {"size": len(found.items)}
    headers: tuple[tuple[str, str], ...] = (("X-Plex-Container-Start", str(found.offset)),)
    if state.behaviour.total_size_reported:
        total = found.total + state.behaviour.counted_not_listed
        attributes["totalSize"] = total
        headers += (("X-Plex-Container-Total-Size", str(total)),)
    attributes |= {"offset": found.offset, "allowSync": True, "identifier": _IDENTIFIER, **_hoisted(library)}
    children = (filter_menu(library, call.request.path),) if call.option("includeMeta") == "1" else ()
    fragments = tuple(_fragment(state, item, library, projection, as_json=call.as_json) for item in found.items)
    answer = respond(Container(attributes, children, fragments), as_json=call.as_json, headers=headers)
    if state.on_page is not None:
        state.on_page(found.offset)
    return answer


def metadata(state: PlexState, call: Call) -> Response:
    """``GET /library/metadata/{a,b,c}``: complete items; missing ones are left out, 404 if all are missing."""
    keys = dict.fromkeys(call.path["ids"].split(","))
    return full_items(state, call, [item for item in map(state.catalogue.entries.get, keys) if item is not None])


def full_items(state: PlexState, call: Call, items: list[PlexItem]) -> Response:
    """Return complete items in a container; 404 without any."""
    if not items:
        return error_page(404)
    library = state.catalogue.library_of(items[0])
    attributes: dict[str, Attribute] = {"size": len(items), "allowSync": True, "identifier": _IDENTIFIER}
    attributes |= _hoisted(library)
    as_json = call.as_json
    fragments = tuple(_fragment(state, item, state.catalogue.library_of(item), FULL, as_json=as_json) for item in items)
    return respond(Container(attributes, (), fragments), as_json=as_json)


def collection_children(state: PlexState, call: Call) -> Response:
    """``GET /library/collections/{id}/children``: the members, as in a listing."""
    found = state.catalogue.entries.get(call.path["id"])
    if not isinstance(found, PlexCollection):
        return error_page(404)
    library = state.catalogue.library_of(found)
    members = _in_shown_order(found, [library.items[key] for key in found.members])
    start, size = _paging(call)
    shown = page(members, start, size, state.behaviour.page_size_cap)
    projection = _listing_projection(state, call)
    attributes: dict[str, Attribute] = {"size": len(shown.items), "totalSize": shown.total, "offset": shown.offset}
    fragments = tuple(_fragment(state, item, library, projection, as_json=call.as_json) for item in shown.items)
    return respond(Container(attributes | _hoisted(library), (), fragments), as_json=call.as_json)


def _in_shown_order(collection: PlexCollection, members: list[PlexItem]) -> list[PlexItem]:
    """Return members by release (as at first), by title or as they were put, as ``collectionSort`` says."""
    match collection.text("collectionSort"):
        case "2":
            return members
        case "1":
            return sorted(members, key=lambda item: item.title_sort.casefold())
        case _:
            return sorted(members, key=lambda item: item.originally_available_at)


def choices(state: PlexState, call: Call) -> Response:
    """``GET /library/sections/{id}/genre`` and its like: the tags in use, as ``Directory`` also in JSON."""
    library = state.catalogue.libraries.get(call.path["section"])
    kind = call.path["tag"]
    if library is None or kind not in TAG_ELEMENTS:
        return error_page(404)
    used = {use.tag.id: use.tag for item in library.items.values() for use in item.tags.get(kind, ())}
    children = tuple(
        Element(
            "Directory",
            {
                "fastKey": f"/library/sections/{library.key}/all?{kind}={tag.id}",
                "key": str(tag.id),
                "title": tag.name,
                "type": kind,
            },
        )
        for tag in sorted(used.values(), key=lambda tag: tag.name.casefold())
    )
    return respond(Container({"size": len(children), **_hoisted(library)}, children), as_json=call.as_json)


def image_list(state: PlexState, call: Call) -> Response:
    """``GET /library/metadata/{id}/posters`` or ``/arts``: all candidates."""
    item = state.catalogue.entries.get(call.path["id"])
    kind = IMAGE_KINDS.get(call.path["element"])
    if item is None or kind is None:
        return error_page(404)
    children = describe_image(item, kind)
    return respond(Container({"size": len(children), "identifier": _IDENTIFIER}, children), as_json=call.as_json)


def current_image(state: PlexState, call: Call) -> Response:
    """``GET /library/metadata/{id}/thumb/{timestamp}``: the bytes of the selected image."""
    item = state.catalogue.entries.get(call.path["id"])
    kind = IMAGE_KINDS.get(call.path["element"])
    image = None if item is None or kind is None else next((one for one in item.images(kind) if one.selected), None)
    return error_page(404) if image is None else _bytes(image.data)


def image_file(state: PlexState, call: Call) -> Response:
    """``GET /library/metadata/{id}/file?url=``: the bytes of any candidate.

    The key must be percent-encoded throughout, ``:`` and ``/`` too, or the answer is 404 (python-plexapi issue 179).
    """
    item = state.catalogue.entries.get(call.path["id"])
    key = call.option("url")
    if item is None or key is None or quote(key, safe="") not in call.request.raw_query:
        return error_page(404)
    image = next((one for one in item.posters + item.arts if one.key == key), None)
    return error_page(404) if image is None else _bytes(image.data)


def transcoded_image(state: PlexState, call: Call) -> Response:
    """``GET /photo/:/transcode?url=``: here always the image in its own size."""
    inner = urlsplit(call.option("url") or "")
    parts = inner.path.strip("/").split("/")
    if parts[:2] != ["library", "metadata"] or len(parts) < 4:  # noqa: PLR2004 - /library/metadata/{id}/{element}
        return error_page(400)
    item = state.catalogue.entries.get(parts[2])
    images = () if item is None else item.posters + item.arts
    if parts[3] == "file":
        wanted = unquote(dict(parse_qsl(inner.query)).get("url", ""))
        image = next((one for one in images if one.key == wanted), None)
    else:
        kind = IMAGE_KINDS.get(parts[3])
        image = None if item is None or kind is None else next((one for one in item.images(kind) if one.selected), None)
    return error_page(404) if image is None else _bytes(image.data)


def _bytes(data: bytes) -> Response:
    return Response(200, data, (("Content-Type", content_type(data)),))


def _section(library: PlexLibrary) -> Element:
    locations = tuple(
        Element("Location", {"id": number, "path": root}) for number, root in enumerate(library.roots, start=1)
    )
    return Element(
        "Directory",
        {
            "allowSync": True,
            "filters": True,
            "refreshing": library.scans_queued > 0,
            "key": library.key,
            "type": library.type,
            "title": library.title,
            "agent": library.agent,
            "scanner": library.scanner,
            "language": "xn",
            "uuid": library.uuid,
            "updatedAt": library.created_at,
            "createdAt": library.created_at,
            "scannedAt": library.scanned_at,
            "content": True,
            "directory": True,
            "contentChangedAt": library.revision,
            "hidden": 0,
        },
        locations,
    )


def _hoisted(library: PlexLibrary) -> dict[str, Attribute]:
    return {
        "librarySectionID": int(library.key),
        "librarySectionTitle": library.title,
        "librarySectionUUID": library.uuid,
    }


def _paging(call: Call) -> tuple[int, int | None]:
    start, size = call.plex_option("X-Plex-Container-Start"), call.plex_option("X-Plex-Container-Size")
    return (
        int(start) if start is not None and start.isdecimal() else 0,
        int(size) if size is not None and size.isdecimal() else None,
    )


def _listing_projection(state: PlexState, call: Call) -> Projection:
    lax = state.behaviour.listing == "lax"
    if not state.behaviour.honours_projection:
        return Projection(listed=True, lax=lax)
    api = call.plex_option("X-Plex-Pms-Api-Version") or "0.0"
    only = float(".".join(api.split(".")[:2])) >= _FIRST_API_WITH_ONLY
    return Projection(
        listed=True,
        lax=lax,
        without_elements=_names(call, "excludeElements") or frozenset(),
        without_fields=_names(call, "excludeFields") or frozenset(),
        only_elements=_names(call, "includeElements") if only else None,
        only_fields=_names(call, "includeFields") if only else None,
    )


def _names(call: Call, option: str) -> frozenset[str] | None:
    value = call.option(option)
    return None if value is None else frozenset(value.split(","))


def _fragment(state: PlexState, item: PlexItem, library: PlexLibrary, projection: Projection, *, as_json: bool) -> str:
    if isinstance(item, PlexCollection):  # shows how many members it has, which changes without an edit of its own
        return rendering.render(describe(item, library, projection), as_json=as_json)
    # A photo belongs to the actor: it changes items that nobody edited, where photos are shown at all.
    key = (projection, as_json, 0 if projection.truncated else state.catalogue.tags.photo_changes)
    fragment = item.fragments.get(key)
    if fragment is None:
        fragment = rendering.render(describe(item, library, projection), as_json=as_json)
        item.fragments[key] = fragment
    return fragment
