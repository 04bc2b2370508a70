"""ZIWO's REST API over a world: one module for each subject, and the server that joins them.

Sources of the routes: ZIWO's developers page and SDKs; where only integrators were seen to use one, its function says
so. What no source shows, such as the fields of a tracker's test, is the simulator's own and says that too.
"""

from __future__ import annotations

from .quirks import Quirks
from .server import Rest

__all__ = ["Quirks", "Rest"]
