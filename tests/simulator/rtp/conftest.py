"""Real media needs the extra `media`."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("aiortc") else ["test_*.py"]
