"""The page in this process, at a station that cleared two batches: its application, its people, and what must not change."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal
from argon2 import PasswordHasher
from fastapi import FastAPI

from calibration.web.access import Passwords, Role, User
from calibration.web.access.cookies import SESSION, cookie_name
from calibration.web.application import make_app
from calibration.web.opening import open_site
from calibration.web.site import Site
from edge.app import assemble
from edge.cameras.simulated import write_control
from edge.clearance import ClearanceRequest
from edge.config import load_config
from edge.settings.simulated import SceneControl
from tests.cli.running import CONFIGS, simulated
from tests.e2e.parts import TABLET

HOME: Final = "http://127.0.0.1"
PASSWORD: Final = "correct horse battery"
VIEWS: Final = ("feeder", "nest")
OPEN: Final = {
    "per_address": 1_000_000, "per_session": 1_000_000, "burst": 100_000, "streams": 1000, "streams_per_session": 100,
}  # fmt: skip
"""No limit of rates: these tests ask thousands of times. The limits have tests of their own."""
PEOPLE: Final = (
    User("admin", "C. Weiss", Role.ADMIN),
    User("technician", "A. Meier", Role.TECHNICIAN, may_release=True),
    User("other", "D. Sauer", Role.TECHNICIAN),
    User("operator", "B. Roth", Role.OPERATOR),
    User("half", "E. Klein", Role.TECHNICIAN, may_release=True, views=("feeder",)),
    User("viewer", "The wall", Role.VIEWER),
    User("gone", "F. Lang", Role.ADMIN, active=False),
)
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Visitor:
    """A browser at the application: what it was given as cookies and headers goes with each request."""

    def __init__(self, app: FastAPI, portal: BlockingPortal, headers: dict[str, str]) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 50_000))
        self._client = httpx.AsyncClient(transport=transport, base_url=HOME, headers=headers, follow_redirects=False)
        self._portal = portal

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    @property
    def headers(self) -> httpx.Headers:
        return self._client.headers

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._portal.call(functools.partial(self._client.request, method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@dataclass
class House:
    """The application, with what an address can name: known[view] has the ids of that view's results."""

    site: Site
    app: FastAPI
    portal: BlockingPortal
    folder: Path
    known: dict[str, dict[str, str]]
    clearance: str

    def client(self, name: str | None = None, **headers: str) -> Visitor:
        """A browser, with a new session of this person."""
        own = {"origin": HOME, "sec-fetch-site": "same-origin", "user-agent": "test", "accept": "text/html"}
        client = Visitor(self.app, self.portal, {**own, **headers})
        if name is not None:
            token = self.site.sessions.begin(name)
            session = self.site.sessions.find(token)
            assert session is not None
            client.cookies.set(self.cookie, token)
            client.headers["x-csrf-token"] = session.csrf
        return client

    @property
    def cookie(self) -> str:
        """Name of the session's cookie."""
        return cookie_name(SESSION, self.site.settings)

    def fill(self, path: str, view: str = VIEWS[0], **given: str) -> str:
        """An address of this path that there is."""
        values = {**self.known.get(view, self.known[VIEWS[0]]), "view": view, **given}
        if path.startswith("/clearance/") and "{result_id}" in path:
            values["result_id"] = given.get("result_id", self.clearance)
        for name in names_in(path):
            path = path.replace("{%s}" % name, values.get(name.partition(":")[0], "1"))  # noqa: UP031 - braces
        return path

    def state(self) -> dict[str, str]:
        """A digest of everything that a request could change for the worse: recipes, people, the trail, the archive."""
        found = {}
        for path in sorted((self.folder / "recipes").rglob("*")):
            if path.is_file():
                found[str(path.relative_to(self.folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
        found["users"] = json.dumps([user.document() for user in self.site.users.all()], sort_keys=True)
        head = self.site.audit.head()
        found["audit"] = str(head)
        found["outside"] = str(sorted(path.name for path in self.folder.iterdir()))
        return found


def names_in(path: str) -> list[str]:
    """The parameters of a route's path."""
    return [part.partition("}")[0] for part in path.split("{")[1:]]


def write_config(folder: Path, **changes: Any) -> Path:
    """A station of two rendered views, with recipes of its own."""
    views = {}
    for number, view in enumerate(VIEWS):
        shutil.copytree(CONFIGS / "recipes" / view, folder / "recipes" / view)
        camera = simulated(seed=number + 7, trigger="software", rate_hz=50, control=str(folder / f"{view}.json"))
        views[view] = {"recipe": str(folder / "recipes" / view), "camera": camera}
    data = {
        "station": {"site": "basel", "area": "packaging", "line": "line3", "station": "feeder-box"},
        "state_dir": str(folder / "state"),
        "product": "aspirin",
        "publisher": {"kind": "memory"},
        "clearance": {"vote": {"frames": 1, "pass_votes": 1, "fail_votes": 1}, "min_free_bytes": 0},
        "archive": {"min_free_bytes": 0, "pass_share": 1.0},
        "views": views,
        **changes,
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def clear_two_batches(folder: Path, config: Path) -> None:
    """One CLEAR, one NOT_CLEAR in every view; written by the station itself."""
    with assemble(load_config(config)) as assembly:
        assembly.clearances.run(ClearanceRequest("one", batch="B1", product="aspirin", operator="B. Roth"))
        for view in VIEWS:
            write_control(folder / f"{view}.json", SceneControl(leftovers=(TABLET,)))
        assembly.clearances.run(ClearanceRequest("two", batch="B2", product="aspirin", operator="B. Roth"))


@contextmanager
def house(folder: Path, **limits: Any) -> Iterator[House]:
    """Built, open, and with everybody in it. limits: of the page, beside OPEN."""
    folder.mkdir(parents=True, exist_ok=True)
    config = write_config(folder)
    clear_two_batches(folder, config)
    page = folder / "station.page.yaml"
    page.write_text(yaml.safe_dump({"limits": {**OPEN, **limits}, "lockout": {"free_tries": 100, "address_tries": 1000}}))
    with open_site(config, page, passwords=Passwords(CHEAP)) as site:
        for person in PEOPLE:
            site.users.add(person, PASSWORD, who="test", why="test")
        with start_blocking_portal() as portal:
            yield House(site, make_app(site), portal, folder, *_ids(site))


def _ids(site: Site) -> tuple[dict[str, dict[str, str]], str]:
    known = {}
    for view in VIEWS:
        (newest,) = site.archive.find(view=view, kind="verdict", outcome="FAIL", limit=1)
        known[view] = {"result_id": newest.result_id, "version": "2", "role": "frame", "job_id": "none"}
    (newest,) = site.archive.find(kind="clearance", limit=1)
    return known, newest.result_id
