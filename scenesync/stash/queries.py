"""Every GraphQL text that is sent to Stash, each with its purpose.

They name no field newer than v0.27 (facts/stash.md 4), none that SceneSync does not use, and never ``paths.stream``,
which carries the API key in clear (facts 3.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product, starmap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Query:
    """A GraphQL document with one operation, called ``name``."""

    name: str
    text: str


VERSION: Final = Query("Version", "query Version { version { version } }")
"""Which release answers: "v0.30.1", a development build's longer text, or ""."""

STATUS: Final = Query("Status", "query Status { systemStatus { status } }")
"""Whether Stash works, waits for its first set-up or needs its database migrated."""

API_KEY: Final = Query("ApiKey", "query ApiKey { configuration { general { apiKey } } }")
"""The key with which a daemon outlives the session that a plugin gets."""

PLUGIN_SETTINGS: Final = Query(
    "PluginSettings", "query PluginSettings($ids: [ID!]) { configuration { plugins(include: $ids) } }"
)
"""What a person set on Stash's plugin page."""

PLUGINS: Final = Query("Plugins", "query Plugins { plugins { id enabled } }")
"""Which plugins are switched on: a daemon that one started lives on when it is switched off."""

SCENE_COUNT: Final = Query("SceneCount", "query SceneCount { findScenes(filter: {per_page: 0}) { count } }")
"""How many scenes there are, without any of them."""

HIGHEST_SCENE_ID: Final = Query(
    "HighestSceneId",
    """query HighestSceneId {
  findScenes(filter: {page: 1, per_page: 1, sort: "id", direction: DESC}) { scenes { id } }
}""",
)
"""Where the ids end."""

SCENE_URLS_AFTER: Final = Query(
    "SceneUrlsAfter",
    """query SceneUrlsAfter($last: Int!, $limit: Int!, $text: String!) {
  findScenes(
    filter: {page: 1, per_page: $limit, sort: "id", direction: ASC}
    scene_filter: {id: {value: $last, modifier: GREATER_THAN}, url: {value: $text, modifier: INCLUDES}}
  ) { scenes { id urls } }
}""",
)
"""The next scenes with a URL that contains a text."""

SET_SCENE_URLS: Final = Query(
    "SetSceneUrls",
    "mutation SetSceneUrls($id: ID!, $urls: [String!]!) { sceneUpdate(input: {id: $id, urls: $urls}) { id } }",
)
"""The one change that SceneSync ever makes in Stash, when a person asks for it: a scene's URLs, and nothing else."""

SCENE_IDS_AFTER: Final = Query(
    "SceneIdsAfter",
    """query SceneIdsAfter($last: Int!, $limit: Int!) {
  findScenes(
    filter: {page: 1, per_page: $limit, sort: "id", direction: ASC}
    scene_filter: {id: {value: $last, modifier: GREATER_THAN}}
  ) { scenes { id } }
}""",
)
"""The next ids of a walk over all; by id, since pages by offset skip rows when others are deleted (facts 3.3)."""

_HINT_FIELDS: Final = "id title updated_at files { path }"

SCENE_HINTS_AFTER: Final = Query(
    "SceneHintsAfter",
    f"""query SceneHintsAfter($last: Int!, $limit: Int!) {{
  findScenes(
    filter: {{page: 1, per_page: $limit, sort: "id", direction: ASC}}
    scene_filter: {{id: {{value: $last, modifier: GREATER_THAN}}}}
  ) {{ scenes {{ {_HINT_FIELDS} }} }}
}}""",
)
"""The same with what a job shows of its scene."""

SCENE_FILES_AFTER: Final = Query(
    "SceneFilesAfter",
    """query SceneFilesAfter($last: Int!, $limit: Int!) {
  findScenes(
    filter: {page: 1, per_page: $limit, sort: "id", direction: ASC}
    scene_filter: {id: {value: $last, modifier: GREATER_THAN}}
  ) { scenes { id title updated_at files { path size duration } } }
}""",
)
"""The same with the files as they are remembered: a file that moves leaves its scene's own time alone (facts 0.7)."""

_RELATIONS: Final = {"performer": "performers", "studio": "studios", "tag": "tags", "group": "groups"}
_CRITERIA: Final = {
    "performer": "{value: $ids, modifier: INCLUDES}",
    "studio": "{value: $ids, modifier: INCLUDES, depth: $depth}",
    "tag": "{value: $ids, modifier: INCLUDES, depth: $depth}",
    "group": "{value: $ids, modifier: INCLUDES}",
}

SCENES_OF_ENTITY_AFTER: Final = {
    entity: Query(
        f"ScenesOf{entity.title()}After",
        f"""query ScenesOf{entity.title()}After(
  $last: Int!, $limit: Int!, $ids: [ID!]{", $depth: Int" if "$depth" in criterion else ""}
) {{
  findScenes(
    filter: {{page: 1, per_page: $limit, sort: "id", direction: ASC}}
    scene_filter: {{id: {{value: $last, modifier: GREATER_THAN}}, {_RELATIONS[entity]}: {criterion}}}
  ) {{ scenes {{ id }} }}
}}""",
    )
    for entity, criterion in _CRITERIA.items()
}
"""The next ids of scenes that have one of some performers, studios, tags or groups (facts 2.4).

``depth`` levels of studios or tags below count too, all of them with -1; performers and groups know no levels here.
"""

