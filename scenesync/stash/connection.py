"""Where a plugin finds the Stash that started it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scenesync.stash.client import StashClient
from scenesync.stash.parse import to_int
from scenesync.stash.transport import SessionCookie

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenesync.stash.transport import RequestRecord

# What Stash says is what it listens on, not where to reach it (facts/stash.md 1.3). All IPv6 addresses usually include
# the IPv4 ones, but need not: the name tries both.
_LOOPBACK: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "localhost"}  # noqa: S104 - not bound, replaced
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class PluginConnection:
    """The ``server_connection`` that Stash gives a plugin on stdin (facts/stash.md 1.3).

    ``stash_dir`` is Stash's configuration folder, where a plugin may keep state; updates overwrite ``plugin_dir``.
    Both are "" if not said. ``cookie`` opens Stash for about an hour, None if Stash could not make one.
    """

    url: str
    cookie: SessionCookie | None
    stash_dir: str = ""
    plugin_dir: str = ""

    @classmethod
    def from_document(cls, document: object) -> PluginConnection:
        """Return what the JSON object ``server_connection`` says. Raises ValueError if it names no address."""
        if not isinstance(document, Mapping):
            raise ValueError("Stash gave the plugin no server_connection.")  # noqa: TRY004 - input, not a mistake in code
        scheme, host, port = document.get("Scheme"), document.get("Host"), to_int(document.get("Port"))
        if (
            scheme not in {"http", "https"}
            or not isinstance(host, str | None)
            or port is None
            or not 0 < port <= _LAST_PORT
        ):
            raise ValueError("Stash gave the plugin a server_connection without a usable Scheme, Host and Port.")
        return cls(
            url=f"{scheme}://{_reachable(host or '')}:{port}",
            cookie=_cookie(document.get("SessionCookie")),
            stash_dir=_text(document.get("Dir")),
            plugin_dir=_text(document.get("PluginDir")),
        )

    def client(
        self,
        *,
        connect_timeout_s: float = 5,
        read_timeout_s: float = 30,
        max_connections: int = 4,
        on_request: Callable[[RequestRecord], None] | None = None,
    ) -> StashClient:
        """Return a client that uses this session.

        Certificates are not checked: Stash's own is usually self-signed, and what it listens on is this machine.
        """
        return StashClient(
            self.url,
            session_cookie=self.cookie,
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            max_connections=max_connections,
            verify_tls=False,
            on_request=on_request,
        )


def _reachable(host: str) -> str:
    address = host.strip().removeprefix("[").removesuffix("]")
    address = _LOOPBACK.get(address, address)
    return f"[{address}]" if ":" in address else address


def _cookie(document: Any) -> SessionCookie | None:  # noqa: ANN401 - JSON
    if not isinstance(document, Mapping):
        return None
    name, value = _text(document.get("Name")), _text(document.get("Value"))
    return SessionCookie(name, value) if name and value else None


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else ""
