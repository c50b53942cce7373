"""What Stash starts, for each hook and each task. Compiled at every start, hence short: cached modules do the work."""

import sys

if sys.platform == "win32":
    import os as system

    FOLDER = system.path.dirname(system.path.abspath(__file__))  # noqa: PTH100, PTH120 (pathlib costs too much)
else:
    import posix as system  # what `os` is made of: `os` itself costs a fifth of the start of an empty Python

    FOLDER = __file__.rpartition("/")[0] or "."


def start(action: str, data_dir: str, text: str) -> "str | None":
    """Do in the application what is more than keeping an event; return what went wrong."""
    import os  # noqa: PLC0415 (rarely needed, as the next one)

    from scenesync.app.plugin import entry  # noqa: PLC0415

    problem: str | None = getattr(entry, action)(FOLDER, data_dir, text, dict(os.environ))  # noqa: TID251 (here and in the settings only)
    return problem


# The two packages are empty: Python need not search three folders and load two files to find that out.
for name in ("scenesync", "scenesync.queue"):
    package = sys.modules[name] = type(sys)(name)
    package.__path__ = [FOLDER + "/" + name.replace(".", "/")]
try:
    from scenesync.queue import inbox

    inbox.run(sys.stdin.buffer.read(), FOLDER, system.environ, start)
except BaseException as error:  # noqa: BLE001 (never fail Stash's request: say it in its log and leave as if all were well)
    what = "SceneSync: " + type(error).__name__ + ": " + str(error)
    system.write(2, b"\x01e\x02" + what.replace("\n", " ").encode("utf-8", "replace") + b"\n")
    system.write(1, b'{"output": "failed"}\n')
finally:
    system._exit(0)  # noqa: SLF001 (leaves at once, and no checkpoint is made; public in os)
