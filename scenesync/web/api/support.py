"""What helps to help, as a download."""

import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from scenesync.web.asking import ServicesGiven

router = APIRouter(tags=["support"])

ZIP: Final = "application/zip"
_ZIPPED: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {ZIP: {}}}}


@router.get("/support-bundle", response_class=Response, responses=_ZIPPED)
def support_bundle(
    services: ServicesGiven,
    with_names: Annotated[bool, Query(description="Keep titles, names, files and hosts.")] = False,  # noqa: FBT002 - a query
) -> Response:
    """Return a zip of readable text: versions, settings, status, what the doctor found last, latest events and errors.

    No secret is in it; titles, names, files, folders and hosts have pseudonyms. No server is asked.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time()))
    disposition = f'attachment; filename="scenesync-support-{stamp}.zip"'
    zipped = services.support.make(with_names=with_names)
    return Response(zipped, media_type=ZIP, headers={"Content-Disposition": disposition})
