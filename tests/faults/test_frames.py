"""A frame that is not what it should be never passes, with a product in the scene or without."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fault_rig import LEAFLET, RECIPE, camera
from edge.bundle import Bundle
from edge.cameras.simulated import SimulatedCamera, write_control
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import FrameError
from edge.pipeline import ViewPipeline
from edge.recipe import load_recipe
from edge.settings.engines import OnnxRuntimeSettings
from edge.settings.simulated import FaultKind, SceneControl, SimulatedSettings
from edge.types import Judgement, Outcome, ReasonCode

FRAMES = 6
WANTED: dict[FaultKind, set[ReasonCode | None]] = {
    "black": {ReasonCode.NOT_REGISTERED},
    "saturated": {ReasonCode.NOT_REGISTERED},
    "blurred": {ReasonCode.NOT_REGISTERED},
    "torn": {ReasonCode.NOT_REGISTERED, None},
    "wrong_size": {ReasonCode.FRAME_INVALID},
}


@pytest.fixture(scope="module")
def pipeline() -> Iterator[ViewPipeline]:
    recipe = load_recipe(RECIPE, view="feeder")
    with opened(recipe.bundle) as engine:
        yield ViewPipeline(recipe, engine)


def opened(bundle: Bundle) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=1))


def judgements(pipeline: ViewPipeline, folder: Path, control: SceneControl, seed: int = 7) -> list[Judgement]:
    write_control(folder / "control.json", control)
    settings = SimulatedSettings.model_validate(camera(folder, rate_hz=1000, seed=seed))
    found: list[Judgement] = []
    with SimulatedCamera(settings, "feeder") as source:
        while len(found) < FRAMES:
            frame = source.grab(5.0)
            assert frame is not None
            found.append(pipeline.judge(frame.image).judgement)
    return found


def test_a_sound_frame_passes_and_one_with_a_leaflet_fails(pipeline: ViewPipeline, tmp_path: Path) -> None:
    assert {one.outcome for one in judgements(pipeline, tmp_path, SceneControl())} == {Outcome.PASS}
    assert {one.outcome for one in judgements(pipeline, tmp_path, SceneControl(leftovers=(LEAFLET,)))} == {Outcome.FAIL}


@pytest.mark.parametrize("seed", [7, 8, 9])
@pytest.mark.parametrize("kind", WANTED)
def test_a_bad_frame_never_passes(pipeline: ViewPipeline, tmp_path: Path, kind: FaultKind, seed: int) -> None:
    for leftovers in ((), (LEAFLET,)):
        made = judgements(pipeline, tmp_path, SceneControl(leftovers=leftovers, fault=kind), seed)
        assert Outcome.PASS not in {one.outcome for one in made}
        assert {one.reason.code if one.reason else None for one in made} <= WANTED[kind]
        assert all(one.outcome is Outcome.FAIL for one in made if one.reason is None)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_frame_that_arrived_in_part_never_passes(pipeline: ViewPipeline, tmp_path: Path, share: float, value: int) -> None:
    """What a camera's driver leaves of a frame whose last packets never came."""
    settings = SimulatedSettings.model_validate(camera(tmp_path, rate_hz=1000))
    with SimulatedCamera(settings, "feeder") as source:
        frame = source.grab(5.0)
    assert frame is not None
    image = frame.image.copy()
    image[round(share * len(image)) :] = value
    assert pipeline.judge(image).judgement.outcome is not Outcome.PASS


def test_a_damaged_frame_reaches_nobody(tmp_path: Path) -> None:
    write_control(tmp_path / "control.json", SceneControl(fault="damaged"))
    with (
        SimulatedCamera(SimulatedSettings.model_validate(camera(tmp_path)), "feeder") as source,
        pytest.raises(FrameError, match="damaged"),
    ):
        source.grab(5.0)


def test_the_pictures_show_what_their_faults_say(tmp_path: Path) -> None:
    def shown(fault: FaultKind | None) -> np.ndarray:
        write_control(tmp_path / "control.json", SceneControl(fault=fault))
        with SimulatedCamera(SimulatedSettings.model_validate(camera(tmp_path)), "feeder") as source:
            frame = source.grab(5.0)
        assert frame is not None
        return frame.image.astype(np.float64)

    clean = shown(None)
    assert shown("saturated").min() == 255
    assert shown("blurred").std() < 0.8 * clean.std()
    torn = shown("torn")
    middle = len(clean) // 2
    np.testing.assert_array_equal(torn[:middle], clean[:middle])
    assert np.abs(torn[middle:] - clean[middle:]).mean() > 5
