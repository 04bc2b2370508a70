"""Another origin, as the cloud storage behind signed URLs is: it needs no token and should never be sent one."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from .files import send_bytes

if TYPE_CHECKING:
    from ..history import Cdr
    from .server import Rest

__all__ = ["SignedFiles", "SignedRequest", "send_recording"]

_REMEMBERED = 10_000
_CREDENTIALS = frozenset({"access_token", "api_key", "authorization", "cookie", "x-api-key"})


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request to the other origin.

    Attributes:
        path: Its path, without the signature.
        status: What was answered.
        credentials: Names of the headers and parameters by which a credential came: none should.
    """

    path: str
    status: int
    credentials: tuple[str, ...]


class SignedFiles:
    """Serves recordings to whoever has a URL that was given out.

    Attributes:
        requests: The newest 10 000 requests, oldest first.
    """

    def __init__(self, api: Rest) -> None:
        self._api = api
        self._rng = random.Random("signatures")
        self._given: OrderedDict[str, Cdr] = OrderedDict()
        self._runner: web.AppRunner | None = None
        self._origin = ""
        self.requests: deque[SignedRequest] = deque(maxlen=_REMEMBERED)

    @property
    def origin(self) -> str:
        """Its base URL, without a slash at the end; empty while it does not listen."""
        return self._origin

    @property
    def credentials_seen(self) -> list[SignedRequest]:
        """The requests that a credential came with."""
        return [request for request in self.requests if request.credentials]

    async def listen(self, host: str) -> None:
        """Start to listen on any port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, 0).start()
        self._origin = f"http://{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def url_for(self, record: Cdr) -> str:
        """A new URL for a recording; the newest 10 000 are good."""
        signature = f"{self._rng.getrandbits(160):040x}"
        self._given[signature] = record
        if len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)
        return f"{self._origin}/recordings/{record.call_id}.mp3?signature={signature}"

    async def _file(self, request: web.Request) -> web.StreamResponse:
        record = self._given.get(request.query.get("signature", ""))
        response: web.StreamResponse
        if record is None or request.match_info["path"] != f"recordings/{record.call_id}.mp3":
            response = web.Response(status=403)
        else:
            response = await send_recording(self._api, request, record)
        names = (*request.headers, *request.query)
        found = tuple(sorted({name.casefold() for name in names} & _CREDENTIALS))
        self.requests.append(SignedRequest(request.path, response.status, found))
        return response


async def send_recording(api: Rest, request: web.Request, record: Cdr) -> web.StreamResponse:
    """The bytes of a recording that is known to be there."""
    as_wav = api.options.recording_format == "wav" and record.call_id not in api.world.history.recordings
    data = api.world.history.recording(record, as_wav=as_wav) or b""
    return await send_bytes(request, data, "audio/wav" if as_wav else "audio/mpeg", api.faults)
