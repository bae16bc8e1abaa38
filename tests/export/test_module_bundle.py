from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edge.bundle import Crop, Declaration, Limits, Masking, ResizeRule, Tolerance, contract
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError, ConfigError
from edge.registration.resampling import resize
from edge.settings.engines import OnnxRuntimeSettings
from export.golden import golden_inputs
from export.module_bundle import write_module_bundle
from export.nets.islands import float_image
from export.program_bundle import TorchRunner

torch.set_num_threads(1)
SIZE_WH = (24, 16)
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


class Edges(nn.Module):
    """A map of edges, and their mean as a score; spoilt: in a way that only torch sees."""

    def __init__(self, spoilt: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.spoilt = spoilt
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        planes = self.head(torch.relu(self.conv(float_image(image))))
        scores = planes.float()[:, 0].abs()
        if self.spoilt == "traced" and not torch.jit.is_tracing():
            scores = scores + 1
        if self.spoilt == "nan":
            scores = scores / 0 * 0
        if self.spoilt == "half":
            scores = (planes * 1e4 * 1e4).float()[:, 0] / 1e8
        if keep is not None:
            scores = scores * keep.float()
        return scores, scores.mean((1, 2))


def _declared(**changes: object) -> Declaration:
    fields: dict[str, object] = {
        "family": "edges",
        "size_wh": SIZE_WH,
        "inputs": contract(SIZE_WH, ["image"]),
        "outputs": contract(SIZE_WH, ["anomaly_map", "image_score"]),
        "resize": ResizeRule(kernel="cv2_area"),
        "parameters": {"made": "up"},
        "limits": Limits(float32=Tolerance(rtol=1e-4, atol=1e-5), float16=Tolerance(rtol=1e-2, atol=1e-2)),
        "created_at": datetime(2026, 1, 2, tzinfo=timezone.utc),
        "created_by": "a test",
    }
    return Declaration(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_network_becomes_a_bundle_that_every_engine_proves(tmp_path: Path) -> None:
    declared = _declared()
    bundle = write_module_bundle(tmp_path / "b.zip", Edges(), declared, golden_inputs(declared, None), "ours")
    assert bundle.licence() == "ours"
    share = bundle.manifest.parameters["half_share"]
    assert bundle.manifest.parameters["made"] == "up"
    assert isinstance(share, float)
    assert 0 < share < 1
    for precision in ("float32", "float16"):
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision)) as engine:  # type: ignore[arg-type]
            assert engine.golden is not None
            assert engine.golden.ratio < 1
    inputs, outputs = bundle.golden()
    made = TorchRunner(Edges(), bundle.graphs[0]).call(inputs[1])
    np.testing.assert_allclose(outputs[1]["anomaly_map"], made["anomaly_map"], rtol=1e-4, atol=1e-6)


def test_the_same_network_gives_the_same_name(tmp_path: Path) -> None:
    declared = _declared()
    names = {
        write_module_bundle(tmp_path / str(place), Edges(), declared, golden_inputs(declared, None), "ours").name
        for place in range(2)
    }
    assert len(names) == 1


def test_masks_go_into_the_graph(tmp_path: Path) -> None:
    declared = _declared(inputs=contract(SIZE_WH, ["image", "keep"]), masking=Masking(pre=True))
    bundle = write_module_bundle(tmp_path / "b", Edges(), declared, golden_inputs(declared, None), "ours")
    inputs, outputs = bundle.golden()
    hidden = inputs[-1]["keep"] == 0
    assert hidden.any()
    assert (outputs[-1]["anomaly_map"][hidden] == 0).all()
    assert (outputs[0]["anomaly_map"] > 0).all()


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ("traced", "golden vector 0, the network: anomaly_map"),
        ("nan", "golden vector 0, the network: anomaly_map has no usable values"),
        ("half", "golden vector 0, float16: anomaly_map"),
    ],
)
def test_nothing_is_written_where_torch_and_the_graphs_disagree(tmp_path: Path, spoilt: str, said: str) -> None:
    declared = _declared()
    with pytest.raises(BundleError, match=said):
        write_module_bundle(tmp_path / "b", Edges(spoilt), declared, golden_inputs(declared, None), "ours")
    assert not list(tmp_path.iterdir())


def test_without_float16_where_a_network_does_not_bear_it(tmp_path: Path) -> None:
    declared = _declared()
    golden = golden_inputs(declared, None)
    bundle = write_module_bundle(tmp_path / "b", Edges("half"), declared, golden, "ours", float16=False)
    assert "model.fp16.onnx" not in bundle.manifest.files
    assert "half_share" not in bundle.manifest.parameters
    with pytest.raises(BundleError, match="float32"):
        bundle.model_bytes("float16")


def test_made_up_inputs_are_always_the_same_and_never_alike() -> None:
    first, second = golden_inputs(_declared(), None), golden_inputs(_declared(), None)
    assert len(first) == 3
    assert all(np.array_equal(a["image"], b["image"]) for a, b in zip(first, second, strict=True))
    assert len({vector["image"].tobytes() for vector in first}) == 3
    assert {vector["image"].shape for vector in first} == {(1, 16, 24, 3)}
    assert not np.array_equal(golden_inputs(_declared(), None, seed=6)[0]["image"], first[0]["image"])


def test_two_images_for_models_that_compare() -> None:
    declared = _declared(inputs=contract(SIZE_WH, ["image", "reference"]))
    vectors = golden_inputs(declared, None)
    assert all(np.array_equal(vector["reference"], vectors[0]["image"]) for vector in vectors)
    assert not np.array_equal(vectors[1]["image"], vectors[1]["reference"])


def test_real_images_are_resized_as_the_manifest_says(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (50, 60, 3), dtype=np.uint8) for _ in range(5)]
    for place, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{place}.png"), image[..., ::-1])
    vectors = golden_inputs(_declared(), tmp_path, count=3)
    for place, vector in zip((0, 1, 3), vectors, strict=True):
        assert np.array_equal(vector["image"][0], resize(images[place], SIZE_WH, "cv2_area"))
    cropped = golden_inputs(_declared(crop=Crop(left=0.5, top=0, right=1, bottom=0.5)), tmp_path, count=1)
    assert np.array_equal(cropped[0]["image"][0], resize(np.ascontiguousarray(images[0][:25, 30:]), SIZE_WH, "cv2_area"))


def test_a_grey_image_has_three_equal_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.arange(16 * 24, dtype=np.uint8).reshape(16, 24))
    (vector,) = golden_inputs(_declared(), tmp_path)
    assert (vector["image"][..., 0] == vector["image"][..., 2]).all()


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no image"):
        golden_inputs(_declared(), tmp_path)


def test_real_frames_of_a_line(tmp_path: Path) -> None:
    folder = DATA / "bsdata" / "277500_315" / "train" / "good"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    declared = _declared()
    bundle = write_module_bundle(tmp_path / "b", Edges(), declared, golden_inputs(declared, folder, count=2), "ours")
    assert len(bundle.golden()[0]) == 2
