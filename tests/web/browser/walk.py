"""The steps of docs/technician-guide.md, each as its reader does it: with the words that stand on the screen."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.sync_api import Locator, Page, expect

from tests.web.browser.accessibility import grave_faults
from tests.web.browser.looking import faults
from tests.web.browser.people import PASSWORD
from tests.web.browser.plant import RELEASER, Plant
from tests.web.browser.recipes import PRODUCTS
from tests.web.browser.watching import Window

VIEW: Final = "feeder"
NAME: Final = "a.meier"
LONG_MS: Final = 90_000
expect.set_options(timeout=30_000)
IMAGES: Final = os.environ.get("LINECLEAR_GUIDE_IMAGES")
"""Where the guide's pictures are written, if they are to be made anew: `docs/images`."""


@dataclass
class Walk:
    """One person with one window at the plant; known: what the steps before learnt; found: what was wrong with pages."""

    plant: Plant
    window: Window
    known: dict[str, str] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    @property
    def page(self) -> Page:
        return self.window.page

    def go(self, path: str) -> None:
        self.window.go(path)

    def button(self, name: str, within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name, exact=True)

    def link(self, name: str, within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("link", name=name, exact=True)

    def part(self, name: str) -> None:
        """Choose a part of the page in its header: a row of links, or a menu where there is no room for it."""
        menu = self.page.locator(".nav-menu > summary")
        if menu.is_visible():
            menu.click()
        self.page.get_by_role("navigation").get_by_role("link", name=name, exact=True).locator("visible=true").click()

    def sound(self, name: str) -> None:
        """A screenshot, and a look for what no page may have; the walk goes on."""
        self.window.picture(name)
        self.found += [f"{name}: {what}" for what in (*faults(self.page), *grave_faults(self.page))]

    def guide(self, name: str, part: Locator | None = None, width: int = 1000) -> None:
        """A picture of the guide, where they are made anew; of the whole window, or of a part of the page."""
        if IMAGES:
            import cv2
            import numpy as np

            shot = cv2.imdecode(
                np.frombuffer((part or self.page).screenshot(animations="disabled"), np.uint8), cv2.IMREAD_COLOR
            )
            small = cv2.resize(shot, (width, round(shot.shape[0] * width / shot.shape[1])), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(Path(IMAGES) / f"page-{name}.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 80])


def first(walk: Walk) -> None:
    """The code from the box, printed there."""
    page = walk.page
    walk.go("/")
    expect(page).to_have_url(re.compile("/first"))
    walk.guide("first")
    walk.sound("first")
    code = walk.plant.page.wait_for(
        lambda: next(iter(re.findall(r"\b(?:[A-Z2-9]{4}-){2}[A-Z2-9]{4}\b", "".join(walk.plant.page.said))), ""), "no code"
    )
    page.get_by_label("Code from the box").fill(code)
    page.get_by_label("Name of the person").fill("C. Weiss")
    page.get_by_label("Sign-in name", exact=True).fill("c.weiss")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    walk.button("Become admin").click()
    expect(page).to_have_url(re.compile("/users$"))


def users(walk: Walk) -> None:
    """A technician who may release, with a one-time password."""
    page = walk.page
    walk.part("Users")
    page.get_by_role("link", name="Add user").click()
    walk.sound("add-user")
    page.get_by_label("Name of the person").fill(RELEASER)
    page.get_by_label("Sign-in name", exact=True).fill(NAME)
    page.get_by_role("radio", name=re.compile("^Technician")).check()
    page.get_by_role("checkbox", name=re.compile("^May release")).check()
    walk.button("Add user").click()
    walk.known["one-time"] = page.locator("#one-time").inner_text()
    walk.sound("one-time-password")
    walk.link("Done").click()
    sign_out(walk)


def sign_in(walk: Walk) -> None:
    """With the one-time password, then a password of one's own."""
    page = walk.page
    walk.go("/")
    walk.sound("sign-in")
    enter(walk, NAME, walk.known["one-time"])
    page.get_by_label("Password until now").fill(walk.known["one-time"])
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    walk.sound("change-password")
    walk.button("Change password").click()
    expect(page.locator(".user-name")).to_have_text(RELEASER)


def enter(walk: Walk, name: str, password: str) -> None:
    """Name and password."""
    walk.page.get_by_label("Sign-in name").fill(name)
    walk.page.get_by_label("Password", exact=True).fill(password)
    walk.button("Sign in").click()


def station(walk: Walk) -> None:
    """The last answer, a card for each camera, live."""
    page = walk.page
    walk.go("/")
    for view in ("feeder", "nest", "outfeed"):
        expect(page.get_by_role("heading", name=view, exact=True)).to_be_visible()
    picture = page.get_by_alt_text(re.compile("View feeder")).first
    expect(picture).to_be_visible()
    before = picture.get_attribute("src")
    expect(page.get_by_alt_text(re.compile("View feeder")).first).not_to_have_attribute("src", before or "")
    walk.sound("station")


def order(walk: Walk, batch: str, outcome: str) -> None:
    """One clearance, from the form to its answer."""
    page = walk.page
    walk.part("Clearance")
    page.get_by_label(re.compile("^Batch")).fill(batch)
    page.get_by_label(re.compile("^Product")).fill(PRODUCTS[0])
    expect(walk.button("Start the clearance")).to_be_enabled(timeout=LONG_MS)
    walk.button("Start the clearance").click()
    expect(page.locator(f".outcome-banner[data-outcome={outcome}]")).to_be_visible(timeout=LONG_MS)


def clear(walk: Walk) -> None:
    """A clean line; then one on which something was left."""
    walk.plant.clean(VIEW)
    order(walk, "B4711", "CLEAR")
    walk.sound("clear")
    walk.go("/")
    expect(walk.page.locator(".outcome-banner[data-outcome=CLEAR]")).to_be_visible()
    expect(walk.page.get_by_alt_text(re.compile("View feeder")).first).to_be_visible()
    walk.guide("station")
    walk.plant.leave(VIEW)
    order(walk, "B4712", "NOT_CLEAR")
    walk.sound("not-clear")


def review(walk: Walk) -> None:
    """Zoom, hold, blink, heat map, regions."""
    page = walk.page
    viewer = page.locator("[data-viewer]").first
    expect(viewer.locator("img.viewer-frame")).to_be_visible(timeout=LONG_MS)
    viewer.get_by_role("button", name="+").or_(viewer.locator("[data-do=in]")).first.click()
    expect(viewer.locator("[data-zoom]")).not_to_have_text("100 %")
    viewer.locator("[data-do=fit]").click()
    expect(viewer.locator("[data-zoom]")).to_have_text("100 %")
    hold = viewer.locator("[data-do=hold]")
    hold.hover()
    page.mouse.down()
    expect(viewer.locator("[data-says]")).to_have_text("Reference", ignore_case=True)
    page.mouse.up()
    expect(viewer.locator("[data-says]")).to_have_text("Frame", ignore_case=True)
    viewer.locator("[data-do=blink]").click()
    expect(viewer.locator("[data-says]")).to_have_text("Reference", ignore_case=True)
    viewer.locator("[data-do=blink]").click()
    viewer.locator("[data-do=heat]").fill("30")
    viewer.locator("[data-region]").first.click()
    expect(viewer.locator("[data-zoom]")).not_to_have_text("100 %")
    viewer.locator("[data-do=fit]").click()
    walk.guide("review", page.locator(".clr-view").first)
    walk.sound("review")


def removed(walk: Walk) -> None:
    """Taken away, checked again, clear."""
    walk.plant.clean(VIEW)
    walk.page.get_by_label(re.compile("^What was removed")).fill("a tablet and a leaflet")
    walk.button("Removed: check again").click()
    expect(walk.page.locator(".outcome-banner[data-outcome=CLEAR]")).to_be_visible(timeout=LONG_MS)
    walk.sound("removed")


def release(walk: Walk) -> None:
    """Another alarm; a live frame, a tick, a reason, the password."""
    page = walk.page
    walk.plant.leave(VIEW)
    order(walk, "B4713", "NOT_CLEAR")
    walk.plant.clean(VIEW)
    page.get_by_role("button", name=re.compile("^Take (a live frame|another)$")).first.click()
    looked = page.get_by_role("checkbox", name=re.compile("^I looked at the live frame"))
    expect(looked).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_role("group", name=re.compile("^Live frame")).locator("img.viewer-frame")).to_be_visible()
    looked.check()
    page.get_by_label(re.compile("^Why it is a false alarm")).fill("A reflection; the line is empty.")
    page.get_by_label(f"Password of {RELEASER}").fill(PASSWORD)
    walk.sound("release")
    walk.button("False alarm: release").click()
    expect(page.locator(".outcome-banner[data-outcome=RELEASED_BY]")).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_text(f"Released by {RELEASER}").first).to_be_visible()
    walk.sound("released")


def next_step(walk: Walk, name: str) -> None:
    """In this step of the wizard: it goes there by itself, or once the one before is done, by its button."""
    here = walk.page.locator("h2.step-title", has_text=name)
    on = walk.page.locator(".step-ends a.button.primary", has_text=name)
    expect(here.or_(on)).to_be_visible(timeout=LONG_MS)
    if on.is_visible():
        on.click()
    expect(here).to_be_visible()


def calibrate(walk: Walk) -> None:
    """The whole wizard, to new thresholds that are in force."""
    page = walk.page
    walk.part("Calibrate")
    walk.sound("calibrate")
    page.locator(".view-card", has=page.get_by_role("heading", name=VIEW, exact=True)).get_by_role(
        "link", name="Calibrate"
    ).click()
    walk.button("Begin").click()
    page.get_by_label("How many").fill("10")
    page.get_by_label("Seconds between two").fill("0")
    walk.button("Take frames").first.click()
    expect(page.locator("[data-live-count]")).to_have_text("10", timeout=LONG_MS)
    next_step(walk, "Model")
    walk.button("Take this model").click()
    next_step(walk, "Masks")
    walk.button("The masks are right").click()
    next_step(walk, "Threshold")
    walk.button("Measure the frames").click()
    walk.button("Take this method").click(timeout=LONG_MS)
    drag_the_line(walk)
    walk.button("Take this line").click()
    walk.guide("calibrate", page.locator("#line"))
    walk.sound("thresholds")
    next_step(walk, "Preview")
    page.get_by_role("button", name=re.compile("^Show|^Look|^Make|^Preview")).or_(
        page.locator("form[action$=preview] button")
    ).first.click()
    next_step(walk, "Challenge")
    page.locator("form[action$=challenge] button").click()
    expect(page.locator(".outcome-banner")).to_be_visible(timeout=LONG_MS)
    walk.sound("challenge")
    next_step(walk, "Accept")
    page.get_by_label("Why do you change it?").fill("New lamp")
    walk.sound("accept")
    walk.button("Accept and put in force").click()
    expect(page.locator(".outcome-banner.pass")).to_contain_text("In force", timeout=LONG_MS)
    walk.sound("accepted")


def drag_the_line(walk: Walk) -> None:
    """The threshold line, a little down; within what the frames support."""
    page = walk.page
    chart = page.locator("#line svg").first
    chart.scroll_into_view_if_needed()
    before = page.locator("#image").input_value()
    box = chart.locator("[data-limit] line").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 30, y, steps=4)
    page.mouse.up()
    expect(page.locator("#image")).not_to_have_value(before)


