"""How much anybody may send, and for how long: counted as it comes, whatever its header says.

Large bodies are for routes that take uploads, and for people who are signed in: nobody else makes this machine read them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from calibration.web.http.plain import plain_answer
from calibration.web.settings import LimitSettings

MAX_QUERY_BYTES: Final = 8000
_MARK: Final = "takes_uploads"
EndpointT = TypeVar("EndpointT", bound=Callable[..., object])


class BodyTooLarge(HTTPException):
    """More was sent than may be."""

    def __init__(self) -> None:
        super().__init__(413)


class BodyTooSlow(HTTPException):
    """It did not come in time."""

    def __init__(self) -> None:
        super().__init__(408)


def takes_uploads(endpoint: EndpointT) -> EndpointT:
    """Marks a route's function: its body may be as large as `limits.upload_bytes`. Below the route's own decorator."""
    setattr(endpoint, _MARK, True)
    return endpoint


@dataclass(frozen=True)
class UploadRoutes:
    """Where uploads are taken: methods and patterns of paths."""

    routes: tuple[tuple[frozenset[str], re.Pattern[str]], ...]

    @classmethod
    def among(cls, routes: Iterable[tuple[str, Any]]) -> UploadRoutes:
        """Those of an application's (path, route) that are marked."""
        return cls(
            tuple(
                (frozenset(route.methods or ()), compile_path(path)[0])
                for path, route in routes
                if getattr(getattr(route, "endpoint", None), _MARK, False)
            )
        )

    def has(self, method: str, path: str) -> bool:
        """True if an upload may be sent there."""
        return any(method in methods and pattern.match(path) for methods, pattern in self.routes)


class Bodies:
    """Ends a request whose body is too large or too slow. is_in: whether somebody is signed in (may block).

    What it raises comes out of the route that reads the body, and is answered as any other error.
    """

    def __init__(
        self, app: ASGIApp, limits: LimitSettings, uploads: Callable[[Scope], UploadRoutes], is_in: Callable[[Scope], bool]
    ) -> None:
        self._app = app
        self._limits = limits
        self._uploads = uploads
        self._is_in = is_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if len(scope.get("query_string", b"")) > MAX_QUERY_BYTES:
            await plain_answer(414, "The address is too long.", close=True)(scope, receive, send)
            return
        limit, seconds = self._limits.body_bytes, self._limits.body_s
        if self._uploads(scope).has(scope["method"], scope["path"]) and await run_in_threadpool(self._is_in, scope):
            limit, seconds = self._limits.upload_bytes, self._limits.upload_s
        body = _Body(receive, send, limit, asyncio.get_running_loop().time() + seconds, Headers(scope=scope))
        await self._app(scope, body.receive, body.send)


class _Body:
    """One request's body on its way in. An answer that does not wait for all of it closes the connection."""

    def __init__(self, receive: Receive, send: Send, limit_bytes: int, deadline_s: float, headers: Headers) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit_bytes
        self._deadline_s = deadline_s
        self._taken = 0
        declared = headers.get("content-length", "0")
        self._too_large = not declared.isdecimal() or len(declared) > 18 or int(declared) > limit_bytes
        self._whole = declared == "0" and "transfer-encoding" not in headers
        self._read = False

    async def receive(self) -> Message:
        if self._read:  # what comes now is only the news that the browser left
            return await self._receive()
        if self._too_large:
            raise BodyTooLarge
        try:
            left_s = self._deadline_s - asyncio.get_running_loop().time()
            message = await asyncio.wait_for(self._receive(), max(0.0, left_s))
        except asyncio.TimeoutError:
            raise BodyTooSlow from None
        self._taken += len(message.get("body", b""))
        if self._taken > self._limit:
            self._too_large = True
            raise BodyTooLarge
        self._read = self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._whole:
            MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)
