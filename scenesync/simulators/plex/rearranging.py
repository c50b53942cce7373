"""What a person does to whole movies in Plex: merge, split apart, move to another library, fix the match.

Keys follow facts/plex.md 7: a merge keeps one key, a split and a move make new ones, a fixed match keeps its key.
"""

from collections.abc import Sequence

from scenesync.simulators.plex.catalogue import Catalogue
from scenesync.simulators.plex.model import PlexItem, PlexLibrary


def merge(catalogue: Catalogue, item: PlexItem, others: Sequence[PlexItem]) -> None:
    """Make the others' files versions of ``item``; the others vanish."""
    item.versions = (*item.versions, *(version for other in others for version in other.versions))
    for other in others:
        catalogue.remove(other)
    catalogue.touch(item, moves_updated_at=True)


def split(catalogue: Catalogue, item: PlexItem) -> tuple[PlexItem, ...]:
    """Leave ``item`` its first version and give every other one an item; return these."""
    rest, item.versions = item.versions[1:], item.versions[:1]
    catalogue.touch(item, moves_updated_at=True)
    return tuple(catalogue.add_movie(catalogue.library_of(item), (version,), None) for version in rest)


def move(catalogue: Catalogue, item: PlexItem, library: PlexLibrary) -> PlexItem:
    """Remove ``item`` and add its files to another library."""
    catalogue.remove(item)
    return catalogue.add_movie(library, item.versions, None)


def rematch(catalogue: Catalogue, item: PlexItem, title: str) -> None:
    """Replace what is not locked by what the new match says."""
    item.originals = {**item.originals, "title": title, "titleSort": title}
    for stem in ("title", "titleSort"):
        if stem not in item.locked:
            item.scalars[stem] = title
    catalogue.touch(item, moves_updated_at=True)
