"""The endpoints that change something."""

import re
from collections.abc import Sequence
from typing import Final

from scenesync.simulators.http_server import Response
from scenesync.simulators.plex.editing import Editor, EditRefusedError
from scenesync.simulators.plex.edits import Edit, parse_edit
from scenesync.simulators.plex.images import IMAGE_KINDS, LOCK_STEMS, ImageShelf
from scenesync.simulators.plex.model import PlexCollection, PlexItem
from scenesync.simulators.plex.reading import full_items
from scenesync.simulators.plex.rendering import error_page
from scenesync.simulators.plex.selection import select_for_edit
from scenesync.simulators.plex.state import Call, PlexState

_DONE: Final = Response(200)
_URI_KEYS: Final = re.compile(r".*/library/metadata/([\d,]+)")
# What a refresh leaves alone: it belongs to the owner, not to the agent.
_KEPT_ON_REFRESH: Final = frozenset({"userRating", "lastRatedAt", "collectionMode", "collectionSort"})
_KEPT_TAGS_ON_REFRESH: Final = frozenset({"collection", "label"})


def edit_section(state: PlexState, call: Call) -> Response:
    """``PUT /library/sections/{id}/all``: edits the items named by ``id``, or without it every one that matches."""
    library = state.catalogue.libraries.get(call.path["section"])
    if library is None:
        return error_page(404)
    if not call.option("id"):
        state.whole_library_edits.append(call.request.target)
    return _edit(state, call, select_for_edit(library, call.request.query, state.behaviour))


def edit_metadata(state: PlexState, call: Call) -> Response:
    """``PUT /library/metadata/{ids}``: the same parameters, the items named by the path."""
    keys = dict.fromkeys(call.path["ids"].split(","))
    items = [item for item in map(state.catalogue.entries.get, keys) if item is not None]
    return _edit(state, call, items) if items else error_page(404)


def rate(state: PlexState, call: Call) -> Response:
    """``PUT /:/rate``: the owner's rating, 0 to 10, or -1 to clear it."""
    item = state.catalogue.entries.get(call.option("key") or "")
    rating = call.option("rating")
    if rating is None or call.option("identifier") is None:
        return error_page(400)
    if item is None:
        return error_page(404)
    if rating in {"-1", "-1.0"}:
        rating = ""
    # Rating is no edit of metadata: it locks nothing.
    return _apply(state, [item], Edit({"userRating": rating}, {"userRating": "userRating" in item.locked}, {}))


def upload_image(state: PlexState, call: Call) -> Response:
    """``POST /library/metadata/{id}/posters`` with the bytes (the server has put those of ``url=`` there)."""
    item = state.catalogue.entries.get(call.path["id"])
    kind = IMAGE_KINDS.get(call.path["element"])
    if item is None or kind is None:
        return error_page(404)
    if not call.request.body:
        return error_page(400)
    if len(call.request.body) > state.behaviour.max_image_bytes:
        return error_page(500)
    shelf = ImageShelf(state.catalogue, state.behaviour)
    state.field_writes.append(shelf.upload(item, kind, call.request.body, state.now()))
    return _DONE


def select_image(state: PlexState, call: Call) -> Response:
    """``PUT /library/metadata/{id}/poster?url=<key>``: select one of the candidates, which locks the field."""
    item = state.catalogue.entries.get(call.path["id"])
    kind = IMAGE_KINDS.get(call.path["element"])
    if item is None or kind is None:
        return error_page(404)
    write = ImageShelf(state.catalogue, state.behaviour).select(item, kind, call.option("url") or "", state.now())
    if write is None:
        return error_page(404)
    state.field_writes.append(write)
    return _DONE


def remove_image(state: PlexState, call: Call) -> Response:
    """``DELETE /library/metadata/{id}/thumb``: show none, and lock that."""
    item = state.catalogue.entries.get(call.path["id"])
    kind = IMAGE_KINDS.get(call.path["element"])
    if item is None or kind is None:
        return error_page(404)
    state.field_writes.append(ImageShelf(state.catalogue, state.behaviour).remove(item, kind, state.now()))
    return _DONE


def create_collection(state: PlexState, call: Call) -> Response:
    """``POST /library/collections``: with members named in ``uri``, or empty. Answers with the collection."""
    library = state.catalogue.libraries.get(call.option("sectionId") or "")
    title = (call.option("title") or "").strip()
    if library is None:
        return error_page(404)
    if not title:
        return error_page(400)
    if state.behaviour.duplicate_collection == "409" and state.catalogue.collection_called(library, title) is not None:
        return error_page(409)
    collection = state.catalogue.add_collection(library, title)
    _join(state, collection, call.option("uri"))
    return full_items(state, call, [collection])


def add_to_collection(state: PlexState, call: Call) -> Response:
    """``PUT /library/collections/{id}/items?uri=``."""
    collection = state.catalogue.entries.get(call.path["id"])
    if not isinstance(collection, PlexCollection):
        return error_page(404)
    if _URI_KEYS.fullmatch(call.option("uri") or "") is None:
        return error_page(400)
    _join(state, collection, call.option("uri"))
    return full_items(state, call, [collection])


def leave_collection(state: PlexState, call: Call) -> Response:
    """``DELETE`` (python-plexapi) or ``PUT`` (the specification) ``/library/collections/{id}/items/{item}``."""
    collection = state.catalogue.entries.get(call.path["id"])
    item = state.catalogue.entries.get(call.path["item"])
    if not isinstance(collection, PlexCollection) or item is None or item.rating_key not in collection.members:
        return error_page(404)
    state.catalogue.leave_collection(item, collection)
    return _DONE


