"""Every GraphQL text that is sent to Stash, each with its purpose.

They name no field that the Stash asked may lack (``stash.schema``; facts/stash.md 4), none that SceneSync does not use,
and never ``paths.stream``, which carries the API key in clear (facts 3.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from scenesync.stash.schema import ASSUMED, FIND_BY_IDS, GROUPS, Schema

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

SCHEMA: Final = Query(
    "Schema",
    "query Schema {\n"
    + "".join(
        f'  {kind}: __type(name: "{kind}") {{ name {members} }}\n'
        for kind, members in (
            *((kind, "fields(includeDeprecated: true) { name }") for kind in ("Scene", "Performer", "Studio", "Tag")),
            ("Query", "fields { name args { name } }"),
            ("Subscription", "fields { name }"),
            ("SceneFilterType", "inputFields { name }"),
        )
    )
    + "}",
)
"""Which of the fields and filters that there are not everywhere this Stash has."""

API_KEY: Final = Query("ApiKey", "query ApiKey { configuration { general { apiKey } } }")
"""The key with which a daemon outlives the session that a plugin gets."""

JOB_QUEUE: Final = Query("JobQueue", "query JobQueue { jobQueue { id description } }")
"""The jobs that run or wait; null if there is none (facts 1.7)."""

JOB_NEWS: Final = Query("JobNews", "subscription JobNews { jobsSubscribe { type job { id description } } }")
"""Each time a job is added, goes on or ends."""

SCAN_NEWS: Final = Query("ScanNews", "subscription ScanNews { scanCompleteSubscribe }")
"""Each time a scan or a clean has ended (facts 3.4)."""

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

SCENES_WITH_FILES_CHANGED: Final = Query(
    "ScenesWithFilesChanged",
    """query ScenesWithFilesChanged($last: Int!, $limit: Int!, $since: String!) {
  findScenes(
    filter: {page: 1, per_page: $limit, sort: "id", direction: ASC}
    scene_filter: {
      id: {value: $last, modifier: GREATER_THAN}
      files_filter: {updated_at: {value: $since, modifier: GREATER_THAN}}
    }
  ) { scenes { id title updated_at files { path size duration } } }
}""",
)
"""The scenes of files that a scan found moved or changed, which only this filter of v0.30 tells at once (facts 0.7)."""

_RELATIONS: Final = {"performer": "performers", "studio": "studios", "tag": "tags", "group": "groups"}
_WITH_LEVELS: Final = frozenset({"studio", "tag"})


@cache
def scenes_of_entity_after(entity: str, schema: Schema = ASSUMED) -> Query:
    """Return the query for the next scenes that have one of some performers, studios, tags or groups (facts 2.4).

    ``depth`` levels of studios or tags below count too, all of them with -1; performers and groups know no levels here.
    """
    relation = _RELATIONS[entity] if entity != "group" or schema.has(GROUPS) else "movies"
    depth, of_depth = (", $depth: Int", ", depth: $depth") if entity in _WITH_LEVELS else ("", "")
    criterion = f"{relation}: {{value: $ids, modifier: INCLUDES{of_depth}}}"
    return Query(
        f"ScenesOf{entity.title()}After",
        f"""query ScenesOf{entity.title()}After($last: Int!, $limit: Int!, $ids: [ID!]{depth}) {{
  findScenes(
    filter: {{page: 1, per_page: $limit, sort: "id", direction: ASC}}
    scene_filter: {{id: {{value: $last, modifier: GREATER_THAN}}, {criterion}}}
  ) {{ scenes {{ id }} }}
}}""",
    )


SCENES_BY_CHANGE: Final = Query(
    "ScenesByChange",
    f"""query ScenesByChange($page: Int!, $limit: Int!) {{
  findScenes(filter: {{page: $page, per_page: $limit, sort: "updated_at", direction: DESC}}) {{
    count scenes {{ {_HINT_FIELDS} created_at }}
  }}
}}""",
)
"""One page of the scenes, the last changed first; the count tells whether a deletion moved rows between two pages."""

_NAMES: Final = {"performer": "Performer", "studio": "Studio", "tag": "Tag", "group": "Group"}


def _name_of(entity: str, schema: Schema) -> str:
    return _NAMES[entity] if entity != "group" or schema.has(GROUPS) else "Movie"


@cache
def entities_by_change(entity: str, schema: Schema = ASSUMED) -> Query:
    """Return the query for one page of performers, studios, tags or groups, the last changed first."""
    plural = f"{_name_of(entity, schema)}s"
    return Query(
        f"{plural}ByChange",
        f"""query {plural}ByChange($page: Int!, $limit: Int!) {{
  found: find{plural}(filter: {{page: $page, per_page: $limit, sort: "updated_at", direction: DESC}}) {{
    count rows: {plural.lower()} {{ id updated_at }}
  }}
}}""",
    )


@cache
def entity_ids(entity: str, schema: Schema = ASSUMED) -> Query:
    """Return the query for the ids of all performers, studios, tags or groups: they know no filter by id."""
    name = _name_of(entity, schema)
    return Query(
        f"{name}Ids",
        f"""query {name}Ids {{
  found: find{name}s(filter: {{per_page: -1}}) {{ rows: {name.lower()}s {{ id }} }}
}}""",
    )


@cache
def entity_version(entity: str, schema: Schema = ASSUMED) -> Query:
    """Return the query for when a performer, studio, tag or group changed last; null if there is none."""
    name = _name_of(entity, schema)
    return Query(f"{name}Version", f"query {name}Version($id: ID!) {{ found: find{name}(id: $id) {{ updated_at }} }}")


def scenes_that_exist(ids: Iterable[int]) -> Query:
    """Return a query that answers null for a missing scene: the field ``s<id>`` is the scene ``id``."""
    fields = "\n".join(f'  s{scene_id}: findScene(id: "{scene_id}") {{ id }}' for scene_id in ids)
    return Query("ScenesThatExist", f"query ScenesThatExist {{\n{fields}\n}}")


STUDIO_LEVELS: Final = 8
"""How far up a studio's owners are asked for: GraphQL knows no recursion, and nobody's hierarchy is deeper."""
TAG_LEVELS: Final = 5
"""The same for the tags above a tag; only those right above it are asked for unless somebody wants them all."""


_ABOUT: Final = (
    ("Studio", "details image_path updated_at"),
    ("Tag", "description image_path updated_at"),
    ("Group", "synopsis front_image_path updated_at"),
)
"""What makes a collection of a studio, a tag and a group more than its name; each calls it otherwise (facts 3.2)."""


def _nested(field: str, levels: int, about: str = "") -> str:
    """Return ``field`` with itself in it, so many levels deep."""
    inner = _nested(field, levels - 1, about) if levels > 1 else ""
    return f" {field} {{ id name {about}{inner} }}"


@dataclass(frozen=True, slots=True)
class Extras:
    """What is asked for only if somebody wants it: the tags above each tag, the addresses of performers' photos.

    ``about``: description, picture and time of change of studio, tags and groups.
    """

    tag_parents: bool = False
    photos: bool = False
    about: bool = False


_PLAIN: Final = Extras()


@cache
def _scene_fields(extras: Extras, schema: Schema) -> str:
    studio, tag, group = (schema.having(*each) for each in _ABOUT) if extras.about else ("", "", "")
    # Under their present name, whatever Stash calls them: one way of reading the answer is enough.
    groups, of_group = ("groups", "group") if schema.has(GROUPS) else ("groups: movies", "group: movie")
    performer = schema.having("Performer", "disambiguation gender favorite")
    return f"""fragment SceneFields on Scene {{
  id title {schema.having("Scene", "code details director")} date rating100 organized updated_at
  paths {{ screenshot }}
  files {{ path size duration }}
  studio {{ id name {studio}{_nested("parent_studio", STUDIO_LEVELS, studio)} }}
  performers {{ id name {performer}{" image_path" * extras.photos} }}
  tags {{ id name {tag}{_nested("parents", TAG_LEVELS if extras.tag_parents else 1)} }}
  {groups} {{ scene_index {of_group} {{ id name {group} }} }}
}}"""


@cache
def scenes_by_file(schema: Schema = ASSUMED) -> Query:
    """Return the query for scenes by a regular expression (RE2) over their files' paths.

    EQUALS and INCLUDES know wildcards (facts 3.3).
    """
    return Query(
        "ScenesByFile",
        f"""query ScenesByFile($path: String!, $limit: Int!) {{
  findScenes(
    filter: {{page: 1, per_page: $limit, sort: "id", direction: ASC}}
    scene_filter: {{path: {{value: $path, modifier: MATCHES_REGEX}}}}
  ) {{ scenes {{ ...SceneFields }} }}
}}
{_scene_fields(_PLAIN, schema)}""",
    )


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


@cache
def scenes(extras: Extras = _PLAIN, schema: Schema = ASSUMED) -> Query:
    """Return the query for whole scenes; without ``extras`` tags come with those right above them.

    All or nothing: one missing or repeated id fails it, an empty list means everything (facts 3.3).
    """
    kind, ids = ("ID", "ids") if schema.has(FIND_BY_IDS) else ("Int", "scene_ids")
    return Query(
        "Scenes",
        f"""query Scenes($ids: [{kind}!]) {{ findScenes({ids}: $ids) {{ scenes {{ ...SceneFields }} }} }}
{_scene_fields(extras, schema)}""",
    )


@cache
def scenes_after(extras: Extras = _PLAIN, schema: Schema = ASSUMED) -> Query:
    """Return the query for the next whole scenes of a walk over all."""
    return Query(
        "ScenesAfter",
        f"""query ScenesAfter($last: Int!, $limit: Int!) {{
  findScenes(
    filter: {{page: 1, per_page: $limit, sort: "id", direction: ASC}}
    scene_filter: {{id: {{value: $last, modifier: GREATER_THAN}}}}
  ) {{ scenes {{ ...SceneFields }} }}
}}
{_scene_fields(extras, schema)}""",
    )


def scenes_one_by_one(ids: Iterable[int], extras: Extras = _PLAIN, schema: Schema = ASSUMED) -> Query:
    """Return a query for whole scenes that answers null for a missing one: the field ``s<id>`` is the scene ``id``."""
    fields = "\n".join(f'  s{scene_id}: findScene(id: "{scene_id}") {{ ...SceneFields }}' for scene_id in ids)
    return Query("ScenesOneByOne", f"query ScenesOneByOne {{\n{fields}\n}}\n{_scene_fields(extras, schema)}")
