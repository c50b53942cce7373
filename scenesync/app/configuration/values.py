"""How one value is read: the types behind the settings, each with the words for what it allows.

Every validator raises ``Refused`` with a reason that never repeats a secret; who set the value is added elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from scenesync.domain.collection import CollectionSource
from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.field_rules import Gender
from scenesync.domain.name_rules import name_pattern, rename_rule
from scenesync.domain.news import CHOSEN_BY_SETTINGS
from scenesync.domain.paths import PathRule, is_windows_path, path_key
from scenesync.domain.title_template import PLACEHOLDERS, title_template

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.fields import FieldInfo

ARROW: Final = "=>"
FIELD_NAMES: Final = (
    *("title", "summary", "date", "studio", "performers", "tags", "director", "poster", "background"),
    *("collection", "rating", "tagline", "labels", "content_rating", "performer_photos"),
)
"""What fields are called in settings: the switch of each has ``sync_`` before it."""
_DAY_S: Final = 86_400


class Refused(ValueError):
    """A value is not allowed; the text says why, in words that follow a colon."""


class ReconcileInterval(StrEnum):
    """How often the two libraries are compared as a whole."""

    NEVER = "never"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


class BackupInterval(StrEnum):
    """How often a backup is made."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"


class HeartbeatMethod(StrEnum):
    """How the watcher's address is asked."""

    GET = "get"
    POST = "post"


class ReconcileScope(StrEnum):
    """How far back a scheduled reconciliation looks."""

    DAY = "24h"
    WEEK = "7d"
    ALL = "all"


class LogFormat(StrEnum):
    """How log lines look; ``auto`` decides by who reads them."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
    STASH = "stash"


class LogLevel(StrEnum):
    """The least important level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a key accepts, worded to follow "must be"."""

    text: str


def allowed_text(field: FieldInfo) -> str:
    """Return what a settings field accepts, worded to follow "must be"."""
    for mark in field.metadata:
        if isinstance(mark, Allowed):
            return mark.text
    if isinstance(field.annotation, type) and issubclass(field.annotation, StrEnum):
        return f"one of {', '.join(member.value for member in field.annotation)}"
    if field.annotation is bool:
        return "true or false"
    return f"a {'whole number' if field.annotation is int else 'number of seconds'} {_range(field)}"


def _range(field: FieldInfo) -> str:
    bounds: dict[type, object] = {}
    for mark in field.metadata:
        match mark:
            case Ge(ge=bound) | Gt(gt=bound) | Le(le=bound):
                bounds[type(mark)] = bound
    if Gt in bounds:
        return f"above {bounds[Gt]}, up to {bounds[Le]}"
    return f"from {bounds[Ge]} to {bounds[Le]}"


def not_a_switch(value: object) -> object:
    """Refuse true and false where a number is wanted: Python would take them for 1 and 0."""
    if isinstance(value, bool):
        raise Refused("that is a switch, not a number")
    return value


def lower_case(value: object) -> object:
    """Return text without outer blanks and capitals, as choices are compared; anything else as it is."""
    return value.strip().lower() if isinstance(value, str) else value


def blank_is_none(value: object) -> object:
    """Take empty text for "not set", as an example file or a Compose variable leaves it."""
    return None if isinstance(value, str) and not value.strip() else value


def names(value: object) -> tuple[str, ...]:
    """Return a list of texts without outer blanks, empty ones and repetitions, in the order given."""
    if not isinstance(value, list | tuple):
        raise Refused('it is not a list, such as ["one", "two"]')
    if not all(isinstance(name, str) for name in value):
        raise Refused("not all of it is text")
    return tuple(dict.fromkeys(name.strip() for name in value if name.strip()))


def path_rules(value: object) -> tuple[PathRule, ...]:
    """Return the rules of ``path_map`` in the order given; one prefix has one target."""
    if not isinstance(value, list | tuple):
        raise Refused(f'it is not a list, such as ["/data {ARROW} /media"]')
    rules = [rule if isinstance(rule, PathRule) else path_rule(rule) for rule in value if rule != ""]
    targets: dict[str, str] = {}
    for rule in rules:
        key = path_key(rule.stash_prefix)
        if targets.setdefault(key, rule.plex_prefix) != rule.plex_prefix:
            raise Refused(f"two rules begin with {rule.stash_prefix} and lead to different places")
    return tuple(dict.fromkeys(rules))


def patterns(value: object) -> tuple[str, ...]:
    """Return a list of patterns for names, each of which can be understood."""
    texts = names(value)
    for text in texts:
        _understood(name_pattern, text)
    return texts


def rename_rules(value: object) -> tuple[str, ...]:
    """Return the rules ``pattern => name`` in the order given, each of which can be understood."""
    texts = names(value)
    for text in texts:
        _understood(rename_rule, *sides_of(text))
    return texts


def field_policies(value: object) -> tuple[str, ...]:
    """Return the rules ``field => policy`` in the order given; one field has one policy."""
    texts = names(value)
    seen: dict[str, str] = {}
    for text in texts:
        field, policy = (side.lower() for side in sides_of(text))
        if field not in FIELD_NAMES:
            raise Refused(f"there is no field {field}")
        if policy not in set(ConflictPolicy):
            raise Refused(f"there is no policy {policy}; there are {', '.join(ConflictPolicy)}")
        if seen.setdefault(field, policy) != policy:
            raise Refused(f"two rules are about {field}")
    return texts


def genders(value: object) -> tuple[str, ...]:
    """Return a list of genders in Stash's words, in lower case."""
    found = tuple(dict.fromkeys(name.lower().replace("-", "_").replace(" ", "_") for name in names(value)))
    unknown = next((name for name in found if name not in set(Gender)), None)
    if unknown is not None:
        raise Refused(f"Stash knows no gender {unknown}")
    return found


