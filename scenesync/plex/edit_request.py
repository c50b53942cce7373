"""Turn an edit into the requests that make it. Pure.

Plex takes edits as the query of a PUT on a whole library, restricted by ``id`` (facts/plex.md 3). Without ``id`` it
edits every item, so `metadata_put` is the only place where such a request is built, and it wants the items' keys.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from scenesync.domain.fields import IMAGE_FIELDS, LIST_FIELDS, Field
from scenesync.domain.text import clean_paragraphs
from scenesync.plex.exceptions import PlexPermanentError
from scenesync.plex.request import Request, checked_key, parameter, tag_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.domain.diff import Edit, FieldChange
    from scenesync.plex.dialect import Dialect, MinusEncoding

MOVIE_TYPE: Final = 1
COLLECTION_TYPE: Final = 18
_ORDER: Final = {field: place for place, field in enumerate(Field)}

# What a request line has besides the summary's text; one number, so that the same text is cut alike for every item.
_RESERVED_BYTES: Final = 250
_NO_RATING: Final = "-1"
RATE_PATH: Final = "/:/rate"
_ELLIPSIS: Final = " …"
_SENTENCE_ENDS: Final = frozenset(".!?…\n")
_WIDE_SENTENCE_ENDS: Final = frozenset(
    "\u3002\uff01\uff1f"
)  # full-width . ! ? of Chinese and Japanese: no blank follows


def metadata_put(
    library_key: str, rating_keys: tuple[str, ...], parameters: Sequence[str], *, item_type: int = MOVIE_TYPE
) -> Request:
    """Return the request that edits these items, at least one, and no others, by encoded ``parameters``.

    Items of another type than ``item_type`` are not touched, whatever their keys.

    Raises PlexPermanentError if a key is missing or names anything but one thing.
    """
    if not rating_keys:
        raise PlexPermanentError("refused to build an edit that names no item: it would change the whole library")
    library_key = checked_key(library_key, "a library key")
    # A comma between ids is left as it is: every key has been checked to have none.
    ids = ",".join(checked_key(key, "a rating key") for key in rating_keys)
    return Request(
        "PUT", f"/library/sections/{library_key}/all", "&".join((f"type={item_type}", f"id={ids}", *parameters))
    )


def edit_requests(edit: Edit, dialect: Dialect, rating_keys: tuple[str, ...] = ()) -> tuple[Request, ...]:
    """Return the requests for ``edit``: one, and more only where lines are too long or names must travel alone.

    ``rating_keys`` are the items whose edits are equal to this one, to be named instead of its own. A summary too long
    for any request is cut (see `fitting_summary`). Raises PlexPermanentError if an edit names no item, has an image
    field or an empty title, or cannot be made to fit.
    """
    changes, ratings = _in_order(edit.changes), []
    if dialect.rating_request == "rate":
        ratings = [change for change in changes if change.field is Field.RATING]
        changes = [change for change in changes if change.field is not Field.RATING]
    rounds = [_blocks(change, lock=edit.leaves_locked(change.field), dialect=dialect) for change in changes]
    bare_locks = {**dict.fromkeys(edit.also_lock, True), **dict.fromkeys(edit.also_unlock, False)}
    in_order = sorted(bare_locks, key=_ORDER.__getitem__)
    rounds += [[_Block(field, (), _lock(field, lock=bare_locks[field]))] for field in in_order]
    item_type = COLLECTION_TYPE if edit.of_collection else MOVIE_TYPE
    items = rating_keys or (edit.rating_key,)
    pack = _Packing(edit.library_key, items, item_type, dialect.item_line_bytes)
    requests: list[Request] = []
    for turn in range(max(map(len, rounds), default=0)):
        requests.extend(pack.requests([blocks[turn] for blocks in rounds if turn < len(blocks)]))
    requests.extend(rate(key, str(change.after)) for change in ratings for key in items)
    return tuple(requests)


def rate(rating_key: str, rating: str) -> Request:
    """Return the request for the owner's rating alone, "" for none (facts/plex.md 3.2)."""
    key = checked_key(rating_key, "a rating key")
    query = f"key={key}&identifier=com.plexapp.plugins.library&{parameter('rating', rating or _NO_RATING)}"
    return Request("PUT", RATE_PATH, query)


