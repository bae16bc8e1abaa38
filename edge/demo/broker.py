"""An MQTT broker inside this process (amqtt, 3.1.1), on the loopback interface, for as long as the demo runs."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from types import TracebackType
from typing import Any

from typing_extensions import Self

from edge.errors import ConfigError

START_TIMEOUT_S = 15.0


class EmbeddedBroker:
    """Runs amqtt in a thread with its own event loop; `port` is known once entered. Raises ConfigError without amqtt."""

    def __init__(self) -> None:
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._broker: Any = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def __enter__(self) -> Self:
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.CRITICAL)
        self.port = _free_port()
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S) or self._failure is not None:
            remedy = "pip install amqtt"
            raise ConfigError(f"the embedded broker did not start ({self._failure})", where="demo", remedy=remedy)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        loop = self._loop
        if loop is not None and loop.is_running():
            asyncio.run_coroutine_threadsafe(self._broker.shutdown(), loop).result(START_TIMEOUT_S)
            loop.call_soon_threadsafe(loop.stop)
        self._thread.join(START_TIMEOUT_S)

    def _run(self) -> None:
        try:
            from amqtt.broker import Broker

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}", "max_connections": 16}}
            plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
            self._broker = Broker({"listeners": listeners, "plugins": plugins}, loop=self._loop)
            self._loop.run_until_complete(self._broker.start())
        except (ImportError, OSError, RuntimeError) as error:
            self._failure = error
            self._ready.set()
            return
        self._ready.set()
        self._loop.run_forever()
        self._loop.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
