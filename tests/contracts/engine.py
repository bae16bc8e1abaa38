"""What every engine must do, whatever it runs on. Subclass in a test file, and give the fixture `engine`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge.bundle import Manifest
from edge.engines.base import Engine, EngineIdentity
from edge.errors import EngineFault


class EngineContract:
    """Fixtures to give: `manifest`; `engine`, new and closed, of that manifest; `broken`."""

    @pytest.fixture
    def manifest(self) -> Manifest:
        raise NotImplementedError

    @pytest.fixture
    def engine(self, manifest: Manifest) -> Engine:
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> tuple[Engine, dict[str, Any]]:
        """An engine that opens, and inputs for which it must raise EngineFault."""
        raise NotImplementedError

    @pytest.fixture
    def inputs(self, manifest: Manifest) -> dict[str, Any]:
        random = np.random.default_rng(7)
        limits = {"image": 256, "reference": 256, "keep": 2}
        return {spec.name: random.integers(0, limits[spec.name], spec.shape, np.uint8) for spec in manifest.inputs}

    @pytest.fixture
    def output(self, manifest: Manifest) -> str:
        """The output that is looked at: the map, or the score of a family without."""
        return manifest.outputs[0].name

    def test_is_an_engine(self, engine: Engine) -> None:
        assert isinstance(engine, Engine)

    def test_identity_names_what_computed_the_scores(self, engine: Engine) -> None:
        with engine:
            identity = engine.identity
        assert isinstance(identity, EngineIdentity)
        assert all((identity.backend, identity.version, identity.device, identity.precision))
        assert str(identity) == f"{identity.backend}-{identity.version} {identity.device} {identity.precision}"

    def test_outputs_are_the_manifests(self, engine: Engine, manifest: Manifest, inputs: dict[str, Any]) -> None:
        with engine:
            outputs = engine.infer(inputs)
        assert set(outputs) == {spec.name for spec in manifest.outputs}
        for spec in manifest.outputs:
            assert outputs[spec.name].dtype == np.dtype(spec.dtype)
            assert outputs[spec.name].shape == spec.shape
            assert np.isfinite(outputs[spec.name]).all()

    def test_outputs_are_read_only_and_outlive_the_next_call(self, engine: Engine, inputs: dict[str, Any], output: str) -> None:
        with engine:
            first = engine.infer(inputs)[output]
            kept = first.copy()
            engine.infer({**inputs, "image": 255 - inputs["image"]})
        np.testing.assert_array_equal(first, kept)
        with pytest.raises(ValueError, match="read-only"):
            first.flat[0] = 0

    def test_inputs_are_left_as_they_were_and_may_be_read_only_or_strided(
        self, engine: Engine, inputs: dict[str, Any], output: str
    ) -> None:
        strided = np.repeat(inputs["image"], 2, axis=2)[:, :, ::2]
        strided.flags.writeable = False
        with engine:
            plain = engine.infer(inputs)[output]
            viewed = engine.infer({**inputs, "image": strided})[output]
        np.testing.assert_array_equal(strided, inputs["image"])
        np.testing.assert_array_equal(plain, viewed)

    def test_same_frame_same_map_also_after_it_was_opened_again(self, engine: Engine, inputs: dict[str, Any]) -> None:
        with engine:
            first = engine.infer(inputs)
        with engine:
            second = engine.infer(inputs)
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])

    def test_another_frame_has_another_map(self, engine: Engine, inputs: dict[str, Any], output: str) -> None:
        with engine:
            first = engine.infer(inputs)[output]
            second = engine.infer({**inputs, "image": 255 - inputs["image"]})[output]
        assert not np.array_equal(first, second)

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda image: image[:, 1:],
            lambda image: image[0],
            lambda image: image.astype(np.float32),
            lambda image: image.astype(np.int8),
            lambda image: image.transpose(0, 3, 1, 2),
            lambda image: image[:, :, :, :1],
            lambda image: image.tolist(),
            lambda image: None,
        ],
    )
    def test_wrong_image_is_a_fault_and_the_next_frame_is_judged(
        self, engine: Engine, inputs: dict[str, Any], wrong: Any
    ) -> None:
        with engine:
            with pytest.raises(EngineFault, match="input image"):
                engine.infer({**inputs, "image": wrong(inputs["image"])})
            assert engine.infer(inputs)

    def test_missing_and_unknown_inputs_are_faults(self, engine: Engine, inputs: dict[str, Any]) -> None:
        missing = {name: array for name, array in inputs.items() if name != "image"}
        with engine:
            for wrong in (missing, {**inputs, "extra": inputs["image"]}, {**missing, "Image": inputs["image"]}):
                with pytest.raises(EngineFault, match="inputs are"):
                    engine.infer(wrong)

    def test_closed_engine_is_a_fault(self, engine: Engine, inputs: dict[str, Any]) -> None:
        with pytest.raises(EngineFault, match="not open"):
            engine.infer(inputs)
        with engine:
            engine.infer(inputs)
        with pytest.raises(EngineFault, match="not open"):
            engine.infer(inputs)

    def test_leaving_after_an_error_passes_the_error_on(self, engine: Engine) -> None:
        with pytest.raises(KeyError, match="mine"), engine:
            raise KeyError("mine")

    def test_a_failure_inside_is_a_fault_on_one_line(self, broken: tuple[Engine, dict[str, Any]]) -> None:
        engine, inputs = broken
        with engine, pytest.raises(EngineFault) as caught:
            engine.infer(inputs)
        assert str(caught.value).isprintable()