SCENES_BY_CHANGE: Final = Query(
    "ScenesByChange",
    f"""query ScenesByChange($page: Int!, $limit: Int!) {{
  findScenes(filter: {{page: $page, per_page: $limit, sort: "updated_at", direction: DESC}}) {{
    count scenes {{ {_HINT_FIELDS} created_at }}
  }}
}}""",
)
"""One page of the scenes, the last changed first; the count tells whether a deletion moved rows between two pages."""

STUDIO_LEVELS: Final = 8
"""How far up a studio's owners are asked for: GraphQL knows no recursion, and nobody's hierarchy is deeper."""
TAG_LEVELS: Final = 5
"""The same for the tags above a tag; only those right above it are asked for unless somebody wants them all."""


_ABOUT: Final = (
    " details image_path updated_at",
    " description image_path updated_at",
    " synopsis front_image_path updated_at",
)
"""What makes a collection of a studio, a tag and a group more than its name; each calls it otherwise (facts 3.2)."""


def _nested(field: str, levels: int, about: str = "") -> str:
    """Return ``field`` with itself in it, so many levels deep."""
    inner = _nested(field, levels - 1, about) if levels > 1 else ""
    return f" {field} {{ id name{about}{inner} }}"


@dataclass(frozen=True, slots=True)
class Extras:
    """What is asked for only if somebody wants it: the tags above each tag, the addresses of performers' photos.

    ``about``: description, picture and time of change of studio, tags and groups.
    """

    tag_parents: bool = False
    photos: bool = False
    about: bool = False


def _scene_fields(extras: Extras) -> str:
    studio, tag, group = _ABOUT if extras.about else ("", "", "")
    return f"""fragment SceneFields on Scene {{
  id title code details director date rating100 organized updated_at
  paths {{ screenshot }}
  files {{ path size duration }}
  studio {{ id name{studio}{_nested("parent_studio", STUDIO_LEVELS, studio)} }}
  performers {{ id name disambiguation gender favorite{" image_path" * extras.photos} }}
  tags {{ id name{tag}{_nested("parents", TAG_LEVELS if extras.tag_parents else 1)} }}
  groups {{ scene_index group {{ id name{group} }} }}
}}"""


_PLAIN: Final = Extras()
_SCENE_FIELDS: Final = {extras: _scene_fields(extras) for extras in starmap(Extras, product((False, True), repeat=3))}

_SCENES: Final = {
    extras: Query(
        "Scenes",
        f"""query Scenes($ids: [ID!]) {{ findScenes(ids: $ids) {{ scenes {{ ...SceneFields }} }} }}
{fields}""",
    )
    for extras, fields in _SCENE_FIELDS.items()
}


_SCENES_AFTER: Final = {
    extras: Query(
        "ScenesAfter",
        f"""query ScenesAfter($last: Int!, $limit: Int!) {{
  findScenes(
    filter: {{page: 1, per_page: $limit, sort: "id", direction: ASC}}
    scene_filter: {{id: {{value: $last, modifier: GREATER_THAN}}}}
  ) {{ scenes {{ ...SceneFields }} }}
}}
{fields}""",
    )
    for extras, fields in _SCENE_FIELDS.items()
}

SCENES_BY_FILE: Final = Query(
    "ScenesByFile",
    f"""query ScenesByFile($path: String!, $limit: Int!) {{
  findScenes(
    filter: {{page: 1, per_page: $limit, sort: "id", direction: ASC}}
    scene_filter: {{path: {{value: $path, modifier: MATCHES_REGEX}}}}
  ) {{ scenes {{ ...SceneFields }} }}
}}
{_SCENE_FIELDS[_PLAIN]}""",
)
"""Scenes by a regular expression (RE2) over their files' paths: EQUALS and INCLUDES know wildcards (facts 3.3)."""

SCENES_TO_MATCH_AFTER: Final = Query(
    "ScenesToMatchAfter",
    """query ScenesToMatchAfter($last: Int!, $limit: Int!, $tags: Boolean!) {
  findScenes(
    filter: {page: 1, per_page: $limit, sort: "id", direction: ASC}
    scene_filter: {id: {value: $last, modifier: GREATER_THAN}}
  ) { scenes {
    id title organized updated_at
    files { path size duration }
    studio { id name parent_studio { id name } }
    tags @include(if: $tags) { id name parents { id name } }
  } }
}""",
)
"""The next scenes with just what decides whether they take part and which item is theirs."""


def scenes(extras: Extras = _PLAIN) -> Query:
    """Return the query for whole scenes; without ``extras`` tags come with those right above them.

    All or nothing: one missing or repeated id fails it, an empty list means everything (facts 3.3).
    """
    return _SCENES[extras]


def scenes_after(extras: Extras = _PLAIN) -> Query:
    """Return the query for the next whole scenes of a walk over all."""
    return _SCENES_AFTER[extras]


def scenes_one_by_one(ids: Iterable[int], extras: Extras = _PLAIN) -> Query:
    """Return a query for whole scenes that answers null for a missing one: the field ``s<id>`` is the scene ``id``."""
    fields = "\n".join(f'  s{scene_id}: findScene(id: "{scene_id}") {{ ...SceneFields }}' for scene_id in ids)
    return Query("ScenesOneByOne", f"query ScenesOneByOne {{\n{fields}\n}}\n{_SCENE_FIELDS[extras]}")
