"""What a real Stash v0.30.1 (in New York) answered, its content invented; only the fields that are asked for."""

from __future__ import annotations

from typing import Any, Final

EMPTY_SCENE: Final[dict[str, Any]] = {
    "id": "1",
    "title": "",
    "code": "",
    "details": "",
    "director": "",
    "date": None,
    "rating100": None,
    "organized": False,
    "updated_at": "2026-11-23T15:58:40-05:00",
    "paths": {"screenshot": "http://localhost:9999/scene/1/screenshot?t=1795467520"},
    "files": [{"path": "/data/media/Concerts/Encore.mp4", "size": 25366, "duration": 2}],
    "studio": None,
    "groups": [],
    "tags": [],
    "performers": [],
}

FULL_SCENE: Final[dict[str, Any]] = {
    "id": "2",
    "title": 'Harbour Lights <Live> & "Unplugged"',
    "code": "HL-001",
    "details": "An evening at the pier.\nSecond line \N{EN DASH} with a dash.",
    "director": "Ada Example",
    "date": "2024-07-13",
    "rating100": 85,
    "organized": True,
    "updated_at": "2026-11-23T15:58:41-05:00",
    "paths": {"screenshot": "http://localhost:9999/scene/2/screenshot?t=1795467521"},
    "files": [
        {
            "path": "/data/media/Concerts/Harbour Lights/Harbour Lights - Live at the Pier (2024).mp4",
            "size": 25366,
            "duration": 2,
        }
    ],
    "studio": {"id": "2", "name": "Pier Records", "parent_studio": {"id": "1", "name": "Example Films"}},
    "groups": [{"scene_index": 1, "group": {"id": "1", "name": "Summer Tour"}}],
    "tags": [{"id": "2", "name": "Live"}, {"id": "1", "name": "Live Concert"}],
    "performers": [
        {"id": "1", "name": "The Harbour Band", "disambiguation": ""},
        {"id": "2", "name": "Ada Sample", "disambiguation": ""},
    ],
}

MISSING_IN_BATCH: Final[list[dict[str, Any]]] = [{"message": "scene with id 99999 not found", "path": ["findScenes"]}]

GIVEN_TWICE: Final[list[dict[str, Any]]] = [
    {"message": "validating ids: duplicate id found: 1", "path": ["findScenes"]}
]

UNKNOWN_FIELD: Final[list[dict[str, Any]]] = [
    {
        "message": 'Cannot query field "versionn" on type "Version". Did you mean "version"?',
        "locations": [{"line": 1, "column": 10}],
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
    }
]

STATUS_OK: Final[dict[str, Any]] = {"systemStatus": {"status": "OK"}}

PLUGIN_SETTINGS: Final[dict[str, Any]] = {
    "configuration": {"plugins": {"probe": {"apple": "a text", "mango": True, "zebra": 3}}}
}

SERVER_CONNECTION: Final[dict[str, Any]] = {
    "Scheme": "http",
    "Host": "127.0.0.1",
    "Port": 9999,
    "SessionCookie": {
        "Name": "session",
        "Value": "FAKE-SESSION-COOKIE-VALUE",
        "Quoted": False,
        "Path": "",
        "Domain": "",
        "Expires": "0001-01-01T00:00:00Z",
        "RawExpires": "",
        "MaxAge": 0,
        "Secure": False,
        "HttpOnly": False,
        "SameSite": 0,
        "Partitioned": False,
        "Raw": "",
        "Unparsed": None,
    },
    "Dir": "/root/.stash",
    "PluginDir": "/root/.stash/plugins/probe",
}


def scene(scene_id: int, **fields: object) -> dict[str, Any]:
    return EMPTY_SCENE | {"id": str(scene_id)} | fields
