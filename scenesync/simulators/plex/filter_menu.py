"""What a library can be filtered and sorted by, for clients with a search menu (python-plexapi is one)."""

from typing import Final

from scenesync.simulators.plex.model import COLLECTION_TYPE, MOVIE_TYPE, PlexLibrary
from scenesync.simulators.plex.rendering import Element

_TAG_FILTERS: Final = ("genre", "director", "writer", "producer", "country", "actor", "collection", "label")
_FIELDS: Final = (
    ("title", "string"), ("studio", "string"), ("summary", "string"), ("contentRating", "string"),
    ("userRating", "integer"), ("year", "integer"), ("duration", "integer"),
    ("addedAt", "date"), ("originallyAvailableAt", "date"),
)  # fmt: skip
_SORTS: Final = ("titleSort", "addedAt", "originallyAvailableAt", "year", "userRating", "duration")
_OPERATORS: Final = {
    "tag": (("=", "is"), ("!=", "is not")),
    "integer": (("=", "is"), ("!=", "is not"), (">>=", "is greater than"), ("<<=", "is less than")),
    "string": (
        ("=", "contains"), ("!=", "does not contain"), ("==", "is"), ("!==", "is not"), ("<=", "begins with"),
        (">=", "ends with"),
    ),
    "boolean": (("=0", "is false"), ("=1", "is true")),
    "date": (("<<=", "is before"), (">>=", "is after"), ("=", "is"), ("!=", "is not")),
}  # fmt: skip


def filter_menu(library: PlexLibrary, path: str) -> Element:
    """Return the ``Meta`` element of a listing of movies or of collections."""
    of_collections = path.endswith("/collections")
    kind, number = ("collection", COLLECTION_TYPE) if of_collections else ("movie", MOVIE_TYPE)
    prefix = f"/library/sections/{library.key}"
    filters = tuple(
        Element(
            "Filter",
            {
                "filter": tag,
                "filterType": "string",
                "key": f"{prefix}/{tag}?type={number}",
                "title": tag,
                "type": "filter",
            },
        )
        for tag in _TAG_FILTERS
    )
    sorts = tuple(
        Element("Sort", {"defaultDirection": "asc", "descKey": f"{name}:desc", "key": name, "title": name})
        for name in _SORTS
    )
    fields = tuple(
        Element("Field", {"key": f"{kind}.{name}" if of_collections else name, "title": name, "type": type_})
        for name, type_ in (*_FIELDS, *((tag, "tag") for tag in _TAG_FILTERS))
    )
    type_ = Element(
        "Type",
        {"key": f"{prefix}/all?type={number}", "type": kind, "title": kind.title(), "active": True},
        filters + sorts + fields,
    )
    field_types = tuple(
        Element(
            "FieldType",
            {"type": name},
            tuple(Element("Operator", {"key": key, "title": title}) for key, title in operators),
        )
        for name, operators in _OPERATORS.items()
    )
    return Element("Meta", {}, (type_, *field_types), single=True)
