"""Faults of the REST API to order: scripted answers, slowness, cut downloads."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..verto.frames import JsonObject

if TYPE_CHECKING:
    from .api import Rest

__all__ = ["HttpAnswer", "HttpFaults"]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A scripted HTTP answer: `body` is sent as JSON when it is an object, else as text (HTML when it begins so)."""

    status: int
    headers: dict[str, str]
    body: JsonObject | str | None
    path: str | None


@dataclass(slots=True)
class _Flaky:
    every: int
    status: int
    path: str | None
    seen: int = 0


class HttpFaults:
    """The faults of the REST API of one simulator; a part of `Faults`."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._answers: deque[HttpAnswer] = deque()
        self._slow: dict[str | None, float] = {}
        self._late: dict[str | None, float] = {}
        self._flaky: dict[str | None, _Flaky] = {}
        self._cuts: deque[int] = deque()
        self._infos: deque[JsonObject] = deque()
        self._hidden = 0

    # ---- to order --------------------------------------------------------------------------------------------

    def expire_tokens(self) -> None:
        """Every access token handed out so far is refused with 401 from now on."""
        self._rest.expire_tokens()

    def token_expired(self) -> None:
        """The same as `expire_tokens`."""
        self.expire_tokens()

    def next_http(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        body: JsonObject | str | None = None,
        path: str | None = None,
        times: int = 1,
    ) -> None:
        """Script the answer to the next REST request(s).

        Args:
            status: HTTP status.
            headers: Headers, such as `Retry-After` or `Location`.
            body: An object is sent as JSON, text as HTML; None: an empty body.
            path: Only for requests to this path; None: for any.
            times: For how many requests.
        """
        answer = HttpAnswer(status, dict(headers or {}), body, path)
        self._answers.extend([answer] * times)

    def slow_http(self, seconds: float, path: str | None = None) -> None:
        """Begin every answer so late; 0 ends it.

        Args:
            seconds: How late.
            path: Only those to this path, which have their own time then; None: those to any other.
        """
        self._slow[path] = seconds

    def late_http(self, seconds: float, path: str | None = None) -> None:
        """Do what is asked for at once, and send the answer so late; 0 ends it. A phone may hear of it before.

        Args:
            seconds: How late.
            path: As for `slow_http`.
        """
        self._late[path] = seconds

    def flaky_http(self, every: int, status: int = 503, path: str | None = None) -> None:
        """Answer every n-th request with an error, without doing what it asks for.

        Args:
            every: Which one; 1: every request; 0 ends it.
            status: HTTP status of the error.
            path: Only requests to this path count; None: all do.
        """
        if every > 0:
            self._flaky[path] = _Flaky(every, status, path)
        else:
            self._flaky.pop(path, None)

    def cut_download(self, after: int, times: int = 1) -> None:
        """Reset the TCP connection in the middle of a file (a recording, a stored file).

        Args:
            after: Bytes of the body that are sent before; a client that has not read them yet may get fewer.
            times: For how many downloads.
        """
        self._cuts.extend([after] * times)

    def info_next(self, message: str | JsonObject, times: int = 1) -> None:
        """Put something into `info` of the next answer, such as a deprecation warning.

        Args:
            message: A text, sent as `info.message` (ZIWO documents that there are messages, not how they are named);
                or the members themselves.
            times: For how many answers.
        """
        self._infos.extend([{"message": message} if isinstance(message, str) else message] * times)

    def hide_recordings(self, times: int = 1) -> None:
        """Answer the next requests for a recording with 404, as if it were not ready yet."""
        self._hidden += times

    # ---- used by the server ----------------------------------------------------------------------------------

    def take_http(self, path: str) -> HttpAnswer | None:
        """The answer scripted for this request."""
        for answer in self._answers:
            if answer.path in (None, path):
                self._answers.remove(answer)
                return answer
        for flaky in self._flaky.values():
            if flaky.path in (None, path):
                flaky.seen += 1
                if flaky.seen % flaky.every == 0:
                    body: JsonObject = {"result": False, "error": {"message": "Out of order"}, "info": {}}
                    return HttpAnswer(flaky.status, {}, body, flaky.path)
        return None

    def http_delay(self, path: str) -> float:
        """How late the answer to this request is."""
        return self._slow.get(path, self._slow.get(None, 0.0))

    def http_lateness(self, path: str) -> float:
        """By how many seconds the answer to a request is late after it was done (used by the REST server)."""
        return self._late.get(path, self._late.get(None, 0.0))

    def take_cut(self) -> int | None:
        """After how many bytes this download is cut; None: not at all."""
        return self._cuts.popleft() if self._cuts else None

    def take_info(self) -> JsonObject:
        """What this answer says in `info`."""
        return self._infos.popleft() if self._infos else {}

    def take_hidden(self) -> bool:
        """Whether this recording is not there yet."""
        if self._hidden <= 0:
            return False
        self._hidden -= 1
        return True
