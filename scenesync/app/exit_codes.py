"""What a command's exit status means."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
"""All is done."""
FAILED: Final = 1
"""It could not be done; the message says why."""
USAGE: Final = 2
"""Wrong options or settings."""
LEFTOVERS: Final = 3
"""Done, but dead letters or waiting jobs are left."""
