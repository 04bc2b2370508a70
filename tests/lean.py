"""How the tests run pytest itself, as a user would have it."""

from __future__ import annotations

LEAN = tuple(word for name in ("hypothesispytest", "randomly", "timeout", "xdist") for word in ("-p", f"no:{name}"))
"""Without the plugins that only our own tests need: starting them takes longer than most of these runs."""
