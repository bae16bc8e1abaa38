"""Pages in Debian's Chromium: the application is served in a thread on a free port."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn

FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
CHROMIUM: Final = "/usr/bin/chromium"
STATIC: Final = Path(__file__).resolve().parents[2] / "calibration" / "web" / "static"


def chromium() -> str:
    path = shutil.which("chromium") or CHROMIUM
    if not Path(path).exists():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    return path


@contextmanager
def launched() -> Iterator[Any]:
    """Playwright's browser; skips where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The page's address while it is served."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none"))
    started = threading.Event()
    startup = server.startup

    async def telling(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = telling  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert started.wait(20), "the page does not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


class Fingers:
    """Touch as Chromium gets it from a screen."""

    def __init__(self, page: Any) -> None:
        self._session = page.context.new_cdp_session(page)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """One event of fingers at these points of the screen."""
        told = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    def finger(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """One finger from a point of the screen to another."""
        self.touch("touchStart", start)
        for share in (0.3, 0.7, 1.0):
            self.touch("touchMove", (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])))
        self.touch("touchEnd")
