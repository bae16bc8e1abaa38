"""Where recipes lie: products are names, never paths, and are found only where the config says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.recipes.places import has_products, place_for, place_of, places, product_in_force, products
from edge.changeover import PRODUCT_FILE, ProductFile
from edge.errors import RecipeError
from tests.web.parts import Rig, running_page, write_station

NAMES = ["..", ".", "", "a/b", "../feeder", "/etc", "a\x00b", "a\nb", ".hidden", "x" * 300, "\ud800", " "]


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Rig]:
    """feeder: recipes/v-{product}-new/feeder; nest: one recipe for all."""
    config = write_station(tmp_path)
    for product in ("aspirin", "zinc"):
        shutil.copytree(tmp_path / "recipes" / "feeder", tmp_path / "recipes" / f"v-{product}-new" / "feeder")
    text = config.read_text().replace("recipes/feeder", "recipes/v-{product}-new/feeder")
    config.write_text(text + "product: aspirin\n")
    with running_page(config) as rig:
        yield rig


def test_a_product_may_be_a_part_of_a_folders_name(many: Rig) -> None:
    root = Path(many.site.config.views["nest"].recipe).parent
    for name in ("v-empty-new/feeder", "v--new/feeder", "v-odd/feeder", "x-zinc-new/feeder", "v-.hid-new/feeder"):
        (root / name).mkdir(parents=True)
    (root / "v-.hid-new" / "feeder" / "current").write_text("0001\n")
    (root / "v-file-new").write_text("")
    assert has_products(many.site)
    assert products(many.site) == ("aspirin", "zinc")
    assert [place.product for place in places(many.site, "feeder")] == ["aspirin", "zinc"]
    assert [place.product for place in places(many.site, "nest")] == [""]


def test_what_is_in_force_is_what_the_station_kept_and_else_the_config(many: Rig) -> None:
    assert product_in_force(many.site) == "aspirin"
    ProductFile(Path(many.site.config.state_dir) / PRODUCT_FILE).write("zinc")
    assert product_in_force(many.site) == "zinc"
    assert [place.product for place in places(many.site, "feeder")] == ["zinc", "aspirin"]


def test_one_that_is_new_here_has_a_place_and_one_that_is_not_has_none(many: Rig) -> None:
    assert place_for(many.site, "feeder", "brandnew").path.parts[-2:] == ("v-brandnew-new", "feeder")
    assert place_for(many.site, "nest", "brandnew").product == ""
    with pytest.raises(RecipeError, match="no such recipe"):
        place_of(many.site, "feeder", "brandnew")
    with pytest.raises(RecipeError, match="no such recipe"):
        place_of(many.site, "nest", "zinc")


def test_no_name_leads_out_of_the_recipes(many: Rig) -> None:
    root = Path(many.site.config.views["nest"].recipe).parent

    @settings(max_examples=80, deadline=None)
    @given(st.sampled_from(NAMES) | st.text(max_size=30) | st.text("./\\-_ab", max_size=8))
    def stays(name: str) -> None:
        try:
            place = place_for(many.site, "feeder", name)
        except RecipeError:
            return
        assert place.path.parent.parent == root
        assert os.path.normpath(place.path) == str(place.path)
        assert "\x00" not in name

    stays()


def test_names_that_can_be_none_are_refused(many: Rig) -> None:
    for name in NAMES:
        with pytest.raises(RecipeError):
            place_for(many.site, "feeder", name)