def collection_sources(value: object) -> tuple[str, ...]:
    """Return a list of what is made a collection, in lower case."""
    found = tuple(dict.fromkeys(name.lower().replace("-", "_").replace(" ", "_") for name in names(value)))
    unknown = next((name for name in found if name not in set(CollectionSource)), None)
    if unknown is not None:
        raise Refused(f"no collections are made of {unknown}")
    return found


def template(value: object) -> object:
    """Return a title's template without outer blanks that can be understood."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    _understood(title_template, text)
    return text


def sides_of(rule: str) -> tuple[str, str]:
    """Return what stands left and right of a rule's arrow, without outer blanks."""
    sides = [side.strip() for side in rule.split(ARROW)]
    if len(sides) != 2:  # noqa: PLR2004 - two sides of one arrow
        wrong = f'no "{ARROW}"' if len(sides) < 2 else f'more than one "{ARROW}"'  # noqa: PLR2004
        raise Refused(f"there is {wrong} in the rule {rule.strip()}")
    left, right = sides
    if not left or not right:
        raise Refused(f"one side is empty in the rule {rule.strip()}")
    return left, right


def _understood(read: Callable[..., object], *texts: str) -> None:
    try:
        read(*texts)
    except ValueError as error:
        raise Refused(str(error)) from None


def path_rule(value: object) -> PathRule:
    """Return one rule from ``stash_prefix => plex_prefix``."""
    if not isinstance(value, str):
        raise Refused("not all of it is text")
    sides = [side.strip() for side in value.split(ARROW)]
    if len(sides) != 2:  # noqa: PLR2004 - two sides of one arrow
        wrong = f'no "{ARROW}"' if len(sides) < 2 else f'more than one "{ARROW}"'  # noqa: PLR2004
        raise Refused(f"there is {wrong} in the rule {value.strip()}")
    for side, owner in zip(sides, ("Stash", "Plex"), strict=True):
        if not side:
            raise Refused(f"{owner}'s side is empty in the rule {value.strip()}")
        if not (side.startswith("/") or is_windows_path(side)):
            raise Refused(f"{side} is no absolute path (/media, C:\\media or \\\\host\\media)")
    return PathRule(*sides)


def news_kinds(value: object) -> tuple[str, ...]:
    """Return a list of what is told, in lower case."""
    found = tuple(dict.fromkeys(name.lower().replace("-", "_").replace(" ", "_") for name in names(value)))
    unknown = next((name for name in found if name not in CHOSEN_BY_SETTINGS), None)
    if unknown is not None:
        raise Refused(f"nothing is told about {unknown}")
    return found


def without_last_slash(value: object) -> object:
    """Let a path end without a slash; what is no text is left for the type to refuse."""
    return value.strip().rstrip("/") if isinstance(value, str) else value


def local_path(value: object) -> Path:
    """Return an absolute path on this machine, with ``~`` expanded."""
    if not isinstance(value, str | Path):
        raise Refused("it is not text")
    text = str(value).strip()
    if not text or "\0" in text:
        raise Refused("it is empty or holds a NUL character")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise Refused("the home directory in it is not known") from None


