"""What a program did to the files of a folder, system call by system call, as strace saw it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# Every call that changes a file, a name or a folder, also those that SceneSync and SQLite are not known to use: one of
# them on a file of ours ends the recording with an error, so that the model of the disk is never silently incomplete.
_WRITES: Final = "write,pwrite64,ftruncate,fsync,fdatasync"
_NAMES: Final = "openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir"
_UNEXPECTED: Final = (
    "writev,pwritev,pwritev2,fallocate,truncate,copy_file_range,sendfile,splice,link,linkat,symlink,symlinkat"
)
_SENDS: Final = "sendto,sendmsg"
_LONGEST_BYTES: Final = 100_000
_LONGEST_S: Final = 600  # takes seconds; the limit is for a program that hangs

_LINE: Final = re.compile(r"^(\d+) +(\w+)\((.*)$")
_RESUMED: Final = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_RESULT: Final = re.compile(r"\) += (-?\d+)")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_DESCRIPTOR: Final = re.compile(r"^(?:-?\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that went to a file; without ``offset`` at its end."""

    path: str
    data: bytes
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Resize:
    """A file was cut or lengthened."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SyncBegun:
    """A file or folder is on its way to the disk: what was written to it before now, not what comes from now on."""

    path: str
    number: int


@dataclass(frozen=True, slots=True)
class SyncEnded:
    """What was written before the sync of this number began is on the disk."""

    path: str
    number: int


@dataclass(frozen=True, slots=True)
class Create:
    """A file was opened that may not have existed; ``empty`` if its content was thrown away."""

    path: str
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """A name is gone."""

    path: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A name was changed, or put in the place of another."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes that left over the network."""

    data: bytes


Step = Write | Resize | SyncBegun | SyncEnded | Create | Remove | Rename | Send


def require_strace(folder: Path) -> None:
    """Skip the test, with the reason, where programs cannot be watched."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, to record what is written")
    log = folder / "strace-probe"
    probe = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-e", "trace=openat", "-o", str(log), "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode != 0 or "openat(" not in log.read_text(encoding="ascii"):
        pytest.skip(f"strace may not watch programs here: {probe.stderr.strip()[:200]}")


def record(
    command: Sequence[str], root: Path, log: Path, *, env: Mapping[str, str], cwd: Path, sends: bool = False
) -> tuple[list[Step], subprocess.CompletedProcess[str]]:
    """Run ``command`` to its end; return what it and its children did to files below ``root`` (and sent)."""
    calls = ",".join((_WRITES, _NAMES, _UNEXPECTED, *((_SENDS,) if sends else ())))
    watched = ["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", str(_LONGEST_BYTES), "-e", f"trace={calls}"]
    done = subprocess.run(
        [*watched, "-e", "signal=none", "-o", str(log), *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
        env=dict(env),
        cwd=cwd,
    )
    return list(_Reading(str(root)).steps(log)), done


class _Reading:
    """Turns the lines of a log into steps, each at the moment that counts for it.

    A write counts once it has ended, a sync from its beginning to its end, what is sent as soon as it begins.
    """

    def __init__(self, root: str) -> None:
        self._root = root + "/"
        self._syncs = 0
        self._open: dict[str, tuple[str, int]] = {}

    def steps(self, log: Path) -> Iterator[Step]:
        with log.open(encoding="ascii") as lines:
            for line in lines:
                if (match := _RESUMED.match(line)) is not None:
                    thread, call, rest = match.groups()
                    text, number = self._open.pop(thread)
                    yield from self._ended(call, text + rest, number)
                elif (match := _LINE.match(line)) is not None:
                    thread, call, text = match.groups()
                    self._syncs += 1
                    number = self._syncs
                    yield from self._begun(call, text, number)
                    if text.endswith("<unfinished ...>"):
                        self._open[thread] = (text.removesuffix("<unfinished ...>"), number)
                    else:
                        yield from self._ended(call, text, number)

    def _begun(self, call: str, text: str, number: int) -> Iterator[Step]:
        if call in {"fsync", "fdatasync"} and (path := self._file(text)) is not None:
            yield SyncBegun(path, number)
        elif call in {"sendto", "sendmsg"}:
            yield Send(b"".join(_texts(text)))

    def _ended(self, call: str, text: str, number: int) -> Iterator[Step]:
        result = _RESULT.search(text, text.rfind(")"))
        if result is None or int(result[1]) < 0:  # killed in it, or refused
            return
        if call in {"open", "openat", "creat"}:
            yield from self._opened(call, text)
        elif call in _NAMES.split(","):
            yield from self._renamed(call, text)
        elif (path := self._file(text)) is not None:
            yield self._changed(call, path, text, int(result[1]), number)

    def _changed(self, call: str, path: str, text: str, result: int, number: int) -> Step:
        if call in {"fsync", "fdatasync"}:
            return SyncEnded(path, number)
        if call == "ftruncate":
            return Resize(path, int(_arguments(text)[1]))
        if call in {"write", "pwrite64"}:
            [data] = _texts(text)
            offset = int(_arguments(text)[3]) if call == "pwrite64" else None
            return Write(path, data[:result], offset)
        raise AssertionError(f"{call} is not in the model of the disk: {path}")

    def _opened(self, call: str, text: str) -> Iterator[Step]:
        # What was opened stands behind the result, whole.
        path = self._inside(_DESCRIPTOR.match(text[text.rfind("= ") + 2 :]))
        if path is not None and (call == "creat" or "O_CREAT" in text or "O_TRUNC" in text):
            yield Create(path, empty=call == "creat" or "O_TRUNC" in text)

    def _renamed(self, call: str, text: str) -> Iterator[Step]:
        paths = [data.decode() for data in _texts(text)]
        if not any(path.startswith(self._root) for path in paths):
            assert all(path.startswith("/") for path in paths), f"a relative path: {call}({paths}"
            return
        if call.startswith("rename"):
            yield Rename(*paths)
        elif call in {"unlink", "unlinkat"}:
            yield Remove(paths[0])
        # Folders are taken to be there as soon as they are made: see power_cut_disk.

    def _file(self, text: str) -> str | None:
        return self._inside(_DESCRIPTOR.match(text))

    def _inside(self, match: re.Match[str] | None) -> str | None:
        if match is None or match[2]:  # a file without a name can be found by nobody afterwards
            return None
        path = _unescaped(match[1]).decode("utf-8", "replace")
        return path if (path + "/").startswith(self._root) else None


def _texts(text: str) -> list[bytes]:
    found = []
    for match in _TEXT.finditer(text):
        assert not match[2], "a write too long for the log"
        found.append(_unescaped(match[1]))
    return found


def _arguments(text: str) -> list[str]:
    return [part.strip() for part in text[: text.rfind(")")].split(",")]


def _unescaped(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
