"""Replace a file as a whole: whoever reads it sees the old one or the new one, never half of either."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Yield an empty file that only its owner can read; it takes the place of ``path`` once the block has ended well.

    Each draft has a name of its own, so that two processes never write into one. Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
