"""The process of the OPC UA server: what strangers send it cannot take time or memory from the judge.

Run by edge.opcua.front as `python -m edge.opcua.child opcua LINK LIFE`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from edge.errors import ConfigError
from edge.logs import join_logging
from edge.opcua.server import Started, UaServer
from edge.settings.opcua import OpcUaConfig
from edge.sidecar import Link, SidecarGone, die_with, link_of

MEMORY_BYTES = 1 << 30
ALIVE_S = 1.0
ANSWER_S = 10.0
GOODBYE_S = 0.7
NICE = 10


class Child:
    """Between the link and the server: values in, calls out, answers back."""

    def __init__(self, link: Link, config: OpcUaConfig, station: str, views: Sequence[str]) -> None:
        self._link = link
        self._server = UaServer(config, station, views, self._start)
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Started]] = {}
        self._incoming: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def run(self) -> None:
        """Serve until the station is gone."""
        try:
            endpoint = await self._server.serve()
        except ConfigError as error:
            self._link.send({"failed": str(error)})
            return
        except OSError as error:
            self._link.send({"failed": f"the port cannot be used ({error.strerror}): stop the program that has it"})
            return
        self._link.send({"serving": endpoint})
        loop = asyncio.get_running_loop()
        loop.add_reader(self._link.fileno(), self._read)
        alive = loop.create_task(self._say_alive())
        try:
            while (message := await self._incoming.get()) is not None:
                await self._obey(message)
        finally:
            alive.cancel()
            loop.remove_reader(self._link.fileno())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._server.close(), 2.0)

    def _read(self) -> None:
        try:
            while (message := self._link.receive()) is not None:
                self._incoming.put_nowait(message)
        except SidecarGone:
            asyncio.get_running_loop().remove_reader(self._link.fileno())
            self._incoming.put_nowait(None)

    async def _obey(self, message: Mapping[str, Any]) -> None:
        if "bye" in message:
            await asyncio.sleep(GOODBYE_S)  # subscriptions are sent in intervals: give them one to say that it is over
            self._incoming.put_nowait(None)
        elif "put" in message:
            await self._server.put([tuple(value) for value in message["put"]])
        elif "answer" in message:
            waiting = self._asked.pop(message["answer"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result((bool(message["accepted"]), str(message["message"]), str(message["result_id"])))

    async def _start(self, user: str, words: Sequence[str]) -> Started:
        """Ask the station; it answers soon, or the caller is told that it does not."""
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            if not self._link.send({"start": number, "user": user, "words": list(words)}):
                return False, "the station is too busy to listen: ask again", ""
            return await asyncio.wait_for(answer, ANSWER_S)
        except asyncio.TimeoutError:
            return False, f"the station did not answer within {ANSWER_S:g} s: look at Clearance.Phase", ""
        except SidecarGone:
            return False, "the station is gone", ""
        finally:
            self._asked.pop(number, None)

    async def _say_alive(self) -> None:
        while True:
            with contextlib.suppress(SidecarGone):
                self._link.send({"alive": True})
            await asyncio.sleep(ALIVE_S)


async def work(link: Link) -> None:
    """Wait for the orders, then serve."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(link.fileno(), ready.set)
    await ready.wait()
    loop.remove_reader(link.fileno())
    orders = link.receive()
    if orders is not None:
        await Child(link, OpcUaConfig.model_validate(orders["config"]), orders["station"], orders["views"]).run()


def main() -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    join_logging()
    # It writes a traceback for whatever a stranger sends; what matters is told to the station.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    die_with(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.nice(NICE)
    link = link_of(sys.argv[2])
    with contextlib.suppress(SidecarGone):
        asyncio.run(work(link))
    link.close()


if __name__ == "__main__":
    main()
