"""One tree of elements, written as XML (the default) or JSON (on request), as a Plex server does."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple

from scenesync.simulators.http_server import Response

Attribute = str | int | float | bool

XML_HEADERS: Final = (("Content-Type", "text/xml;charset=utf-8"),)
JSON_HEADERS: Final = (("Content-Type", "application/json"),)
HTML_HEADERS: Final = (("Content-Type", "text/html"),)

_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# What lists of items are called in JSON, whatever their XML elements are called.
_METADATA: Final = "Metadata"
_XML_ESCAPES: Final = (
    ("&", "&amp;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ('"', "&quot;"),
    ("\n", "&#10;"),
    ("\r", "&#13;"),
    ("\t", "&#9;"),
)


class Element(NamedTuple):
    """An element, of which an item has dozens. ``json_name`` is the array that it belongs to in JSON, "": its name.

    A ``single`` one is in JSON an object of its own, not an entry of an array.
    """

    name: str
    attributes: dict[str, Attribute]
    children: tuple["Element", ...] = ()
    json_name: str = ""
    single: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """The outermost element, ``MediaContainer``. Entries that were rendered before come as ``fragments``."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    children: tuple[Element, ...] = ()
    fragments: tuple[str, ...] = ()
    """Children rendered in the wanted form; in JSON they are the array ``Metadata``."""


def video(attributes: dict[str, Attribute], children: Iterable[Element]) -> Element:
    """Return the element of a movie."""
    return Element("Video", attributes, tuple(children), _METADATA)


def collection(attributes: dict[str, Attribute], children: Iterable[Element]) -> Element:
    """Return the element of a collection."""
    return Element("Directory", attributes, tuple(children), _METADATA)


def photo(attributes: dict[str, Attribute]) -> Element:
    """Return the element of an image candidate."""
    return Element("Photo", attributes, (), _METADATA)


def render(element: Element, *, as_json: bool) -> str:
    """Return one element as text."""
    return _JSON.encode(_plain(element)) if as_json else _xml(element)


def respond(container: Container, *, as_json: bool, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return a 200 answer with a container."""
    if as_json:
        return Response(200, _json_document(container).encode(), JSON_HEADERS + headers)
    return Response(200, _xml_document(container).encode(errors="surrogatepass"), XML_HEADERS + headers)


def error_page(status: int, headers: tuple[tuple[str, str], ...] = (), text: str = "") -> Response:
    """Return one of the small HTML pages that Plex answers errors with, whatever was asked for."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    body = f"<html><head><title>{phrase}</title></head><body><h1>{text or f'{status} {phrase}'}</h1></body></html>"
    return Response(status, body.encode(), HTML_HEADERS + headers)


def _xml(element: Element) -> str:
    attributes = _xml_attributes(element.attributes)
    if not element.children:
        return f"<{element.name}{attributes}/>\n"
    return f"<{element.name}{attributes}>\n{''.join(map(_xml, element.children))}</{element.name}>\n"


def _xml_attributes(attributes: dict[str, Attribute]) -> str:
    return "".join(f' {name}="{_xml_text(value)}"' for name, value in attributes.items())


def _xml_text(value: Attribute) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    text = str(value)
    # Control characters stay as they are: a real server hands out invalid XML too.
    for raw, escaped in _XML_ESCAPES:
        if raw in text:
            text = text.replace(raw, escaped)
    return text


def _xml_document(container: Container) -> str:
    head = _xml_attributes(container.attributes)
    inner = "".join((*map(_xml, container.children), *container.fragments))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer{head}>\n{inner}</MediaContainer>\n'


def _plain(element: Element) -> dict[str, object]:
    plain: dict[str, object] = dict(element.attributes)
    for child in element.children:
        if child.single:
            plain[child.name] = _plain(child)
            continue
        array = plain.setdefault(child.json_name or child.name, [])
        if isinstance(array, list):
            array.append(_plain(child))
    return plain


def _json_document(container: Container) -> str:
    outer = render(Element("MediaContainer", container.attributes, container.children), as_json=True)
    if container.fragments:
        separator = "," if outer != "{}" else ""
        outer = f'{outer[:-1]}{separator}"{_METADATA}":[{",".join(container.fragments)}]}}'
    return f'{{"MediaContainer":{outer}}}'
