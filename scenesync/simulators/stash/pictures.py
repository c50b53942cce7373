"""Covers and other images over HTTP: ETag and 304, a placeholder with status 200 where there is none (3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scenesync.simulators.http_server import Request, Response
from scenesync.simulators.stash.records import Image, image_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.simulators.stash.library import Library

_PLACEHOLDER: Final = image_of(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 9"><rect width="16" height="9" fill="#bfccd6"/></svg>'
)
_ACTIONS: Final = {
    "scene": "screenshot",
    "performer": "image",
    "studio": "image",
    "tag": "image",
    "group": "frontimage",
}


def picture_kind(path: str) -> tuple[str, str] | None:
    """Return (kind, id as text) when ``path`` is that of an image."""
    parts = path.split("/")
    if len(parts) != 4 or parts[0] or _ACTIONS.get(parts[1]) != parts[3]:  # noqa: PLR2004 - "", kind, id, action
        return None
    return parts[1], parts[2]


def serve_picture(request: Request, kind: str, identity: str, library: Library) -> Response:
    """Answer a request for an image: GET only, 400 for an id that is no number, 404 for one that is unknown."""
    if request.method != "GET":
        return Response(405)
    if not identity.isdecimal():
        return _text(400, "Bad Request")
    tables: Mapping[str, Mapping[int, object]] = {
        "scene": library.scenes,
        "performer": library.performers,
        "studio": library.studios,
        "tag": library.tags,
        "group": library.groups,
    }
    row = tables[kind].get(int(identity))
    if row is None:
        return _text(404, "Not Found")
    query = dict(request.query)
    stored: Image | None = getattr(row, "cover" if kind == "scene" else "image")
    if stored is None or query.get("default") == "true":
        return _image(_PLACEHOLDER, request, "no-cache")
    lasting = "private, max-age=31536000, immutable" if "t" in query else "no-cache"
    return _image(stored, request, lasting)


def _image(image: Image, request: Request, cache_control: str) -> Response:
    headers = (("Cache-Control", cache_control), ("ETag", image.etag))
    if request.headers.get("if-none-match") == image.etag:
        return Response(304, headers=headers)
    return Response(200, image.content, (("Content-Type", image.content_type), *headers))


def _text(status: int, text: str) -> Response:
    return Response(status, f"{text}\n".encode(), (("Content-Type", "text/plain; charset=utf-8"),))
