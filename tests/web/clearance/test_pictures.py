"""Frame, reference and heat map lie on each other, and colours mean what they mean on every overlay."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.web.clearance import pictures
from calibration.web.clearance.judged_by import JudgedBy, Versions, recipe_of
from calibration.web.clearance.pictures import frame_jpeg, heat_png, placed, reference_jpeg, shown_size
from edge import heatmap
from edge.archive import StoredMap
from edge.config import StationConfig, load_config
from edge.errors import RecipeError
from edge.settings.judging import ScoreRule
from edge.types import ImageU8
from tests.web.parts import write_station

SIZE_WH = (200, 120)


def judged_by(rule: ScoreRule | None = None) -> JudgedBy:
    return JudgedBy(Path("nowhere.png"), "0" * 64, SIZE_WH, rule or ScoreRule(kind="max"))


def decoded(data: bytes) -> ImageU8:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return np.asarray(image, np.uint8)


def stored(scores: np.ndarray, judged: np.ndarray | None = None) -> StoredMap:
    height, width = scores.shape
    to_reference = np.array([[SIZE_WH[0] / width, 0, 0], [0, SIZE_WH[1] / height, 0], [0, 0, 1.0]])
    return StoredMap(scores.astype(np.float32), np.ones(scores.shape, bool) if judged is None else judged, to_reference)


def test_the_colours_are_those_of_every_overlay() -> None:
    assert np.array_equal(pictures._COLOURS[:, ::-1], heatmap._COLOURS)


def test_a_hot_spot_lies_where_it_is_and_the_rest_is_clear() -> None:
    scores = np.zeros((12, 20))
    scores[6, 15] = 4.0
    image = decoded(heat_png(stored(scores), judged_by(), threshold=2.0))
    assert image.shape == (120, 200, 4)
    rows, columns = np.nonzero(image[..., 3])
    assert abs(float(columns.mean()) - 150) <= 3
    assert abs(float(rows.mean()) - 60) <= 3
    assert image[60, 150, 3] == 255
    assert image[10, 10].tolist() == [0, 0, 0, 0]


def test_the_scale_is_fixed_by_the_threshold() -> None:
    flat = np.full((12, 20), 1.0)
    below = decoded(heat_png(stored(flat), judged_by(), threshold=4.0))
    at = decoded(heat_png(stored(flat), judged_by(), threshold=1.0))
    assert below[60, 100, 3] == 0
    assert at[60, 100, 3] == 255
    assert at[60, 100, :3].tolist() == pictures._COLOURS[128].tolist()


def test_what_was_not_judged_has_no_colour() -> None:
    judged = np.ones((12, 20), bool)
    judged[:, 10:] = False
    image = decoded(heat_png(stored(np.full((12, 20), 9.0), judged), judged_by(ScoreRule(window=3)), threshold=1.0))
    assert image[60, 40, 3] == 255
    assert image[60, 180, 3] == 0


def test_a_frame_is_laid_on_the_reference() -> None:
    frame = np.zeros((120, 200, 3), np.uint8)
    frame[50:60, 100:110] = 255
    shifted = placed({"alignment": {"trusted": True, "frameToReference": [[1, 0, 30], [0, 1, -20], [0, 0, 1]]}})
    laid = decoded(frame_jpeg(frame, shifted, SIZE_WH, 1024))
    assert laid.shape[:2] == (120, 200)
    assert laid[35, 135].min() > 200
    assert laid[55, 105].max() < 60


@pytest.mark.parametrize(
    "alignment",
    [
        None,
        {"trusted": False, "frameToReference": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
        {"trusted": True},
        {"trusted": True, "frameToReference": [[1, 0], [0, 1]]},
        {"trusted": True, "frameToReference": [[0, 0, 0], [0, 0, 0], [0, 0, 1]]},
        {"trusted": True, "frameToReference": [[None, 0, 0], [0, 1, 0], [0, 0, 1]]},
    ],
)
def test_a_frame_that_does_not_lie_on_it_is_shown_as_it_is(alignment: object) -> None:
    assert placed({"alignment": alignment}).to_reference is None


def test_pictures_are_never_made_larger() -> None:
    assert shown_size((200, 120), 1024) == (200, 120)
    assert shown_size((3072, 2048), 1024) == (1024, 683)
    small = decoded(frame_jpeg(np.zeros((2048, 3072), np.uint8), placed({}), SIZE_WH, 1024))
    assert small.shape[:2] == (683, 1024)


@pytest.fixture
def config(tmp_path: Path) -> StationConfig:
    return load_config(write_station(tmp_path))


def result(**changes: object) -> dict[str, object]:
    return {"resultId": "r", "view": "feeder", "recipe": "feeder", "recipeVersion": 2, "product": "", **changes}


def test_the_reference_is_that_of_the_version_that_judged(config: StationConfig) -> None:
    versions = Versions()
    found = versions.of(config, result())
    assert decoded(reference_jpeg(found, 1024)).shape[1] == found.size_wh[0]
    assert versions.of(config, result()) is found


def test_a_reference_that_was_changed_is_not_shown(config: StationConfig) -> None:
    found = Versions().of(config, result())
    found.reference_path.write_bytes(found.reference_path.read_bytes() + b"x")
    with pytest.raises(RecipeError, match="is not the image"):
        found.reference()
    found.reference_path.unlink()
    with pytest.raises(RecipeError, match="cannot be read"):
        found.reference()


@pytest.mark.parametrize(
    "changes", [{"recipeVersion": 99}, {"recipeVersion": None}, {"recipeVersion": True}, {"view": "../x"}, {"recipe": "other"}]
)
def test_a_version_that_is_not_there_is_named(config: StationConfig, changes: dict[str, object]) -> None:
    with pytest.raises(RecipeError):
        Versions().of(config, result(**changes))


def test_a_product_leads_nowhere_but_to_recipes(tmp_path: Path) -> None:
    path = write_station(tmp_path)
    text = path.read_text().replace("recipe: recipes/feeder", "recipe: recipes/{product}/feeder") + "product: aspirin\n"
    path.write_text(text)
    config = load_config(path)
    assert recipe_of(config, result(product="zinc")) == tmp_path / "recipes" / "zinc" / "feeder"
    assert recipe_of(config, result(), "zinc") == tmp_path / "recipes" / "zinc" / "feeder"
    assert recipe_of(config, result()) == tmp_path / "recipes" / "aspirin" / "feeder"
    for hostile in ("../..", "a/b", "..", "\x00"):
        with pytest.raises(RecipeError):
            recipe_of(config, result(product=hostile))
