"""What Stash knows of a scene, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SceneFile:
    """One file of a scene; ``path`` as Stash sees it, size and duration where Stash knows them."""

    path: str
    size_bytes: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What else Stash says of a studio, tag or group, as far as it was asked for.

    ``image_url`` is that of its picture at Stash, "" if it has none; ``changed_at`` in epoch seconds, 0 if not told.
    """

    description: str = ""
    image_url: str = ""
    changed_at: float = 0.0


NOTHING_MORE: Final = About()


@dataclass(frozen=True, slots=True)
class Studio:
    """A studio and, if it has one, its parent, which may have one itself."""

    id: int
    name: str
    parent: Studio | None = None
    about: About = NOTHING_MORE


@dataclass(frozen=True, slots=True)
class Performer:
    """A performer; ``disambiguation`` tells two of the same name apart, ``gender`` is Stash's word in lower case.

    ``image_url`` is the photo's URL at Stash, if that was asked for; a placeholder has one too.
    """

    id: int
    name: str
    disambiguation: str = ""
    gender: str = ""
    favorite: bool = False
    image_url: str = ""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag with the tags above it, as far as they were asked for."""

    id: int
    name: str
    parents: tuple[Tag, ...] = ()
    about: About = NOTHING_MORE


@dataclass(frozen=True, slots=True)
class Group:
    """A group (a film of several scenes, say) and the scene's place in it."""

    id: int
    name: str
    scene_index: int | None = None
    about: About = NOTHING_MORE


@dataclass(frozen=True, slots=True)
class Scene:
    """A Stash scene with all that can be shown in Plex.

    Text is never None: Stash answers "" for unset text (facts: Scene fields). ``date`` is Stash's own text, maybe only
    a year or a month, "" when unset. ``updated_at`` is Stash's own string too: it compares these as text.
    ``screenshot_url`` is the cover's URL at Stash, "" when there is none. ``files`` has the primary one first.
    """

    id: int
    title: str = ""
    code: str = ""
    details: str = ""
    director: str = ""
    date: str = ""
    rating100: int | None = None
    organized: bool = False
    studio: Studio | None = None
    performers: tuple[Performer, ...] = ()
    tags: tuple[Tag, ...] = ()
    groups: tuple[Group, ...] = ()
    files: tuple[SceneFile, ...] = ()
    screenshot_url: str = ""
    updated_at: str = ""
