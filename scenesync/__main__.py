"""``python -m scenesync``: the same as the console script, and so the plugin's tasks and daemon.

Their environment can be behind the code (the plugin was updated) or belong to another Python (Stash's image was).
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Run the command line; say what to do where a package is missing."""
    try:
        from scenesync.app.cli import main as run  # noqa: PLC0415 - what is missing is to be told in words

        run()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "scenesync":
            raise
        problem = (
            f"The package {error.name} is missing for Python {sys.version_info[0]}.{sys.version_info[1]} "
            f"({sys.executable}). In Stash run the task Install or update dependencies, elsewhere pip install ."
        )
        if "stash-task" in sys.argv[1:]:
            sys.stdout.write(json.dumps({"error": problem}))
        sys.exit(f"scenesync: {problem}")


if __name__ == "__main__":
    main()
