"""A browser's window with somebody who watches it: console, refused resources, requests to elsewhere, errors of the server."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

SIZES: Final = {"desktop": (1280, 800), "tablet": (800, 1100), "phone": (390, 844)}
SCHEMES: Final = ("light", "dark")
PATIENCE_MS: Final = 60_000
EMPTY: Final = "net::ERR_ABORTED"
"""What a browser says of a stream that it left, or of a download that it took."""


@dataclass
class Watch:
    """What went wrong in a window so far, each as a line; `expected`: patterns of what the test makes go wrong itself."""

    home: str
    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    bytes_sent: int = 0

    def over(self, page: Page) -> None:
        """Watch this page too."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._say(f"script error: {error}"))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _say(self, line: str) -> None:
        if not any(re.search(pattern, line) for pattern in self.expected):
            self.problems.append(line)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._say(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and f"{parts.scheme}://{parts.netloc}" != self.home:
            self._say(f"request to elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure and EMPTY not in request.failure:
            self._say(f"request failed: {request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self._say(f"server error {response.status}: {response.request.method} {response.url}")

    def assert_quiet(self) -> None:
        """Nothing went wrong since the last look."""
        problems, self.problems = self.problems, []
        assert not problems, "\n".join(problems)


@dataclass
class Window:
    """A page, who watches it, and where its pictures go."""

    page: Page
    watch: Watch
    pictures: Path
    label: str

    def go(self, path: str) -> Page:
        """The page at this path of the station's address."""
        self.page.goto(self.watch.home + path, wait_until="load")
        return self.page

    def picture(self, name: str, *, whole: bool = True) -> Path:
        """A screenshot `NAME-LABEL.jpg`."""
        path = self.pictures / f"{name}-{self.label}.jpg"
        self.page.screenshot(path=path, full_page=whole, animations="disabled", type="jpeg", quality=70)
        return path


def artefacts(fallback: Path) -> Path:
    """Where screenshots are kept: $LINECLEAR_ARTEFACTS, else the test's own folder."""
    named = os.environ.get("LINECLEAR_ARTEFACTS")
    folder = Path(named) if named else fallback
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def window(
    browser: Browser,
    home: str,
    pictures: Path,
    *,
    size: str = "desktop",
    scheme: str = "light",
    language: str = "en-GB",
    session: Any = None,
    touch: bool | None = None,
    bypass_csp: bool = False,
) -> Iterator[Window]:
    """A fresh profile with one page; at its end nothing must have gone wrong in it."""
    width, height = SIZES[size]
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        locale=language,
        timezone_id="Europe/Berlin",
        has_touch=size != "desktop" if touch is None else touch,
        storage_state=session,
        bypass_csp=bypass_csp,
        base_url=home,
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE_MS)
    context.set_default_navigation_timeout(PATIENCE_MS)
    watch = Watch(home)
    try:
        page = context.new_page()
        watch.over(page)
        yield Window(page, watch, pictures, f"{size}-{scheme}")
        watch.assert_quiet()
    finally:
        context.close()
