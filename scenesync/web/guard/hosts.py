"""Under which names the server may be asked for: a name that somebody else owns may lead here (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]/@\s]+)(:(?P<port>\d{1,5}))?")


class Hosts:
    """Knows the server's own names: any address, ``localhost``, the machine's name, and those that the settings trust.

    An address needs no name server, so nobody else's name can be behind it.
    """

    def __init__(self, trusted: Iterable[str], bound_to: str) -> None:
        self._trusted = frozenset(name.lower().rstrip(".") for name in trusted)
        own = {"localhost", bound_to, socket.gethostname()}
        self._names = self._trusted | {name.lower() for name in own if name}

    def knows(self, host: str) -> bool:
        """Say whether a ``Host`` header names this server."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].strip("[]").lower().rstrip(".")
        return name in self._names or is_address(name)

    def is_ours(self, origin: str, host: str) -> bool:
        """Say whether an origin is the page that this request was sent to, or one behind a trusted proxy's name."""
        if origin.lower() == host.lower() and origin:
            return True
        found = _HOST.fullmatch(origin)
        return found is not None and found["name"].lower().rstrip(".") in self._trusted


def is_address(name: str) -> bool:
    """Say whether a name is an IP address."""
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a server that is bound to ``host``."""
    if host.lower() == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host.partition("%")[0]).is_loopback
