"""What can be asked for: the method, its parameters, and the margin that few frames need."""

from __future__ import annotations

import math
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, FiniteFloat

from edge.errors import ConfigError
from edge.recipe import Parameters
from edge.schema import Closed

Values = NDArray[np.floating]
MethodKind = Literal["max", "quantile", "sigma", "conformal", "extreme", "cost"]
KINDS: Final[tuple[MethodKind, ...]] = get_args(MethodKind)

MIN_FRAMES = 5
MARGIN_AT_MIN_FRAMES = 5.0
SPREAD_FLOOR = 0.1
_MAD_TO_SIGMA = 1.4826


class Method(Closed):
    """How thresholds are taken; each parameter belongs to the method of its name.

    quantile: p as a share, 0.95 to 0.999. sigma: k. alpha: the false-alarm rate that conformal promises. rate: the one
    that extreme aims at. miss_cost, bad_share: of cost, how many false alarms one miss is worth and the share of frames
    on the line that are bad. margin: in spreads, on top of the base; None: the method's default (`margin_for`).
    """

    kind: MethodKind
    quantile: float = Field(0.995, ge=0.95, le=0.999)
    sigma: FiniteFloat = Field(3.0, ge=0, le=100)
    alpha: float = Field(0.01, ge=1e-4, le=0.5)
    rate: float = Field(0.001, ge=1e-6, le=0.05)
    miss_cost: FiniteFloat = Field(100.0, gt=0, le=1e9)
    bad_share: float = Field(0.01, gt=0, lt=1)
    margin: FiniteFloat | None = Field(None, ge=0, le=1000)

    def margin_for(self, count: int) -> float:
        """The margin in force. By default 5 spreads at 5 frames for quantile, falling with the root of their number (2.5 at
        20, 1.1 at 100), and none for the others, which are what the literature calls so.
        """
        if self.margin is not None:
            return self.margin
        return MARGIN_AT_MIN_FRAMES * math.sqrt(MIN_FRAMES / count) if self.kind == "quantile" else 0.0

    @property
    def declared_rate(self) -> float:
        """The share of good frames that the method may alarm by its own declaration; 0: none of those it was made from."""
        return {"quantile": 1 - self.quantile, "conformal": self.alpha, "extreme": self.rate}.get(self.kind, 0.0)

    def parameters(self, count: int) -> Parameters:
        """What the card records: the parameters that the method uses."""
        uses = {"extreme": ("rate",), "cost": ("miss_cost", "bad_share"), "conformal": ("alpha",), "max": ()}
        names = uses.get(self.kind, (self.kind,))
        return Parameters(**{name: getattr(self, name) for name in names}, margin=self.margin_for(count))

    def __str__(self) -> str:
        told = {
            "quantile": f" {100 * self.quantile:g} %",
            "sigma": f" {self.sigma:g}",
            "conformal": f" {100 * self.alpha:g} %",
            "extreme": f" {1000 * self.rate:g}/1000",
            "cost": f" {self.miss_cost:g}:1",
        }
        return self.kind + told.get(self.kind, "")


def ordered(scores: ArrayLike, what: str = "good") -> NDArray[np.float64]:
    """The scores, rising, float64. ConfigError if there are none, or one is NaN or infinite."""
    values = np.asarray(scores, np.float64).ravel()
    if not values.size:
        raise ConfigError(f"there is no score of a {what} frame", remedy=f"give {what} frames that register and can be read")
    odd = int(np.count_nonzero(~np.isfinite(values)))
    if odd:
        message = f"{odd} of {values.size} scores of {what} frames are NaN or infinite"
        raise ConfigError(message, remedy="look at the bundle: prove it again with lineclear-export")
    return np.sort(values)


def spread(scores: Values) -> float:
    """The scaled median absolute deviation, but at least a tenth of the median: five lucky frames are not proof of calm."""
    values = np.asarray(scores, np.float64)
    median = float(np.median(values))
    return max(_MAD_TO_SIGMA * float(np.median(np.abs(values - median))), SPREAD_FLOOR * abs(median))
