"""The few doors through which the worker reaches the outside world. Implementations live in one package each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scenesync.domain.dead_letter import DeadLetter
    from scenesync.domain.diff import Edit
    from scenesync.domain.fields import Field, FieldValue
    from scenesync.domain.item import Collection, Item, ItemPage, Library, ServerIdentity, UploadedImage
    from scenesync.domain.job import ClaimedJob, Job
    from scenesync.domain.scene import Scene


class JobQueue(Protocol):
    """What the worker needs of a durable queue: every method is one atomic step."""

    def claim(self, limit: int = 1) -> Sequence[ClaimedJob]:
        """Take up to ``limit`` due jobs; no two for the same key, none whose key is being processed."""
        ...

    def claim_urgent(self, limit: int = 1) -> Sequence[ClaimedJob]:
        """Take up to ``limit`` due jobs that a person waits for, as ``claim`` does, and no others."""
        ...

    def complete(self, claimed: ClaimedJob) -> None:
        """Take the finished job out. Raises LeaseLost if it is no longer held, as all methods below do."""
        ...

    def complete_all(self, claims: Sequence[ClaimedJob]) -> Sequence[ClaimedJob]:
        """Take finished jobs out in one step; return those that are no longer held, which stay as they are."""
        ...

    def requeue(self, claimed: ClaimedJob, job: Job) -> None:
        """Put the job back with new content (its retry state)."""
        ...

    def release(self, claimed: ClaimedJob) -> None:
        """Put the job back exactly as it was."""
        ...

    def bury(self, claimed: ClaimedJob, letter: DeadLetter) -> object:
        """Make the job a dead letter in the same step that takes it out of the queue."""
        ...

    def confirm_owned(self, claimed: ClaimedJob) -> bool:
        """Say whether the job is still held: asked before each write to Plex."""
        ...

    def take_over_dead_owners(self) -> int:
        """Let the jobs of workers that died wait again; return how many."""
        ...

    def maintain(self) -> None:
        """Keep what the queue stores small; asked for about once a minute."""
        ...

    def wake_for_files(self, file_keys: Iterable[str]) -> int:
        """Make due at once the jobs that wait for a file of such a name (``paths.name_key``); return how many."""
        ...

    def next_due_at(self) -> float | None:
        """Return when the next waiting job is due (epoch seconds), None if none waits."""
        ...

    def wait_for_change(self, timeout_s: float, stop: threading.Event) -> bool:
        """Sleep until somebody changed the queue, ``timeout_s`` passed or ``stop`` is set."""
        ...


class Fleet(Protocol):
    """Those who work on one queue together: the processes of one installation, on however many machines.

    None of these raises: what cannot be found out is answered so that it does no harm.
    """

    def me(self) -> str:
        """Return the name of this process among them."""
        ...

    def size(self) -> int:
        """Return how many live, this one included, as was known a few seconds ago."""
        ...

    def lives(self, name: str) -> bool:
        """Say whether one of them is alive, True where that cannot be told."""
        ...

    @property
    def is_elected(self) -> bool:
        """Whether this process is the one that does what only one is to do."""
        ...

    def somebody_else_leads(self) -> bool:
        """Say whether another process does that; False also where there is nobody."""
        ...

    def leader(self) -> str | None:
        """Return who is elected, as people know it, None for nobody, or where there is but one."""
        ...

    def stand_for_election(self, end: threading.Event, fit: Callable[[], bool] = ..., /) -> None:
        """Be elected whenever nobody else is, until ``end``; who is not ``fit`` lets those go first who are."""
        ...


class Image(Protocol):
    """A picture's bytes; ``etag`` names this content at its source ("" if the source did not say)."""

    @property
    def content(self) -> bytes:
        """The bytes."""
        ...

    @property
    def etag(self) -> str:
        """The source's own name for this content."""
        ...


