"""What kind of file system a folder lies on, as far as Linux tells."""

from __future__ import annotations

from pathlib import Path
from typing import Final

NETWORK_TYPES: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs"}
)
_TABLE: Final = Path("/proc/self/mountinfo")


def network_share_type(folder: Path, table: Path = _TABLE) -> str | None:
    """Return the type of the network share that holds ``folder``; None for a local disk, or where nobody can tell."""
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
        wanted = folder.resolve()
    except OSError:
        return None
    found, depth = "", -1
    for line in lines:
        # proc_pid_mountinfo(5): the fifth field is the mount point, the first after the dash the type of file system;
        # of two at one place the later one counts.
        mount, separator, rest = line.partition(" - ")
        parts = mount.split(" ")
        if not separator or len(parts) < 5:  # noqa: PLR2004 - the field's number, as above
            continue
        place = Path(_unescaped(parts[4]))
        if len(place.parts) >= depth and wanted.is_relative_to(place):
            found, depth = rest.split(" ")[0], len(place.parts)
    return found if found in NETWORK_TYPES else None


def _unescaped(text: str) -> str:
    """Undo the octal escapes of blanks and the like."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text
