"""An engine without a model: for tests, and for trying a station out. It can fail on demand."""

from __future__ import annotations

import ctypes
import math
import threading
import zlib
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from edge.bundle import Manifest
from edge.engines.base import SIMULATED, EngineIdentity, Tensors
from edge.engines.contract import checked_inputs, checked_outputs
from edge.errors import EngineFault
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.types import ImageU8

_MIDDLE_GREY = 128.0


class SimulatedEngine:
    """Stands where an engine stands, for any manifest of the graph contract; needs no model file.

    The map is the blurred grey difference between image and reference (the graph's `reference` input, else the
    constructor's, of any size, else middle grey), in grey levels, or seeded noise. image_score is the map's maximum, and
    all that is given where the manifest declares no map.
    Where the graph takes `keep`, the map is 0 where keep is 0. `release` ends a slow answer early: a test holds it, and
    needs no sleep.
    """

    def __init__(
        self,
        manifest: Manifest,
        settings: SimulatedEngineSettings,
        *,
        reference: ImageU8 | None = None,
        release: threading.Event | None = None,
    ) -> None:
        self._manifest = manifest
        self._settings = settings
        self._reference = None if reference is None else self._grey(_at_model_size(reference, manifest))
        self._release = release or threading.Event()
        self._random = np.random.default_rng(settings.seed)
        self._open = False
        self._calls = 0

    @property
    def identity(self) -> EngineIdentity:
        """`simulated-1 none float32`."""
        return EngineIdentity(SIMULATED, "1", "none", "float32")

    @property
    def calls(self) -> int:
        """How many inferences were asked for since it was opened."""
        return self._calls

    def __enter__(self) -> Self:
        """Start the schedule of faults from call 0 and the settings' seed."""
        self._random = np.random.default_rng(self._settings.seed)
        self._calls = 0
        self._open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close; there is nothing to free."""
        self._open = False

    def infer(self, inputs: Tensors) -> Tensors:
        """Outputs by name. EngineFault as every engine, and by schedule."""
        if not self._open:
            raise EngineFault("the engine is not open", where="simulated engine", remedy="restart the station")
        call, self._calls = self._calls, self._calls + 1
        faults = [fault for fault in self._settings.faults if self._happens(fault, call)]
        scores = self._map(checked_inputs(self._manifest, inputs))
        outputs: dict[str, NDArray[Any]] = {"anomaly_map": scores[np.newaxis]} if self._manifest.has_map else {}
        if self._manifest.spec("image_score"):
            outputs["image_score"] = scores.max(keepdims=True).reshape(1)
        for fault in faults:
            outputs = self._broken(fault, outputs, call)
        return checked_outputs(self._manifest, outputs) if self._settings.checked else outputs

    def _map(self, inputs: Tensors) -> NDArray[np.float32]:
        width, height = self._manifest.size_wh
        if self._settings.map == "noise":
            # Drawn from seed and frame, so that the same frame has the same map whenever it comes.
            random = np.random.default_rng([self._settings.seed, zlib.crc32(inputs["image"].tobytes())])
            scores = random.normal(0.1, 0.02, (height, width)).astype(np.float32)
        else:
            expected = self._grey(inputs["reference"][0]) if "reference" in inputs else self._reference
            difference = np.abs(self._grey(inputs["image"][0]) - (_MIDDLE_GREY if expected is None else expected))
            scores = cv2.blur(difference, (self._settings.blur_px, self._settings.blur_px)).astype(np.float32)
        if "keep" in inputs:
            scores = scores * (inputs["keep"][0] != 0)
        return scores.astype(np.float32)

    def _happens(self, fault: SimulatedFault, call: int) -> bool:
        # Drawn for every fault of every call, so that one schedule does not shift another.
        drawn = bool(self._random.random() < fault.probability)
        return drawn or call in fault.at or (fault.every is not None and call % fault.every == 0)

    def _broken(self, fault: SimulatedFault, outputs: dict[str, NDArray[Any]], call: int) -> dict[str, NDArray[Any]]:
        if fault.kind == "raise":
            raise EngineFault(f"simulated fault in call {call}", where="simulated engine", remedy="it was asked for")
        if fault.kind == "hang":
            self._release.wait()
            return outputs
        if fault.kind == "seize":
            ctypes.PyDLL(None).pause()  # a call that keeps the interpreter's lock, as a broken driver would
        if fault.kind == "slow":
            self._release.wait(fault.duration_s)
            return outputs
        if fault.kind == "zeros":
            return {key: np.zeros_like(array) for key, array in outputs.items()}
        name = "anomaly_map" if self._manifest.has_map else "image_score"
        given = outputs.get(name)
        if given is None or fault.kind == "missing_output":  # an earlier fault may have taken it
            return {key: array for key, array in outputs.items() if key != name}
        if fault.kind == "wrong_shape":
            return {**outputs, name: given[:, 1:] if given.ndim > 1 else given[1:]}
        if fault.kind == "wrong_dtype":
            return {**outputs, name: given.astype(np.float64)}
        broken = given.copy()
        broken[tuple(side // 2 for side in broken.shape)] = np.nan if fault.kind == "nan" else np.inf
        return {**outputs, name: broken}

    @staticmethod
    def _grey(image: NDArray[Any]) -> NDArray[np.float32]:
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return grey.astype(np.float32)


def _at_model_size(reference: ImageU8, manifest: Manifest) -> ImageU8:
    """The part of the reference that the model sees, on the model's grid."""
    height, width = reference.shape[:2]
    if manifest.crop is not None:
        crop = manifest.crop
        rows = slice(math.floor(crop.top * height), math.ceil(crop.bottom * height))
        columns = slice(math.floor(crop.left * width), math.ceil(crop.right * width))
        reference = reference[rows, columns]
    return np.asarray(cv2.resize(reference, manifest.size_wh, interpolation=cv2.INTER_AREA), np.uint8)
