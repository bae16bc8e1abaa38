"""What the tests of the page share: a site on a real small station folder, and browsers' requests to its application."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import yaml
from argon2 import PasswordHasher

from calibration.web.access import Passwords, Role, User
from calibration.web.application import make_app
from calibration.web.opening import open_site
from calibration.web.site import Site
from edge.archive import Archive, Evidence
from edge.settings.archive import ArchiveSettings
from tests.cli.running import CONFIGS, IMAGES

with warnings.catch_warnings():
    # Starlette's client asks for httpx2 from 1.0 on; the older Starlette of a JetPack has only httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

VIEWS = ("feeder", "nest")
HOST = "127.0.0.1"
PASSWORD = "drei blaue Gabeln"
ROLES = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "tina": Role.TECHNICIAN, "anna": Role.ADMIN}
PERSONS = {"vera": "Vera Rossi", "otto": "Otto Braun", "tina": "Tina Vogel", "anna": "Anna Meier"}
RESULTS = ("PASS", "FAIL", "UNDECIDED", "PASS")


def cheap_passwords() -> Passwords:
    """The same argon2id, with as little work as it takes: a test signs in often."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def write_station(folder: Path, **changes: Any) -> Path:
    """station.yaml with two views, their recipes copied beside it, no broker; changes replace top-level keys."""
    recipes = folder / "recipes"
    if not recipes.exists():
        for view in VIEWS:
            shutil.copytree(CONFIGS / "recipes" / view, recipes / view)
    camera = {"kind": "folder", "rate_hz": 10, "loop": True}
    data = {
        "station": {"site": "basel", "area": "packaging", "line": "line3", "station": "feeder-box"},
        "state_dir": "state",
        "publisher": {"kind": "memory"},
        "archive": {"min_free_bytes": 0},
        "views": {
            view: {"recipe": f"recipes/{view}", "camera": {**camera, "path": str(_images(folder, view))}} for view in VIEWS
        },
        **changes,
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def _images(folder: Path, view: str) -> Path:
    images = folder / "images" / view
    if not images.exists():
        images.mkdir(parents=True)
        for image in IMAGES[:2]:
            shutil.copy(image, images)
    return images


def fill_archive(folder: Path, outcomes: tuple[str, ...] = RESULTS, view: str = "feeder") -> list[str]:
    """A few results in an archive, one a minute; their ids."""
    from edge.cameras.images import read_image

    frame = read_image(IMAGES[0])
    begun = datetime.now(timezone.utc) - timedelta(minutes=len(outcomes))
    made = []
    with Archive(folder, ArchiveSettings(min_free_bytes=0, pass_share=1.0)) as archive:
        for number, outcome in enumerate(outcomes):
            result_id = f"{view}-{number}"
            evidence = Evidence(
                result_id=result_id, kind="verdict", outcome=outcome, reason="camera_lost" if outcome == "UNDECIDED" else "",
                decided_at=begun + timedelta(minutes=number), document={"result_id": result_id, "outcome": outcome}, view=view,
                batch="B-17", score=float(number), threshold=2.0, frame=frame,
            )  # fmt: skip
            archive.submit(evidence)
            made.append(result_id)
    return made


@dataclass
class Browser:
    """One person's browser: it keeps cookies, says where a request comes from, and finds the token in a page."""

    client: TestClient
    origin: str
    csrf: str = field(default="")

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A person goes to a page."""
        headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
        return self._noted(self.client.get(path, headers={**headers, **more.pop("headers", {})}, **more))

    def post(self, path: str, data: Any = None, **more: Any) -> httpx.Response:
        """A form of the page is sent, with its token."""
        headers = {"Accept": "text/html", "Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        form = {"csrf": self.csrf, **(data or {})}
        return self._noted(self.client.post(path, data=form, headers={**headers, **more.pop("headers", {})}, **more))

    def fetch(self, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """A script of the page asks, as `lineclear.post` does."""
        headers = {
            "Accept": "application/json",
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin",
            "X-CSRF-Token": self.csrf,
        }
        return self.client.request(method, path, json=json, headers={**headers, **more.pop("headers", {})}, **more)

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """With name and password; the token of the page that comes is kept."""
        return self.post("/sign-in", {"name": name, "password": password, "next": "/me"})

    def _noted(self, response: httpx.Response) -> httpx.Response:
        _, mark, rest = (
            response.text.partition('data-csrf="') if "text/html" in response.headers.get("content-type", "") else ("",) * 3
        )
        if mark:
            self.csrf = rest.partition('"')[0]
        return response


@dataclass
class Rig:
    """A site with its application, and as many browsers as a test wants."""

    site: Site
    app: Any

    def browser(self, *, host: str = HOST, scheme: str = "http", address: str = HOST) -> Browser:
        """One on which nobody is signed in. host: how it calls the page; address: where it comes from."""
        origin = f"{scheme}://{host}"
        return Browser(TestClient(self.app, base_url=origin, raise_server_exceptions=False, client=(address, 50_000)), origin)

    def signed_in(self, name: str) -> Browser:
        """vera (viewer), otto (operator), tina (technician), anna (admin)."""
        browser = self.browser()
        response = browser.sign_in(name)
        assert response.status_code == 200, response.text
        assert browser.csrf
        return browser


@contextmanager
def running_page(config: Path, page: dict[str, Any] | None = None, *, users: bool = True) -> Iterator[Rig]:
    """The page of a config. page: what stands in its settings file. users: one of each role, else nobody."""
    if page is not None:
        config.with_suffix(".page.yaml").write_text(yaml.safe_dump(page))
    with open_site(config, passwords=cheap_passwords()) as site:
        for name, role in ROLES.items() if users else ():
            if site.users.get(name) is None:
                site.users.add(User(name, PERSONS[name], role), PASSWORD, who="the test")
        yield Rig(site, make_app(site))
