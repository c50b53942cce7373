"""A door: makes ``scenesync.plex.exceptions`` known under the name that the specification gives it."""

import sys

from scenesync.plex.exceptions import *  # noqa: F403 - for type checkers; at run time the line below is what counts

sys.modules[__name__] = sys.modules["scenesync.plex.exceptions"]
