from datetime import datetime, timezone

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.upstream.formula import picture
from edge.bundle import Declaration, DenoisingLoop, Limits, ResizeRule, Tiling, Tolerance, contract
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError, Cancelled
from edge.settings.engines import OnnxRuntimeSettings
from edge.settings.judging import ScoreRule
from export.nets.islands import float_image
from export.program_bundle import OnnxRunner, TorchRunner, runner, write_program_bundle

SIDE = 16


class Step(nn.Module):
    """A step whose network is one convolution."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.conv.weight.data = gain * torch.eye(3).view(3, 3, 1, 1)
        self.gain = gain

    def forward(self, xt, y0, noise, t, coef):
        predicted = self.conv(xt).float() / self.gain
        return coef[2] * (0.5 * predicted + 0.5 * y0) + coef[3] * noise + 0.0 * t


class Head(nn.Module):
    def forward(self, image, reconstruction):
        return (float_image(image) * 2 - 1 - reconstruction).abs().mean(1)


class Darkness(nn.Module):
    """A map that any tile gives alike."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        self.conv.weight.data.fill_(-1 / 3)
        self.conv.bias.data.fill_(1.0)

    def forward(self, image):
        return self.conv(float_image(image))[:, 0].float()


def _declaration(**fields):
    size_wh = fields.pop("size_wh", (SIDE, SIDE))
    return Declaration(
        family="test",
        size_wh=size_wh,
        inputs=contract(size_wh, ["image"]),
        outputs=contract(size_wh, ["anomaly_map"]),
        resize=ResizeRule(kernel="cv2_area"),
        score=ScoreRule(kind="max", window=1),
        limits=Limits(float32=Tolerance(rtol=1e-5, atol=1e-5), float16=Tolerance(rtol=1e-2, atol=1e-2)),
        created_at=datetime.now(timezone.utc),
        created_by="test",
        **fields,
    )


def _loop():
    return DenoisingLoop.seeded((SIDE, SIDE), timesteps=(20, 10, 0), start=30, weight=0.0, seed=3)


def _golden(side=SIDE):
    return [{"image": picture(name, side)[None]} for name in ("one", "two")]


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-6), ("float16", 5e-3)])
def test_a_loop_is_written_in_both_precisions_and_the_station_runs_it(tmp_path, precision, limit):
    declared = _declaration(program=_loop())
    modules = {"step": Step(), "model": Head()}
    bundle = write_program_bundle(tmp_path / "b", modules, declared, _golden(), "none")
    assert 0 < bundle.manifest.parameters["half_share_step"] < 1
    network = runner(declared, {graph.name: TorchRunner(modules[graph.name], graph) for graph in bundle.graphs})
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=1, precision=precision)) as engine:
        for given in _golden():
            made, expected = (each.infer(given)["anomaly_map"] for each in (engine, network))
            assert np.abs(made - expected).max() < limit


def test_tiles_are_written_as_tiles(tmp_path):
    declared = _declaration(size_wh=(40, 24), tiling=Tiling(size=16, overlap=4))
    golden = [{"image": picture("one", 40)[:24][None]}]
    bundle = write_program_bundle(tmp_path / "b", {"model": Darkness()}, declared, golden, "none")
    assert bundle.graphs[0].inputs[0].shape == (1, 16, 16, 3)
    _, outputs = bundle.golden()
    expected = 1 - golden[0]["image"][0].astype(np.float32).mean(2) / 255
    assert np.abs(outputs[0]["anomaly_map"][0] - expected).max() < 1e-5


def test_a_network_that_half_precision_breaks_is_refused_and_nothing_stays(tmp_path):
    # 1e-9 is nothing in float16.
    modules = {"step": Step(gain=1e-9), "model": Head()}
    with pytest.raises(BundleError, match="float16"):
        write_program_bundle(tmp_path / "b", modules, _declaration(program=_loop()), _golden(), "none")
    assert not list(tmp_path.iterdir())


def test_it_says_how_far_it_is_and_can_be_cancelled(tmp_path):
    seen = []

    def told(done, total, what):
        seen.append((done, total, what))
        if len(seen) == 6:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        write_program_bundle(
            tmp_path / "b", {"step": Step(), "model": Head()}, _declaration(program=_loop()), _golden(), "none", call_done=told
        )
    assert [each[:2] for each in seen] == [(1, 4), (2, 4), (3, 4), (4, 4), (1, 4), (2, 4)]
    assert seen[0][2].startswith("step")
    assert seen[3][2] == "model"
    assert not list(tmp_path.iterdir())


def test_a_graph_runs_on_onnx_runtime_as_it_is(tmp_path):
    declared = _declaration()
    bundle = write_program_bundle(tmp_path / "b", {"model": Darkness()}, declared, _golden(), "none")
    given = _golden()[0]
    assert OnnxRunner(bundle.model_bytes()).call(given)["anomaly_map"].shape == (1, SIDE, SIDE)
