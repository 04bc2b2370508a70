"""The `ziwo` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Say that the command line is not built yet."""
    sys.stderr.write("ziwo: the command line is not part of this version yet\n")
    raise SystemExit(2)
