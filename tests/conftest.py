"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# No deadline for a single example: a busy machine is not a bug.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
