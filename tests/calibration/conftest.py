import shutil
from pathlib import Path

import pytest

from calibration.__main__ import main
from tests.calibration.scene import write_shots


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """Frames 0..9 in `train`, a bundle built from them in `bundle`, a recipe without thresholds in `recipe`."""
    export = pytest.importorskip("export.__main__", reason="the variation model is written with the onnx package")
    root = tmp_path_factory.mktemp("built")
    write_shots(root / "train", range(10))
    assert export.main(["variation", "--images", str(root / "train"), "--out", str(root / "bundle"), "--quiet"]) == 0
    arguments = ["--view", "front", "--reference", str(root / "train" / "000.png"), "--bundle", str(root / "bundle")]
    assert main(["recipe", *arguments, "--out", str(root / "recipe"), "--product", "aspirin"]) == 0
    write_shots(root / "good", range(20, 28))
    return root


@pytest.fixture
def recipe(built, tmp_path) -> Path:
    """A copy of the recipe without thresholds."""
    return Path(shutil.copytree(built / "recipe", tmp_path / "front"))
