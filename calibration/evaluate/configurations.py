"""The eight ways to judge that the line-clearance study compared: when to mask, whether to mask, whether to register."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Timing = Literal["post", "pre"]


@dataclass(frozen=True)
class Configuration:
    """One of the eight.

    timing pre: masked pixels never enter the model's statistics (a graph with the input `keep` is told so) nor the
    smoothing; this is what the station does. post: the map is computed and smoothed as if there were no mask, then the
    masked pixels are set aside. masked False: the recipe's masks are left out, of the registration too; then pre and
    post are the same. registered False: the frame is taken as it is (identity), without any gate, as the study had it.
    """

    timing: Timing
    masked: bool
    registered: bool

    @property
    def code(self) -> str:
        """As the study's tables head their columns: `PO+M+R`."""
        return f"{'PRE' if self.timing == 'pre' else 'PO'}+{'M' if self.masked else 'NM'}+{'R' if self.registered else 'NR'}"

    @property
    def words(self) -> str:
        """For people: `pre-masking, masks, registration`."""
        masks = "masks" if self.masked else "no mask"
        return f"{self.timing}-masking, {masks}, {'registration' if self.registered else 'no registration'}"

    def measured_as(self, has_masks: bool) -> Configuration:
        """The configuration that gives the same figures and is the one that is measured."""
        return self if self.masked and has_masks else Configuration("pre", False, self.registered)


EIGHT: Final = tuple(
    Configuration(timing, masked, registered)
    for timing in ("post", "pre")
    for registered in (True, False)
    for masked in (True, False)
)
"""In the order of the study's tables."""

STATION: Final = Configuration("pre", masked=True, registered=True)
"""How the station judges."""
