"""The parts of one simulated Stash, and the context in which each of its resolvers is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from graphql import GraphQLSchema

    from scenesync.simulators.stash.cancellation import Cancellation
    from scenesync.simulators.stash.jobs import JobQueue
    from scenesync.simulators.stash.library import Library
    from scenesync.simulators.stash.plugin_host import PluginHost
    from scenesync.simulators.stash.release import Release
    from scenesync.simulators.stash.sessions import Session, Sessions


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Settings of the server. Credentials count only when ``username`` and ``password`` are both set."""

    api_key: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    parallel_tasks: int = 1
    max_session_age_s: float = 3600.0
    config_dir: Path | None = None
    plugin_dir: Path | None = None

    @property
    def has_credentials(self) -> bool:
        """True when strangers are refused."""
        return bool(self.username and self.password)


@dataclass(slots=True)
class Engine:
    """Everything that a resolver can reach. ``system_status`` is OK, NEEDS_MIGRATION or SETUP."""

    config: ServerConfig
    release: Release
    schema: GraphQLSchema
    library: Library
    host: PluginHost
    jobs: JobQueue
    sessions: Sessions
    plugin_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    system_status: str = "OK"
    on_scanned: Callable[[], None] = field(default=lambda: None)
    """Called at the end of a scan or a clean."""

    @property
    def disabled_plugins(self) -> frozenset[str]:
        """Ids of plugins that are switched off."""
        return self.host.disabled


@dataclass(frozen=True, slots=True)
class Context:
    """One request: where it reached the server, who sent it, and whether its client still waits."""

    engine: Engine
    base_url: str
    cancellation: Cancellation
    session: Session

    @property
    def library(self) -> Library:
        """The database."""
        return self.engine.library

    def fire(self, trigger: str, entity_id: int, input_: object, input_fields: tuple[str, ...] | None = None) -> None:
        """Run the hooks for ``trigger`` in this request, then stop here if its client has gone meanwhile."""
        self.engine.host.fire(trigger, entity_id, input_, input_fields, self)
        self.cancellation.check()
