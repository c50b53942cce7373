"""What states, rules and fields are called on a page."""

from __future__ import annotations

import re
from typing import Final

STATES: Final = {
    "in_sync": "in sync",
    "waiting": "waiting",
    "differs": "differs",
    "unmatched": "not in Plex",
    "ambiguous": "ambiguous",
    "left_out": "left out",
    "failed": "given up",
}
"""In the order in which they are offered."""
STATES_EXPLAINED: Final = {
    "in_sync": "Plex showed what Stash knows when it was last looked at.",
    "waiting": "A change is queued or is being carried over.",
    "differs": "Plex shows something else; nothing is queued yet.",
    "unmatched": "No item of Plex has this file yet.",
    "ambiguous": "Several items fit, and none is edited on a guess: pin the right one.",
    "left_out": "A filter, a missing file or an undo keeps SceneSync away from it.",
    "failed": "It could not be synced and is not tried again by itself: see its dead letter.",
}
OUTCOMES: Final = {"dead": "given up", "retry": "tried again later", "deferred": "waits for a server"}
VERDICTS: Final = {
    "change": "to change",
    "unchanged": "unchanged",
    "unmatched": "not in Plex",
    "ambiguous": "ambiguous",
    "left_out": "left out",
    "refused": "refused",
}
RULES: Final = {
    "pin": "a person's pin",
    "path": "the file's path",
    "suffix": "the end of the path, and the size",
    "name_size": "the file's name and size",
    "name_duration": "the file's name and length",
    "name": "the file's name alone",
}
FIELDS: Final = {
    "title": "Title",
    "titleSort": "Sort title",
    "summary": "Summary",
    "tagline": "Tagline",
    "originallyAvailableAt": "Date",
    "studio": "Studio",
    "contentRating": "Content rating",
    "userRating": "Rating",
    "actor": "Actors",
    "genre": "Genres",
    "director": "Directors",
    "collection": "Collections",
    "label": "Labels",
    "thumb": "Poster",
    "art": "Background",
    "photos": "Photos",
}
CLASSES: Final = {
    "matched": "matched",
    "two_scenes_one_item": "two scenes, one item",
    "ambiguous": "ambiguous",
    "not_in_plex": "not in Plex",
    "pin_lost": "pinned to an item that is gone",
    "left_out": "left out",
    "not_in_stash": "not in Stash",
    "item_of_left_out_scene": "item of a scene that is left out",
    "file_in_two_items": "file in two items",
}

DIFFERS: Final = "differs in "
_REQUEST: Final = re.compile(r"(?<=\. )[A-Z]+ /\S*: ")
"""What was asked of a server, with which its errors begin: of use in a log."""


def outcome_name(outcome: str) -> str:
    """Return how an attempt ended."""
    return OUTCOMES.get(outcome, outcome)


def state_name(state: str) -> str:
    """Return what a scene's state, or a plan's verdict, is called."""
    return STATES.get(state) or VERDICTS.get(state, state)


def rule_name(rule: str) -> str:
    """Return by what a rule finds its item."""
    return RULES.get(rule, rule)


def field_name(field: str) -> str:
    """Return what a field is called."""
    return FIELDS.get(field, field)


def standing_detail(state: str, detail: str) -> str:
    """Return why a scene stands where it does; of one that differs, what its fields are called."""
    return ", ".join(field_name(field) for field in detail.split(", ")) if state == "differs" else detail


def class_name(name: str, detail: str | None) -> str:
    """Return what a class of coverage is called, with what it depends on."""
    words = CLASSES.get(name, name)
    if not detail:
        return words
    return f"{words} by {rule_name(detail)}" if name in {"matched", "ambiguous"} else f"{words}: {detail}"


def verdict_words(verdict: str) -> str:
    """Return the one sentence about a scene with its fields as they are called on a page, and without requests."""
    if not verdict.startswith(DIFFERS):
        return _REQUEST.sub("", verdict)
    fields = verdict.removeprefix(DIFFERS).removesuffix(".").split(", ")
    return f"{DIFFERS}{', '.join(field_name(field).lower() for field in fields)}."
