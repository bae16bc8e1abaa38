from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.web.browsing import launched, served
from tests.web.masks.browsing import Screen, screen
from tests.web.masks.parts import Studio, first_recipe, fresh_recipe, studio


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that no test may change."""
    return first_recipe(tmp_path_factory.mktemp("masks"))


@pytest.fixture
def recipe_path(made: Path, tmp_path: Path) -> Path:
    return fresh_recipe(made, tmp_path)


@pytest.fixture
def room(recipe_path: Path, tmp_path: Path) -> Iterator[Studio]:
    with studio(tmp_path, recipe_path) as open_studio:
        yield open_studio


@pytest.fixture(scope="module")
def still(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One for tests that change nothing: what they ask is refused."""
    folder = tmp_path_factory.mktemp("still")
    with studio(folder, fresh_recipe(made, folder)) as open_studio:
        yield open_studio


@pytest.fixture
def client(room: Studio) -> TestClient:
    return room.client()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, for one module."""
    with launched() as opened:
        yield opened


@pytest.fixture
def url(room: Studio) -> Iterator[str]:
    with served(room.app) as address:
        yield address


@pytest.fixture
def editor(browser: Any, room: Studio, url: str) -> Iterator[Screen]:
    """The editor, open."""
    with screen(browser, room, url) as found:
        yield found.open()
