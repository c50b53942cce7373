"""What an item looks like from outside: complete when read by its key, truncated in a listing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from scenesync.simulators.plex import rendering
from scenesync.simulators.plex.model import ImageKind, MediaVersion, PlexCollection, PlexItem, PlexLibrary
from scenesync.simulators.plex.rendering import Attribute, Element
from scenesync.simulators.plex.tags import TAG_ELEMENTS, TagUse

# Shown under its own name further down.
_SHOWN_ELSEWHERE: Final = frozenset({"addedAt"})
# A listing shows this many tags of a kind; labels not at all (python-plexapi issues 249, 409, 480).
_LISTED_TAGS: Final = {"genre": 2, "director": 2, "writer": 2, "country": 2, "actor": 3, "producer": 2, "similar": 2}
_IDENTIFYING: Final = frozenset({"ratingKey", "key", "type"})
_FIRST_PART: Final = 1_000_000
_ANALYSED: Final[dict[str, Attribute]] = {
    "width": 1920, "height": 1080, "videoResolution": "1080", "videoCodec": "h264", "audioCodec": "aac",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Projection:
    """What of an item is shown. ``only_…`` are None where everything is."""

    listed: bool
    lax: bool = False
    without_elements: frozenset[str] = frozenset()
    without_fields: frozenset[str] = frozenset()
    only_elements: frozenset[str] | None = None
    only_fields: frozenset[str] | None = None

    @property
    def truncated(self) -> bool:
        """Lists are cut short, labels and locks left out."""
        return self.listed and not self.lax

    @property
    def selective(self) -> bool:
        """Something was asked to be left out."""
        only = self.only_elements is not None or self.only_fields is not None
        return only or bool(self.without_elements or self.without_fields)

    def shows_field(self, name: str) -> bool:
        """Tell whether an attribute is wanted; what identifies an item always is."""
        if self.only_fields is not None and name not in self.only_fields and name not in _IDENTIFYING:
            return False
        return name not in self.without_fields

    def shows_element(self, name: str) -> bool:
        """Tell whether children of this name are wanted."""
        return (self.only_elements is None or name in self.only_elements) and name not in self.without_elements


FULL: Final = Projection(listed=False)


def describe(item: PlexItem, library: PlexLibrary, projection: Projection) -> Element:
    """Return the element of a movie or collection."""
    attributes = _attributes(item, library)
    children = tuple(_children(item, projection))
    if projection.selective:
        attributes = {name: value for name, value in attributes.items() if projection.shows_field(name)}
        children = tuple(child for child in children if projection.shows_element(child.name))
    if isinstance(item, PlexCollection):
        return rendering.collection(attributes, children)
    return rendering.video(attributes, children)


def describe_image(item: PlexItem, kind: ImageKind) -> tuple[Element, ...]:
    """Return the candidates of one kind, the selected one marked."""
    return tuple(
        rendering.photo(
            {
                "key": f"/library/metadata/{item.rating_key}/file?url={quote(image.key, safe='')}",
                "ratingKey": image.key,
                "thumb": f"/library/metadata/{item.rating_key}/file?url={quote(image.key, safe='')}",
                "selected": image.selected,
            }
        )
        for image in item.images(kind)
    )


def _attributes(item: PlexItem, library: PlexLibrary) -> dict[str, Attribute]:
    key = item.rating_key
    path = f"/library/collections/{key}/children" if isinstance(item, PlexCollection) else f"/library/metadata/{key}"
    shown: dict[str, Attribute] = {"ratingKey": key, "key": path}
    if isinstance(item, PlexCollection):
        shown |= {"guid": f"collection://{key}", "type": "collection", "subtype": "movie", "smart": False}
    else:
        shown |= {"guid": _guid(item, library), "type": "movie"}
    # Plex leaves unset attributes out; it never shows them empty.
    for name, value in item.scalars.items():
        if value != "" and name not in _SHOWN_ELSEWHERE:
            shown[name] = value
    if item.poster is not None:
        shown["thumb"] = f"/library/metadata/{key}/thumb/{item.poster_at}"
    if item.art is not None:
        shown["art"] = f"/library/metadata/{key}/art/{item.art_at}"
    if isinstance(item, PlexCollection):
        shown["childCount"] = len(item.members)
    elif item.versions and item.versions[0].duration_ms is not None:
        shown["duration"] = item.versions[0].duration_ms
    shown |= {"addedAt": item.added_at, "updatedAt": item.updated_at}
    if item.deleted_at is not None:
        shown["deletedAt"] = item.deleted_at
    shown |= {
        "librarySectionTitle": library.title,
        "librarySectionID": int(library.key),
        "librarySectionKey": f"/library/sections/{library.key}",
    }
    return shown


def _guid(item: PlexItem, library: PlexLibrary) -> str:
    scheme = library.agent if library.agent.endswith(".none") else "local"
    return f"{scheme}://{item.rating_key}"


def _children(item: PlexItem, projection: Projection) -> Iterable[Element]:
    truncated = projection.truncated
    if not isinstance(item, PlexCollection):
        for version in item.versions:
            yield _media(version, item, streams=not projection.listed)
    if not truncated:
        yield from _images(item)
    for kind, element in TAG_ELEMENTS.items() if item.tags else ():
        if kind == "label" and truncated:
            continue
        uses = item.tags.get(kind, ())
        for use in uses[: _LISTED_TAGS.get(kind)] if truncated else uses:
            yield _tag(use, element, bare=truncated and kind == "actor")
    if not truncated:
        for name in sorted(item.locked):
            yield Element("Field", {"locked": True, "name": name})


def _media(version: MediaVersion, item: PlexItem, *, streams: bool) -> Element:
    container, part_id = version.container, version.id + _FIRST_PART
    part: dict[str, Attribute] = {
        "id": part_id,
        "key": f"/library/parts/{part_id}/{item.added_at}/file.{container}",
        "file": version.file,
        "container": container,
    }
    media: dict[str, Attribute] = {"id": version.id, "container": container}
    if version.size_bytes is not None:
        part["size"] = version.size_bytes
    if version.duration_ms is not None:
        part["duration"] = media["duration"] = version.duration_ms
        media.update(_ANALYSED)
    inner = (_stream(version.id, 1, "h264"), _stream(version.id, 2, "aac")) if streams else ()
    return Element("Media", media, (Element("Part", part, inner),))


def _stream(version_id: int, stream_type: int, codec: str) -> Element:
    number = version_id * 10 + stream_type
    return Element("Stream", {"id": number, "streamType": stream_type, "codec": codec, "index": stream_type - 1})


def _images(item: PlexItem) -> Iterable[Element]:
    for image, kind, path, at in (
        (item.poster, "coverPoster", "thumb", item.poster_at),
        (item.art, "background", "art", item.art_at),
    ):
        if image is not None:
            address = f"/library/metadata/{item.rating_key}/{path}/{at}"
            yield Element("Image", {"alt": item.title, "type": kind, "url": address})


def _tag(use: TagUse, element: str, *, bare: bool) -> Element:
    if bare:  # recent versions show nothing but the name in listings
        return Element(element, {"tag": use.tag.name})
    shown: dict[str, Attribute] = {
        "id": use.tag.id,
        "filter": f"{use.tag.kind}={use.tag.id}",
        "tag": use.tag.name,
    }
    if use.role:
        shown["role"] = use.role
    if use.tag.thumb:
        shown["thumb"] = use.tag.thumb
    return Element(element, shown)
