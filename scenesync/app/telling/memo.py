"""What people were told and what is still to be sent, as one text: a message waits exactly if it counts as told."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scenesync.domain.news import Kind, Message, State, Told
from scenesync.domain.outbox import Parcel

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

FACT: Final = "notifications"


@dataclass(frozen=True, slots=True)
class Memo:
    """What is kept between two looks, and over a restart."""

    told: Told = field(default_factory=Told)
    waiting: tuple[Parcel, ...] = ()

    @classmethod
    def from_text(cls, text: str | None) -> Memo:
        """Return what ``to_text`` wrote; an empty one for what cannot be read, which then counts as not told."""
        if not text:
            return cls()
        try:
            noted = json.loads(text)
            return cls(_told(noted["told"]), tuple(_parcel(each) for each in noted["waiting"]))
        except (ValueError, TypeError, KeyError):
            log.warning("what people were told cannot be read; what is wrong now is told once more")
            return cls()

    def to_text(self) -> str:
        """Return it as text."""
        return json.dumps({"told": asdict(self.told), "waiting": [asdict(parcel) for parcel in self.waiting]})


def _told(noted: Mapping[str, Any]) -> Told:
    until = noted["letters_until"]
    return Told(
        **{
            **noted,
            "letters_until": None if until is None else (float(until[0]), int(until[1])),
            "stopped": tuple(noted["stopped"]),
            "problems_at": tuple(noted["problems_at"]),
        }
    )


def _parcel(noted: Mapping[str, Any]) -> Parcel:
    message = noted["message"]
    return Parcel(
        **{**noted, "message": Message(**{**message, "kind": Kind(message["kind"]), "state": State(message["state"])})}
    )
