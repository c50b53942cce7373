"""A simulated Stash over real HTTP with real plugin processes: the library, and what a person does in its UI.

It knows nothing but the facts in ``facts/stash.md``; nothing of SceneSync's own client is imported here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from scenesync.simulators.stash import entity_mutations, scanning, scene_mutations, tasks
from scenesync.simulators.stash.cancellation import Cancellation
from scenesync.simulators.stash.engine import Context, Engine, ServerConfig
from scenesync.simulators.stash.faults import failure
from scenesync.simulators.stash.http_api import HttpApi, RequestRecord
from scenesync.simulators.stash.http_disconnect import DisconnectingServer
from scenesync.simulators.stash.jobs import Job, JobQueue
from scenesync.simulators.stash.library import Library
from scenesync.simulators.stash.open_ui import OpenUi
from scenesync.simulators.stash.person import EntityRef, entity_input, id_of, scene_input
from scenesync.simulators.stash.plugin_host import HookRun, LogLine, PluginHost, PluginSurroundings
from scenesync.simulators.stash.records import Group, NewFile, Performer, Scene, Studio, Tag, image_of
from scenesync.simulators.stash.release import release_of
from scenesync.simulators.stash.schema import schema_of
from scenesync.simulators.stash.sessions import Session, Sessions
from scenesync.simulators.stash.silent import SilentChanges

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from scenesync.simulators.stash.subscriptions import Subscriptions

_BIND_HOST: Final = "127.0.0.1"
_REAPING_S: Final = 2.0


class StashSimulator:
    """One Stash. ``start()`` or ``with`` serves it; the library can be filled before.

    ``plugin_dir`` holds plugins as ``<folder>/<id>.yml``; their processes get ``PATH`` and ``hook_env`` for an
    environment, and ``python`` (default: this one) where a manifest says ``python``. ``clock`` returns epoch seconds;
    None looks at :func:`time.time` each time. Credentials are in force when both are given.
    """

    def __init__(
        self,
        plugin_dir: Path | None = None,
        *,
        api_key: str = "",
        username: str = "",
        password: str = "",
        hook_env: Mapping[str, str] | None = None,
        python: Path | None = None,
        zone: dt.tzinfo = dt.UTC,
        clock: Callable[[], float] | None = None,
        version: str = "v0.30.1",
        parallel_tasks: int = 1,
        max_session_age_s: float = 3600.0,
        config_dir: Path | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if config_dir is None:
            config_dir = plugin_dir.parent if plugin_dir is not None else Path(tempfile.gettempdir())
        config = ServerConfig(api_key, username, password, parallel_tasks, max_session_age_s, config_dir, plugin_dir)
        self.library = Library(zone=zone, clock=clock)
        sessions = Sessions(now=self.library.now_s, max_age_s=max_session_age_s)
        environment = {"PATH": os.defpath, **(hook_env or {})}
        surroundings = PluginSurroundings(plugin_dir, config_dir, environment, python, _BIND_HOST)
        self._host = PluginHost(surroundings, sessions, port=lambda: self.port)
        release = release_of(version)
        self.engine = Engine(
            config=config,
            release=release,
            schema=schema_of(release),
            library=self.library,
            host=self._host,
            jobs=JobQueue(self.library.timestamp),
            sessions=sessions,
        )
        self._api = HttpApi(self.engine, self._on_loop)
        self._server = DisconnectingServer(self._api.answer, port=port, tls=tls, clock=self.library.now_s)
        self._closing = Cancellation()
        self.silently = SilentChanges(self.library)
        """What happens without any hook."""
        self.engine.jobs.on_change = self.subscriptions.tell_of_job
        self.engine.on_scanned = self.subscriptions.tell_of_scan
        self._host.load()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``, or ``https``."""
        return self._server.url

    @property
    def port(self) -> int:
        """The port; 0 before the first start."""
        return self._server.port

    @property
    def subscriptions(self) -> Subscriptions:
        """Who listens to news of jobs and scans."""
        return self._api.subscriptions

    def start(self) -> None:
        """Serve."""
        self._server.start()

    def stop(self) -> None:
        """Kill running hooks and tasks, and stop serving. A simulator is not started again."""
        self._closing.cancel()
        self._server.stop()
        self._api.close()
        self.engine.jobs.stop()
        self._host.stop(_REAPING_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    # Filling the library: data that was always there, so no hook.

    def add_studio(self, name: str, parent: EntityRef | None = None, *, image: bytes | None = None) -> Studio:
        """Add a studio, owned by ``parent``."""
        library = self.library
        with library.lock:
            now = library.timestamp()
            parent_id = None if parent is None else id_of(parent)
            studio = Studio(library.next_id("studio"), now, now, name, parent_id)
            studio = replace(studio, image=image_of(image) if image else None)
            library.studios[studio.id] = studio
            return studio

    def add_performer(self, name: str, disambiguation: str = "", image: bytes | None = None) -> Performer:
        """Add a performer."""
        library = self.library
        with library.lock:
            now = library.timestamp()
            performer = Performer(library.next_id("performer"), now, now, name, disambiguation)
            performer = replace(performer, image=image_of(image) if image else None)
            library.performers[performer.id] = performer
            return performer

    def add_tag(self, name: str, *, sort_name: str = "", parents: Iterable[EntityRef] = ()) -> Tag:
        """Add a tag."""
        library = self.library
        with library.lock:
            now = library.timestamp()
            parent_ids = tuple(id_of(each) for each in parents)
            tag = Tag(library.next_id("tag"), now, now, name, sort_name, parent_ids=parent_ids)
            library.tags[tag.id] = tag
            return tag

    def add_group(self, name: str, *, date: str | None = None) -> Group:
        """Add a group."""
        library = self.library
        with library.lock:
            now = library.timestamp()
            group = Group(library.next_id("group"), now, now, name, date=date)
            library.groups[group.id] = group
            return group

    def add_scene(
        self,
        *,
        title: str = "",
        path: str | None = None,
        size_bytes: int = 1_000_000,
        duration_s: float = 60.0,
        details: str = "",
        date: str | None = None,
        studio: EntityRef | None = None,
        performers: Iterable[EntityRef] = (),
        tags: Iterable[EntityRef] = (),
        groups: Iterable[EntityRef] = (),
        director: str = "",
        code: str = "",
        rating100: int | None = None,
        organized: bool = False,
        cover: bytes | None = None,
        files: Sequence[NewFile] = (),
    ) -> Scene:
        """Add a scene with the file at ``path``, or with ``files`` (the first is primary); with neither it has none."""
        library = self.library
        if path is not None:
            files = (NewFile(path, size_bytes, duration_s), *files)
        with library.lock:
            now = library.timestamp()
            scene = Scene(
                id=library.next_id("scene"),
                created_at=now,
                updated_at=now,
                title=title,
                code=code,
                details=details,
                director=director,
                date=date,
                rating100=rating100,
                organized=organized,
                studio_id=None if studio is None else id_of(studio),
                performer_ids=tuple(sorted({id_of(each) for each in performers})),
                tag_ids=tuple(dict.fromkeys(id_of(each) for each in tags)),
                groups=tuple((id_of(each), None) for each in groups),
                files=tuple(library.new_file(each) for each in files),
                cover=image_of(cover) if cover else None,
            )
            return library.put_scene(scene)

    # Looking, as a test does.

    def scene(self, scene_id: EntityRef) -> Scene:
        """Return the scene as it is now. Raises NotFound, a :class:`LookupError`."""
        return self.library.scene(id_of(scene_id))

    def scenes(self) -> tuple[Scene, ...]:
        """All scenes, by id."""
        with self.library.lock:
            return tuple(self.library.scenes_above(0))

    @property
    def log(self) -> list[LogLine]:
        """Stash's log: what plugins wrote to stderr, and what Stash says about them."""
        return self._host.log

    @property
    def hook_runs(self) -> list[HookRun]:
        """Every hook that was started, in the order of their ends."""
        return self._host.hook_runs

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request over HTTP, in the order of their answers."""
        return self._api.requests

    def operations(self) -> Counter[str]:
        """How often each operation name and each root field was asked for."""
        return Counter(name for record in self.requests if record.graphql for name in record.graphql.names)

    def job(self, job_id: int | str, timeout_s: float = 30.0) -> Job:
        """Wait for a job's end. Raises :class:`TimeoutError`."""
        return self.engine.jobs.wait(int(job_id), timeout_s)

    # What a person does. Each returns when the last hook has ended, as the UI would.

    def save(self, scene_id: EntityRef, **fields: Any) -> Scene | None:  # noqa: ANN401 - as sceneUpdate takes them
        """Press Save: ``fields`` as in :meth:`add_scene` (without files), or as in SceneUpdateInput."""
        arguments = {"input": {"id": str(id_of(scene_id)), **scene_input(fields)}}
        return scene_mutations.scene_update(self._context(), arguments)

    def bulk_save(self, scene_ids: Iterable[EntityRef], **fields: Any) -> None:  # noqa: ANN401 - likewise
        """Edit several at once; lists replace what was there, unless given as BulkUpdateIds."""
        values = {
            key: {"ids": value, "mode": "SET"} if key.endswith("_ids") and isinstance(value, list) else value
            for key, value in scene_input(fields).items()
        }
        arguments = {"input": {"ids": [str(id_of(each)) for each in scene_ids], **values}}
        scene_mutations.bulk_scene_update(self._context(), arguments)

    def destroy(self, scene_id: EntityRef, *, delete_file: bool = False) -> None:
        """Delete a scene."""
        raw = {"id": str(id_of(scene_id)), "delete_file": delete_file, "delete_generated": True}
        scene_mutations.scene_destroy(self._context(), {"input": raw})

    def merge(self, sources: Iterable[EntityRef], destination: EntityRef, **values: Any) -> Scene:  # noqa: ANN401 - likewise
        """Merge scenes: no hook at all."""
        source_ids = [str(id_of(each)) for each in sources]
        raw = {"source": source_ids, "destination": str(id_of(destination)), "values": scene_input(values)}
        return scene_mutations.scene_merge(self._context(), {"input": raw})

    def save_performer(self, performer: EntityRef, **fields: Any) -> None:  # noqa: ANN401 - as performerUpdate takes them
        """Edit a performer."""
        self._save_entity("performer", performer, fields)

    def save_studio(self, studio: EntityRef, **fields: Any) -> None:  # noqa: ANN401 - as studioUpdate takes them
        """Edit a studio."""
        self._save_entity("studio", studio, fields)

    def save_tag(self, tag: EntityRef, **fields: Any) -> None:  # noqa: ANN401 - as tagUpdate takes them
        """Edit a tag."""
        self._save_entity("tag", tag, fields)

    def save_group(self, group: EntityRef, **fields: Any) -> None:  # noqa: ANN401 - as groupUpdate takes them
        """Edit a group."""
        self._save_entity("group", group, fields)

    def destroy_entities(self, kind: str, entities: Iterable[EntityRef]) -> None:
        """Delete performers, studios, tags or groups (``kind`` is the singular)."""
        ids = [str(id_of(each)) for each in entities]
        entity_mutations.destroy_entities(kind)(self._context(), {"ids": ids})

    def merge_tags(self, sources: Iterable[EntityRef], destination: EntityRef) -> None:
        """Merge tags into another."""
        raw = {"source": [str(id_of(each)) for each in sources], "destination": str(id_of(destination))}
        entity_mutations.tags_merge(self._context(), {"input": raw})

    def scan(self, files: Sequence[NewFile]) -> list[int]:
        """Find new files and return the ids of their scenes; covers come after the hooks."""
        return scanning.scan_new_files(self._context(), files)

    def rename_in_scan(self, scene_id: EntityRef, new_path: str) -> None:
        """Find a file under a new name: a hook without input, no new ``updated_at``."""
        scanning.scan_renamed_file(self._context(), id_of(scene_id), new_path)

    def change_file_in_scan(self, scene_id: EntityRef, *, size_bytes: int, duration_s: float) -> None:
        """Find a file changed in place: like a rename."""
        scanning.scan_changed_file(self._context(), id_of(scene_id), size_bytes=size_bytes, duration_s=duration_s)

    def add_copy_in_scan(self, scene_id: EntityRef, path: str) -> None:
        """Find an identical copy of a scene's file: a hook and a new ``updated_at``."""
        scanning.scan_copy(self._context(), id_of(scene_id), path)

    def clean(self, missing_paths: Collection[str]) -> None:
        """Forget files that are gone from the disk."""
        scanning.clean(self._context(), missing_paths)

    def scan_job(self, files: Sequence[NewFile]) -> int:
        """Start a scan that finds these files; return the id of its job (``job`` waits for its end)."""
        return tasks.start_scan(self.engine, self.url, files)

    def identify_job(self, changes: Iterable[tuple[EntityRef, Mapping[str, Any]]], *, pause_s: float = 0.0) -> int:
        """Start a task that identifies scenes, one after the other, each with a hook; return the id of its job."""
        inputs = [(id_of(scene), scene_input(dict(fields))) for scene, fields in changes]
        return tasks.start_identify(self.engine, self.url, inputs, pause_s=pause_s)

    def open_ui(self) -> OpenUi:
        """Open the settings page in a browser, which keeps a copy of all settings from then on."""
        return OpenUi(self.engine)

    # Failing on purpose.

    def require_login(self, username: str, password: str, api_key: str) -> None:
        """Ask for credentials from now on, as if a person had set them."""
        self.engine.config = replace(self.engine.config, username=username, password=password, api_key=api_key)

    def down(self) -> None:
        """Refuse connections until :meth:`up`; requests in hand are cut off, with their hooks."""
        self._server.refuse()

    def up(self) -> None:
        """Accept connections again, on the same port."""
        self._server.accept()

    def set_status(self, status: str) -> None:
        """Pose as ``SETUP``, ``NEEDS_MIGRATION`` or ``OK``: most queries fail in the first two."""
        self.engine.system_status = status

    def fail_next(
        self,
        times: int = 1,
        *,
        status: int | None = None,
        reset: bool = False,
        graphql_error: str | None = None,
        operation: str | None = None,
    ) -> None:
        """Fail the next GraphQL requests: by HTTP status, TCP reset, or an error with status 200."""
        self._api.faults.plan(times, failure(status=status, reset=reset, graphql_error=graphql_error), operation)

    def forget_failures(self) -> None:
        """Take back what :meth:`fail_next` planned."""
        self._api.faults.clear()

    @property
    def latency_s(self) -> float:
        """How long each request waits before it is looked at."""
        return self._api.latency_s

    @latency_s.setter
    def latency_s(self, seconds: float) -> None:
        self._api.latency_s = seconds

    @property
    def kills_hooks_on_disconnect(self) -> bool:
        """As in Stash, a client that goes away takes the running hook and the remaining ones with it."""
        return self._api.kills_hooks_on_disconnect

    @kills_hooks_on_disconnect.setter
    def kills_hooks_on_disconnect(self, kills: bool) -> None:
        self._api.kills_hooks_on_disconnect = kills

    def _on_loop(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # before the start and at the end nobody listens
            self._server.call_soon(function)

    def _save_entity(self, kind: str, entity: EntityRef, fields: Mapping[str, Any]) -> None:
        arguments = {"input": {"id": str(id_of(entity)), **entity_input(fields)}}
        entity_mutations.update_entity(kind)(self._context(), arguments)

    def _context(self) -> Context:
        return Context(self.engine, self.url, self._closing, Session(self.engine.config.username))
