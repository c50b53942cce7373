"""What Plex should show for a scene: in one library, and in what of it the server can be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenesync.domain.desired import desired_fields
from scenesync.domain.fields import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scenesync.domain.desired import DesiredFields
    from scenesync.domain.fields import FieldValue
    from scenesync.domain.ports import MediaServer
    from scenesync.domain.scene import Scene
    from scenesync.worker.collections.membership import Collections
    from scenesync.worker.sync_options import SyncOptions


class Wanted:
    """Says so under the settings, for one server."""

    def __init__(self, server: MediaServer, collections: Collections, options: SyncOptions) -> None:
        self._server = server
        self._collections = collections
        self._options = options

    def fields(self, scene: Scene) -> DesiredFields:
        """Return what Plex should show for a scene."""
        return desired_fields(scene, self._options.enabled, self._options.rules)

    def values(self, library_key: str, desired: DesiredFields) -> Mapping[Field, FieldValue]:
        """Return the values as items of this library are to have them, and as this server can be sent them."""
        values = dict(desired.values)
        if desired.collections:
            values[Field.COLLECTIONS] = self._collections.names(library_key, desired.collections)
        return {field: self._server.fit(field, value) for field, value in values.items()}
