"""Turns the raw values of mutation inputs into what is stored, with Stash's errors."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes, urlsplit

from scenesync.simulators.stash.errors import ResolverError
from scenesync.simulators.stash.records import Image, image_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


def as_id(value: object) -> int:
    """Return a row id. Raises :class:`ResolverError` as Go's Atoi fails."""
    try:
        return int(str(value))
    except ValueError:
        raise ResolverError(f'strconv.Atoi: parsing "{value}": invalid syntax') from None


def as_ids(values: Sequence[object] | None) -> tuple[int, ...]:
    """Return row ids, each once, in the given order."""
    return tuple(dict.fromkeys(as_id(each) for each in values or ()))


def known_ids(values: Sequence[object] | None, table: Mapping[int, object], statement: str) -> tuple[int, ...]:
    """Return ids of rows that exist. Raises :class:`ResolverError` with the raw SQL that Stash shows."""
    ids = as_ids(values)
    for each in ids:
        if each not in table:
            raise foreign_key_failed(statement, each)
    return ids


def foreign_key_failed(statement: str, value: int) -> ResolverError:
    """Return the error for a reference to a row that does not exist."""
    return ResolverError(f"{statement} [[{value}]]: FOREIGN KEY constraint failed")


def as_date(value: str | None, *, takes_partial: bool) -> str | None:
    """Return a date as stored; an empty text clears it. Raises :class:`ResolverError` for anything else."""
    if not value:
        return None
    match = _DATE.fullmatch(value)
    if match is not None and (takes_partial or match[3]):
        year, month, day = (int(part) if part else 1 for part in match.groups())
        try:
            dt.date(year, month, day)
        except ValueError:
            match = None
        else:
            return value
    if takes_partial:
        raise ResolverError(f"converting date: failed to parse date {value!r}")
    raise ResolverError(f"converting date: ParseDateStringAsTime failed: dateString <{value}>")


def as_image(value: str, what: str) -> Image:
    """Return the picture in a ``data:`` URL. Raises :class:`ResolverError`; http(s) sources are not simulated."""
    if not value.startswith("data:"):
        scheme = urlsplit(value).scheme
        if scheme in {"http", "https"}:
            raise ResolverError(f"processing {what}: the simulated Stash does not fetch images")
        raise ResolverError(f'processing {what}: Get "{value}": unsupported protocol scheme "{scheme}"')
    head, _, content = value.partition(",")
    if not head.endswith(";base64"):
        return image_of(unquote_to_bytes(content))
    try:
        return image_of(base64.b64decode(content, validate=True))
    except binascii.Error as error:
        raise ResolverError(f"processing {what}: illegal base64 data: {error}") from error


def data_url(content: bytes) -> str:
    """Return ``content`` as the ``data:`` URL that the UI would send."""
    return f"data:{image_of(content).content_type};base64,{base64.b64encode(content).decode('ascii')}"
