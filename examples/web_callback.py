"""Call the visitors of a web page back: a form, a JSON endpoint, and a page that tells how it goes.

    ziwo simulate                          # in one terminal; set the variables that it prints, ZIWO_API_KEY too
    python examples/embedding_in_a_service.py    # in another one: a phone of agent 5555 that picks up
    export CALLBACK_AGENTS=5555            # who calls, by ccLogin, in order: 0011,0012
    python examples/web_callback.py        # in a third; then open http://127.0.0.1:8058/

    curl -i http://127.0.0.1:8058/callbacks -H 'Content-Type: application/json' \
        -H 'Idempotency-Key: order-4711' -d '{"contact": "+971500000001"}'

The agent's phone rings first, and then the visitor's. Requests are in `callbacks.sqlite`: a restart loses none, and
calls nobody twice. ZIWO_USERNAME is an admin: by the call history it is known what became of a call. Whoever reaches
this page can make phones ring, so only numbers that begin with CALLBACK_PREFIXES are called.
"""

from __future__ import annotations

import html
import logging
import os
import secrets
from collections.abc import AsyncIterator

from aiohttp import web

from ziwo_async import BadArgument, SpendPolicy, SpendRefused, ZiwoClient
from ziwo_async.callback import Callback, CallbackService, SqliteCallbacks

AGENTS = os.environ.get("CALLBACK_AGENTS", "5555").split(",")
PREFIXES = tuple(os.environ.get("CALLBACK_PREFIXES", "+971,+33").split(","))
WORDS = {
    "waiting": "We will call you in a moment.",
    "dialling": "We are calling.",
    "calling": "We are calling. Your phone rings as soon as one of us has picked up.",
    "checking": "We are calling.",
    "connected": "You were connected.",
    "failed": "We did not reach you, or nobody of us was free. Please try again later.",
    "unclear": "If your phone did not ring, please ask again.",
    "cancelled": "The callback was cancelled.",
}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">{head}
<title>Call me back</title><h1>Call me back</h1>{body}</html>
"""
FORM = """<form method="post" action="/callbacks">
<input type="hidden" name="key" value="{key}">
<label>Phone number <input type="tel" name="contact" value="{contact}" autocomplete="tel" required></label>
<button>Call me back</button></form><p role="status">{problem}</p>
"""
CALLBACKS = web.AppKey("callbacks", CallbackService)


def page(body: str, *, head: str = "", status: int = 200) -> web.Response:
    headers = {
        "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        "Cache-Control": "no-store",
    }
    text = PAGE.format(head=head, body=body)
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def form(*, contact: str = "", problem: str = "", status: int = 200) -> web.Response:
    # A key for each form that is shown: sent twice, it is one request.
    key = secrets.token_urlsafe(16)
    return page(FORM.format(key=key, contact=html.escape(contact), problem=html.escape(problem)), status=status)


async def show_form(request: web.Request) -> web.Response:
    return form()


async def ask(request: web.Request) -> web.Response:
    """Take a request: the form, or JSON."""
    as_json = request.content_type == "application/json"
    contact, key = await (from_json(request) if as_json else from_form(request))
    try:
        callback = await request.app[CALLBACKS].request(contact, key=key)
    except BadArgument as error:
        return refusal(as_json, 400, "This is no telephone number that we can call.", contact, error)
    except SpendRefused as error:
        return refusal(as_json, 429, "You have asked a few times already. Please wait a while.", contact, error)
    place = f"/callbacks/{callback.id}"
    if as_json:
        return web.json_response(told(callback), status=202, headers={"Location": place})
    raise web.HTTPSeeOther(place)


async def from_json(request: web.Request) -> tuple[str, str | None]:
    try:
        body = await request.json()
        return str(body["contact"]), request.headers.get("Idempotency-Key")
    except (ValueError, LookupError, TypeError, RecursionError):
        raise web.HTTPBadRequest(text='Expected {"contact": "+97150000000"}.') from None


async def from_form(request: web.Request) -> tuple[str, str | None]:
    try:
        fields = await request.post()
    except (ValueError, LookupError):
        raise web.HTTPBadRequest(text="Expected a form.") from None
    return str(fields.get("contact", "")), str(fields.get("key", "")) or None


def refusal(as_json: bool, status: int, words: str, contact: str, error: Exception) -> web.Response:
    if not as_json:
        return form(contact=contact, problem=words, status=status)
    wait = error.retry_after if isinstance(error, SpendRefused) else None
    headers = {} if wait is None else {"Retry-After": str(int(wait) + 1)}
    return web.json_response({"problem": words}, status=status, headers=headers)


def told(callback: Callback) -> dict[str, str | bool]:
    """What a visitor may know: nothing of agents, numbers or errors."""
    return {"id": callback.id, "state": callback.state, "over": callback.over, "words": WORDS[callback.state]}


async def show(request: web.Request) -> web.Response:
    callback = await request.app[CALLBACKS].get(request.match_info["id"])
    if callback is None:
        raise web.HTTPNotFound
    if "text/html" not in request.headers.get("Accept", ""):
        return web.json_response(told(callback))
    head = "" if callback.over else '<meta http-equiv="refresh" content="3">'
    return page(f'<p role="status">{WORDS[callback.state]}</p><p><a href="/">Back</a></p>', head=head)


async def callbacks(app: web.Application) -> AsyncIterator[None]:
    """Cleanup context: callbacks are run as long as the application."""
    policy = SpendPolicy(allowed_prefixes=PREFIXES, calls_per_minute=10)
    store = SqliteCallbacks("callbacks.sqlite")
    async with ZiwoClient.from_env(spend=policy) as ziwo, CallbackService(ziwo, AGENTS, store=store) as service:
        app[CALLBACKS] = service
        yield
    store.close()


def make_app() -> web.Application:
    app = web.Application(client_max_size=4096)
    app.cleanup_ctx.append(callbacks)
    app.add_routes([web.get("/", show_form), web.post("/callbacks", ask), web.get("/callbacks/{id}", show)])
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8058")), shutdown_timeout=0.5)
