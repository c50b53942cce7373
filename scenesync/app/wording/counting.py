"""Numbers of things, as people say them."""

from __future__ import annotations

from scenesync.domain.quantities import counted

__all__ = ["counted"]
