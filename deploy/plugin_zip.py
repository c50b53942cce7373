"""Build what Stash's package manager installs: ``python -m deploy.plugin_zip --epoch SECONDS``, or ``make plugin``.

``dist/scenesync.zip`` is the plugin's folder, ``dist/index.yml`` the source index that a static host serves beside it
(facts/stash.md 5: pkg/pkg/pkg.go of Stash). The same files and time make the same bytes, on every machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenesync.simulators.stash.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenesync.simulators.stash.manifest import Plugin

ROOT: Final = Path(__file__).parents[1]
MANIFEST: Final = "scenesync.yml"
OWN_FILES: Final = ("LICENSE", "README.md", "constraints.txt", "hook.py", "pyproject.toml", MANIFEST)
PACKAGE: Final = "scenesync"
ZIP_FILE: Final = "scenesync.zip"
INDEX_FILE: Final = "index.yml"
INDEX_TIME: Final = "%Y-%m-%d %H:%M:%S"
"""How the index says when a version was made, in UTC. By this alone Stash decides whether there is an update."""
_READABLE_BY_ALL: Final = 0o100644 << 16
"""Stash gives the files the mode that the archive says, 0 included."""
_UNIX: Final = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Build both files and say what they are."""
    parser = argparse.ArgumentParser(description="Build the Stash plugin and its entry in a source index.")
    parser.add_argument("--epoch", type=int, required=True, help="when this version was made, in seconds since 1970")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="the folder for both files (dist)")
    options = parser.parse_args(arguments)
    built = build(options.into, made_at=datetime.fromtimestamp(options.epoch, UTC))
    print(f"{built}  {built.stat().st_size:,} bytes, sha256 {sha256_of(built)}")  # noqa: T201 - a build says what it made
    print(f"{built.with_name(INDEX_FILE)}")  # noqa: T201


def build(target: Path, *, made_at: datetime, root: Path = ROOT) -> Path:
    """Write zip and index into the folder ``target`` and return the zip's path.

    Raises ManifestError if Stash would not take the manifest, OSError.
    """
    plugin = read_manifest(root / MANIFEST)
    target.mkdir(parents=True, exist_ok=True)
    archive = target / ZIP_FILE
    write_zip(archive, root, made_at)
    (target / INDEX_FILE).write_text(index_entry(plugin, sha256_of(archive), made_at), encoding="utf-8")
    return archive


def write_zip(archive: Path, root: Path, made_at: datetime) -> None:
    """Write the plugin's files into ``archive``, in the order of their names.

    They are stored as they are, since what deflate makes of them depends on the zlib at hand.
    """
    date_time = made_at.timetuple()[:6]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in plugin_files(root):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), date_time)
            entry.create_system, entry.external_attr = _UNIX, _READABLE_BY_ALL
            file.writestr(entry, path.read_bytes())


def plugin_files(root: Path) -> Iterator[Path]:
    """Yield what belongs to the plugin: hook, manifest, package, and what its dependencies are installed by.

    Raises ValueError for a second .yml: Stash would take it for another plugin.
    """
    files = [root / name for name in OWN_FILES]
    files += [path for path in (root / PACKAGE).rglob("*") if path.is_file() and _is_source(path.relative_to(root))]
    for path in sorted(files, key=lambda each: each.relative_to(root).as_posix()):
        if path.suffix == ".yml" and path.name != MANIFEST:
            raise ValueError(f"{path}: Stash takes every .yml for a plugin. Call it .yaml.")
        yield path


def index_entry(plugin: Plugin, sha256: str, made_at: datetime) -> str:
    """Return the index with its one entry; a JSON string is a YAML string as well."""
    return (
        f"- id: {plugin.id}\n"
        f"  name: {json.dumps(plugin.name)}\n"
        f"  version: {json.dumps(plugin.version)}\n"
        f'  date: "{made_at.strftime(INDEX_TIME)}"\n'
        f"  path: {ZIP_FILE}\n"
        f"  sha256: {sha256}\n"
        "  requires: []\n"
        "  metadata:\n"
        f"    description: {json.dumps(plugin.description)}\n"
    )


def sha256_of(file: Path) -> str:
    """Return the checksum by which Stash tells a broken download."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _is_source(path: Path) -> bool:
    """Tell what a checkout holds from what Python and editors leave in it."""
    return not any(part == "__pycache__" or part.startswith(".") for part in path.parts) and path.suffix not in {
        ".pyc",
        ".orig",
        ".rej",
    }


if __name__ == "__main__":
    main()
