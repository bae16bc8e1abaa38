"""Every page, in three sizes, light and dark, in three languages: sound, silent, and without a grave fault of accessibility."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.web.browser.accessibility import grave_faults
from tests.web.browser.going import filled, storage_of
from tests.web.browser.looking import faults
from tests.web.browser.places import IN_BETWEEN, MORE, NO_PAGE, PAGES, PUBLIC, WALKED
from tests.web.browser.plant import Plant
from tests.web.browser.watching import window
from tests.web.security.routes import rules

LOOKS = (
    ("desktop", "light", "en-GB", True),
    ("tablet", "dark", "de-DE", True),  # with the pages of MORE
    ("phone", "light", "it-IT", True),
    ("desktop", "dark", "it-IT", False),
    ("tablet", "light", "en-GB", False),
    ("phone", "dark", "de-DE", False),
)
ALL = {**PAGES, **MORE}


@pytest.fixture(scope="module")
def places(staffed_plant: Plant) -> dict[str, str]:
    """The address of every page, at a plant where two batches were cleared."""
    return filled(staffed_plant)


@pytest.fixture(scope="module")
def session(staffed_plant: Plant) -> dict[str, Any]:
    """Of somebody who sees every page."""
    return storage_of(staffed_plant.url, "admin")


def test_every_page_is_looked_at() -> None:
    looked = {
        path.partition("?")[0].replace("{clearance}", "{result_id}").replace("{result}", "{result_id}") for path in ALL.values()
    }
    looked |= {*WALKED, *IN_BETWEEN, "/users/{name}"}
    here = {rule.path for rule in rules() if rule.method == "GET" and not NO_PAGE.search(rule.path)}
    assert here - looked == set()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "scheme", "language", "axe"), LOOKS)
def test_pages_are_sound(
    size: str, scheme: str, language: str, axe: bool,
    browser: Browser, staffed_plant: Plant, places: dict[str, str], session: dict[str, Any], pictures: Any,
) -> None:  # fmt: skip
    found: list[str] = []
    more = list(MORE) if (size, scheme) == ("tablet", "dark") else []
    for group in (PUBLIC, [name for name in PAGES if name not in PUBLIC] + more):
        known = None if group is PUBLIC else session
        with window(
            browser, staffed_plant.url, pictures, size=size, scheme=scheme, language=language, session=known, bypass_csp=axe
        ) as opened:
            for name in group:
                opened.watch.expected = ["404"] if name == "nothing-here" else []
                page = opened.go(places[name])
                opened.picture(name)
                found += [f"{name}: {what}" for what in faults(page, language[:2])]
                if axe:
                    found += [f"{name}: {what}" for what in grave_faults(page)]
                found += [f"{name}: {what}" for what in opened.watch.problems]
                opened.watch.problems.clear()
    assert not found, "\n".join(found)
