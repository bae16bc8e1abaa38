"""A real station with a leftover, a real Mosquitto, and the page of that station."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from calibration.web.access import Role, User
from calibration.web.clearance.office import Office
from tests.e2e.parts import TABLET, StationProcess, station_process, write_config
from tests.web.parts import PASSWORD, Browser, Rig, running_page

PATIENCE_S = 30.0
_TICK = threading.Event()
PEOPLE = (
    User("meier", "A. Meier", Role.OPERATOR, may_release=True),
    User("narrow", "N. Eng", Role.OPERATOR, may_release=True, views=("feeder",)),
    User("unknown", "U. Known", Role.OPERATOR, may_release=True),
)


@dataclass
class Line:
    """The station's process and its page in this one."""

    station: StationProcess
    rig: Rig

    @property
    def office(self) -> Office:
        """What the page's routes work with."""
        found = getattr(self.rig.app.state, "clearance_office", None)
        assert isinstance(found, Office)
        return found

    def browser(self, name: str) -> Browser:
        """Somebody's, on the page of clearances, which opens the office."""
        browser = self.rig.signed_in(name)
        browser.get("/clearance")
        return browser

    def kept(self, batch: str, count: int) -> list[str]:
        """The outcomes of a batch's clearances, newest first, once the archive has so many: it writes a moment later."""

        def found() -> list[str]:
            return [entry.outcome for entry in self.rig.site.archive.find(batch=batch, kind="clearance")]

        until(lambda: len(found()) >= count, f"{count} clearances of {batch} in the archive")
        return found()

    def leftover(self, view: str = "nest") -> None:
        self.station.leave(view, TABLET)

    def clean(self, view: str = "nest") -> None:
        self.station.leave(view)


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """The condition's first true answer."""
    for _ in range(int(patience_s / 0.02)):
        found = condition()
        if found:
            return found
        _TICK.wait(0.02)
    raise AssertionError(f"it did not come: {what}")


@contextmanager
def running_line(folder: Path, recipes: Path, port: int, **changes: Any) -> Iterator[Line]:
    """Station and page on the broker of this port."""
    commands = {"rights": {"page": ["releaser"]}, "people": {"A. Meier": ["release"], "N. Eng": ["release"]}}
    config = write_config(folder, recipes, port, **{"commands": commands, **changes})
    with station_process(config) as station, running_page(config) as rig:
        for user in PEOPLE:
            rig.site.users.add(user, PASSWORD, who="the test")
        line = Line(station, rig)
        until(lambda: ready(rig), "a station that is ready")
        yield line


def ready(rig: Rig) -> bool:
    now = rig.site.mirror.now()
    states = (now.state or {}).get("status"), (now.clearance_state or {}).get("state")
    return now.connected and states == ("ready", "ready")


def hidden(page: str, name: str) -> str:
    """The value of a hidden field in a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, f"no field {name}"
    return found.group(1)


def form_of(page: str, action_end: str) -> str:
    """The form that is sent to an address with this end."""
    found = re.search(rf'<form[^>]*action="[^"]*{re.escape(action_end)}"[^>]*>.*?</form>', page, re.DOTALL)
    assert found is not None, f"no form for {action_end}"
    return found.group(0)


def start(browser: Browser, batch: str, **fields: str) -> httpx.Response:
    """Fill in the form and send it; the page that it leads to."""
    page = browser.get("/clearance").text
    form = {"request_id": hidden(page, "request_id"), "batch": batch, "product": "aspirin", "operator": "A. Meier", **fields}
    return browser.post("/clearance", form)


def answered(browser: Browser, response: httpx.Response) -> httpx.Response:
    """Follow an order to its answer, as the script does."""
    path = response.url.path
    if "/orders/" not in path:
        return response
    then = until(lambda: browser.fetch("GET", f"{path}/live.json").json()["then"], f"an answer on {path}")
    return browser.get(then)


def cleared(browser: Browser, batch: str) -> httpx.Response:
    """The result's page of a clearance."""
    page = answered(browser, start(browser, batch))
    assert page.status_code == 200, page.text
    return page


def outcome(page: httpx.Response) -> str:
    found = re.search(r'class="outcome-banner[^"]*" data-outcome="([A-Z_]+)"', page.text)
    assert found is not None, page.text
    return found.group(1)