def sliced_lists(edit: Edit, requests: Sequence[Request]) -> tuple[FieldChange, ...]:
    """Return the changes of lists so long that no one of the edit's requests has all their names."""
    if len(requests) == 1:
        return ()
    return tuple(
        change
        for change in edit.changes
        if not isinstance(change.after, str)
        and len(change.after) > 1
        and not any(_has_all_of(request, change.field, change.after) for request in requests)
    )


def fitting_names(field: Field, names: tuple[str, ...], line_bytes: int) -> tuple[str, ...]:
    """Return as many of the names as fit into one request line of ``line_bytes``."""
    budget = line_bytes - _RESERVED_BYTES
    for place, name in enumerate(names):
        budget -= len(_indexed(field, place, name)) + 1
        if budget < 0:
            return names[:place]
    return names


def fitting_summary(text: str, line_bytes: int) -> str:
    """Return ``text``, or what of it fits into a request line of ``line_bytes``, cut where a sentence or word ends."""
    budget = line_bytes - _RESERVED_BYTES
    longest_bytes = len(text) * (3 if text.isascii() else 12)  # a quick answer for nearly all texts
    if longest_bytes <= budget or _encoded_bytes(text) <= budget:
        return text
    budget -= _encoded_bytes(_ELLIPSIS)
    length = 0
    for character in text:
        budget -= _encoded_bytes(character)
        if budget < 0:
            break
        length += 1
    whole = clean_paragraphs(text, length)  # never cuts through a visible character
    return whole[: _last_break(whole)].rstrip() + _ELLIPSIS


@dataclass(frozen=True, slots=True)
class _Block:
    """The encoded parameters of one field that belong together, in the pieces into which they may be cut if need be."""

    field: Field
    pieces: tuple[str, ...]
    lock: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*self.pieces, self.lock)


class _Packing:
    """Fills requests with blocks up to the longest line."""

    def __init__(self, library_key: str, rating_keys: tuple[str, ...], item_type: int, limit_bytes: int) -> None:
        self._library_key = library_key
        self._rating_keys = rating_keys
        self._item_type = item_type
        self._limit_bytes = limit_bytes
        self._bare_bytes = self._put(()).line_bytes

    def requests(self, blocks: Sequence[_Block]) -> Iterator[Request]:
        """Yield as few requests as the order of the blocks allows."""
        waiting: list[str] = []
        waiting_bytes = 0
        for block in blocks:
            block_bytes = _joined_bytes(block.parameters)
            if waiting and not self._fits(waiting_bytes + block_bytes):
                yield self._put(waiting)
                waiting, waiting_bytes = [], 0
            waiting.extend(block.parameters)
            waiting_bytes += block_bytes
            if not self._fits(waiting_bytes):
                yield from self._in_slices(block)
                waiting, waiting_bytes = [], 0
        if waiting:
            yield self._put(waiting)

    def _in_slices(self, block: _Block) -> Iterator[Request]:
        """Yield a field's parameters in several requests.

        A server that replaces lists then shows the last slice only, which reading back reveals (facts/plex.md 3.4).
        """
        slice_: list[str] = []
        for piece in block.pieces:
            if slice_ and not self._fits(_joined_bytes([*slice_, piece, block.lock])):
                yield self._put([*slice_, block.lock])
                slice_ = []
            slice_.append(piece)
            if not self._fits(_joined_bytes([*slice_, block.lock])):
                raise PlexPermanentError(
                    f"an edit of item {self._rating_keys[0]} is too long for Plex "
                    f"({self._limit_bytes} bytes a request) and cannot be split: {block.field.value}"
                )
        yield self._put([*slice_, block.lock])

    def _put(self, parameters: Sequence[str]) -> Request:
        return metadata_put(self._library_key, self._rating_keys, parameters, item_type=self._item_type)

    def _fits(self, parameters_bytes: int) -> bool:
        return self._bare_bytes + parameters_bytes <= self._limit_bytes


def _joined_bytes(parameters: Sequence[str]) -> int:
    """Return how much longer encoded parameters make a request."""
    return sum(map(len, parameters)) + len(parameters)


def _in_order(changes: Sequence[FieldChange]) -> list[FieldChange]:
    return sorted(changes, key=lambda change: _ORDER[change.field])


