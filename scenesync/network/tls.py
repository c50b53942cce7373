"""Whose certificates are believed on the way to a server."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def tls_context(ca_file: Path | str | None, *, verify: bool, name: str) -> ssl.SSLContext:
    """Return what every way to a server, HTTP and websocket, checks certificates with.

    Public authorities count besides ``ca_file``; ``name`` is that of its setting. Raises ValueError if it cannot be
    used.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"{name} {str(ca_file)!r} cannot be used: {error.strerror or error}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
