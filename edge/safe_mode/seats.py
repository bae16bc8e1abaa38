"""Seats on which nobody judges."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from edge.bundle import Bundle
from edge.changeover import PATTERN, Place, Seats
from edge.errors import EngineFault
from edge.loop import EngineOffer, Seating
from edge.types import Origin, ReasonCode
from edge.verdict import undecided


def _no_engine(bundle: Bundle) -> NoReturn:
    raise EngineFault("no engine is opened in safe mode", where=bundle.name)


class SafeSeats(Seats):
    """Every view is UNDECIDED(safe_mode), whatever product is selected; no recipe is read and no engine opened."""

    def __init__(self, places: tuple[Place, ...], why: str) -> None:
        """why: for the verdicts."""
        super().__init__(places, _no_engine)
        self._blocked = undecided(ReasonCode.SAFE_MODE, why)

    def all(self, product: str) -> tuple[dict[str, Seating], dict[str, EngineOffer]]:
        """As Seats.all; nothing can be judged."""
        return {view: Seating(self._origin(place, product), blocked=self._blocked) for view, place in self.places.items()}, {}

    def build(self, product: str) -> None:
        """There is nothing to build."""

    @staticmethod
    def _origin(place: Place, product: str) -> Origin:
        recipe = Path(place.recipe.replace(PATTERN, product)).name
        return Origin(place.view, 0, None, None, camera=place.camera, product=product, recipe=recipe)
