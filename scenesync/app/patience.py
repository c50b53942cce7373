"""How long a command that a person watches waits for a server before it gives up; the daemon waits for ever."""

from __future__ import annotations

from typing import Final

UNREACHABLE_FOR_S: Final = 30.0
