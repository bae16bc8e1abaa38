"""Server-sent events: each open page is told what changed, soon and not too often.

Nothing waits in a queue: a page that is slow gets the newest state when it can take it, never a row of old ones. So memory
does not grow with what the station says, only with the number of pages, and `http.streams` bounds that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from calibration.web.link.mirror import Mirror, StationNow

BEAT_S: Final = 4.0
PAUSE_S: Final = 0.5


async def stream(
    mirror: Mirror,
    parts: Callable[[], Mapping[str, object]],
    is_in: Callable[[], bool],
    *,
    beat_s: float = BEAT_S,
    pause_s: float = PAUSE_S,
) -> AsyncIterator[bytes]:
    """Events `parts` with what changed of `parts()`, `beat` where nothing did, and `ended` once `is_in()` is false.

    Each carries `at`, the page's clock, so that a tablet with a wrong clock shows the right ages. parts and is_in run in a
    thread. Ends at once when the mirror is closed, because the server waits for its streams before it stops.
    """
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def told() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(changed.set)

    leave = mirror.listen(told)
    known: dict[str, object] = {}
    try:
        yield b"retry: 2000\n\n"
        while not mirror.closed:
            if not await run_in_threadpool(is_in):
                yield _event("ended", {})
                return
            changed.clear()
            current = dict(await run_in_threadpool(parts))
            news = {name: part for name, part in current.items() if name not in known or known[name] != part}
            known = current
            yield _event("parts", news) if news else _event("beat", {})
            await _next(mirror, changed, beat_s, pause_s)
    finally:
        leave()


def summary(now: StationNow, may_see: Callable[[str], bool]) -> dict[str, Any]:
    """What every page may want to know of the station, small: of the views that this reader may see."""
    state, clearance, running = now.state or {}, now.clearance or {}, now.clearance_state
    if running is not None:
        running = {**running, "views": [view for view in running["views"] if may_see(view["view"])]}
    return {
        "connected": now.connected,
        "why": now.why,
        "status": state.get("status"),
        "clearance": {name: clearance.get(name) for name in ("resultId", "requestId", "sequence", "outcome", "batch")},
        "clearance_state": running,
    }


async def _next(mirror: Mirror, changed: asyncio.Event, beat_s: float, pause_s: float) -> None:
    """Until something changed or a beat is due; a flood is told a few times a second."""
    try:
        await asyncio.wait_for(changed.wait(), beat_s)
    except asyncio.TimeoutError:
        return
    if not mirror.closed:
        await asyncio.sleep(pause_s)


def _event(name: str, news: Mapping[str, object]) -> bytes:
    at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return f"event: {name}\ndata: {json.dumps({'at': at, **news}, ensure_ascii=True)}\n\n".encode("ascii")
