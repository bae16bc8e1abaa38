"""What the browser tests share. Playwright keeps an event loop while it is open, so it is open for one module at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.web.browser.plant import Plant, chromium, plant
from tests.web.browser.recipes import recipes_in
from tests.web.browser.watching import artefacts

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipes: made once, by whichever test process comes first."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return recipes_in(Path(os.environ.get("LINECLEAR_BROWSER_RECIPES", shared / "browser-recipes")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    return artefacts(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def new_plant(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """A plant at which nobody may sign in yet."""
    chromium()
    with plant(tmp_path_factory.mktemp("plant"), made) as running:
        yield running


@pytest.fixture(scope="session")
def staffed_plant(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """A plant with an admin, a technician, an operator of one view, and a viewer; batches were cleared there before."""
    chromium()
    with plant(tmp_path_factory.mktemp("staffed"), made, people=True) as running:
        yield running
