"""Documents as Plex sends them, invented after facts/plex.md 2.6."""

from __future__ import annotations

from typing import Any


def full_item(rating_key: str = "1201", **changes: object) -> dict[str, Any]:
    return {
        "ratingKey": rating_key,
        "key": f"/library/metadata/{rating_key}",
        "guid": f"local://{rating_key}",
        "type": "movie",
        "title": "Beach Walk",
        "titleSort": "Walk, Beach",
        "studio": "North Pier",
        "summary": "Two friends walk.\nThen they swim.",
        "year": 2021,
        "originallyAvailableAt": "2021-06-05",
        "userRating": 8.0,
        "thumb": f"/library/metadata/{rating_key}/thumb/1700000400",
        "art": f"/library/metadata/{rating_key}/art/1700000400",
        "duration": 1830000,
        "addedAt": 1699990000,
        "updatedAt": 1700000400,
        "Media": [
            {
                "id": 3001,
                "duration": 1830000,
                "container": "mp4",
                "Part": [
                    {
                        "id": 4001,
                        "key": "/library/parts/4001/1699990000/file.mp4",
                        "duration": 1830000,
                        "file": "/data/north-pier/beach walk.mp4",
                        "size": 961234567,
                        "container": "mp4",
                    }
                ],
            }
        ],
        "Genre": [{"id": 71, "filter": "genre=71", "tag": "Outdoor"}, {"id": 72, "tag": "Sea"}],
        "Director": [{"id": 61, "tag": "A. Writer"}],
        "Role": [{"id": 51, "tag": "Ann Example", "role": "Herself"}, {"id": 52, "tag": "Bo Müller"}],
        "Collection": [{"id": 91, "tag": "North Pier"}],
        "Label": [{"id": 41, "tag": "stash"}],
        "Field": [{"locked": True, "name": "title"}, {"locked": "1", "name": "actor"}, {"locked": 1, "name": "thumb"}],
        **changes,
    }


def library_read(*rows: dict[str, Any], **container: object) -> dict[str, Any]:
    return {
        "MediaContainer": {
            "size": len(rows),
            "identifier": "com.plexapp.plugins.library",
            "librarySectionID": 4,
            "librarySectionTitle": "Scenes",
            "Metadata": list(rows),
            **container,
        }
    }
