"""The threshold line in Debian's Chromium, dragged by mouse and finger: what is sent lies in the band, no text is selected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from calibration.web.access.cookies import SESSION, cookie_name
from tests.web.browsing import Fingers, launched, served
from tests.web.calibrate.parts import URL, begun, bench, chosen, wizard_page
from tests.web.parts import Rig


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A calibration at its threshold."""
    with wizard_page(tmp_path_factory.mktemp("line")) as (rig, _):
        tina = rig.signed_in("tina")
        begun(rig, tina)
        chosen(rig, tina, "max")
        yield rig


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(measured: Rig) -> Iterator[str]:
    with served(measured.app) as found:
        yield found


@contextmanager
def line_page(browser: Any, rig: Rig, address: str, **context: Any) -> Iterator[Any]:
    opened = browser.new_context(**context)
    opened.set_default_timeout(15_000)
    name = cookie_name(SESSION, rig.site.settings)
    opened.add_cookies([{"name": name, "value": rig.site.sessions.begin("tina"), "url": address, "httpOnly": True}])
    page = opened.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(f"{address}{URL}/thresholds")
        page.locator("#line svg.chart").scroll_into_view_if_needed()
        yield page
        assert errors == []
    finally:
        opened.close()


def places(page: Any) -> tuple[tuple[float, float], float, float]:
    """The knob on the screen, and the x of both ends of the band."""
    knob = page.locator("#line .knob").bounding_box()
    band = page.locator("#line rect.band").bounding_box()
    return (knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2), band["x"], band["x"] + band["width"]


def figures(page: Any) -> tuple[float, float, float]:
    """Least, most, and the exact value of the form."""
    found = page.evaluate("(d => [d.least, d.most])(document.getElementById('line').dataset)")
    return float(found[0]), float(found[1]), float(page.locator("#exact").input_value())


def selected(page: Any) -> str:
    return str(page.evaluate("String(getSelection())"))


def taken(page: Any, rig: Rig) -> float | None:
    with page.expect_navigation():
        page.get_by_role("button", name="Take this line").click()
    return bench(rig).desk.mine("tina").image_threshold


def test_by_mouse_and_by_keys(browser: Any, measured: Rig, address: str) -> None:
    with line_page(browser, measured, address, viewport={"width": 1280, "height": 900}) as page:
        (x, y), left, right = places(page)
        low, high, before = figures(page)
        assert low == before < high
        mouse = page.mouse
        mouse.move(x, y)
        mouse.down()
        for share in (0.2, 0.5):
            mouse.move(left + share * (right - left), y - 20)
        middle = figures(page)[2]
        assert middle == pytest.approx((low + high) / 2, abs=(high - low) / 20)
        for far_x, far_y in ((right + 200, y + 300), (right + 200, 2), (20, y + 350)):  # over the text around the picture
            mouse.move(far_x, far_y)
            assert selected(page) == ""
        assert figures(page)[2] == low
        mouse.move(left + 0.5 * (right - left), y)
        mouse.up()
        page.mouse.move(left, y)
        low, high, value = figures(page)
        assert low < value < high
        assert selected(page) == ""
        field = page.locator("#image").input_value()
        assert float(field) == value
        assert len(field.replace(".", "").lstrip("0")) <= 6
        with page.expect_response("**/thresholds/at?**") as answer:
            page.keyboard.press("ArrowRight")
        assert answer.value.ok
        assert value < figures(page)[2] <= high
        page.keyboard.press("ArrowLeft")
        tick = page.locator("#line text.tick").first.bounding_box()  # from text of the picture to text of the page
        mouse.move(tick["x"] + 1, tick["y"] + tick["height"] / 2)
        mouse.down()
        mouse.move(tick["x"] + 150, tick["y"] + 120, steps=4)
        assert selected(page) == ""
        mouse.up()
        assert selected(page) == ""
        mouse.click(left + 0.3 * (right - left), y)
        sent = figures(page)[2]
        assert low < sent < high
        assert taken(page, measured) == sent
        page.get_by_role("button", name="Back to the method's line").click()
        page.wait_for_url("**/thresholds")
        assert bench(measured).desk.mine("tina").image_threshold is None


def test_by_finger(browser: Any, measured: Rig, address: str) -> None:
    with line_page(browser, measured, address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as page:
        (x, y), left, right = places(page)
        scrolled = page.evaluate("scrollY")
        Fingers(page).finger((x, y), (left + 0.6 * (right - left), y + 4))
        low, high, value = figures(page)
        assert value == pytest.approx(low + 0.6 * (high - low), abs=(high - low) / 8)
        Fingers(page).finger(((left + 0.6 * (right - left)), y), (389, y))
        assert figures(page)[2] == high
        assert page.evaluate("scrollY") == scrolled
        assert selected(page) == ""
        assert taken(page, measured) == high, "the end of the band is sent as it is, not as it is written"


def test_a_field_that_nobody_touched_sends_the_exact_number(browser: Any, measured: Rig, address: str, tmp_path: Path) -> None:
    """Without script too."""
    with line_page(browser, measured, address, java_script_enabled=False) as page:
        before = bench(measured).desk.mine("tina").image_threshold
        exact = float(page.locator("#exact").input_value())
        shown = page.locator("#image").input_value()
        assert len(shown) < len(str(exact))
        assert taken(page, measured) == before
        page.locator("#image").fill("1000")
        page.get_by_role("button", name="Take this line").click()
        assert page.url.endswith("/thresholds")  # the browser itself holds it back
        assert bench(measured).desk.mine("tina").image_threshold == before
