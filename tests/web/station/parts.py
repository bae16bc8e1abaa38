"""A real station (a process of its own) on a real Mosquitto, and its page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calibration.web.link import StationNow, StationSilent
from tests.commands.parts import until
from tests.e2e.parts import PRODUCTS, VIEWS, make_recipes, write_config
from tests.web.parts import Browser, Rig, running_page

RIGHTS = {"page": ["technician", "releaser"]}
PEOPLE = {"Otto Braun": ["release"]}


def station_folder(folder: Path, port: int, recipes: Path | None = None, **changes: Any) -> Path:
    """The config of a station whose page may ask for everything; the recipes are made or copied beside it."""
    made = make_recipes(folder) if recipes is None else Path(shutil.copytree(recipes, folder / "recipes"))
    more = {"commands": {"rights": RIGHTS, "people": PEOPLE}, "outputs": None, "health": {"interval_s": 1}, **changes}
    return write_config(folder, made, port, **more)


@contextmanager
def page_of(config: Path) -> Iterator[Rig]:
    with running_page(config) as rig:
        yield rig


def await_now(rig: Rig, condition: Callable[[StationNow], object]) -> StationNow:
    until(lambda: bool(condition(rig.site.mirror.now())))
    now: StationNow = rig.site.mirror.now()
    return now


def await_answers(rig: Rig) -> None:
    def answers() -> bool:
        try:
            return bool(rig.site.link.ask("state", {}, timeout_s=0.5))
        except StationSilent:
            return False

    await_now(rig, lambda now: now.connected and now.state and now.state["status"] == "ready")
    until(answers)


def clear(rig: Rig, batch: str = "B-7") -> dict[str, Any]:
    """A whole clearance; returns when the page has heard it."""
    said = rig.site.link.ask("clearance", {"batch": batch, "product": PRODUCTS[0], "operator": "Otto Braun"}, timeout_s=30)
    await_now(rig, lambda now: now.clearance and now.clearance["resultId"] == said["result_id"])
    await_now(rig, lambda now: now.clearance_state and now.clearance_state["state"] == "ready")
    return dict(said)


def has_green(browser: Browser) -> bool:
    """Whether the page shows a good outcome as current, in the banner or on a card."""
    text = browser.get("/").text
    return "outcome-banner pass" in text or "badge outcome pass" in text


__all__ = ["PRODUCTS", "VIEWS", "await_answers", "await_now", "clear", "has_green", "page_of", "station_folder"]
