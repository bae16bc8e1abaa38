from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.cameras.images import read_image
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import ConfigError
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import ImageU8
from export.adapters.registering import GoodFrame
from export.adapters.variation import Built, build, model_size
from export.adapters.variation_model import VariationSettings, anomaly_map
from tests.export.scenes import frames, scene, with_object

BIG_WH = (512, 320)
BSDATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "bsdata"


def _good(images: list[ImageU8]) -> list[GoodFrame]:
    return [GoodFrame(image, f"{number}.png") for number, image in enumerate(images)]


@pytest.fixture(scope="module")
def shots() -> list[ImageU8]:
    return frames(8, scene(size_wh=BIG_WH))


@pytest.fixture(scope="module")
def built(shots: list[ImageU8]) -> Built:
    return build(_good(shots), shots[0])


def test_the_bundle_proves_its_golden_vectors_in_both_precisions(built: Built, tmp_path: Path) -> None:
    bundle = built.write(tmp_path / "bundle", "test")
    for precision in ("float32", "float16"):
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision)) as engine:  # type: ignore[arg-type]
            assert engine.golden is not None
    assert bundle.manifest.size_wh == (256, 160)
    assert bundle.manifest.training.images == 8
    assert max(float(outputs["anomaly_map"].max()) for outputs in bundle.golden()[1]) > 3


def test_the_bundle_is_opened_again_from_a_zip(built: Built, tmp_path: Path) -> None:
    name = built.write(tmp_path / "bundle.zip", "test").name
    again = open_bundle(tmp_path / "bundle.zip")
    assert again.name == name
    assert again.manifest.parameters["registration"] == "track"
    assert again.manifest.score.window == VariationSettings().window_px((256, 160))


def test_frames_of_a_nudged_camera_are_registered(shots: list[ImageU8], built: Built) -> None:
    nudged = build(_good([_moved(shot, 2.0 * number, -1.5 * number) for number, shot in enumerate(shots)]), shots[0])
    assert not nudged.refused
    inner = np.s_[20:-20, 20:-20]
    apart = np.abs(nudged.model.centre - built.model.centre)[0][inner]
    one_pixel = np.abs(np.roll(built.model.centre, 1, axis=2) - built.model.centre)[0][inner]
    assert apart.mean() < 0.3 * one_pixel.mean()


def test_frames_that_cannot_be_registered_are_refused_and_named(shots: list[ImageU8]) -> None:
    blank = np.full_like(shots[0], 90)
    found = build([*_good(shots), GoodFrame(blank, "covered.png")], shots[0])
    assert [name for name, _ in found.refused] == ["covered.png"]
    assert found.refused[0][1]
    assert found.used == tuple(f"{number}.png" for number in range(8))


def test_fewer_than_five_usable_frames_are_an_error(shots: list[ImageU8]) -> None:
    blank = np.full_like(shots[0], 90)
    with pytest.raises(ConfigError, match=r"4 usable good frames, 1 refused; covered.png could not be registered"):
        build([*_good(shots[:4]), GoodFrame(blank, "covered.png")], shots[0])


@pytest.mark.parametrize("other", [np.zeros((320, 510, 3), np.uint8), np.zeros((320, 512), np.uint8)])
def test_a_frame_of_another_shape_is_named(shots: list[ImageU8], other: ImageU8) -> None:
    with pytest.raises(ConfigError, match=r"odd.png: is 51\dx320 (grey|colour), the reference is 512x320 colour"):
        build([*_good(shots), GoodFrame(other, "odd.png")], shots[0])


def test_a_frame_that_is_not_good_is_suspected(shots: list[ImageU8]) -> None:
    images = [*shots[:7], with_object(shots[7], at=(260, 150))]
    images[7][150:200, 260:330] = (220, 220, 60)
    assert [name for name, *_ in build(_good(images), shots[0]).suspects] == ["7.png"]
    assert not build(_good(shots), shots[0]).suspects


def test_grey_cameras_have_a_model_too() -> None:
    grey = [np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in frames(8, scene(size_wh=BIG_WH))]
    found = build(_good(grey[:7]), grey[0])
    clean = np.repeat(cv2.resize(grey[7], (256, 160), interpolation=cv2.INTER_AREA)[..., None], 3, axis=2)
    dirty = anomaly_map(with_object(clean, (230, 230, 230)), found.model)
    assert dirty[73:85, 124:142].mean() > 5 * anomaly_map(clean, found.model).mean()


def test_hashes_are_declared_only_if_every_frame_has_one(shots: list[ImageU8]) -> None:
    hashed = [GoodFrame(image, f"{number}.png", f"{number:064x}") for number, image in enumerate(shots)]
    assert build(hashed, shots[0]).declaration("test").training.sha256 == tuple(f"{number:064x}" for number in range(8))
    mixed = [*hashed[:7], GoodFrame(shots[7], "7.png")]
    assert build(mixed, shots[0]).declaration("test").training.sha256 == ()


def test_model_size_is_half_and_bounded() -> None:
    assert model_size((960, 391)) == (480, 196)
    width, height = model_size((3072, 2048))
    assert 0.49e6 < width * height < 0.51e6
    assert abs(width / height - 1.5) < 0.01


@pytest.mark.slow
@pytest.mark.skipif(not BSDATA.is_dir(), reason=f"{BSDATA} is absent")
def test_real_frames_and_a_pasted_object(tmp_path: Path) -> None:
    paths = sorted((BSDATA / "430000_180" / "train" / "good").iterdir())
    images = [read_image(path) for path in paths[:13]]
    bundle = build(_good(images[:12]), images[0]).write(tmp_path / "bundle", "test")
    keep = np.ones(bundle.manifest.size_wh[::-1], np.uint8)
    small = np.asarray(cv2.resize(images[12], bundle.manifest.size_wh, interpolation=cv2.INTER_AREA))
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings()) as engine:
        clean, dirty = (
            np.array(engine.infer({"image": image[None], "keep": keep[None]})["anomaly_map"][0])
            for image in (small, with_object(small, (190, 190, 190), at=(300, 100)))
        )
    window = bundle.manifest.score.window
    assert cv2.blur(dirty, (window, window)).max() > 3 * cv2.blur(clean, (window, window)).max()
    assert dirty[104:114, 305:320].min() > 1


def _moved(image: ImageU8, x: float, y: float) -> ImageU8:
    matrix = np.array([[1, 0, x], [0, 1, y]])
    return np.asarray(cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)
