"""That an item was seen to show a scene as wanted, and what has to be the same for that still to hold. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scenesync.domain.desired import DesiredFields
    from scenesync.domain.fields import Field, FieldValue
    from scenesync.domain.matching import Rule


@dataclass(frozen=True, slots=True)
class Proof:
    """That an item showed a scene as wanted when it was read; ``updated_at`` is the time of change that it then had."""

    rating_key: str
    scene_id: int
    fingerprint: str
    updated_at: int


def fingerprint(
    desired: DesiredFields,
    values: Mapping[Field, FieldValue],
    *,
    rule: Rule,
    files: Iterable[str],
    settings: str,
) -> str:
    """Return what differs when anything differs that decides what an item is to be sent.

    ``values`` are the wanted ones as this server can be sent them in this library. Pictures are known by their address,
    which changes with them (facts/stash.md 3.6); ``files`` are those that the item plays, ``settings`` stands for all
    else that has a say (``settings_mark``).
    """
    decides = {
        "values": {field.value: value for field, value in values.items()},
        "images": {field.value: url for field, url in desired.images.items()},
        "photos": [asdict(photo) for photo in desired.photos],
        "collections": [asdict(each) for each in desired.collections],
        "rule": rule.value,
        "files": sorted(set(files)),
        "settings": settings,
    }
    return _digest(decides)


def settings_mark(**settings: object) -> str:
    """Return a text that differs when one of the settings does. They must have a ``repr`` that tells all of them."""
    return _digest({name: repr(value) for name, value in settings.items()})


def _digest(document: Mapping[str, Any]) -> str:
    # Addresses may hold a key, and texts are long: only their digest is ever kept.
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()
