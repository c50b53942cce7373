"""A door: makes ``scenesync.worker.circuit_breaker`` known under the name that the specification gives it."""

import sys

from scenesync.worker.circuit_breaker import *  # noqa: F403 - for type checkers; at run time the line below is what counts

sys.modules[__name__] = sys.modules["scenesync.worker.circuit_breaker"]
