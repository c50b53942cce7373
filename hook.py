"""What Stash starts, for each hook and each task. Compiled at every start, hence short: cached modules do the work."""

import os
import sys

PLUGIN_DIR = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (pathlib costs more than the whole hook)
sys.path.insert(0, PLUGIN_DIR)  # python -I leaves the script's folder out


def main() -> None:
    """Keep the event that stdin holds, or become the task that it asks for."""
    from scenesync.queue import inbox  # noqa: PLC0415 (found only after the line above)

    environ = os.environ  # noqa: TID251 (here and in the settings only)
    data_dir = environ.get("SCENESYNC_DATA_DIR") or os.path.join(PLUGIN_DIR, "data")  # noqa: PTH118

    def start(action: str, text: str) -> "str | None":
        from scenesync.app import plugin_entry  # noqa: PLC0415 (rarely needed)

        problem: str | None = getattr(plugin_entry, action)(PLUGIN_DIR, data_dir, text, dict(environ))
        return problem

    inbox.run(sys.stdin.buffer.read(), data_dir, environ.get("SCENESYNC_AUTOSTART"), start)


try:
    main()
except BaseException as error:  # noqa: BLE001 (never fail Stash's request: say it in its log and leave as if all were well)
    what = f"SceneSync: {type(error).__name__}: {error}".replace("\n", " ")
    os.write(2, f"\x01e\x02{what}\n".encode("utf-8", "replace"))
    os.write(1, b'{"output": "failed"}\n')
finally:
    os._exit(0)
