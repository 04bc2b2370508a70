"""Look up who calls while the phone rings: the customer in ZIWO's CRM, and the last calls with them.

    ziwo simulate                                    # in one terminal; it prints the three variables
    python examples/crm_lookup.py                    # in another one

It answers nothing: the call rings on. Ctrl-C (or SIGTERM) ends it with code 0.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ziwo_async import Call, Cdr, Ringing, Router, ZiwoClient, ZiwoError, same_number

LAST = 3  # how many calls are shown
PAST = timedelta(days=30)


async def last_calls(ziwo: ZiwoClient, number: str) -> list[Cdr]:
    """The agent's own last calls with a number, newest first. An admin has `ziwo.calls.history` for everybody's."""
    since = datetime.now(UTC) - PAST
    calls = await ziwo.calls.own(since, contact_number=number).all(at_most=200)
    # How the server compares numbers, and in which order it gives calls, is not documented.
    ours = [cdr for cdr in calls if cdr.start is not None and same_number(cdr.customer_number or "", number)]
    return sorted(ours, key=lambda cdr: cdr.start or since, reverse=True)[:LAST]


async def describe(ziwo: ZiwoClient, number: str) -> list[str]:
    customer = await ziwo.crm.customers(phone=number, with_tags=True).first()
    name = "not in the CRM"
    if customer is not None:
        name = " ".join(part for part in (customer.title, customer.first_name, customer.last_name) if part)
    calls = await last_calls(ziwo, number)
    return [
        f"{number}: {name}",
        *(f"  {cdr.start:%Y-%m-%d %H:%M} {cdr.direction} {cdr.result}, {cdr.talk_time or 'no'} talk" for cdr in calls),
    ]


def handlers(ziwo: ZiwoClient) -> Router:
    router = Router()

    # `during`, not `on`: it asks the server, and is cancelled when the caller gives up.
    @router.during(Ringing)
    async def look_up(call: Call, event: Ringing) -> None:
        try:
            print(*await describe(ziwo, event.customer_number), sep="\n", flush=True)
        except ZiwoError as error:
            print(f"{event.customer_number}: the look-up failed: {error}", flush=True)

    return router


if __name__ == "__main__":
    client = ZiwoClient.from_env()
    client.run(handlers(client))
