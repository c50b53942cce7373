"""The engines that keep a queue. A test marked with ``both_engines`` says what is promised of every one of them."""

from __future__ import annotations

from typing import Final

import pytest

EMBEDDED: Final = "embedded"
DISTRIBUTED: Final = "distributed"

both_engines = pytest.mark.parametrize("engine", [EMBEDDED, DISTRIBUTED], indirect=True)
on_postgres = pytest.mark.parametrize("engine", [DISTRIBUTED], indirect=True)