def move_in_collection(state: PlexState, call: Call) -> Response:
    """``PUT /library/collections/{id}/items/{item}/move?after=`` behind another, without it to the front."""
    collection = state.catalogue.entries.get(call.path["id"])
    moved, after = call.path["item"], call.option("after")
    if not isinstance(collection, PlexCollection) or moved not in collection.members:
        return error_page(404)
    rest = [key for key in collection.members if key != moved]
    if after is not None and after not in rest:
        return error_page(400)
    place = 0 if after is None else rest.index(after) + 1
    collection.members = dict.fromkeys([*rest[:place], moved, *rest[place:]])
    state.catalogue.touch(collection, moves_updated_at=False)
    return _DONE


def delete_collection(state: PlexState, call: Call) -> Response:
    """``DELETE /library/collections/{id}`` and ``/library/sections/{s}/collection/{id}``."""
    collection = state.catalogue.entries.get(call.path["id"])
    if not isinstance(collection, PlexCollection):
        return error_page(404)
    state.catalogue.remove(collection)
    return _DONE


def set_preferences(state: PlexState, call: Call) -> Response:
    """``PUT /library/collections/{id}/prefs?collectionMode=…``."""
    collection = state.catalogue.entries.get(call.path["id"])
    if not isinstance(collection, PlexCollection):
        return error_page(404)
    wanted = {name: value for name, value in call.request.query if name in {"collectionMode", "collectionSort"}}
    collection.scalars.update(wanted)
    state.catalogue.touch(collection, moves_updated_at=False)
    return _DONE


def delete_item(state: PlexState, call: Call) -> Response:
    """``DELETE /library/metadata/{id}``: on a movie this deletes the files; tests assert that it never happens."""
    item = state.catalogue.entries.get(call.path["id"])
    if item is None:
        return error_page(404)
    if not isinstance(item, PlexCollection):
        state.deleted_media.append(item.rating_key)
    state.catalogue.remove(item)
    return _DONE


def scan(state: PlexState, call: Call) -> Response:
    """``GET /library/sections/{id}/refresh?path=``: only queues the scan."""
    library = state.catalogue.libraries.get(call.path["section"])
    if library is None or (call.request.method != "GET" and not state.behaviour.scan_accepts_post):
        return error_page(404)
    folder = call.option("path")
    if folder is None or any(_within(folder, root) for root in library.roots):
        state.schedule_scan(library, folder)
    return _DONE


def refresh_item(state: PlexState, call: Call) -> Response:
    """``PUT /library/metadata/{id}/refresh``: unlocked fields fall back to what the file says."""
    item = state.catalogue.entries.get(call.path["ids"])
    if item is None:
        return error_page(404)
    state.refreshed.append(item.rating_key)
    kept = item.locked | _KEPT_ON_REFRESH
    if "originallyAvailableAt" in item.locked:
        kept |= {"year"}
    item.scalars = dict(item.originals) | {stem: value for stem, value in item.scalars.items() if stem in kept}
    for kind in tuple(item.tags):
        if kind not in item.locked | _KEPT_TAGS_ON_REFRESH:
            state.catalogue.set_tags(item, kind, ())
    for image_kind, stem in LOCK_STEMS.items():
        if stem not in item.locked:
            own = next((image.key for image in item.images(image_kind) if image.key.startswith("media:")), None)
            item.select_image(image_kind, own, state.catalogue.now)
    state.catalogue.touch(item, moves_updated_at=True)
    return _DONE


def analyze_item(state: PlexState, call: Call) -> Response:
    """``PUT /library/metadata/{id}/analyze``: nothing to do here, the simulated files never change."""
    return _DONE if call.path["ids"] in state.catalogue.entries else error_page(404)


def empty_trash(state: PlexState, call: Call) -> Response:
    """``PUT /library/sections/{id}/emptyTrash``: items whose files vanished go."""
    library = state.catalogue.libraries.get(call.path["section"])
    if library is None:
        return error_page(404)
    for item in [item for item in library.items.values() if item.deleted_at is not None]:
        state.catalogue.remove(item)
    return _DONE


def sees(folder: str | None, file: str) -> bool:
    """Tell whether a scan of ``folder`` (None: of everything) sees ``file``."""
    return folder is None or _within(file, folder)


def _within(path: str, root: str) -> bool:
    path, root = path.rstrip("/\\"), root.rstrip("/\\")
    return path == root or path.startswith((f"{root}/", f"{root}\\"))


def _edit(state: PlexState, call: Call, items: Sequence[PlexItem]) -> Response:
    if not items and state.behaviour.unknown_id == "404":
        return error_page(404)
    return _apply(state, items, parse_edit(call.request.query, state.behaviour))


def _apply(state: PlexState, items: Sequence[PlexItem], edit: Edit) -> Response:
    editor = Editor(state.catalogue, state.behaviour, state.ignored_fields)
    try:
        writes = editor.apply(items, edit, state.now())
    except EditRefusedError as refusal:
        return error_page(refusal.status)
    state.field_writes.extend(writes)
    return _DONE


def _join(state: PlexState, collection: PlexCollection, uri: str | None) -> None:
    found = _URI_KEYS.fullmatch(uri or "")
    library = state.catalogue.library_of(collection)
    for key in found[1].split(",") if found is not None else ():
        item = library.items.get(key)
        if item is not None:
            state.catalogue.join_collection(item, collection)
            state.catalogue.touch(item, moves_updated_at=state.behaviour.updated_at_moves_on_collection)
    state.catalogue.touch(collection, moves_updated_at=True)
