"""What a threshold is chosen from: the measured frames, the method that a form asks for, and the line within its band."""

from __future__ import annotations

from typing import Final

from calibration.web.pages.calibrate_doors import Refused, Visit
from calibration.web.pages.calibrate_turn import Turn
from calibration.web.pages.calibrate_words import shortage_line
from calibration.web.wizard.candidate import setup_of
from calibration.web.wizard.choosing import KINDS, Choice, Method, Setup, choose, moved
from calibration.web.wizard.digits import digits_for, meant, written
from calibration.web.wizard.measuring import measurement
from calibration.web.wizard.shortage import Shortage, shortage
from edge.errors import ConfigError, LineclearError
from edge.schema import validate

__all__ = [
    "PARAMETERS", "base_of", "choice_or_why", "digits_for", "lack_of", "line_at", "line_in_field", "method_of", "need_setup",
    "parameter_of", "setup_if_any", "written",
]  # fmt: skip

PARAMETERS: Final[dict[str, tuple[str, float, float]]] = {
    "quantile": ("quantile", 0.95, 0.999), "sigma": ("sigma", 0, 100), "conformal": ("alpha", 1e-4, 0.5),
    "extreme": ("rate", 1e-6, 0.05), "cost": ("miss_cost", 1e-6, 1e9),
}  # fmt: skip
"""Of each method the one parameter that a person may want to change, from and to; the rest are defaults."""


def setup_if_any(turn: Turn) -> Setup | None:
    """Without the pixels of the maps: the image threshold and its promise do not need them, and they are many."""
    kept = measurement(turn.bench, turn.state)
    return setup_of(turn.bench, turn.state, kept, turn.headroom, pixels=False) if kept is not None else None


def need_setup(turn: Turn) -> Setup:
    """Refused: the frames are not measured."""
    setup = setup_if_any(turn)
    if setup is None:
        raise Refused("calibrate.not_measured", 409)
    return setup


def choice_or_why(visit: Visit, setup: Setup, method: Method, image: float | None) -> tuple[Choice | None, str]:
    """The choice, or why the method cannot work with these frames."""
    try:
        return choose(setup, method, image), ""
    except LineclearError:
        return None, shortage_line(visit.t, lack_of(setup, method))


def base_of(visit: Visit, setup: Setup, method: Method) -> Choice:
    """Where the method puts the line. Refused: it cannot, and why."""
    try:
        return choose(setup, method, None)
    except ConfigError:
        why = shortage_line(visit.t, lack_of(setup, method))
        raise Refused(f"{visit.t(f'calibrate.method.{method.kind}')}: {why}", 422) from None


def line_at(setup: Setup, base: Choice, image: float) -> Choice:
    """With the line there. Refused: outside the band, and from where to where that is."""
    if not base.allows(image):
        digits = digits_for(base.low, base.high)
        text = {"value": image, "low": base.low, "high": base.high}
        raise Refused("calibrate.line_outside", 409, **{name: written(number, digits) for name, number in text.items()})
    return moved(setup, base, image)


def line_in_field(base: Choice, image: float, exact: float | None) -> float:
    """The number that a field with `image` means; exact: what it was short for when nobody had touched it."""
    known = (exact,) if exact is not None else ()
    return meant(image, digits_for(base.low, base.high), (*known, base.base.image_threshold, base.band.low, base.band.high))


def lack_of(setup: Setup, method: Method) -> Shortage:
    """What this method misses in these frames."""
    bad = setup.found.bad
    return shortage(method, len(setup.found.good.scores), len(bad.scores) if bad is not None else 0)


def parameter_of(method: Method) -> tuple[float, float, float] | None:
    """Its value, from and to; None for a method without one."""
    if method.kind not in PARAMETERS:
        return None
    name, low, high = PARAMETERS[method.kind]
    return getattr(method, name), low, high


def method_of(visit: Visit, kind: str, parameter: float | None) -> Method:
    """As a form asks for it. Refused: no such method, or its parameter is out of range."""
    if kind not in KINDS:
        raise Refused("calibrate.no_such_method", 422)
    if kind not in PARAMETERS or parameter is None:
        return validate(Method, {"kind": kind}, "method")
    name, low, high = PARAMETERS[kind]
    if not low <= parameter <= high:
        words = {"name": visit.t(f"calibrate.parameter.{kind}"), "low": f"{low:g}", "high": f"{high:g}"}
        raise Refused("calibrate.parameter_outside", 422, **words)
    return validate(Method, {"kind": kind, name: parameter}, "method")
