"""The request that gives actors their photos (facts/plex.md 3.3). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.domain.fields import Field
from scenesync.plex.edit_request import metadata_put
from scenesync.plex.request import parameter, tag_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scenesync.plex.request import Request


def photo_requests(
    library_key: str, rating_key: str, cast: Sequence[str], photos: Mapping[str, str], *, lock: bool, line_bytes: int
) -> Iterator[Request]:
    """Yield the requests that give actors of ``cast`` their ``photos`` (name to address, "" takes one away).

    Each has the whole cast, since a server may take the list for the new one; so there are as many requests as it needs
    to fit the addresses beside it. Where not even one fits, there is none for that photo.
    """
    names = [tag_parameter(f"{Field.ACTORS.value}[{place}].tag.tag", name) for place, name in enumerate(cast)]
    bare = [*names, parameter(f"{Field.ACTORS.value}.locked", "1" if lock else "0")]
    room = line_bytes - metadata_put(library_key, (rating_key,), bare).line_bytes
    batch: list[str] = []
    for place, name in enumerate(cast):
        if name not in photos:
            continue
        thumb = parameter(f"{Field.ACTORS.value}[{place}].tag.thumb", photos[name])
        if batch and sum(len(entry) + 1 for entry in (*batch, thumb)) > room:
            yield metadata_put(library_key, (rating_key,), [*batch, *bare])
            batch = []
        if len(thumb) + 1 <= room:
            batch.append(thumb)
    if batch:
        yield metadata_put(library_key, (rating_key,), [*batch, *bare])
