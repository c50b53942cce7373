"""Invents what a person types into Stash's scene form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scenesync.simulators import sample_words as words
from scenesync.simulators.sample_world import png

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from scenesync.simulators.stash.library import Library

_COVER_SEEDS: Final = (1_000_000, 2_000_000)


def invent_changes(library: Library, rng: random.Random) -> Mapping[str, Any]:
    """Return new values for one to three fields, in the words of ``simulators.stash.person``."""
    return {name: _INVENTIONS[name](library, rng) for name in rng.sample(sorted(_INVENTIONS), rng.randint(1, 3))}


def _title(_library: Library, rng: random.Random) -> str:
    place, thing = rng.choice(words.PLACES), rng.choice(words.THINGS)
    return rng.choice(words.TITLES).format(place=place, thing=thing, number=rng.randint(1, 999))


def _details(_library: Library, rng: random.Random) -> str:
    return "\n\n".join(rng.sample(words.SENTENCES, rng.randint(0, 3)))


def _date(_library: Library, rng: random.Random) -> str:
    return f"{rng.randint(1996, 2025)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


def _performers(library: Library, rng: random.Random) -> list[int]:
    return rng.sample(sorted(library.performers), rng.randint(0, 4))


def _tags(library: Library, rng: random.Random) -> list[int]:
    return rng.sample(sorted(library.tags), rng.randint(0, 5))


def _director(_library: Library, rng: random.Random) -> str:
    return f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.LAST_NAMES)}"


def _cover(_library: Library, rng: random.Random) -> bytes:
    return png(rng.randrange(*_COVER_SEEDS))


_INVENTIONS: Final[Mapping[str, Callable[[Library, random.Random], Any]]] = {
    "title": _title,
    "details": _details,
    "date": _date,
    "performers": _performers,
    "tags": _tags,
    "director": _director,
    "cover": _cover,
}
