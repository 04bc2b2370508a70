"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# Each of these makes typer write colours into pipes, whatever its value; the tests read what it writes as plain text.
for name in ("PY_COLORS", "FORCE_COLOR", "GITHUB_ACTIONS"):
    os.environ.pop(name, None)

# No deadline for a single example: a busy machine is not a bug.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
