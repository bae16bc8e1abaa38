"""Recipes of two products on two views, each with a mask and a card that holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.recipe import CardEngine, Content, load_recipe, save
from edge.settings.judging import MaskPolygon, ScoreRule
from tests.recipe.builders import card, figures
from tests.station_parts import THRESHOLD, make_recipe

SCORES = (2.0, 4.0, 6.0, 9.0, 12.0)
MASK = MaskPolygon(name="hose", points=((0.02, 0.02), (0.1, 0.02), (0.1, 0.1)), enabled=False)


@pytest.fixture(scope="session")
def made_recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("command-recipes")
    for product in ("aspirin", "ibuprofen"):
        for view in ("front", "back"):
            before = make_recipe(root / product, view, product=product)
            made = card(
                before.hashes,
                view=view,
                engine=CardEngine(backend="simulated", version="1", device="none", precision="float32"),
                image_threshold=THRESHOLD,
                pixel_threshold=THRESHOLD,
                scores=SCORES,
                pixel=figures(1000).model_copy(update={"max": 12.0}),
                score_rule=ScoreRule(window=7),
            )
            content = Content(before.document, before.bundle, before.reference, (MASK,), made)
            save(root / product / view, content)
            assert load_recipe(root / product / view).version == 3
    return root


@pytest.fixture
def recipes(made_recipes: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(made_recipes, tmp_path / "recipes"))
