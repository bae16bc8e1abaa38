"""How often anybody may ask: a bucket for each address and each session that fills up again with time."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from calibration.web.http.plain import plain_answer
from calibration.web.settings import LimitSettings

log = logging.getLogger(__name__)

MAX_BUCKETS: Final = 10_000
STATIC: Final = "/static/"


class Buckets:
    """per_minute tokens come back in a minute; at most `burst` are there. now: seconds of a clock that only goes on."""

    def __init__(self, per_minute: int, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_minute / 60
        self._burst = float(min(burst, per_minute))
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token; 0, or in how many seconds there will be one."""
        now = self._now()
        left, at = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return wait


class Rates:
    """Answers 429 to who asks too often. session: name of the session's cookie."""

    def __init__(self, app: ASGIApp, limits: LimitSettings, session: str) -> None:
        self._app = app
        self._session = session
        self._addresses = Buckets(limits.per_address, limits.burst)
        self._sessions = Buckets(limits.per_session, limits.burst)
        self._told: Buckets = Buckets(6, 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Files that browsers keep are free."""
        if scope["type"] != "http" or scope["path"].startswith(STATIC):
            await self._app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        wait = self._addresses.take(address)
        token = self._token(scope) if wait == 0 else ""
        if token:
            wait = self._sessions.take(hashlib.sha256(token.encode("utf-8", "replace")).hexdigest())
        if wait == 0:
            await self._app(scope, receive, send)
            return
        if self._told.take(address) == 0:
            log.warning("page_rate_limited address=%s", address)
        await plain_answer(429, "Too many requests. Wait a moment.", retry_s=math.ceil(wait))(scope, receive, send)

    def _token(self, scope: Scope) -> str:
        try:
            cookies = SimpleCookie(Headers(scope=scope).get("cookie", "")[:8000])
        except CookieError:
            return ""
        return cookies[self._session].value if self._session in cookies else ""
