"""The masks page in Debian's Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.web.browsing import Fingers
from tests.web.masks.parts import VIEW, Studio

ARTEFACTS: Final = os.environ.get("LINECLEAR_MASK_PICTURES")


class Screen:
    """One person's browser at the editor."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        self._fingers: Fingers | None = None
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self._hear(said.type, said.text))

    def _hear(self, kind: str, text: str) -> None:
        """Chromium calls every refusal of the server an error, also one that the page tells in words."""
        if kind == "error" and "409 (Conflict)" not in text:
            self.errors.append(text)

    def open(self) -> Screen:
        self.page.goto(f"{self.url}/masks/{VIEW}")
        self.wait("share", r"^[^≈]*%$")
        return self

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the reference (0..1) is on the screen."""
        found = self.page.evaluate(
            """([x, y]) => {
              const svg = document.querySelector('[data-part=picture]');
              const root = document.getElementById('masks').dataset;
              const p = new DOMPoint(x * root.width, y * root.height).matrixTransform(svg.getScreenCTM());
              return [p.x, p.y];
            }""",
            [x, y],
        )
        return float(found[0]), float(found[1])

    def part(self, name: str) -> Any:
        return self.page.locator(f"[data-part={name}]")

    def wait(self, name: str, pattern: str) -> None:
        """Until a part says what the pattern says."""
        from playwright.sync_api import expect

        expect(self.part(name)).to_have_text(re.compile(pattern), timeout=15_000)

    def count(self, masks: int) -> None:
        """Until so many masks are drawn."""
        from playwright.sync_api import expect

        expect(self.page.locator("[data-layer=masks] polygon")).to_have_count(masks, timeout=15_000)

    def tool(self, name: str) -> None:
        self.page.locator(f"[data-tool-button={name}]").click()

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, free: bool = True) -> None:
        """With the mouse, from one point of the reference to another."""
        mouse = self.page.mouse
        if free:
            self.page.keyboard.down("Control")
        mouse.move(*self.at(*start))
        mouse.down()
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        mouse.move(*self.at(*middle))
        mouse.move(*self.at(*end))
        mouse.up()
        if free:
            self.page.keyboard.up("Control")

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """One event of fingers at these points of the screen."""
        self._fingers = self._fingers or Fingers(self.page)
        self._fingers.touch(kind, *points)

    def finger(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """One finger from a point of the screen to another."""
        self._fingers = self._fingers or Fingers(self.page)
        self._fingers.finger(start, end)

    def masks(self) -> list[dict[str, Any]]:
        """What is drawn: outlines in 0..1 of the reference, and which are on."""
        found: list[dict[str, Any]] = self.page.evaluate(
            """() => {
              const root = document.getElementById('masks').dataset;
              return Array.from(document.querySelectorAll('[data-layer=masks] polygon')).map((shape) => ({
                points: shape.getAttribute('points').split(' ').map((p) => p.split(',').map(Number))
                  .map((p) => [p[0] / root.width, p[1] / root.height]),
                on: shape.classList.contains('is-on'), chosen: shape.classList.contains('is-chosen')
              }));
            }"""
        )
        return found

    def names(self) -> list[str]:
        return [str(box.input_value()) for box in self.page.locator(".mask-name").all()]

    def picture(self, name: str) -> None:
        """Keeps a screenshot where somebody asked for them."""
        if ARTEFACTS:
            Path(ARTEFACTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(ARTEFACTS) / f"{name}.png"), full_page=True)


@contextmanager
def screen(browser: Any, studio: Studio, url: str, **context: Any) -> Iterator[Screen]:
    """A signed-in browser of this size; the test fails with what the page's scripts complained of."""
    opened = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    name, token, _ = studio.token("meier")
    opened.add_cookies([{"name": name, "value": token, "url": url, "httpOnly": True, "sameSite": "Lax"}])
    try:
        found = Screen(opened.new_page(), url)
        found.page.set_default_timeout(15_000)
        yield found
        assert not found.errors, found.errors
    finally:
        opened.close()
