"""`python -m ziwo_async.cli` is `ziwo`."""

from __future__ import annotations

from . import main

main()
