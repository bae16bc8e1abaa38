"""What was measured, on the disk, so that methods and thresholds can be tried without measuring again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import Field, FiniteFloat

from calibration.frames import Measured
from calibration.thresholds import Measurements
from edge.durable import replace_file, replacing
from edge.engines.base import EngineIdentity
from edge.errors import ConfigError
from edge.recipe import Recipe
from edge.recipe.document import Sha256
from edge.schema import Closed, read_json, validate
from edge.types import MapF32

DOCUMENT, PIXELS = "measured.json", "pixels.npy"
MAX_DOCUMENT_BYTES: Final = 50_000_000
Texts = tuple[str, ...]


class KeptFrames(Closed):
    """A `Measured` without its pixels."""

    names: Texts
    sha256: tuple[Sha256, ...]
    scores: tuple[FiniteFloat, ...]
    refused: dict[str, str]
    built_model: Texts
    files: Annotated[int, Field(ge=0)]
    repeated: Texts
    pictures: Texts


class KeptMeasurement(Closed):
    """`measured.json`. of: what was measured, as `fingerprint` tells it. camera: hash of the settings of the camera."""

    schema_version: Literal[1] = Field(1, alias="schema")
    of: Sha256
    camera: Sha256 | None
    backend: str
    version: str
    device: str
    precision: str
    has_map: bool
    good: KeptFrames
    bad: KeptFrames | None


def read_kept(folder: Path) -> KeptMeasurement | None:
    """What lies there; None if nothing does. ConfigError: damaged."""
    path = folder / DOCUMENT
    return validate(KeptMeasurement, read_json(path, MAX_DOCUMENT_BYTES), str(path)) if path.is_file() else None


def restored(folder: Path, recipe: Recipe, kept: KeptMeasurement, *, pixels: bool = True) -> Measurements:
    """As it was measured. pixels: False leaves them out, where the scores alone are needed. ConfigError: they are gone."""
    found = _pixels(folder / PIXELS) if kept.has_map and pixels else None
    identity = EngineIdentity(kept.backend, kept.version, kept.device, kept.precision)
    bad = None if kept.bad is None else _measured(kept.bad, np.empty(0, np.float32))
    return Measurements(recipe, identity, _measured(kept.good, found), bad)


def write_kept(folder: Path, found: Measurements, of: str, camera: str | None) -> None:
    """Put it there in place of what was. ConfigError: the disk refuses, and then nothing is there."""
    identity = found.identity
    fields = {
        "schema": 1, "of": of, "camera": camera, "backend": identity.backend, "version": identity.version,
        "device": identity.device, "precision": identity.precision, "has_map": found.good.pixels is not None,
        "good": _kept(found.good), "bad": None if found.bad is None else _kept(found.bad),
    }  # fmt: skip
    document = validate(KeptMeasurement, fields, str(folder))
    try:
        # The document comes last: without it nothing was measured.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if found.good.pixels is not None:
            with replacing(folder / PIXELS, mode=0o640) as file:
                np.save(file, found.good.pixels, allow_pickle=False)
        text = json.dumps(document.model_dump(mode="json", by_alias=True), allow_nan=False)
        replace_file(folder / DOCUMENT, text.encode(), mode=0o640)
    except OSError as error:
        message = f"what was measured cannot be written ({error.strerror or error})"
        raise ConfigError(message, where=str(folder), remedy="free the disk, then measure again") from None


def _kept(measured: Measured) -> dict[str, Any]:
    names = ("names", "sha256", "scores", "refused", "built_model", "files", "repeated", "pictures")
    return {name: getattr(measured, name) for name in names}


def _measured(kept: KeptFrames, pixels: MapF32 | None) -> Measured:
    return Measured(
        kept.names, kept.sha256, kept.scores, pixels, dict(kept.refused), kept.built_model, kept.files, kept.repeated,
        kept.pictures,
    )  # fmt: skip


def _pixels(path: Path) -> MapF32:
    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read ({error})", where=str(path), remedy="measure the frames again") from None
    if found.dtype != np.float32 or found.ndim != 1:
        raise ConfigError("is not what was measured", where=str(path), remedy="measure the frames again")
    pixels: MapF32 = found
    return pixels
