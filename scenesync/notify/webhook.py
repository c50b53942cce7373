"""A plain webhook: one JSON document by POST for each message (docs/OPERATIONS.md has its form)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from scenesync.notify.request import send

if TYPE_CHECKING:
    from scenesync.domain.news import Message

FORM: Final = 1


class Webhook:
    """Implements ``Way``."""

    name = "webhook"
    key = "webhook"

    def __init__(self, url: str, *, version: str) -> None:
        self._url = url
        self._version = version

    def tell(self, message: Message, message_id: str) -> None:
        """Send a message. Raises NotTold."""
        body = json.dumps(document(message, message_id), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"SceneSync/{self._version}"}
        send("POST", self._url, headers=headers, body=body)


def document(message: Message, message_id: str) -> dict[str, object]:
    """Return what a webhook gets; ``id`` stays the same when a message is sent once more."""
    return {
        "form": FORM,
        "source": "scenesync",
        "id": message_id,
        "kind": message.kind.value,
        "state": message.state.value,
        "subject": message.subject,
        "title": message.title,
        "text": message.text,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(message.at)),
        "facts": dict(message.facts),
    }
