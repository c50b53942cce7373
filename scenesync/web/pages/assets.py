"""Scripts and styles, under names that change with what is in them; nothing else can be asked for."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from scenesync.web.problems import NotFound

FOLDER: Final = Path(__file__).parent.parent / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"

router = APIRouter()


class Assets:
    """All static files, read once."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, tuple[bytes, str]] = {}
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            self._names[path.name] = name
            self._files[name] = (content, kind)

    def name_of(self, file: str) -> str:
        """Return the name under which a file is served. Raises KeyError."""
        return self._names[file]

    def get(self, name: str) -> tuple[bytes, str] | None:
        """Return a file's content and type by that name, None for any other."""
        return self._files.get(name)


@router.get("/static/{name:path}")
async def static(request: Request, name: str) -> Response:
    """Return a file that a page needs."""
    found = request.app.state.pages.assets.get(name)
    if found is None:
        raise NotFound("There is no such file.")
    content, kind = found
    return Response(content, media_type=kind, headers={"Cache-Control": _FOR_EVER})
