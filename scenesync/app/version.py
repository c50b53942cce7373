"""The version that runs, as pyproject.toml says it."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final


def _version() -> str:
    try:
        return version("scenesync")
    except PackageNotFoundError:  # run from a checkout or from the plugin's folder, where it lies beside the package
        return _of_the_folder(Path(__file__).parents[2])


def _of_the_folder(folder: Path) -> str:
    try:
        with (folder / "pyproject.toml").open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])
    except (OSError, KeyError, ValueError):
        return "0+unknown"


VERSION: Final = _version()
