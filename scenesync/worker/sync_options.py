"""The settings that decide what is written, as the worker takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenesync.domain.desired import DEFAULT_FIELDS, DEFAULT_RULES
from scenesync.domain.diff import ConflictPolicy
from scenesync.domain.participation import EVERYBODY, Participation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.field_rules import FieldRules
    from scenesync.domain.fields import Field


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """The settings that decide what is written; ``policies`` has the fields with a policy of their own."""

    enabled: frozenset[Field] = DEFAULT_FIELDS
    policy: ConflictPolicy = ConflictPolicy.STASH
    policies: Mapping[Field, ConflictPolicy] = field(default_factory=dict)
    lock: bool = True
    rules: FieldRules = DEFAULT_RULES
    participation: Participation = EVERYBODY
    gone_label: str = ""
    """The label of items whose scene was deleted ("": they get none); it goes when an item has a scene again."""
