"""The page that Prometheus reads. A station judges also where it cannot be served."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType

from prometheus_client import CollectorRegistry, start_http_server
from typing_extensions import Self

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
"""Whoever may see it from elsewhere is the site's to say, with a proxy that asks who they are: docs/ops/README.md."""
RETRY_S = 10.0
_JOIN_S = 2.0


class Endpoint:
    """http://127.0.0.1:PORT/metrics from enter to exit. Where the port cannot be had `trouble` says why; `look` tries again.

    clock: steady. `look` and exit are for one thread at a time.
    """

    def __init__(self, registry: CollectorRegistry, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._port = port
        self._clock = clock
        self._close: Callable[[], None] | None = None
        self._tried_s = 0.0
        self._is_over = False
        self.trouble: str | None = None

    def __enter__(self) -> Self:
        self._try()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_over = True
        if self._close is not None:
            self._close()
            self._close = None

    def look(self) -> str | None:
        """Why the page is not there, None if it is. Tries again every RETRY_S."""
        if self._close is None and not self._is_over and self._clock() - self._tried_s >= RETRY_S:
            self._try()
        return self.trouble

    def _try(self) -> None:
        self._tried_s = self._clock()
        try:
            server, thread = start_http_server(self._port, ADDRESS, self._registry)
        except OSError as error:
            trouble = (
                f"health.prometheus_port: port {self._port} cannot be used ({error.strerror}): stop the program that has it "
                "or write another port and restart the station; it judges as ever"
            )
            if self.trouble is None:
                log.error("metrics_not_served why=%r", trouble)
            self.trouble = trouble
            return

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join(_JOIN_S)

        self._close = close
        if self.trouble is not None:
            log.info("metrics_served port=%d", self._port)
        self.trouble = None