def mask(walk: Walk) -> None:
    """A rectangle with the mouse, tried, named, saved."""
    page = walk.page
    walk.part("Masks")
    walk.sound("masks")
    walk.link(f"Draw masks on {VIEW}").click()
    picture, share = drawing(walk)
    expect(share).to_have_text("0.0 %")
    walk.button("Rectangle").click()
    drag(walk, picture, (0.06, 0.2), (0.2, 0.6))
    expect(share).not_to_have_text("0.0 %")
    walk.guide("masks")
    walk.button("Check: are known defects still found?").click()
    expect(page.locator("[data-part=tried] li").first).to_be_visible(timeout=LONG_MS)
    walk.sound("mask")
    save_mask(walk, "A hose moves here")


def drawing(walk: Walk) -> tuple[Locator, Locator]:
    """The picture to draw on and the share that is masked, once the editor is ready."""
    picture, share = walk.page.locator("[data-part=picture]"), walk.page.locator("[data-part=share]")
    expect(share).to_contain_text("%")
    picture.scroll_into_view_if_needed()
    return picture, share


def save_mask(walk: Walk, why: str) -> None:
    """Save, say why, and hear that the view is undecided now."""
    page = walk.page
    walk.button("Save …").click()
    page.locator("[data-part=why]").fill(why)
    walk.sound("mask-save")
    walk.button("Save", page.locator("[data-part=save-dialog]")).click()
    expect(page.locator("[data-part=done]")).to_be_visible(timeout=LONG_MS)
    walk.sound("mask-saved")


