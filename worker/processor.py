"""A door: makes ``scenesync.worker.processor`` known under the name that the specification gives it."""

import sys

from scenesync.worker.processor import *  # noqa: F403 - for type checkers; at run time the line below is what counts

sys.modules[__name__] = sys.modules["scenesync.worker.processor"]
