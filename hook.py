"""What Stash starts, for each hook and each task. Compiled at every start, hence short: cached modules do the work."""

import sys

if sys.platform == "win32":
    import os as system

    PLUGIN_DIR = system.path.dirname(system.path.abspath(__file__))  # noqa: PTH100, PTH120 (pathlib costs too much)
    variable = system.environ.get  # noqa: TID251 (here and in the settings only)
else:
    import posix as system  # what `os` is made of: `os` itself costs a fifth of the start of an empty Python

    PLUGIN_DIR = __file__.rpartition("/")[0] or "."

    def variable(name: str) -> "str | None":
        """Return a variable of the environment."""
        value = system.environ.get(name.encode())
        return None if value is None else value.decode(sys.getfilesystemencoding(), "surrogateescape")


sys.path.insert(0, PLUGIN_DIR)  # python -I leaves the script's folder out


def main() -> None:
    """Keep the event that stdin holds, or become the task that it asks for."""
    from scenesync.queue import inbox  # noqa: PLC0415 (found only after the line above)

    data_dir = variable("SCENESYNC_DATA_DIR") or f"{PLUGIN_DIR}/data"

    def start(action: str, text: str) -> "str | None":
        import os  # noqa: PLC0415 (rarely needed, as the next one)

        from scenesync.app.plugin import entry  # noqa: PLC0415

        environment = dict(os.environ)  # noqa: TID251 (as above)
        problem: str | None = getattr(entry, action)(PLUGIN_DIR, data_dir, text, environment)
        return problem

    inbox.run(sys.stdin.buffer.read(), data_dir, variable("SCENESYNC_AUTOSTART"), start)


try:
    main()
except BaseException as error:  # noqa: BLE001 (never fail Stash's request: say it in its log and leave as if all were well)
    what = f"SceneSync: {type(error).__name__}: {error}".replace("\n", " ")
    system.write(2, f"\x01e\x02{what}\n".encode("utf-8", "replace"))
    system.write(1, b'{"output": "failed"}\n')
finally:
    system._exit(0)  # noqa: SLF001 (leaves at once, and no checkpoint is made; public in os)
