"""docs/technician-guide.md, walked in a real browser at a real plant: every step, in the words that stand on the screen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, expect

from tests.cli.running import ROOT
from tests.web.browser import walk as walking
from tests.web.browser.plant import Plant
from tests.web.browser.walk import STEPS, VIEW, Walk
from tests.web.browser.watching import window

GUIDE = ROOT / "docs" / "technician-guide.md"
MESSAGES = ROOT / "calibration" / "web" / "messages"


def steps_of(text: str) -> list[str]:
    """The steps that the guide names, in its order."""
    return re.findall(r"<!-- step: ([a-z-]+) -->", text)


def test_every_step_of_the_guide_is_walked() -> None:
    named = steps_of(GUIDE.read_text())
    assert len(named) == len(set(named))
    assert set(named) == set(STEPS)
    walked = [step for step in STEPS if step not in {"first", "users"}]
    assert [step for step in named if step not in {"first", "users"}] == walked


def test_what_the_guide_prints_bold_stands_on_the_screen() -> None:
    text = re.sub(r"\s+", " ", GUIDE.read_text())
    said = {str(value) for path in MESSAGES.glob("*.en.yaml") for value in yaml.safe_load(path.read_text()).values()}
    unknown = {bold for bold in re.findall(r"\*\*(.+?)\*\*", text) if bold not in said} - {"bold", "+", "−"}
    assert not unknown


def test_the_guides_pictures_are_small_and_there() -> None:
    for name in re.findall(r"\]\((images/[^)]+)\)", GUIDE.read_text()):
        path = GUIDE.parent / name
        assert path.exists(), f"{name}: make it with LINECLEAR_GUIDE_IMAGES=docs/images pytest {Path(__file__).name}"
        assert path.stat().st_size <= 150_000, name


@pytest.mark.slow
def test_the_guide_is_walked(browser: Browser, new_plant: Plant, pictures: Any) -> None:
    with window(browser, new_plant.url, pictures, size="desktop") as opened:
        walk = Walk(new_plant, opened)
        for name, step in STEPS.items():
            if name == "rollback":
                walk.found += by_touch(browser, new_plant, pictures)
            step(walk)
            walk.found += [f"in step {name}: {problem}" for problem in opened.watch.problems]
            opened.watch.problems.clear()
    assert not walk.found, "\n".join(walk.found)


def by_touch(browser: Browser, plant: Plant, pictures: Any) -> list[str]:
    """A polygon drawn with a finger on a tablet, in the dark, moved, undone, and saved."""
    with window(browser, plant.url, pictures, size="tablet", scheme="dark") as opened:
        walk = Walk(plant, opened)
        walk.go(f"/masks/{VIEW}")
        walking.enter(walk, walking.NAME, walking.PASSWORD)
        page = walk.page
        picture, share = walking.drawing(walk)
        before = share.inner_text()
        page.get_by_role("button", name="Polygon", exact=True).tap()
        walking.tap_polygon(walk, picture, (0.55, 0.3), (0.8, 0.3), (0.8, 0.7), (0.6, 0.75))
        page.get_by_role("button", name="Finish polygon", exact=True).tap()
        expect(share).not_to_have_text(before)
        drawn = share.inner_text()
        page.locator("[data-part=undo]").tap()
        expect(share).to_have_text(before)
        page.locator("[data-part=redo]").tap()
        expect(share).to_have_text(drawn)
        walk.sound("mask-by-touch")
        walking.save_mask(walk, "A second hose")
    return walk.found
