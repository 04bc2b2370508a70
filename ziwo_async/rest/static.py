"""Resource: countries, and files such as photos."""

from __future__ import annotations

import math

from ..errors import ApiError, BadArgument, DecodeError
from .auth import again
from .envelope import decode, unwrap
from .models.static import Country, Endpoint
from .prepared import segment
from .resource import Resource
from .scrub import Scrub

__all__ = ["StaticResource"]

_MIB = 1024 * 1024
_LONGEST_ERROR = 64 * 1024


class StaticResource(Resource):
    """What is the same for everybody in the contact centre."""

    async def countries(self) -> list[Country]:
        """Give the countries, with their calling codes and a sample of their numbers.

        Needs: any agent. (`GET /static/countries`; source: Android SDK)

        Raises:
            DecodeError: The answer is no list of countries.
        """
        return await self._list(Country, "/static/countries")

    async def recordings_endpoint(self, call_id: str) -> str:
        """Give the beginning of the addresses of recordings. To get a recording, use `ziwo.recordings`.

        Needs: any agent. (`GET /static/callRecordingsEndpoint`; source: Android SDK)

        Args:
            call_id: `callID` of the call that is asked about.

        Raises:
            BadArgument: The call's id is empty.
            DecodeError: The answer has no endpoint.
        """
        if not call_id:
            raise BadArgument("recordings_endpoint needs the callID of a call")
        path = "/static/callRecordingsEndpoint"
        return (await self._one(Endpoint, "GET", path, params={"callId": call_id})).endpoint

    async def storage_endpoint(self) -> str:
        """Give the path of stored files, relative to the address of the API. To get a file, use `storage`.

        Needs: any agent. (`GET /static/storageEndpoint`; source: Android SDK)

        Raises:
            DecodeError: The answer has no endpoint.
        """
        return (await self._one(Endpoint, "GET", "/static/storageEndpoint")).endpoint

    async def storage(self, file_hash: str, *, limit: int = 8 * _MIB, timeout: float = 60.0) -> bytes:
        """Get a stored file, such as the photo of a user. It is held in memory.

        Needs: any agent. (`GET /storage/{hash}`; source: Manager app, Android SDK)

        Args:
            file_hash: Name of the file, such as `User.photo`.
            limit: Bytes that it may have at most.
            timeout: Seconds for its body.

        Raises:
            BadArgument: A limit is no positive number.
            ConfigError: The name cannot be part of a path.
            DecodeError: The file is larger than the limit.
            RequestTimeout: It did not come in time.
            ApiError: What came is no file: an error in ZIWO's envelope, whatever its HTTP status.
        """
        if limit < 1:
            raise BadArgument(f"the limit of a file is at least 1 byte, not {limit}")
        if not 0 < timeout < math.inf:
            raise BadArgument(f"the time limit of a file is more than 0 seconds, not {timeout}")
        path = f"/storage/{segment(file_hash)}"
        async with self._transport.stream(path) as body:
            data = await body.read(limit + 1, limit=timeout)
            status = body.status
        if len(data) > limit:
            raise DecodeError(f"the file is larger than {limit} bytes", status=status, method="GET", path=path)
        refusal = _refusal(data, status, path, self._transport.cleaned)
        if refusal is not None:
            raise refusal
        return data


def _refusal(data: bytes, status: int, path: str, clean: Scrub) -> ApiError | None:
    """Give the error that came instead of a file, if one did."""
    if not 0 < len(data) <= _LONGEST_ERROR or data.lstrip()[:1] != b"{":
        return None
    try:
        unwrap(decode(data), status=status, method="GET", path=path, clean=clean)
    except ApiError as error:
        return again(error)
    except ValueError:
        pass  # a file that begins with a brace
    return None