def drag(walk: Walk, picture: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, from one place of the picture to another; in 0..1 of its width and height."""
    box = picture.bounding_box()
    assert box is not None
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    walk.page.mouse.move(*at[0])
    walk.page.mouse.down()
    walk.page.mouse.move(*at[1], steps=6)
    walk.page.mouse.up()


def tap_polygon(walk: Walk, picture: Locator, *corners: tuple[float, float]) -> None:
    """With a finger, corner after corner."""
    for x, y in corners:
        box = picture.bounding_box()
        assert box is not None
        walk.page.touchscreen.tap(box["x"] + x * box["width"], box["y"] + y * box["height"])


def rollback(walk: Walk) -> None:
    """The version before the mask, in force again."""
    page = walk.page
    walk.part("Calibrate")
    page.locator(".view-card", has=page.get_by_role("heading", name=VIEW, exact=True)).get_by_role(
        "link", name="History of thresholds"
    ).click()
    walk.sound("cards")
    options = page.get_by_label("Version", exact=True).locator("option")
    wanted = options.filter(has_text="New lamp").first.get_attribute("value")
    page.get_by_label("Version", exact=True).select_option(wanted)
    page.get_by_label("Why do you change it?").fill("The hose is gone")
    walk.button("Put it in force").click()
    expect(page.locator(".outcome-banner.pass")).to_contain_text("In force", timeout=LONG_MS)
    walk.sound("rolled-back")


def sign_out(walk: Walk) -> None:
    """And nothing is shown any more, not even with the browser's way back."""
    page = walk.page
    page.locator(".user-menu > summary").click()
    walk.button("Sign out", page.locator(".user-panel")).click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.go_back()
    expect(page.get_by_label("Sign-in name")).to_be_visible()


STEPS: Final[dict[str, Callable[[Walk], None]]] = {
    "first": first,
    "users": users,
    "sign-in": sign_in,
    "station": station,
    "clear": clear,
    "review": review,
    "removed": removed,
    "release": release,
    "calibrate": calibrate,
    "mask": mask,
    "rollback": rollback,
    "sign-out": sign_out,
}
