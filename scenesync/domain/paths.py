"""Compare file paths of two machines: separators, Unicode forms, case, and the mapping between their mount points.

Paths are text from other systems, so nothing here asks the local one what a separator is.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_WINDOWS_ROOT: Final = re.compile(r"^(?:[A-Za-z]:[\\/]|\\\\)")
_MACOS_ROOT: Final = re.compile(r"^/+(?:Volumes|Users)/")


def is_windows_path(path: str) -> bool:
    r"""Say whether a path is absolute in the Windows way (``C:\x``, ``C:/x``, ``\\host\share``)."""
    return not path.startswith("/") and _WINDOWS_ROOT.match(path) is not None


def ignores_case(path: str) -> bool:
    """Say whether the system that a path comes from most likely takes ``A`` and ``a`` for one name.

    Windows does, and so does macOS, whose disks and shares appear under ``/Volumes`` and ``/Users``.
    """
    return _MACOS_ROOT.match(path) is not None if path.startswith("/") else is_windows_path(path)


@lru_cache(maxsize=1024)  # of the few paths of a scene and its item the same is asked again and again
def segments(path: str) -> tuple[str, ...]:
    r"""Return the parts of a path in NFC, whichever system wrote it.

    A backslash separates only in Windows paths: elsewhere it is an ordinary character of a name. The long-path prefix
    ``\\?\`` that Windows servers report is dropped (facts/plex.md 2.3).
    """
    text = unicodedata.normalize("NFC", path)
    if is_windows_path(text):
        text = text.replace("\\", "/")
        for prefix, plain in (("//?/UNC/", "//"), ("//?/", "")):
            if text.startswith(prefix):
                text = plain + text.removeprefix(prefix)
                break
    return tuple(part for part in text.split("/") if part not in {"", "."})


def file_name(path: str) -> str:
    """Return the last segment of a path, "" for an empty one."""
    parts = segments(path)
    return parts[-1] if parts else ""


def path_key(path: str) -> str:
    """Return the form in which two paths are equal when they name the same file, if case matters."""
    return "/".join(segments(path))


def name_key(path: str) -> str:
    """Return the form in which file names are looked up: without case, since only a whole path can settle it."""
    return file_name(path).casefold()


def same_path(left: str, right: str) -> bool:
    """Say whether two paths name the same file; case counts unless neither side's system heeds it."""
    if left == right:  # nearly always
        return True
    ours, theirs = path_key(left), path_key(right)
    return ours == theirs or (ignores_case(left) and ignores_case(right) and without_case(ours) == without_case(theirs))


def without_case(text: str) -> str:
    """Return the form in which two names are one to a system that ignores case.

    Letter by letter, as file systems do it: to ``casefold`` the different names "Maße" and "Masse" would be one.
    """
    if text.isascii():  # nearly all names
        return text.lower()
    return "".join(folded if len(folded := char.casefold()) == 1 else char for char in text)


def lies_in(path: str, folder: str) -> bool:
    """Say whether a path is the folder or lies anywhere below it, by whole segments."""
    return _starts_with(segments(path), segments(folder), fold=ignores_case(path) and ignores_case(folder))


@dataclass(frozen=True, slots=True)
class PathRule:
    """One line of ``path_map``: what Stash calls ``stash_prefix`` is ``plex_prefix`` for Plex."""

    stash_prefix: str
    plex_prefix: str


def map_path(path: str, rules: Sequence[PathRule]) -> str:
    """Return the path as Plex would call it.

    The longest prefix that matches whole segments wins; without one the path stays as it is (both see the same mounts).
    """
    parts = segments(path)
    best: tuple[int, PathRule] | None = None
    for rule in rules:
        prefix = segments(rule.stash_prefix)
        fits = parts[: len(prefix)] == prefix or (ignores_case(path) and _starts_with(parts, prefix, fold=True))
        if fits and (best is None or len(prefix) > best[0]):
            best = (len(prefix), rule)
    if best is None:
        return path
    length, rule = best
    is_windows = is_windows_path(rule.plex_prefix)
    separator = "\\" if is_windows and "\\" in rule.plex_prefix else "/"
    return separator.join((rule.plex_prefix.rstrip("/\\" if is_windows else "/"), *parts[length:]))


def _starts_with(parts: tuple[str, ...], prefix: tuple[str, ...], *, fold: bool) -> bool:
    head = parts[: len(prefix)]
    if fold:
        return [without_case(part) for part in head] == [without_case(part) for part in prefix]
    return head == prefix
