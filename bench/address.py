"""Where a simulated server answers: by itself, so that whoever only asks it need not load the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server answers, and what its clients need to know of the world."""

    url: str
    token: str
    scene_ids: tuple[int, ...]
    path_map: tuple[str, str]
    rating_keys: tuple[str, ...] = ()
