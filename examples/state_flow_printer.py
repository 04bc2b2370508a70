"""Print every dialog event as ZIWO's documented object, and judge each call's flow when it is over.

    ziwo simulate                                    # in one terminal; it prints the three variables
    python examples/state_flow_printer.py            # in another one

One JSON object a line on stdout; verdicts on stderr. Ctrl-C (or SIGTERM) ends it with code 0.
"""

from __future__ import annotations

import json
import sys

from ziwo_async import Call, Destroy, DialogEvent, FlowChecker, Router, ZiwoClient

router = Router()
checkers: dict[str, FlowChecker] = {}


@router.on(DialogEvent)
async def show(call: Call, event: DialogEvent) -> None:
    print(json.dumps(event.to_detail()), flush=True)
    # A call that was there before us (`recovering`) comes with its past; else there is one step at a time.
    checker = checkers.setdefault(event.call_id, FlowChecker())
    checker.feed(event.state, inferred=event.inferred)


@router.on(Destroy)
async def judge(call: Call, event: Destroy) -> None:
    report = checkers.pop(event.call_id).report
    flow = " ".join(step.state for step in event.state_flow)
    print(f"{report.verdict.value}: {flow}. {report.reason}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    ZiwoClient.from_env().run(router)