class SceneSource(Protocol):
    """Where the truth comes from: Stash."""

    def scenes(self, ids: Sequence[int]) -> Mapping[int, Scene]:
        """Return the scenes that exist among ``ids``; missing ones are simply not in the answer.

        Raises StashUnavailable, StashUnauthorized or StashRefused.
        """
        ...

    def image(self, url: str, *, known_etag: str = "") -> Image | None:
        """Return the picture behind a scene's ``screenshot_url``, None if it is unchanged since ``known_etag``.

        A scene without a cover answers with a placeholder drawing: that is an Image with empty ``content``.
        Raises StashUnavailable, StashUnauthorized, StashRefused, ImageUnusable, ImageTooLarge.
        """
        ...


class MediaServer(Protocol):
    """Where the metadata goes: Plex. Every method may raise the errors of ``plex.exceptions``."""

    def identity(self) -> ServerIdentity:
        """Ask who answers; needs no token and is cheap enough to be a probe."""
        ...

    def libraries(self) -> Sequence[Library]:
        """Return the movie libraries (Other Videos libraries are of this kind too)."""
        ...

    def list_items(self, library_key: str, *, start: int, size: int, newest_first: bool = False) -> ItemPage:
        """Return one page of a library's items, ordered by id, or by time of change with ``newest_first``."""
        ...

    def read_items(self, rating_keys: Sequence[str]) -> Mapping[str, Item]:
        """Read items in full, in one request; those that no longer exist are not in the answer."""
        ...

    def fit(self, field: Field, value: FieldValue) -> FieldValue:
        """Return what of a wanted value this server can be sent; to be applied before values are compared."""
        ...

    def apply_edit(self, edit: Edit) -> None:
        """Send an edit: one request, more only where the request line would become too long."""
        ...

    def ready(self, edit: Edit) -> Callable[[], None]:
        """Return what does ``apply_edit``, with all made ready that can be before."""
        ...

    @property
    def edits_many(self) -> bool:
        """Whether the server is worth being sent one edit for several items."""
        ...

    def apply_to_all(self, edits: Sequence[Edit]) -> None:
        """Send edits of equal ``wording`` in as few requests as their items' keys need."""
        ...

    def edit_one_by_one(self) -> None:
        """Send no more edits for several items: one of them was swallowed, and then taken for a single item."""
        ...

    def apply_in_other_dialect(self, edit: Edit) -> None:
        """Send an edit the other way that servers are known to understand, after the first one did not stick."""
        ...

    def adopt_other_dialect(self, edits: Sequence[Edit]) -> None:
        """Speak the other way from now on about what these edits have: with them it was seen to work."""
        ...

    def uploaded_images(self, rating_key: str, field: Field) -> Sequence[UploadedImage]:
        """Return the candidates for the item's poster or background."""
        ...

    def upload_image(self, rating_key: str, field: Field, content: bytes) -> None:
        """Upload a picture; a server that did not have it yet selects it too (facts/plex.md 4)."""
        ...

    def select_image(self, rating_key: str, field: Field, key: str) -> None:
        """Select a picture that the server already has."""
        ...

    def remove_image(self, rating_key: str, field: Field) -> None:
        """Show no poster or background any more; what the server has as candidates stays."""
        ...


class CollectionServer(Protocol):
    """Plex's collections as such; their texts and pictures go through ``MediaServer``, as those of items do."""

    def of_library(self, library_key: str) -> Sequence[Collection]:
        """Return all collections of a library, without their locks."""
        ...

    def read(self, rating_keys: Sequence[str]) -> Mapping[str, Collection]:
        """Read collections in full; what does not exist or is none is not in the answer."""
        ...

    def members(self, rating_key: str) -> Sequence[str]:
        """Return the rating keys of the films in a collection. Raises PlexNotFound if it is gone."""
        ...

    def sort_by_hand(self, rating_key: str) -> None:
        """Let a collection's members stand in the order that they are moved into."""
        ...

    def move(self, rating_key: str, member: str, *, after: str) -> None:
        """Put a member behind another one, or with "" before all."""
        ...

    def delete(self, rating_key: str) -> None:
        """Delete a collection, never its films."""
        ...
