from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edge.bundle import Manifest, contract
from edge.engines.base import Engine
from edge.engines.simulated import SimulatedEngine
from edge.errors import EngineFault
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from tests.bundle.samples import SIZE_WH, declared, mapless, random_inputs
from tests.contracts.engine import EngineContract

MANIFEST = Manifest.of(declared(), {"model.onnx": "0" * 64})
FULL = Manifest.of(
    declared(
        inputs=contract(SIZE_WH, ["image", "reference", "keep"]),
        outputs=contract(SIZE_WH, ["anomaly_map", "image_score"]),
        masking={"pre": True},
    ),
    {"model.onnx": "0" * 64},
)
MAPLESS = Manifest.of(mapless(), {"model.onnx": "0" * 64})
INPUTS = random_inputs(MANIFEST)


def simulated(manifest: Manifest = MANIFEST, *faults: SimulatedFault, **changes: Any) -> SimulatedEngine:
    release = changes.pop("release", None)
    reference = changes.pop("reference", None)
    settings = SimulatedEngineSettings(faults=faults, **changes)
    return SimulatedEngine(manifest, settings, reference=reference, release=release)


class TestContract(EngineContract):
    @pytest.fixture(params=["difference", "noise"])
    def engine(self, manifest: Manifest, request: pytest.FixtureRequest) -> Engine:
        return simulated(manifest, map=request.param)

    @pytest.fixture(params=[FULL, MAPLESS], ids=["full", "mapless"])
    def manifest(self, request: pytest.FixtureRequest) -> Manifest:
        assert isinstance(request.param, Manifest)
        return request.param

    @pytest.fixture
    def broken(self) -> tuple[Engine, dict[str, Any]]:
        return simulated(MANIFEST, SimulatedFault(kind="raise", at=(0,))), INPUTS


def test_results_say_that_they_are_simulated() -> None:
    assert simulated().identity.is_simulated
    assert str(simulated().identity) == "simulated-1 none float32"


def test_changed_area_scores_high_and_the_rest_is_zero() -> None:
    reference = np.full((48, 64, 3), 90, np.uint8)
    image = np.full((1, 24, 32, 3), 90, np.uint8)
    image[0, 5:15, 5:15] = 190
    with simulated(reference=reference, blur_px=3) as engine:
        scores = engine.infer({"image": image})["anomaly_map"][0]
    assert scores[10, 10] == pytest.approx(100)
    assert scores[:, 20:].max() == 0


def test_graph_reference_comes_before_the_constructors_and_keep_masks() -> None:
    inputs = random_inputs(FULL)
    inputs["reference"] = inputs["image"].copy()
    inputs["reference"][0, 3, 4] ^= 255
    with simulated(FULL, reference=np.zeros((24, 32, 3), np.uint8)) as engine:
        inputs["keep"][:] = 1
        seen = engine.infer(inputs)
        inputs["keep"][:] = 0
        masked = engine.infer(inputs)
    assert seen["image_score"][0] == seen["anomaly_map"].max() > 0
    assert masked["anomaly_map"].max() == masked["image_score"][0] == 0


def test_reference_is_cropped_as_the_manifest_says() -> None:
    cropped = Manifest.of(declared(crop={"left": 0.5, "top": 0, "right": 1, "bottom": 1}), {"model.onnx": "0" * 64})
    reference = np.zeros((24, 64), np.uint8)
    reference[:, 32:] = 200
    with simulated(cropped, reference=reference) as engine:
        assert engine.infer({"image": np.full((1, 24, 32, 3), 200, np.uint8)})["anomaly_map"].max() == 0


def test_noise_follows_its_seed() -> None:
    maps = []
    for seed in (1, 1, 2):
        with simulated(map="noise", seed=seed) as engine:
            maps.append(engine.infer(INPUTS)["anomaly_map"])
    np.testing.assert_array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[0], maps[2])


def outcome(engine: SimulatedEngine) -> str:
    try:
        scores = engine.infer(INPUTS)["anomaly_map"]
    except EngineFault:
        return "fault"
    return "ok" if np.isfinite(scores).all() else "nan"


def test_faults_come_when_they_are_due() -> None:
    faults = (SimulatedFault(kind="raise", at=(1, 4)), SimulatedFault(kind="nan", every=3))
    with simulated(MANIFEST, *faults) as engine:
        assert [outcome(engine) for _ in range(7)] == ["nan", "fault", "ok", "nan", "fault", "ok", "nan"]
        assert engine.calls == 7


def test_random_faults_follow_their_seed() -> None:
    runs = []
    for seed in (3, 3, 4):
        engine = simulated(MANIFEST, SimulatedFault(kind="raise", probability=0.3), seed=seed)
        for _ in range(2):
            with engine:
                runs.append([outcome(engine) for _ in range(200)])
    assert runs[0] == runs[1] == runs[2] == runs[3] != runs[4] == runs[5]
    assert 30 <= runs[0].count("fault") <= 90


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("wrong_shape", r"output anomaly_map is float32 \[1, 23, 32\]"),
        ("wrong_dtype", "output anomaly_map is float64"),
        ("missing_output", "outputs are none"),
    ],
)
def test_malformed_output_is_a_fault_and_can_be_handed_on_unchecked(kind: Any, named: str) -> None:
    fault = SimulatedFault(kind=kind, at=(0,))
    with simulated(MANIFEST, fault) as engine, pytest.raises(EngineFault, match=named):
        engine.infer(INPUTS)
    with simulated(MANIFEST, fault, checked=False) as engine:
        scores = engine.infer(INPUTS).get("anomaly_map")
    assert scores is None or scores.shape != (1, 24, 32) or scores.dtype != np.float32


@pytest.mark.parametrize(("kind", "found"), [("nan", np.isnan), ("infinite", np.isinf)])
def test_bad_scores_are_passed_on(kind: Any, found: Any) -> None:
    with simulated(MANIFEST, SimulatedFault(kind=kind, at=(0,))) as engine:
        assert found(engine.infer(INPUTS)["anomaly_map"]).sum() == 1


def test_slow_answer_waits_for_its_release() -> None:
    release = threading.Event()
    answers: list[Any] = []
    slow = SimulatedFault(kind="slow", at=(0,), duration_s=3600)
    with simulated(MANIFEST, slow, release=release) as engine:
        worker = threading.Thread(target=lambda: answers.append(engine.infer(INPUTS)))
        worker.start()
        assert answers == []
        release.set()
        worker.join(30)
    assert not worker.is_alive()
    assert answers[0]["anomaly_map"].shape == (1, 24, 32)


def test_slow_answer_comes_after_its_time() -> None:
    with simulated(MANIFEST, SimulatedFault(kind="slow", at=(0,), duration_s=0.01)) as engine:
        assert outcome(engine) == "ok"


def test_fault_that_never_happens_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="never happens"):
        SimulatedFault(kind="raise")
