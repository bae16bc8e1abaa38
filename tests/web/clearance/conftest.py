"""One station for the tests of a module: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.parts import make_recipes
from tests.mosquitto import mosquitto
from tests.web.clearance.parts import Line, running_line


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recipes(tmp_path_factory.mktemp("clearance-recipes"))


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, recipes: Path) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    (folder / "broker").mkdir()
    with mosquitto(folder / "broker") as broker, running_line(folder / "box", recipes, broker.port) as running:
        yield running
