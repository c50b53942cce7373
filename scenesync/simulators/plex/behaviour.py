"""The questions that no source answers alike, as switches: a client must be right under every combination.

Every number of a section below refers to the project's notes on the Plex protocol.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class PlexBehaviour:
    """What this simulated server does where real ones differ, or where nobody knows. The defaults are the strict side.

    ``PlexSimulator.behaviour`` may be replaced at any time (``dataclasses.replace``).
    """

    tags_on_items: Literal["replace", "add"] = "replace"
    """What ``genre[0].tag.tag=X`` does to a movie's list (3.3). On collections it always replaces."""
    minus_decoding: Literal["once", "twice"] = "twice"
    """How often the names in ``genre[].tag.tag-`` are percent-decoded; commas split after the first time (3.3)."""
    minus_repeated_keys_last_wins: bool = True
    """Of several ``genre[].tag.tag-`` parameters only the last one counts (3.3)."""
    labels_title_cased: bool = True
    """Labels get a capital after a blank, a hyphen, and at the start, also behind a leading dot (3.3)."""
    existing_tag_case_wins: bool = False
    """A tag that differs from an existing one only in case becomes the existing one (3.3)."""

    listing: Literal["strict", "lax"] = "strict"
    """``strict`` truncates lists in listings and leaves out labels and locks (2.4); ``lax`` shows everything."""
    honours_projection: bool = True
    """``excludeElements``, ``excludeFields``, ``includeFields`` are requests, not guarantees (2.2)."""
    file_filter: Literal["basename", "superset", "unsupported", "ignored"] = "unsupported"
    """What ``file=`` on a listing finds (2.3): equal names, the whole folder, nothing, or everything."""
    page_size_cap: int | None = None
    """Pages never hold more items than this, whatever is asked for (2.1)."""
    total_size_reported: bool = True
    """Listings say how many items there are in all (2.1)."""
    counted_not_listed: int = 0
    """So many items are counted in that number, but never listed (2.1: check what came back)."""
    sort_honoured: bool = True
    """Listings are sorted as asked for; otherwise always by title."""

    max_target_bytes: int | None = 8000
    """Longest request target (path and query) that is accepted (3.4)."""
    too_long: Literal["414", "close"] = "414"
    """How a longer one is refused: by a status, or by ending the connection."""

    edit_without_lock_parameter_locks: bool = True
    """Setting a value locks the field unless the request says otherwise (3.2)."""
    empty_value_clears: bool = True
    """``summary.value=`` empties the field; otherwise it is ignored (3.2)."""
    edit_sets_user_rating: bool = True
    """``userRating.value`` among the fields of an edit is heeded; otherwise only ``/:/rate`` rates (3.2)."""
    user_rating_rounded: bool = False
    """The owner's rating is kept in half stars, whole numbers here (3.2)."""
    year_follows_date: bool = True
    """Editing ``originallyAvailableAt`` sets ``year`` (3.2)."""
    edit_of_several: Literal["all", "ignored"] = "all"
    """What becomes of an edit that names several items: each is changed, or none although the answer is 200 (3.3)."""
    unknown_id: Literal["ignored", "404"] = "ignored"
    """How an edit of items of which none exists in this section is answered (3.1)."""
    updated_at_moves_on_edit: bool = True
    """Editing anything but collections moves ``updatedAt`` (3.2)."""
    updated_at_moves_on_collection: bool = False
    """Adding to a collection moves ``updatedAt`` (3.2)."""

    posted_image_selects: Literal["new", "always", "never"] = "new"
    """Which posted images become the selected one: those Plex did not hold yet, all, none (4)."""
    posted_image_locks: bool = False
    """Posting an image locks ``thumb`` or ``art``; selecting one always does (4)."""
    locked_image_refuses_post: bool = False
    """An image posted to a locked field is kept but not selected (4)."""
    max_image_bytes: int = 10_480_000
    """Larger images are answered with 500 (4)."""

    duplicate_collection: Literal["409", "duplicate"] = "409"
    """What creating a collection under a title that is taken does (5)."""
    scan_accepts_post: bool = False
    """``POST`` and ``PUT`` on a section's refresh work like ``GET`` instead of answering 404 (6.1)."""
    scan_delay_s: float = 0.05
    """Time between the answer to a scan request and the moment its files are items (6.1)."""
    second_scan_is_lost: bool = False
    """A scan request for a section that has one queued is answered with 200 and forgotten (6.1)."""

    announced_numbers: Literal["strings", "ints"] = "strings"
    """How the notification websocket spells ids and states (6.2)."""
    announced_settled: Literal["created", "plain"] = "created"
    """Whether the entry that says that an item is done carries a ``metadataState`` (6.2)."""
    announced_removal: Literal["state", "type"] = "state"
    """What says that an item is gone: state 9, or the type -1 of an entry that else looks settled (6.2)."""

    writes_serialised: bool = True
    """One write at a time, as with the one SQLite writer of a real server (10)."""
    write_lock_timeout_s: float | None = None
    """A write that waited this long for its turn is answered with 500 (10.0 on real servers), not carried out (10)."""
