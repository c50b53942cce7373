"""What SceneSync asks of Stash, in words of the domain."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, cast

from scenesync.domain.batches import batched
from scenesync.domain.entities import Entity
from scenesync.domain.errors import ImageTooLarge, ImageUnusable, StashRefused, StashUnavailable
from scenesync.stash import queries
from scenesync.stash.change_walk import walk_by_change
from scenesync.stash.entity_client import EntityClient
from scenesync.stash.http_errors import AnswerTooLong, QueryNotUnderstood, refused, shorten
from scenesync.stash.images import StashImage, judge_image
from scenesync.stash.jobs import Job, to_job
from scenesync.stash.parse import SceneHint, to_hint, to_hint_with_files, to_int, to_scene, to_time
from scenesync.stash.schema import FILES_FILTER, JOBS, KnownSchema, schema_of
from scenesync.stash.transport import RequestRecord, SessionCookie, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from scenesync.domain.scene import Scene
    from scenesync.stash.queries import Query
    from scenesync.stash.schema import Note, Recall, Schema
    from scenesync.stash.transport import Door

T = TypeVar("T")
SystemStatus = Literal["OK", "SETUP", "NEEDS_MIGRATION"]

BATCH: Final = 100
"""Scenes in one request, at most."""

DST_SLACK_S: Final = 3600.0
"""How much two clocks of one place differ over a year: enough unless somebody changes the time zone of Stash."""
ANY_ZONE_SLACK_S: Final = 26 * 3600.0
"""How much any two places differ: enough whatever happened to the time zone of Stash."""

FILES_AT_ONCE: Final = 500
EXIST_AT_ONCE: Final = 200

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCKED: Final = "database is locked"  # SQLite's own words, in an answer with status 200 (facts/stash.md 3.1)


class StashClient:
    """A Stash server of v0.27 or later; implements ``domain.ports.SceneSource``. May be shared by threads.

    Every method may raise StashUnavailable (no answer, a database that is locked or needs migration, an answer that is
    not Stash's), StashUnauthorized or StashRefused. ``verify_tls=False`` accepts any certificate. ``on_request`` is
    called once per HTTP request, by the thread that made it. Raises ValueError for an address that is none.
    ``extras`` may be set to be told more of each scene.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        session_cookie: SessionCookie | None = None,
        connect_timeout_s: float = 5,
        read_timeout_s: float = 30,
        max_connections: int = 4,
        verify_tls: bool = True,
        ca_file: str | None = None,
        on_request: Callable[[RequestRecord], None] | None = None,
    ) -> None:
        self.extras = queries.Extras()
        self._transport = Transport(
            url,
            api_key=api_key,
            session_cookie=session_cookie,
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            max_connections=max_connections,
            verify_tls=verify_tls,
            ca_file=ca_file,
            on_request=on_request,
        )
        self._known_schema = KnownSchema(self.version, lambda: schema_of(self._fetch(queries.SCHEMA)))
        self.entities = EntityClient(self._fetch, self._known_schema.get)

    def __repr__(self) -> str:
        return f"StashClient({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; a request in hand ends, one after this is StashUnavailable."""
        self._transport.close()

    @property
    def base_url(self) -> str:
        """The address that is asked, without a slash at its end."""
        return self._transport.base_url

    @property
    def session_cookie(self) -> SessionCookie | None:
        """The session as Stash last renewed it, None if there never was one."""
        return self._transport.session_cookie

    def keep_schema(self, recall: Recall, note: Note) -> None:
        """Fit queries to what this Stash knows; ``recall`` and ``note`` keep that for each of its versions."""
        self._known_schema.keep(recall, note)

    @property
    def schema(self) -> Schema:
        """What this Stash knows of what is asked for; assumed to be a v0.27 unless ``keep_schema`` was called."""
        return self._known_schema.get()

    @property
    def server_time(self) -> datetime | None:
        """Stash's own clock, in whole seconds, when it answered last; None if it did not say."""
        return self._transport.server_time

    # --- the server -------------------------------------------------------------------------------------------------

    def version(self) -> str:
        """Return the release, "v0.30.1" say; "" from a build that does not know."""
        version = _object(self._fetch(queries.VERSION).get("version")).get("version")
        return version if isinstance(version, str) else ""

    def status(self) -> SystemStatus:
        """Return whether Stash works, waits for its first set-up, or needs its database migrated."""
        answer = self._transport.graphql(queries.STATUS)
        if answer.errors:
            raise self._refused_or_locked(answer.errors)
        status = _object(answer.data.get("systemStatus")).get("status")
        if status not in {"OK", "SETUP", "NEEDS_MIGRATION"}:
            raise StashUnavailable(f"Stash at {self.base_url} says that its status is {shorten(str(status))}.")
        return cast("SystemStatus", status)

    def jobs(self) -> Sequence[Job]:
        """Return the jobs that run or wait."""
        if not self.schema.has(JOBS):
            return []
        queue = self._fetch(queries.JOB_QUEUE).get("jobQueue") or []
        return [job for job in map(to_job, queue) if job is not None]

    def tells_jobs(self) -> bool:
        """Say whether it is known of this Stash which jobs it runs."""
        return self.schema.has(JOBS)

    def door(self) -> Door:
        """Return what another kind of connection to this Stash needs (``stash.subscription``)."""
        return self._transport.door()

    def api_key(self) -> str:
        """Return the API key with which Stash can be asked after the session has ended, "" if none was made yet."""
        general = _object(_object(self._fetch(queries.API_KEY).get("configuration")).get("general"))
        key = general.get("apiKey")
        return key if isinstance(key, str) else ""

    def plugin_settings(self, plugin_id: str = "scenesync") -> dict[str, Any]:
        """Return what was set on the plugin's page; keys never touched are absent.

        A v0.27 that was restarted gives numbers as texts (facts/stash.md 4): accept both.
        """
        data = self._fetch(queries.PLUGIN_SETTINGS, {"ids": [plugin_id]})
        plugins = _object(_object(data.get("configuration")).get("plugins"))
        return dict(_object(plugins.get(plugin_id)))

    def plugins_enabled(self) -> dict[str, bool]:
        """Return for each installed plugin whether it is switched on."""
        # Stash answers null, not [], when there is none (facts/stash.md 1.8).
        plugins = self._fetch(queries.PLUGINS).get("plugins") or []
        return {str(plugin["id"]): plugin.get("enabled") is True for plugin in _objects(plugins) if "id" in plugin}

    # --- scenes -----------------------------------------------------------------------------------------------------

    def scenes(self, ids: Sequence[int]) -> Mapping[int, Scene]:
        """Return the scenes that exist among ``ids``; one is left out only if Stash says outright that there is none.

        One request for up to BATCH different ids, and a second one for such a batch if a scene of it is missing.
        """
        wanted = list(dict.fromkeys(scene_id for scene_id in ids if scene_id > 0))
        found: dict[int, Scene] = {}
        for start in range(0, len(wanted), BATCH):
            found |= self._fitting(partial(self._batch, wanted[start : start + BATCH]))
        return found

    def existing_scenes(self, ids: Iterable[int]) -> set[int]:
        """Return those of the scenes that there are; one is left out only if Stash says outright that there is none."""
        found: set[int] = set()
        for some in batched(ids, EXIST_AT_ONCE):
            data = self._fetch(queries.scenes_that_exist(some))
            found.update(scene_id for scene_id in some if data.get(f"s{scene_id}", "absent") is not None)
        return found

    def scene_count(self) -> int:
        """Return how many scenes there are."""
        count = to_int(_object(self._fetch(queries.SCENE_COUNT).get("findScenes")).get("count"))
        if count is None:
            raise self._misshapen(queries.SCENE_COUNT)
        return count

    def highest_scene_id(self) -> int:
        """Return the highest id of a scene, 0 if there is none."""
        _, documents = self._page(queries.HIGHEST_SCENE_ID, {})
        return max((to_int(document.get("id")) or 0 for document in documents), default=0)

    def scene_ids_after(self, last_id: int, limit: int) -> Sequence[int]:
        """Return the next ids above ``last_id`` in rising order, at most ``limit`` (1 or more); fewer are the last."""
        _, documents = self._page(queries.SCENE_IDS_AFTER, {"last": last_id, "limit": _positive(limit)})
        ids = (to_int(document.get("id")) for document in documents)
        return [scene_id for scene_id in ids if scene_id is not None]

    def scene_ids_of_entity_after(
        self, entity: Entity, ids: Sequence[int], last_id: int, limit: int, *, depth: int = 0
    ) -> Sequence[int]:
        """Return the next ids above ``last_id`` of scenes that have one of these performers, studios, tags or groups.

        Of studios and tags so many levels below count too, all of them with a ``depth`` of -1.
        """
        variables: dict[str, Any] = {"ids": [str(each) for each in ids], "last": last_id, "limit": _positive(limit)}
        if entity in {Entity.STUDIO, Entity.TAG}:
            variables["depth"] = depth
        _, documents = self._fitting(
            lambda schema: self._page(queries.scenes_of_entity_after(entity.value, schema), variables)
        )
        found = (to_int(document.get("id")) for document in documents)
        return [scene_id for scene_id in found if scene_id is not None]

    def scene_urls_after(self, text: str, last_id: int, limit: int) -> Sequence[tuple[int, tuple[str, ...]]]:
        """Return the next scenes above ``last_id`` with a URL that contains ``text``, each with all its URLs."""
        variables = {"last": last_id, "limit": _positive(limit), "text": text}
        _, documents = self._page(queries.SCENE_URLS_AFTER, variables)
        pairs = ((to_int(document.get("id")), document.get("urls")) for document in documents)
        return [
            (scene_id, tuple(url for url in urls if isinstance(url, str)))
            for scene_id, urls in pairs
            if scene_id is not None and isinstance(urls, list)
        ]

    def set_scene_urls(self, scene_id: int, urls: Sequence[str]) -> None:
        """Give a scene exactly these URLs. Raises StashRefused if there is no such scene."""
        self._fetch(queries.SET_SCENE_URLS, {"id": str(scene_id), "urls": list(urls)})

    def scene_hints_after(self, last_id: int, limit: int) -> Sequence[SceneHint]:
        """Return the same as ``scene_ids_after`` with what a job shows of its scene."""
        _, documents = self._page(queries.SCENE_HINTS_AFTER, {"last": last_id, "limit": _positive(limit)})
        return [hint for hint in map(to_hint, documents) if hint is not None]

    def scene_files_after(self, last_id: int, limit: int) -> Sequence[SceneHint]:
        """Return the same as ``scene_hints_after`` with all that is known of the files."""
        _, documents = self._page(queries.SCENE_FILES_AFTER, {"last": last_id, "limit": _positive(limit)})
        return [hint for hint in map(to_hint_with_files, documents) if hint is not None]

    def scenes_with_files_changed_since(self, since: datetime, zone_of: str) -> Sequence[SceneHint]:
        """Return the scenes, with their files, of which Stash changed a file after ``since``; none where it cannot say.

        Stash compares texts: ``zone_of`` is one of its own times, in the zone in which it writes now (facts 0.6, 0.7).
        """
        if not self.schema.has(FILES_FILTER):
            return []
        text, last_id = _in_zone_of(zone_of, since), 0
        found: list[SceneHint] = []
        while True:
            variables = {"last": last_id, "limit": FILES_AT_ONCE, "since": text}
            _, documents = self._page(queries.SCENES_WITH_FILES_CHANGED, variables)
            page = [hint for hint in map(to_hint_with_files, documents) if hint is not None]
            found += page
            if len(documents) < FILES_AT_ONCE:
                return found
            last_id = page[-1].id

    def scenes_after(self, last_id: int, limit: int) -> Sequence[Scene]:
        """Return the next scenes above ``last_id`` in rising order, in full, at most ``limit`` (1 or more)."""
        variables = {"last": last_id, "limit": _positive(limit)}
        _, documents = self._fitting(lambda schema: self._page(queries.scenes_after(self.extras, schema), variables))
        return [scene for scene in map(to_scene, documents) if scene is not None]

    def scenes_to_match_after(self, last_id: int, limit: int, *, tags: bool = True) -> Sequence[Scene]:
        """Return the next scenes above ``last_id``, with files, studio, organized and, with ``tags``, tags alone."""
        variables = {"last": last_id, "limit": _positive(limit), "tags": tags}
        _, documents = self._page(queries.SCENES_TO_MATCH_AFTER, variables)
        return [scene for scene in map(to_scene, documents) if scene is not None]

    def scenes_with_files_named(self, names: Sequence[str]) -> Sequence[Scene]:
        """Return the scenes that have a file of one of these names, in whatever folder and case; BATCH at most."""
        spellings = sorted({unicodedata.normalize(form, name) for name in names if name for form in ("NFC", "NFD")})
        if not spellings:
            return []
        alternatives = "|".join(re.escape(name) for name in spellings)
        path = rf"(?i)(?:^|[/\\])(?:{alternatives})$"
        _, documents = self._fitting(
            lambda schema: self._page(queries.scenes_by_file(schema), {"path": path, "limit": BATCH})
        )
        return [scene for scene in map(to_scene, documents) if scene is not None]

    def scenes_updated_since(
        self,
        since: datetime | str,
        *,
        overlap_s: float = 120,
        zone_slack_s: float = DST_SLACK_S,
        page_size: int = 500,
    ) -> Iterator[SceneHint]:
        """Walk the scenes changed at or after ``since`` less ``overlap_s``, the last changed first, each once.

        ``since`` is a moment with its zone, or such a text of Stash's. Stash orders these texts as texts, and each has
        the zone of its time (facts/stash.md 0.6): after the clocks went back, new rows stand below older ones. So the
        walk goes on until it meets a row that is older by another ``zone_slack_s``; ANY_ZONE_SLACK_S also finds what
        changed after somebody set Stash to another zone, and costs the reading of one day.
        Changes that leave ``updated_at`` alone (moved files, renamed performers: facts 0.5, 0.7) do not show here.
        Raises ValueError for a ``since`` that is no moment.
        """
        begin = _moment(since) - timedelta(seconds=overlap_s)
        ask = partial(self._page, queries.SCENES_BY_CHANGE)
        return walk_by_change(ask, to_hint, begin, begin - timedelta(seconds=zone_slack_s), _positive(page_size))

    def image(self, url: str, *, known_etag: str = "") -> StashImage | None:
        """Return the picture behind a scene's ``screenshot_url``, None if it still is the one with ``known_etag``.

        A scene without a cover answers with a placeholder drawing: an image with empty ``content``.
        Raises ImageUnusable for what is no picture, ImageTooLarge for one that is too large to be read.
        """
        if not url:
            return StashImage(b"")
        try:
            download = self._transport.download(url, known_etag=known_etag)
        except AnswerTooLong as error:
            raise ImageTooLarge(f"The picture is too large: {error}") from error
        if download.status == HTTPStatus.NOT_MODIFIED:
            return None
        if download.status != HTTPStatus.OK:
            raise ImageUnusable(f"Stash at {self.base_url} has no picture there (HTTP {download.status}).")
        return judge_image(download.content, download.content_type, download.etag)

    # --- how --------------------------------------------------------------------------------------------------------

    def _fitting(self, ask: Callable[[Schema], T]) -> T:
        """Ask what fits the schema, and once more if that has changed, as it does when Stash is brought up to date."""
        schema = self.schema
        try:
            return ask(schema)
        except QueryNotUnderstood:
            if not self._known_schema.is_outdated(schema):
                raise
        return ask(self.schema)

    def _batch(self, ids: list[int], schema: Schema) -> dict[int, Scene]:
        if len(ids) > 1:
            query = queries.scenes(self.extras, schema)
            answer = self._transport.graphql(query, {"ids": [str(scene_id) for scene_id in ids]})
            documents = _objects(_object(answer.data.get("findScenes")).get("scenes"))
            scenes = {scene.id: scene for scene in map(to_scene, documents) if scene is not None}
            if not answer.errors and scenes.keys() == set(ids):
                return scenes
            if answer.errors and _is_locked(answer.errors):
                raise self._locked()
        return self._one_by_one(ids, schema)

    def _one_by_one(self, ids: list[int], schema: Schema) -> dict[int, Scene]:
        """Ask for each scene by itself, still in one request; null means that there is none.

        A scene counts as gone on nothing less: what is done about deleted scenes may not be undone.
        """
        query = queries.scenes_one_by_one(ids, self.extras, schema)
        data = self._fetch(query)
        found: dict[int, Scene] = {}
        for scene_id in ids:
            document = data.get(f"s{scene_id}", "absent")
            if document is None:
                continue
            scene = to_scene(document)
            if scene is None or scene.id != scene_id:
                raise self._misshapen(query)
            found[scene_id] = scene
        return found

    def _page(self, query: Query, variables: Mapping[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        """Return the count (0 unless asked for) and the scenes of a findScenes."""
        found = _object(self._fetch(query, variables).get("findScenes"))
        documents = found.get("scenes")
        if not isinstance(documents, list):
            raise self._misshapen(query)
        return to_int(found.get("count")) or 0, _objects(documents)

    def _fetch(self, query: Query, variables: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return the data of an answer without errors; a partial one would make missing text look like emptied text."""
        answer = self._transport.graphql(query, variables)
        if not answer.errors:
            return answer.data
        if not _is_locked(answer.errors):
            status = self.status()
            if status != "OK":
                raise StashUnavailable(f"Stash at {self.base_url} {_WAITING_FOR[status]}")
        raise self._refused_or_locked(answer.errors)

    def _refused_or_locked(self, errors: Sequence[str]) -> StashRefused | StashUnavailable:
        return self._locked() if _is_locked(errors) else refused(self.base_url, "; ".join(errors))

    def _locked(self) -> StashUnavailable:
        return StashUnavailable(f"Stash at {self.base_url} is busy writing: {_LOCKED}.")

    def _misshapen(self, query: Query) -> StashRefused:
        return StashRefused(f"Stash at {self.base_url} answered {query.name} with other fields than asked for.")


_WAITING_FOR: Final = {
    "SETUP": "has not been set up yet: open it in a browser and follow its set-up.",
    "NEEDS_MIGRATION": "needs its database migrated: open it in a browser and start the migration.",
}


def _is_locked(errors: Sequence[str]) -> bool:
    return any(_LOCKED in error for error in errors)


def _in_zone_of(text: str, moment: datetime) -> str:
    """Return a moment as Stash writes it where it wrote ``text``: whole seconds, Z for UTC."""
    like = to_time(text)
    written = moment.astimezone(like.tzinfo if like is not None else UTC).isoformat(timespec="seconds")
    return f"{written[:-6]}Z" if written.endswith("+00:00") else written


def _moment(since: datetime | str) -> datetime:
    moment = to_time(since) if isinstance(since, str) else since
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{since!r} is no moment with a time zone, like 2026-11-23T15:58:40-05:00")
    return max(moment, _EPOCH)


def _positive(number: int) -> int:
    """Return ``number``; Stash takes 0 for nothing and -1 for everything, and neither is ever wanted."""
    if number < 1:
        raise ValueError(f"{number} is no size of a page")
    return number


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    return [_object(entry) for entry in value] if isinstance(value, list) else []
