"""A door: makes ``scenesync.worker.backoff`` known under the name that the specification gives it."""

import sys

from scenesync.worker.backoff import *  # noqa: F403 - for type checkers; at run time the line below is what counts

sys.modules[__name__] = sys.modules["scenesync.worker.backoff"]
