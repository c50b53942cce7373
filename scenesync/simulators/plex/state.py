"""What the endpoints share with the simulator that tests hold in their hands."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scenesync.simulators.http_server import Request, Response, Upgrade
from scenesync.simulators.plex.behaviour import PlexBehaviour
from scenesync.simulators.plex.catalogue import Catalogue
from scenesync.simulators.plex.model import PlexLibrary
from scenesync.simulators.plex.records import FieldWrite, RequestRecord


class Kind(StrEnum):
    """What a request is for."""

    IDENTITY = "identity"
    SERVER = "server"
    SECTIONS = "sections"
    LIST = "list"
    READ = "read"
    CHOICES = "choices"
    EDIT = "edit"
    RATE = "rate"
    IMAGE_LIST = "image_list"
    IMAGE_READ = "image_read"
    IMAGE = "image"
    COLLECTION = "collection"
    SCAN = "scan"
    REFRESH = "refresh"
    DELETE = "delete"
    NOTIFICATIONS = "notifications"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Call:
    """One request at the endpoint that it was routed to."""

    request: Request
    path: Mapping[str, str]
    """The named parts of the path."""

    @property
    def as_json(self) -> bool:
        """JSON was asked for; the default is XML."""
        return "application/json" in self.request.headers.get("accept", "")

    def option(self, name: str) -> str | None:
        """Return the last query parameter of this name."""
        return next((value for key, value in reversed(self.request.query) if key == name), None)

    def plex_option(self, name: str) -> str | None:
        """Return an ``X-Plex-…`` header, which may also be sent as a query parameter."""
        header = self.request.headers.get(name.lower())
        return self.option(name) if header is None else header


@dataclass(slots=True, eq=False)
class PlexState:
    """The state behind the endpoints, guarded by the simulator's lock."""

    catalogue: Catalogue
    behaviour: PlexBehaviour
    machine_identifier: str
    version: str
    schedule_scan: Callable[[PlexLibrary, str | None], None]
    now: Callable[[], float]
    requests: deque[RequestRecord]
    field_writes: deque[FieldWrite]
    listen: Callable[[Call], Response | Upgrade]
    """Answers whoever wants to hear notifications."""
    counts: Counter[str] = field(default_factory=Counter)
    ignored_fields: frozenset[str] = frozenset()
    whole_library_edits: list[str] = field(default_factory=list)
    deleted_media: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    on_page: Callable[[int], None] | None = None
