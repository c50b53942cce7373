"""Apprise: mail, messengers and a hundred services more, if its package is installed (extra ``notify``)."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from scenesync.domain.news import State
from scenesync.notify.ways import NotTold

if TYPE_CHECKING:
    from scenesync.domain.news import Message

PACKAGE: Final = "apprise"
MISSING: Final = (
    "notify_urls needs the package apprise, which is not installed. Install it beside SceneSync "
    '(pip install "scenesync[notify]", in a plugin\'s environment `.venv/bin/pip install apprise`), or use '
    "notify_webhook_url, which needs nothing."
)
_TYPES: Final = {State.PROBLEM: "warning", State.RECOVERED: "success", State.NOTE: "info"}


class Sender(Protocol):
    """What of Apprise is used."""

    def add(self, servers: str) -> bool:
        """Take an address; False if it means nothing."""
        ...

    def notify(self, body: str, *, title: str, notify_type: Any) -> bool | None:  # noqa: ANN401 - Apprise's own enumeration
        """Send; False if that failed, None if there is nobody to send to."""
        ...


def is_installed() -> bool:
    """Say whether the package is there."""
    return importlib.util.find_spec(PACKAGE) is not None


class AppriseWay:
    """One address of Apprise. Implements ``Way``."""

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        self.key = f"apprise-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
        self.name = f"notify_urls, address {number} ({url.partition('://')[0]})"

    def tell(self, message: Message, message_id: str) -> None:
        """Send a message. Raises NotTold."""
        del message_id  # Apprise's services know nothing of that kind
        library = _library()
        sender: Sender = library.Apprise()
        kind = library.NotifyType(_TYPES[message.state])
        try:
            is_understood = sender.add(self._url)
            arrived = is_understood and sender.notify(message.text, title=message.title, notify_type=kind)
        except Exception as error:  # noqa: BLE001 - a hundred services by many hands; none may end the thread that tells
            raise NotTold(f"Apprise failed with {type(error).__name__}") from None
        if not is_understood:
            raise NotTold("Apprise does not understand this address", for_good=True)
        if not arrived:
            raise NotTold("the service did not take it")


def _library() -> Any:  # noqa: ANN401 - an optional package
    try:
        library = importlib.import_module(PACKAGE)
    except ImportError:
        raise NotTold(MISSING, for_good=True) from None
    # It writes parts of addresses, which are secrets, and says no more than the result does.
    logging.getLogger(PACKAGE).setLevel(logging.CRITICAL + 1)
    return library
