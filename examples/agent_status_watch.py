"""Tell whenever an agent changes the status. Watches the floor: it takes nobody's phone.

    ziwo simulate                                    # in one terminal; it prints the three variables
    python examples/agent_status_watch.py            # in another one; the user must be an admin

Runs until Ctrl-C.
"""

from __future__ import annotations

from ziwo_async import AgentStatusChanged, LiveLost, LiveRestored, Router, ZiwoClient

router = Router()


@router.on(AgentStatusChanged)
async def changed(event: AgentStatusChanged) -> None:
    since = event.since or event.at
    print(f"{since.astimezone():%H:%M:%S} {event.name}: {event.before or 'unknown'} -> {event.status}", flush=True)


@router.on(LiveLost)
async def lost(event: LiveLost) -> None:
    print(f"connection lost ({event.reason}); it comes back by itself", flush=True)


@router.on(LiveRestored)
async def restored(event: LiveRestored) -> None:
    # What differs from the last snapshot before is told as changes now; what came and went in between was not seen.
    print(f"connected again after {event.gap_seconds:.0f} s", flush=True)


if __name__ == "__main__":
    ZiwoClient.from_env().run(router, source="live")
