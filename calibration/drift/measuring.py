"""Readings from a folder of frames, through the recipe's own engine."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from calibration.collect.condition import Yardstick
from calibration.drift.looking import with_condition, yardstick_of
from calibration.drift.readings import Reading, Readings, Span, in_order, shift_of
from calibration.progress import Progress, silent
from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.engines.base import Engine
from edge.errors import ConfigError, EngineFault, FrameError
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe
from edge.types import Alignment, ImageU8


def from_folder(
    recipe: Recipe, engine: Engine, folder: Path, span: Span, time_format: str = "", progress: Progress = silent
) -> Readings:
    """Measure the frames of a folder through an opened engine; natural order is taken for the order of time.

    time_format: how the file names begin, as strptime has it ("01_%y%m%d%H%M%S", taken as UTC); without it frames have no
    time. ConfigError: no image, or a name that does not begin so.
    """
    paths = good_images(folder)
    pipeline, yardstick = ViewPipeline(recipe, engine), yardstick_of(recipe)
    trained = frozenset(recipe.bundle.manifest.training.sha256)
    items: list[Reading] = []
    left_out: Counter[str] = Counter()
    seen: set[bytes] = set()
    for done, path in enumerate(paths, 1):
        at = _time_of(path, time_format) if time_format else None
        if span.since is None or at is None or at >= span.since:
            try:
                image = read_image(path)
                picture = hashlib.sha256(image.tobytes()).digest()
                if _digest(path) in trained:
                    left_out["built the model"] += 1
                elif picture in seen:
                    left_out["are the same picture as another"] += 1
                else:
                    reading = _measured(path.name, at, image, pipeline, yardstick)
                    items.append(reading)
                    left_out["gave no score that is a number"] += int(reading.score is None and reading.registered is True)
                seen.add(picture)
            except (FrameError, EngineFault):
                left_out["cannot be judged"] += 1
        progress(done, len(paths), path.name)
    return Readings(in_order(items), {why: count for why, count in left_out.items() if count}, True, span.per_group)


def _measured(name: str, at: datetime | None, image: ImageU8, pipeline: ViewPipeline, yardstick: Yardstick) -> Reading:
    alignment: Alignment = pipeline.align(image)
    reading = Reading(name, at, registered=alignment.trusted)
    if not alignment.trusted:
        return reading
    measurement = pipeline.measure(image, alignment)
    score = measurement.score if measurement.score is not None and np.isfinite(measurement.score) else None
    gates = {gate.name: gate.limit for gate in alignment.gates}
    reading = replace(
        reading,
        score=score,
        shift_xy=shift_of(alignment.frame_to_reference, pipeline.reference_size_wh),
        corner_px=alignment.corner_shift_px,
        gate_px=gates.get("shift_px"),
        similarity=alignment.similarity,
    )
    return with_condition(reading, image, alignment.frame_to_reference, yardstick)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FrameError(f"cannot be read ({error.strerror})", where=str(path), remedy="check the file") from None


def _time_of(path: Path, time_format: str) -> datetime:
    for end in range(len(path.name), 0, -1):
        try:
            return datetime.strptime(path.name[:end], time_format).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    raise ConfigError(f"does not begin with {time_format!r}", where=str(path), remedy="write --time-format as the names are")
