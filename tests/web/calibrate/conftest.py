"""One small page for each test that changes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.recipe import Recipe
from tests.web.calibrate.parts import wizard_page
from tests.web.parts import Browser, Rig


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Rig, Recipe]]:
    with wizard_page(tmp_path) as made:
        yield made


@pytest.fixture
def rig(small: tuple[Rig, Recipe]) -> Rig:
    return small[0]


@pytest.fixture
def recipe(small: tuple[Rig, Recipe]) -> Recipe:
    return small[1]


@pytest.fixture
def tina(rig: Rig) -> Browser:
    """A technician."""
    return rig.signed_in("tina")


@pytest.fixture
def anna(rig: Rig) -> Browser:
    """Another one who may calibrate."""
    return rig.signed_in("anna")
