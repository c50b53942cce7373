"""``python -m scenesync``: the same as the console script."""

from __future__ import annotations

from scenesync.app.cli import main

if __name__ == "__main__":
    main()
