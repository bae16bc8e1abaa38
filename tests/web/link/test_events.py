"""Server-sent events: what changed, to many pages, never a queue, and an end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from calibration.web.link.events import stream, summary
from tests.web.link.parts import example, heard, mirror


async def told(events: AsyncIterator[bytes]) -> tuple[str, dict[str, Any]]:
    """The next event; comments and `retry` are passed over."""
    async for chunk in events:
        lines = dict(line.split(": ", 1) for line in chunk.decode().splitlines() if line)
        if "event" in lines:
            return lines["event"], json.loads(lines["data"])
    return "", {}


def test_what_changed_is_told_and_nothing_else() -> None:
    async def run() -> None:
        page = mirror()
        parts = lambda: {"now": page.now().clearance_state, "fixed": 1}  # noqa: E731
        events = stream(page, parts, lambda: True, beat_s=0.05, pause_s=0.0)
        name, first = await told(events)
        assert (name, first["now"], first["fixed"]) == ("parts", None, 1)
        name, beat = await told(events)
        assert (name, set(beat)) == ("beat", {"at"})
        page.hear(heard("clearance/state", example("clearance/state")))
        name, second = await told(events)
        assert (name, second["now"]["state"], "fixed" in second) == ("parts", "frames", False)
        await events.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())


def test_it_ends_with_the_session() -> None:
    async def run() -> None:
        stays = [True, True, False]
        events = stream(mirror(), lambda: {"x": 1}, lambda: stays.pop(0), beat_s=0.01, pause_s=0.0)
        assert [(await told(events))[0] for _ in range(4)] == ["parts", "beat", "ended", ""]

    asyncio.run(run())


def test_at_shutdown_every_page_ends_at_once() -> None:
    async def run() -> float:
        page = mirror()
        streams = [stream(page, lambda: {"x": 1}, lambda: True, beat_s=60.0) for _ in range(40)]
        for events in streams:
            await told(events)
        waiting = [asyncio.create_task(told(events)) for events in streams]
        await asyncio.sleep(0)
        began = time.monotonic()
        asyncio.get_running_loop().call_soon(page.close)
        assert {name for name, _ in await asyncio.gather(*waiting)} == {""}
        return time.monotonic() - began

    assert asyncio.run(run()) < 5.0


def test_a_flood_is_told_once_and_a_page_that_left_is_forgotten() -> None:
    async def run() -> None:
        page = mirror()
        seen: list[int] = []

        def parts() -> dict[str, object]:
            seen.append(page.now().version)
            return {"version": page.now().version}

        events = stream(page, parts, lambda: True, beat_s=60.0, pause_s=0.05)
        await told(events)
        for _ in range(500):
            page.hear(heard("state", example("state")))
        name, data = await told(events)
        assert (name, data["version"]) == ("parts", page.now().version)
        assert len(seen) <= 3
        await events.aclose()  # type: ignore[attr-defined]
        assert not page._listeners

    asyncio.run(run())


@pytest.mark.parametrize(("seen", "names"), [({"feeder", "nest"}, ["feeder", "nest"]), ({"nest"}, ["nest"]), (set(), [])])
def test_the_summary_names_only_views_that_the_reader_may_see(seen: set[str], names: list[str]) -> None:
    page = mirror()
    page.hear(heard("clearance/state", example("clearance/state")))
    page.hear(heard("clearance/result", example("clearance/result")))
    told_ = summary(page.now(), seen.__contains__)
    assert [view["view"] for view in told_["clearance_state"]["views"]] == names
    assert (told_["clearance"]["outcome"], told_["connected"], told_["status"]) == ("NOT_CLEAR", True, None)
    assert "views" not in told_["clearance"]