def existing_file(path: Path | None) -> Path | None:
    """Refuse a path at which no file can be seen."""
    try:
        there = path is None or path.is_file()
    except OSError as error:
        raise Refused(f"it cannot be looked at ({error.strerror or type(error).__name__})") from None
    if not there:
        raise Refused("there is no such file")
    return path


def _optional_path(value: object) -> Path | None:
    return None if blank_is_none(value) is None else local_path(value)


_NUMBER = BeforeValidator(not_a_switch)

NewsKinds = Annotated[
    tuple[str, ...], BeforeValidator(news_kinds), Allowed(f"a list of {', '.join(CHOSEN_BY_SETTINGS)}")
]
ClockTime = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$"),
    Allowed("a time of day such as 08:00, or empty"),
]
Names = Annotated[tuple[str, ...], BeforeValidator(names), Allowed("a list of names")]
Patterns = Annotated[
    tuple[str, ...],
    BeforeValidator(patterns),
    Allowed("a list of names, with * and ? as wildcards, or /regular expressions/"),
]
RenameRules = Annotated[
    tuple[str, ...], BeforeValidator(rename_rules), Allowed(f"a list of old {ARROW} new, where old may be a pattern")
]
ContentRatings = Annotated[
    tuple[str, ...],
    BeforeValidator(rename_rules),
    Allowed(f"a list of tag {ARROW} content rating, where tag may be a pattern"),
]
FieldPolicies = Annotated[
    tuple[str, ...],
    BeforeValidator(field_policies),
    Allowed(f"a list of field {ARROW} policy, with the fields {', '.join(FIELD_NAMES)}"),
]
Genders = Annotated[tuple[str, ...], BeforeValidator(genders), Allowed(f"a list of {', '.join(Gender)}")]
CollectionSources = Annotated[
    tuple[str, ...], BeforeValidator(collection_sources), Allowed(f"a list of {', '.join(CollectionSource)}")
]
Template = Annotated[
    str,
    BeforeValidator(template),
    Allowed(f"text with placeholders out of {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}"),
]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100), Allowed("up to 100 characters")]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Allowed("1 to 100 characters")
]
Maximum = Annotated[int, _NUMBER, Field(ge=0, le=1000)]
Folders = Annotated[tuple[str, ...], BeforeValidator(names), Allowed("a list of folders as Stash calls them")]
PathMap = Annotated[
    tuple[PathRule, ...], BeforeValidator(path_rules), Allowed(f"a list of stash_prefix {ARROW} plex_prefix")
]
DataDir = Annotated[Path, BeforeValidator(local_path), Allowed("the path of a folder")]
OptionalFile = Annotated[
    Path | None, BeforeValidator(_optional_path), AfterValidator(existing_file), Allowed("the path of an existing file")
]
OptionalFolder = Annotated[Path | None, BeforeValidator(_optional_path), Allowed("the path of a folder")]
HostName = Annotated[
    str, Field(pattern=r"^[\w.:%\-]+$", max_length=253), Allowed("a host name or IP address, without port")
]
BasePath = Annotated[
    str,
    BeforeValidator(without_last_slash),
    Field(pattern=r"^(/[A-Za-z0-9._~\-]+)*$", max_length=100),
    Allowed("a path such as /scenesync"),
]
Port = Annotated[int, _NUMBER, Field(ge=0, le=65_535)]
Workers = Annotated[int, _NUMBER, Field(ge=1, le=64)]
Retries = Annotated[int, _NUMBER, Field(ge=1, le=20)]
Days = Annotated[int, _NUMBER, Field(ge=0, le=3650)]
Copies = Annotated[int, _NUMBER, Field(ge=1, le=1000)]
Entries = Annotated[int, _NUMBER, Field(ge=0, le=1_000_000_000)]
IntervalS = Annotated[float, _NUMBER, Field(ge=0, le=_DAY_S)]
PulseS = Annotated[float, _NUMBER, Field(ge=10, le=_DAY_S)]
TimeoutS = Annotated[float, _NUMBER, Field(gt=0, le=600)]
Percent = Annotated[int, _NUMBER, Field(ge=0, le=100)]
Amount = Annotated[int, _NUMBER, Field(ge=0, le=10_000_000)]
RampS = Annotated[float, _NUMBER, Field(ge=0, le=3600)]
