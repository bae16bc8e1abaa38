"""What of a camera may be set while the station runs, and how far: limits in a view's settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field, FiniteFloat, WithJsonSchema

from edge.schema import Closed

UNITS: Final[Mapping[str, str]] = {"exposure_us": "µs", "gain_db": "dB"}


def _known(name: str) -> str:
    if name not in UNITS:
        raise ValueError(f"{name[:40]!r} is nothing of a camera that can be adjusted: write {' or '.join(UNITS)}")
    return name


FeatureName = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(UNITS)})]
Limits = tuple[FiniteFloat, FiniteFloat]
Adjustable = Annotated[dict[FeatureName, Limits], Field(max_length=2)]


def numbers_of(camera: Closed, names: Mapping[str, object]) -> dict[str, float]:
    """Those of the named settings that this camera has a value for."""
    found = {name: getattr(camera, name, None) for name in names}
    return {name: float(value) for name, value in found.items() if value is not None}


def limit_problems(camera: Closed, adjustable: Mapping[str, Limits]) -> Iterator[str]:
    """One phrase for each thing that is wrong with the limits themselves."""
    own = numbers_of(camera, adjustable)
    for name, (low, high) in adjustable.items():
        if not hasattr(camera, name):
            yield f"{name}: a camera of kind {getattr(camera, 'kind', '')} has no such setting: take it out"
        elif low > high:
            yield f"{name}: {low:g} is above {high:g}: write the lower limit first"
        elif name == "exposure_us" and low <= 0:
            yield f"{name}: an exposure of {low:g} is none: write a lower limit above 0"
        elif name not in own:
            yield f"{name}: the camera's own is missing, to which a person can go back: write camera: {{{name}: NUMBER}}"
        elif not low <= own[name] <= high:
            yield f"{name}: the camera's own {own[name]:g} lies outside {low:g} to {high:g}: correct one of them"


def value_problems(adjustable: Mapping[str, Limits], wanted: Mapping[str, float]) -> Iterator[str]:
    """One phrase for each value that may not be set."""
    for name, value in wanted.items():
        if name not in adjustable:
            known = ", ".join(adjustable) or "nothing of this camera"
            yield f"{name} may not be set here: {known} may (`adjustable` in the station's config)"
        elif not adjustable[name][0] <= value <= adjustable[name][1]:  # NaN is outside, too
            low, high = adjustable[name]
            yield f"{name}: {value:g} lies outside {low:g} to {high:g} {UNITS[name]}"
