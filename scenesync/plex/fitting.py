"""What of an edit a server can be sent: long summaries are cut, and lists where they cannot go out in pieces."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scenesync.domain.fields import Field, FieldValue
from scenesync.plex.edit_request import fitting_names, fitting_summary

if TYPE_CHECKING:
    from scenesync.domain.diff import Edit
    from scenesync.plex.dialect import Dialect

logger: Final = logging.getLogger(__name__)


def fitting(field: Field, value: FieldValue, dialect: Dialect) -> FieldValue:
    """Return what of a wanted value this server can be sent."""
    if isinstance(value, str):
        return fitting_summary(value, dialect.item_line_bytes) if field is Field.SUMMARY else value
    return fitting_names(field, value, dialect.item_line_bytes) if dialect.long_lists == "replaced" else value


def fitted(edit: Edit, dialect: Dialect) -> Edit:
    """Return the edit with values that this server can be sent."""
    values = [fitting(change.field, change.after, dialect) for change in edit.changes]
    if all(after == change.after for change, after in zip(edit.changes, values, strict=True)):
        return edit
    changes = (replace(change, after=after) for change, after in zip(edit.changes, values, strict=True))
    return replace(edit, changes=tuple(changes))


def warn_of_cuts(edit: Edit, dialect: Dialect) -> None:
    """Say in the log what of an edit was not sent."""
    for change in edit.changes:
        sent = fitting(change.field, change.after, dialect)
        if len(sent) < len(change.after):
            logger.warning(
                "cut to what fits into a request item=%s field=%s kept=%d of=%d",
                *(edit.rating_key, change.field.value, len(sent), len(change.after)),
            )
