"""The Plex client: the ``MediaServer`` port over a few documented requests (facts/plex.md 1 to 4).

One method call is one request, and nothing is retried, with these exceptions: a long list of ids and a long edit take
several; what is too long for a server is split and sent again; a failure that means one thing while Plex is alive and
another while it is not is followed by one short question to ``/identity``; an empty first page of a listing that was
asked to be lean, and a 404 for several items at once, are asked again in another way until it is known what they mean.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar
from urllib.parse import quote

from scenesync.domain.fields import Field, FieldValue
from scenesync.domain.item import ItemPage
from scenesync.domain.shown_item import ShownPage
from scenesync.plex import image_request, parse
from scenesync.plex.collections import PlexCollections
from scenesync.plex.dialect import (
    SURE_LINE_BYTES,
    Dialect,
    after_long_edit,
    after_long_id_list,
    other_minus_encoding,
    other_rating_request,
    other_way,
)
from scenesync.plex.edit_request import edit_requests, sliced_lists
from scenesync.plex.exceptions import PlexBusy, PlexError, PlexNotFound, PlexPermanentError
from scenesync.plex.exchange import Exchange, LineTooLong, RequestRecord, Timeouts, parsed
from scenesync.plex.fitting import fitted, fitting, warn_of_cuts
from scenesync.plex.http import PlexHttp
from scenesync.plex.http_errors import Cause, NoAnswer
from scenesync.plex.photo_request import photo_requests
from scenesync.plex.read_request import IDS_PER_READ, chunks, items_request
from scenesync.plex.request import Request, checked_key, parameter
from scenesync.plex.watching import ItemWatcher, Nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scenesync.domain.diff import Edit, FieldChange
    from scenesync.domain.item import Item, Library, ServerIdentity, UploadedImage
    from scenesync.plex.request import RawAnswer, Send

logger: Final = logging.getLogger(__name__)

_WRONG_VERB: Final = frozenset({404, 405})
"""Which verb a version wants for scans differs, and a wrong one is mostly answered with 404 (facts/plex.md 6.1)."""

_Page = TypeVar("_Page", ItemPage, ShownPage)

_NEVER_NEEDED: Final = (
    "&excludeElements=Country,Guid,Rating,Writer,Producer,Similar,Style,Mood,Format,Image,UltraBlurColors"
)
_LEAN: Final = (
    f"{_NEVER_NEEDED},Genre,Collection,Director,Role"
    "&excludeFields=summary,tagline,titleSort,originalTitle,studio,contentRating,userRating,year,originallyAvailableAt,"
    "thumb,art,guid"
)


class PlexClient:
    """Speaks to one Plex server. Thread-safe; implements ``domain.ports.MediaServer``.

    ``send`` is the way to the server; ``on_request`` is called after every request, in the thread that made it.
    """

    def __init__(
        self,
        send: Send,
        *,
        timeouts: Timeouts | None = None,
        dialect: Dialect | None = None,
        on_request: Callable[[RequestRecord], None] | None = None,
    ) -> None:
        self._exchange = Exchange(send, timeouts or Timeouts(), on_request)
        self.collections = PlexCollections(self._exchange)
        self._dialect = dialect or Dialect()
        self._dialect_lock = threading.Lock()
        self._on_learned: Callable[[Dialect], None] | None = None
        self._watcher: ItemWatcher = Nobody()
        self._computing: AbstractContextManager[object] = contextlib.nullcontext()
        self._exit = contextlib.ExitStack()

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        token: str | None,
        client_identifier: str,
        version: str,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 30.0,
        write_timeout_s: float | None = None,
        identity_timeout_s: float = 3.0,
        pool_size: int = 8,
        ca_file: Path | None = None,
        verify: bool = True,
        dialect: Dialect | None = None,
        on_request: Callable[[RequestRecord], None] | None = None,
    ) -> Self:
        """Return a client for the server at ``url``; sends nothing yet. Without a token only its identity can be had.

        ``client_identifier`` is made once per installation and kept. ``write_timeout_s`` is by default twice
        ``read_timeout_s``. ``pool_size`` is the number of requests that can be under way, identity questions apart.
        Raises ValueError for an address, token or CA file that cannot be used.
        """
        http = PlexHttp(
            url,
            token=token,
            client_identifier=client_identifier,
            version=version,
            connect_timeout_s=connect_timeout_s,
            pool_size=pool_size,
            ca_file=ca_file,
            verify=verify,
        )
        write_s = 2 * read_timeout_s if write_timeout_s is None else write_timeout_s
        timeouts = Timeouts(read_timeout_s, write_s, identity_timeout_s)
        client = cls(http, timeouts=timeouts, dialect=dialect, on_request=on_request)
        client._exit.callback(http.close)
        return client

    def close(self) -> None:
        """Close idle connections; requests under way end by themselves, later ones fail."""
        self._exit.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def dialect(self) -> Dialect:
        """What is known about the server's ways.

        It grows by itself, except for ``minus_encoding``: whether names left a list is seen by reading back only.
        """
        return self._dialect

    def adopt(self, change: Callable[[Dialect], Dialect]) -> Dialect:
        """Replace the dialect by ``change(dialect)``, in one step, and return it."""
        with self._dialect_lock:
            self._dialect = dialect = change(self._dialect)
        if self._on_learned is not None:
            self._on_learned(dialect)
        return dialect

    def remember_with(self, on_learned: Callable[[Dialect], None] | None) -> None:
        """Tell every later change of the dialect to ``on_learned``, so that it can be kept."""
        self._on_learned = on_learned

    def watch_with(self, watcher: ItemWatcher | None) -> None:
        """Tell ``watcher`` from now on which items are read and written."""
        self._watcher = Nobody() if watcher is None else watcher

    def compute_with(self, turn: AbstractContextManager[object]) -> None:
        """Hold ``turn`` from now on while an answer about many items is taken apart."""
        self._computing = turn

    def scan_folder(self, library_key: str, folder: str) -> None:
        """Ask for a scan of one folder, as Plex calls it; it is done some time later, or never (facts/plex.md 6.1)."""
        path = f"/library/sections/{checked_key(library_key, 'a library key')}/refresh"
        query = parameter("path", folder)
        try:
            self._exchange.read(Request("GET", path, query), "scan")
        except (PlexNotFound, PlexPermanentError) as error:
            if error.status not in _WRONG_VERB:
                raise
            self._exchange.read(Request("POST", path, query), "scan")

    def identity(self) -> ServerIdentity:
        """Ask who answers, with a short time-out and without waiting for other requests."""
        return self._exchange.identity()

    def libraries(self) -> Sequence[Library]:
        """Return the movie libraries."""
        request = Request("GET", "/library/sections")
        return parsed(request, self._exchange.read(request, "libraries"), parse.movie_libraries)

    def list_items(self, library_key: str, *, start: int, size: int, newest_first: bool = False) -> ItemPage:
        """Return the page at ``start``; it may have fewer or more items than ``size``.

        There is no snapshot: drop duplicates by rating key, go on at ``start`` plus the number received, and end with
        an empty page (facts/plex.md 2.1).
        """
        # `id` is not advertised, but the one order that does not change while one pages (facts/plex.md 2.1).
        return self._page(library_key, start, size, "updatedAt:desc" if newest_first else "id", _LEAN, parse.item_page)

    def list_shown_items(self, library_key: str, *, start: int, size: int) -> ShownPage:
        """Return the page at ``start``, ordered by id, with all that a listing tells of the items' fields."""
        return self._page(library_key, start, size, "id", _NEVER_NEEDED, parse.shown_page)

    def read_items(self, rating_keys: Sequence[str], *, at_once: int = IDS_PER_READ) -> Mapping[str, Item]:
        """Read items in full, ``at_once`` in one request at most; those that do not exist are not in the answer."""
        began_at = time.monotonic()
        wanted = tuple(dict.fromkeys(checked_key(key, "a rating key") for key in rating_keys))
        found: dict[str, Item] = {}
        waiting = list(chunks(wanted, self._dialect.ids_line_bytes, at_once))
        while waiting:
            keys = waiting.pop()
            request = items_request(keys)
            began = time.monotonic()
            try:
                answer = self._exchange.read(request, "read")
                as_of = _as_of(answer, began)
                with self._computing:
                    items = parsed(request, answer, partial(parse.items, as_of=as_of))
            except PlexNotFound:
                # Several at once: it is unknown whether one missing item hides the others (facts/plex.md 2.5).
                if len(keys) > 1 and not self._dialect.omits_missing:
                    waiting += [keys[: len(keys) // 2], keys[len(keys) // 2 :]]
            except LineTooLong as error:
                shorter = after_long_id_list(self._dialect, error.line_bytes) if len(keys) > 1 else None
                if shorter is None:
                    raise
                self._learn(ids_line_bytes=shorter.ids_line_bytes)
                waiting.extend(chunks(keys, self._dialect.ids_line_bytes, at_once))
            else:
                asked = frozenset(keys)
                found |= {each.rating_key: each for each in items if each.rating_key in asked}
                if len(items) < len(keys) and not self._dialect.omits_missing:
                    self._learn(omits_missing=True)
        known = {key: found[key] for key in wanted if key in found}
        self._watcher.was_read(wanted, known, began_at)
        return known

    def in_parts(self, rating_keys: Sequence[str], *, at_once: int) -> Sequence[Sequence[str]]:
        """Return the keys in as many parts as ``read_items`` makes requests for them."""
        return list(chunks(rating_keys, self._dialect.ids_line_bytes, at_once))

    def fit(self, field: Field, value: FieldValue) -> FieldValue:
        """Return what of ``value`` this server can be sent: long summaries are cut, and lists if it replaces lists.

        To be applied to wanted values before they are compared, so that what was cut counts as right.
        """
        return fitting(field, value, self._dialect)

    def apply_edit(self, edit: Edit) -> None:
        """Send an edit. A success says that Plex took it, not that it did it: only reading back does.

        A summary that does not fit (`fit`) is cut, with a warning in the log.
        """
        self._apply(edit, self._dialect)

    def ready(self, edit: Edit) -> Callable[[], None]:
        """Return what does ``apply_edit``; the request is made now."""
        dialect = self._dialect
        return partial(self._apply, edit, dialect, edit_requests(fitted(edit, dialect), dialect))

    @property
    def edits_many(self) -> bool:
        """Whether the server was never seen to swallow an edit for several items."""
        return self._dialect.edits_many

    def edit_one_by_one(self) -> None:
        """Send every edit by itself from now on."""
        self._learn(edits_many=False)

    def apply_to_all(self, edits: Sequence[Edit]) -> None:
        """Send edits of equal wording in one request, more only where a line would become too long.

        What takes several requests for one item is sent item by item. Raises PlexPermanentError for unequal ones.
        """
        first = edits[0]
        if any(edit.wording != first.wording for edit in edits):
            raise PlexPermanentError("refused to send edits that differ as one")
        by_key = {edit.rating_key: edit for edit in edits}
        waiting = [tuple(by_key)]
        while waiting:
            keys = waiting.pop()
            requests = edit_requests(fitted(first, self._dialect), self._dialect, keys)
            if len(keys) == 1 or len(requests) > 1:
                for key in keys:
                    self.apply_edit(by_key[key])
            elif requests[0].line_bytes > self._dialect.ids_line_bytes:
                waiting += [keys[: len(keys) // 2], keys[len(keys) // 2 :]]
            else:
                waiting += self._write_to_all(requests[0], keys)

    def _write_to_all(self, request: Request, keys: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Send an edit for several items; return the keys again if it turned out to be too long for this server."""
        for key in keys:
            self._watcher.was_written(key)
        try:
            self._write_fields(request)
        except LineTooLong as error:
            shorter = after_long_id_list(self._dialect, error.line_bytes)
            if shorter is None:
                raise
            self._learn(ids_line_bytes=shorter.ids_line_bytes)
            return [keys]
        return []

    def apply_in_other_dialect(self, edit: Edit) -> None:
        """Send an edit the other way that servers are known to understand removed names and ratings."""
        self._apply(edit, other_way(self._dialect))

    def adopt_other_dialect(self, edits: Sequence[Edit]) -> None:
        """Speak the other way from now on about what these edits have: reading back has shown that it is understood."""
        changes = [change for edit in edits for change in edit.changes]
        if any(change.removed for change in changes):
            self._learn(minus_encoding=other_minus_encoding(self._dialect).minus_encoding)
        if any(change.field is Field.RATING for change in changes):
            self._learn(rating_request=other_rating_request(self._dialect).rating_request)

    def _apply(self, edit: Edit, dialect: Dialect, ready: Sequence[Request] = ()) -> None:
        self._watcher.was_written(edit.rating_key)
        while True:
            requests, ready = ready or edit_requests(fitted(edit, dialect), dialect), ()
            try:
                for request in requests:
                    self._write_fields(request)
            except LineTooLong as error:
                shorter = after_long_edit(dialect, error.line_bytes)
                if shorter is None:
                    raise
                dialect = shorter
            else:
                break
        if dialect.item_line_bytes < self._dialect.item_line_bytes:
            # Only now, since a connection that broke twice by chance must not shorten texts for ever.
            self._learn(item_line_bytes=dialect.item_line_bytes)
        if dialect.long_lists == "unknown" and (long := sliced_lists(edit, requests)):
            dialect = self._learn_of_long_lists(edit, long, dialect)
        warn_of_cuts(edit, dialect)

    def _learn_of_long_lists(self, edit: Edit, changes: Sequence[FieldChange], dialect: Dialect) -> Dialect:
        """Look whether the requests for a long list added to each other or replaced each other; mend the latter."""
        item = self.read_items([edit.rating_key]).get(edit.rating_key)
        shown = {change.field: _folded(item.value(change.field)) for change in changes} if item else {}
        # A server that replaces shows the end of a list alone; one whose lists lag (facts/plex.md 3.2) not even that.
        told = [change for change in changes if change.after[-1].casefold() in shown.get(change.field, ())]
        if not told:
            return dialect
        replaced = any(change.after[0].casefold() not in shown[change.field] for change in told)
        known = replace(dialect, long_lists="replaced" if replaced else "added")
        self._learn(long_lists=known.long_lists)
        if replaced:
            self._apply(replace(edit, changes=tuple(changes), also_lock=(), also_unlock=()), known)
        return known

    def uploaded_images(self, rating_key: str, field: Field) -> Sequence[UploadedImage]:
        """Return the candidates for the item's poster or background, uploaded or not."""
        request = image_request.candidates(rating_key, field)
        return parsed(request, self._exchange.read(request, "images"), parse.uploaded_images)

    def upload_image(self, rating_key: str, field: Field, content: bytes) -> None:
        """Upload a picture. Raises PlexPermanentError if it is empty or larger than Plex takes (10 MB)."""
        self._watcher.was_written(rating_key)
        self._exchange.write(image_request.upload(rating_key, field, content), "upload")

    def select_image(self, rating_key: str, field: Field, key: str) -> None:
        """Select a candidate by the key that `uploaded_images` gave."""
        self._watcher.was_written(rating_key)
        self._exchange.write(image_request.select(rating_key, field, key), "select")

    def remove_image(self, rating_key: str, field: Field) -> None:
        """Show no picture any more; the candidates stay. Raises PlexNotFound where Plex is older than 1.43."""
        self._watcher.was_written(rating_key)
        self._exchange.write(image_request.remove(rating_key, field), "select")

    def set_photos(self, item: Item, photos: Mapping[str, str], *, lock: bool) -> None:
        """Give actors that the item shows their photos, by name; the list itself stays as it is.

        A photo belongs to the person, in every item of the server (facts/plex.md 3.3).
        """
        cast = item.value(Field.ACTORS)
        names = (cast,) if isinstance(cast, str) else cast
        limit = self._dialect.item_line_bytes
        self._watcher.was_written(item.rating_key)
        for request in photo_requests(item.library_key, item.rating_key, names, photos, lock=lock, line_bytes=limit):
            self._exchange.write(request, "edit")

    def _page(
        self, library_key: str, start: int, size: int, order: str, leaving_out: str, parser: Callable[..., _Page]
    ) -> _Page:
        asked = leaving_out if self._dialect.lean_listing else ""
        page = self._read_page(library_key, start, size, order, asked, parser)
        if asked and not page.items and start == 0 and size > 0:
            page = self._read_page(library_key, start, size, order, "", parser)
            if page.items:
                # An unknown parameter is taken for a filter that nothing passes (facts/plex.md 0).
                self._learn(lean_listing=False)
        return page

    def _read_page(
        self, library_key: str, start: int, size: int, order: str, leaving_out: str, parser: Callable[..., _Page]
    ) -> _Page:
        library_key = checked_key(library_key, "a library key")
        paging = f"X-Plex-Container-Start={start:d}&X-Plex-Container-Size={size:d}"
        query = f"type=1&sort={quote(order, safe='')}&{paging}{leaving_out}"
        request = Request("GET", f"/library/sections/{library_key}/all", query)
        began = time.monotonic()
        answer = self._exchange.read(request, "listing")
        as_of = _as_of(answer, began)
        told = answer.headers.get("x-plex-container-total-size", "")
        with self._computing:
            parse_page = partial(parser, library_key=library_key, start=start, size=size, header_total=told)
            page = parsed(request, answer, parse_page)
        return replace(page, as_of=as_of)

    def _write_fields(self, request: Request) -> None:
        """Send an edit; a long one whose connection breaks is sent once more to tell a limit from an accident."""
        try:
            self._exchange.write(request, "edit")
        except PlexBusy as error:
            if not _may_be_too_long(request, error):
                raise
            try:
                self._exchange.write(request, "edit")
            except PlexBusy as again:
                if not _may_be_too_long(request, again):
                    raise
                raise LineTooLong(request) from again

    def _learn(self, **known: int | bool | str) -> None:
        self.adopt(lambda dialect: replace(dialect, **known))  # type: ignore[arg-type]  # names and types of Dialect
        logger.info("Plex's dialect learned: %s", ", ".join(f"{name}={value}" for name, value in known.items()))


def _as_of(answer: RawAnswer, began: float) -> int:
    """Return a time by the server's clock that was not over when it looked, 0 if it does not tell its time.

    It looked after the request had begun (monotonic), at most so long before the time that it tells.
    """
    told = parse.server_time(answer.headers.get("date", ""))
    return told and told - math.ceil(time.monotonic() - began)


def _may_be_too_long(request: Request, error: PlexError) -> bool:
    """Say whether the failed write may have been cut off for its length (facts/plex.md 3.4)."""
    broken = isinstance(error.__cause__, NoAnswer) and error.__cause__.cause is Cause.CUT
    return broken and request.line_bytes > SURE_LINE_BYTES


def _folded(value: FieldValue) -> frozenset[str]:
    return frozenset(name.casefold() for name in value)
