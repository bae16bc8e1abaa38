"""`/events` and the server: one real uvicorn, real streams, their number, and their end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from tests.commands.parts import until
from tests.web.parts import PASSWORD, Rig


@contextmanager
def serving(rig: Rig) -> Iterator[str]:
    """The page on a free loopback port; returns only when its thread has ended."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(rig.app, log_level="error", timeout_graceful_shutdown=30))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            rig.site.mirror.close()
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "open streams held the server up"


def signed_in(url: str, name: str = "otto") -> httpx.Client:
    client = httpx.Client(base_url=url, timeout=30, headers={"Origin": url, "Sec-Fetch-Site": "same-origin"})
    sent = client.post("/sign-in", data={"name": name, "password": PASSWORD, "next": "/"}, headers={"Accept": "text/html"})
    assert sent.status_code == 303, sent.text
    return client


def events(response: httpx.Response) -> Generator[tuple[str, dict[str, Any]], None, None]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_a_stream_tells_what_changed_and_ends_with_the_session(rig: Rig) -> None:
    with serving(rig) as url, closing(signed_in(url)) as client, client.stream("GET", "/events?page=station") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        told = events(response)
        name, first = next(told)
        assert (name, first["now"]["why"], set(first)) == ("parts", "no_broker", {"at", "now", "station"})
        otto = rig.site.users.get("otto")
        assert otto is not None
        rig.site.users.change(replace(otto, views=("nest",)), who="the test")
        rig.site.mirror._tell()
        name, second = next((name, said) for name, said in told if name != "beat")
        assert (name, second["station"] != first["station"]) == ("parts", True), "a view that was taken away is not shown on"
        rig.site.sessions.end_all("otto")
        rig.site.mirror._tell()
        assert "ended" in [name for name, _ in told]
        until(lambda: rig.app.state.streams.open == 0)


@pytest.mark.parametrize("query", ["?page=other", "?page=station&page=x"])
def test_a_stream_of_what_is_not_there(rig: Rig, query: str) -> None:
    assert rig.signed_in("otto").fetch("GET", f"/events{query}").status_code in (400, 422)


def test_there_are_only_so_many_streams(rig: Rig) -> None:
    otto, streams = rig.signed_in("otto"), rig.app.state.streams
    (session,) = rig.site.sessions.of("otto")
    for _ in range(rig.site.settings.limits.streams_per_session):
        streams.take(session.id)
    assert otto.fetch("GET", "/events").status_code == 429
    streams.give_back(session.id)
    rig.site.mirror.close()
    assert otto.fetch("GET", "/events").status_code == 200
    assert streams.open == rig.site.settings.limits.streams_per_session - 1, "its place was given back"


def test_a_server_with_open_streams_stops_at_once(rig: Rig) -> None:
    with serving(rig) as url, closing(signed_in(url)) as client:
        response = client.send(client.build_request("GET", "/events"), stream=True)
        with closing(response), closing(events(response)) as told:
            assert next(told)[0] == "parts"
            rig.site.mirror.close()
            assert list(told) == []
