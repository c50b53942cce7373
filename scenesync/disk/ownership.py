"""What root writes into somebody's folder is that somebody's.

Stash's own container runs as root, SceneSync's does not, and both work in one data directory: a file that only root may
read would keep the other out. SQLite does the same for the files that it makes beside a database. Light on purpose: the
hook imports this when the queue is busy.
"""

# pathlib costs more than all the rest of the hook.
# ruff: noqa: PTH116, PTH118, PTH120

from __future__ import annotations  # Stash may bring a Python older than ours

import os
import sys

if sys.platform == "win32":

    def hand_over(path: str) -> None:
        """Do nothing: there is no root."""

    def hand_over_all(folder: str) -> None:
        """Do nothing: there is no root."""

else:
    _ROOT = 0

    def hand_over(path: str) -> None:
        """Give ``path``, which we just made, to whoever owns its folder, if we are root. Raises OSError."""
        if os.geteuid() == _ROOT:
            _give(path, os.stat(os.path.dirname(path)))

    def hand_over_all(folder: str) -> None:
        """Do so for all that root has in ``folder``, at any depth. Raises OSError."""
        if os.geteuid() != _ROOT:
            return
        owner = os.stat(folder)
        for place, folders, files in os.walk(folder):
            for name in (*folders, *files):
                try:
                    _give(os.path.join(place, name), owner)
                except FileNotFoundError:  # gone by itself meanwhile, as logs and locks are
                    continue

    def _give(path: str, owner: os.stat_result) -> None:
        if owner.st_uid != _ROOT and os.lstat(path).st_uid == _ROOT:
            os.lchown(path, owner.st_uid, owner.st_gid)
