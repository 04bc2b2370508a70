"""Runs seeds and prints one line of JSON for each: `python -m tests.schedule FIRST COUNT`."""

from __future__ import annotations

import json
import sys

from .plan import plan_of
from .run import run_plan


def main() -> None:
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        result = run_plan(plan_of(seed))
        print(json.dumps({"seed": seed, "digest": result.digest, "wrong": result.wrong}))


main()
