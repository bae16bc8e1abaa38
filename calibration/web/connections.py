"""Connections before there is a request: one that says nothing, or says it slowly, is closed; nobody takes them all."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from calibration.web.settings import PageSettings


class GuardedConnection(H11Protocol):
    """uvicorn's own, which waits for ever for the first request, and for the rest of a request line."""

    header_s = 10.0
    per_address = 60
    counts_addresses = True
    _open: Counter[str]

    @classmethod
    def of(cls, settings: PageSettings) -> type[GuardedConnection]:
        """With the limits of these settings. Behind a proxy, all connections come from the proxy: they are not counted."""
        limits = settings.limits
        attributes = {
            "header_s": limits.header_s, "per_address": limits.connections_per_address, "_open": Counter[str](),
            "counts_addresses": settings.behind_proxy is None,
        }  # fmt: skip
        return type("LimitedConnection", (cls,), attributes)

    @override
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._open[self._address] += 1
        self._waiting: asyncio.TimerHandle | None = None
        if self.counts_addresses and self._open[self._address] > self.per_address:
            transport.abort()
            return
        self._wait_for_request()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._heard()
        self._open[self._address] -= 1
        if self._open[self._address] <= 0:
            del self._open[self._address]
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._heard()
        elif self._waiting is None and (before is None or before.response_complete):
            self._wait_for_request()  # the first piece of the next request on a connection that was kept

    def _wait_for_request(self) -> None:
        self._waiting = self.loop.call_later(self.header_s, self._give_up)

    def _heard(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.abort()
