"""The version that is installed, as pyproject.toml says it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed_version() -> str:
    try:
        return version("scenesync")
    except PackageNotFoundError:  # run from a bare checkout
        return "0+unknown"


VERSION: Final = _installed_version()
