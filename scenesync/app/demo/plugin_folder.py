"""Install the plugin where the simulated Stash looks for plugins, as a person would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import scenesync

PLUGIN_ID: Final = "scenesync"
_PACKAGE: Final = Path(scenesync.__file__).parent
_OWN_FILES: Final = ("hook.py", "scenesync.yml")

# A wheel holds the package alone. What the repository's hook.py adds to these lines is starting the daemon and the
# tasks, and the demo starts its worker itself.
_STAND_IN_HOOK: Final = """\
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from scenesync.queue import inbox
environment = {**os.environ, "SCENESYNC_AUTOSTART": "false"}
inbox.run(sys.stdin.buffer.read(), "", environment, lambda action, data_dir, text: "not in the demo")
os._exit(0)
"""
_STAND_IN_MANIFEST: Final = """\
name: SceneSync
exec: [python, -I, -S, "{pluginDir}/hook.py"]
interface: raw
errLog: error
hooks:
  - name: Scene changed
    triggeredBy: [Scene.Create.Post, Scene.Update.Post, Scene.Destroy.Post]
"""


def install_plugin(plugins: Path, package: Path = _PACKAGE) -> bool:
    """Put hook, manifest and package into a folder of their own below ``plugins``.

    Returns whether they are the repository's own: from an installed wheel, which has no ``hook.py``, a stand-in calls
    the same code. Raises OSError.
    """
    folder = plugins / PLUGIN_ID
    folder.mkdir(parents=True)
    _link_or_copy(package, folder / package.name)
    own = [package.parent / name for name in _OWN_FILES]
    if all(file.is_file() for file in own):
        for file in own:
            shutil.copy(file, folder)
        return True
    for name, text in zip(_OWN_FILES, (_STAND_IN_HOOK, _STAND_IN_MANIFEST), strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    return False


def _link_or_copy(package: Path, target: Path) -> None:
    try:
        target.symlink_to(package, target_is_directory=True)
    except OSError:  # Windows wants a privilege for that
        shutil.copytree(package, target)
