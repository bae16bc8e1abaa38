"""How soon each page is seen on a slow machine, and how much is sent for it (see benchmarks.page)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, sync_playwright

from tests.web.browser.going import filled, storage_of
from tests.web.browser.places import PUBLIC
from tests.web.browser.plant import Plant, chromium, plant
from tests.web.browser.recipes import recipes_in

SLOWER, LIMIT_MS, LIMIT_KB = 6, 1000, 300
SIZE = {"width": 1280, "height": 800}
READ_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  const found = list.getEntriesByName("first-contentful-paint");
  if (found.length) done(found[0].startTime);
}).observe({type: "paint", buffered: true}))"""


@dataclass(frozen=True)
class Visit:
    """One look at a page with an empty cache. answer_ms: until its first byte came: the page's process, not the browser.

    sent: bytes on the wire, unpacked: after decompression; both without images.
    """

    paint_ms: float
    answer_ms: float
    sent: int
    unpacked: int
    images: int


class Meter:
    """Counts what comes over the wire of one page."""

    def __init__(self, session: CDPSession) -> None:
        self._kinds: dict[str, str] = {}
        self.sent = self.unpacked = self.images = 0
        session.send("Network.enable")
        session.on("Network.responseReceived", lambda event: self._kinds.update({event["requestId"]: event["type"]}))
        session.on("Network.dataReceived", self._data)
        session.on("Network.loadingFinished", self._done)

    def _data(self, event: dict[str, Any]) -> None:
        if self._kinds.get(event["requestId"]) not in {"Image", "EventSource"}:
            self.unpacked += event["dataLength"]

    def _done(self, event: dict[str, Any]) -> None:
        if self._kinds.get(event["requestId"]) == "Image":
            self.images += event["encodedDataLength"]
        else:
            self.sent += event["encodedDataLength"]


def painted(folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Print the table; the visits of every page."""
    del seconds
    with plant(folder / "plant", recipes_in(folder / "cache"), people=True) as running, browser() as opened:
        places = filled(running)
        session = storage_of(running.url, "admin")
        visits = {
            name: [visit(opened, running, path, None if name in PUBLIC else session) for _ in range(rounds)]
            for name, path in places.items()
        }
    print(table(visits))
    return {name: [vars(one) for one in found] for name, found in visits.items()}


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def visit(opened: Browser, running: Plant, path: str, session: Any) -> Visit:
    """Open one page for the first time, on a processor that is so much slower."""
    context = opened.new_context(viewport=SIZE, storage_state=session)  # type: ignore[arg-type]
    try:
        page = context.new_page()
        devtools = context.new_cdp_session(page)
        meter = Meter(devtools)
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.goto(running.url + path, wait_until="load")
        paint_ms = float(page.evaluate(READ_PAINT))
        answer_ms = float(page.evaluate("performance.getEntriesByType('navigation')[0].responseStart"))
        return Visit(paint_ms, answer_ms, meter.sent, meter.unpacked, meter.images)
    finally:
        context.close()


def table(visits: dict[str, list[Visit]]) -> str:
    """As it stands in docs/page.md."""
    lines = [
        f"| page | first paint, {SLOWER} times slower, ms: median | worst | until the answer began, ms "
        "| sent without images, kB | unpacked, kB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, found in visits.items():
        paints = [one.paint_ms for one in found]
        sent, unpacked = (max(getattr(one, key) for one in found) / 1000 for key in ("sent", "unpacked"))
        answer = statistics.median(one.answer_ms for one in found)
        late = " (over the limit)" if statistics.median(paints) > LIMIT_MS else ""
        heavy = " (over the limit)" if unpacked > LIMIT_KB else ""
        cells = [
            name,
            f"{statistics.median(paints):.0f}{late}",
            f"{max(paints):.0f}",
            f"{answer:.0f}",
            f"{sent:.0f}",
            f"{unpacked:.0f}{heavy}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
