"""Who works at the plant of the browser tests: written into the page's database as an admin's page writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx

from calibration.web.access.database import Database
from calibration.web.access.passwords import Passwords
from calibration.web.access.roles import Role
from calibration.web.access.users import User, Users
from edge.audit import AuditLog
from edge.config import load_config

PASSWORD: Final = "correct horse battery"
PEOPLE: Final = (
    User("admin", "C. Weiss", Role.ADMIN),
    User("technician", "A. Meier", Role.TECHNICIAN, may_release=True),
    User("operator", "B. Roth", Role.OPERATOR, views=("feeder",)),
    User("viewer", "The wall", Role.VIEWER),
)


def enrol(config_path: Path, *people: User) -> None:
    """These may sign in with PASSWORD; without names all of PEOPLE."""
    config = load_config(config_path)
    folder = Path(config.state_dir)
    users = Users(Database(folder / "page"), Passwords(), AuditLog(config.audit.folder(folder)))
    for person in people or PEOPLE:
        users.add(person, PASSWORD, who="test", why="test")


def sign_in(url: str, name: str, password: str = PASSWORD) -> httpx.Cookies:
    """The cookies of a browser on which this person signed in, through the page's own form."""
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=30) as client:
        form = {"name": name, "password": password, **hidden(client.get("/sign-in").text)}
        answer = client.post("/sign-in", data=form)
        assert answer.status_code == 303, (answer.status_code, answer.text[:500])
        assert client.get("/me").status_code == 200
        return client.cookies


def hidden(html: str) -> dict[str, str]:
    """Name and value of the hidden fields of a page."""
    from html.parser import HTMLParser

    found: dict[str, str] = {}

    class Fields(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            given = dict(attributes)
            if tag == "input" and given.get("type") == "hidden" and given.get("name"):
                found[str(given["name"])] = given.get("value") or ""

    Fields().feed(html)
    return found