def _blocks(change: FieldChange, *, lock: bool, dialect: Dialect) -> list[_Block]:
    """Return the field's blocks, one per turn: the first sets the value, others remove names that travel alone."""
    field, after = change.field, change.after
    if field in IMAGE_FIELDS or isinstance(after, str) is (field in LIST_FIELDS):
        raise PlexPermanentError(f"refused to write a value of this kind to {field.value}")
    locked = _lock(field, lock=lock)
    if isinstance(after, str):
        if field is Field.TITLE and not after.strip():
            raise PlexPermanentError("refused to write an empty title: what Plex makes of it is unknown")
        text = fitting_summary(after, dialect.item_line_bytes) if field is Field.SUMMARY else after
        return [_Block(field, (parameter(_value_of(field), text),), locked)]
    if dialect.minus_encoding == "plain" and any("," in name for name in change.removed):
        # Such a name cannot be told apart among those to remove: take all off, then put the wanted ones on.
        clear = _Block(field, (parameter(f"{field.value}[].tag", ""),), locked)
        wanted = [_indexed(field, place, name) for place, name in enumerate(after)]
        return [clear, *([_Block(field, tuple(wanted), locked)] if wanted else [])]
    names = [_indexed(field, place, name) for place, name in enumerate(after)]
    groups = _removal_groups(change.removed, dialect)
    minus = [parameter(f"{field.value}[].tag.tag-", _joined(group, dialect.minus_encoding)) for group in groups]
    return [_Block(field, (*names, *minus[:1]), locked), *(_Block(field, (removal,), locked) for removal in minus[1:])]


def _has_all_of(request: Request, field: Field, names: tuple[str, ...]) -> bool:
    ends = {_indexed(field, 0, names[0]), _indexed(field, len(names) - 1, names[-1])}
    return ends <= set(request.query.split("&"))


def _indexed(field: Field, place: int, name: str) -> str:
    return tag_parameter(_place_in_list(field, place), name)


@lru_cache(maxsize=1024)
def _place_in_list(field: Field, place: int) -> str:
    return f"{field.value}[{place}].tag.tag"


@cache  # one for each field
def _value_of(field: Field) -> str:
    return f"{field.value}.value"


def _removal_groups(names: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """Return the names to remove, those together that may stand in one parameter; each parameter fits into a request.

    Names share it joined by commas. In the double encoding every mark of a name is escaped, so all may share. Plain
    names with a comma or another mark are read in contradictory ways (facts/plex.md 3.3), so these travel alone;
    letters and digits of any script raise no question that the space in "North Pier" does not.
    """
    encoding = dialect.minus_encoding
    budget = dialect.item_line_bytes - _RESERVED_BYTES
    together: list[list[str]] = []
    size_bytes = budget
    for name in names:
        if not _may_share(name, encoding):
            continue
        name_bytes = _encoded_bytes(_joined([name], encoding)) + len("%2C")
        size_bytes += name_bytes
        if size_bytes > budget:
            together.append([])
            size_bytes = name_bytes
        together[-1].append(name)
    return [*together, *([name] for name in names if not _may_share(name, encoding))]


def _may_share(name: str, encoding: MinusEncoding) -> bool:
    if encoding == "double":
        return True
    return all(character in " _-" or unicodedata.category(character)[0] in "LNM" for character in name)


def _joined(names: Sequence[str], encoding: MinusEncoding) -> str:
    return ",".join(quote(name, safe="") for name in names) if encoding == "double" else ",".join(names)


@cache  # two for each field
def _lock(field: Field, *, lock: bool) -> str:
    # Always sent: some servers lock a field that is edited without it, for ever (facts/plex.md 3.2).
    return parameter(f"{field.value}.locked", "1" if lock else "0")


def _encoded_bytes(text: str) -> int:
    return len(quote(text, safe=""))


def _last_break(text: str) -> int:
    """Return where the last sentence ends in the text's second half, else the last word, else the end."""
    half = len(text) // 2
    sentence = max((end for end, pair in enumerate(pairwise(f"{text} ")) if _ends_sentence(*pair)), default=-1) + 1
    if sentence > half:
        return sentence
    word = max(text.rfind(" "), text.rfind("\n"))
    return word if word > half else len(text)


def _ends_sentence(character: str, following: str) -> bool:
    return character in _WIDE_SENTENCE_ENDS or (character in _SENTENCE_ENDS and following.isspace())
