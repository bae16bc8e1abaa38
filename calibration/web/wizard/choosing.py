"""From measured frames to a card: the method, and the line that a person may drag within what the frames support."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from calibration.comparison import Compared, all_methods, compare
from calibration.methods import KINDS, Method
from calibration.thresholds import Measurements, Signature, make_card
from calibration.web.wizard.state import WizardState
from edge.commands.band import Wanted, image_band, with_thresholds
from edge.commands.results import Band
from edge.errors import ConfigError
from edge.recipe import ThresholdCard

__all__ = [
    "KINDS", "Choice", "Method", "Setup", "choice_hash", "choose", "moved", "nearest_within",
    "need_method", "side_by_side", "signed",
]  # fmt: skip

PREVIEW = Signature(who="preview", why="not saved")


@dataclass(frozen=True, eq=False)
class Choice:
    """A card that is not in force. base: as the method gave it; card: with the line where it was dragged to.

    band: what the image threshold may be dragged to, the same as the station's own threshold command allows.
    """

    base: ThresholdCard
    card: ThresholdCard
    band: Band

    @property
    def low(self) -> float:
        """The lowest place of the line: of the band, or where the method put it if that is lower."""
        return min(self.band.low, self.base.image_threshold)

    @property
    def high(self) -> float:
        """The highest place."""
        return max(self.band.high, self.base.image_threshold)

    def allows(self, image: float) -> bool:
        """Whether the line may be there."""
        return self.band.low <= image <= self.band.high or image == self.base.image_threshold

    @property
    def is_dragged(self) -> bool:
        """The line is not where the method put it."""
        return self.card.image_threshold != self.base.image_threshold


@dataclass(frozen=True, eq=False)
class Setup:
    """What a choice is made from. camera: hash of the camera settings of the card; headroom: of the station's config."""

    found: Measurements
    camera: str | None
    headroom: float


def choose(setup: Setup, method: Method, image: float | None, signature: Signature = PREVIEW) -> Choice:
    """The card of a method, with the image threshold at `image` where that is given.

    ConfigError: the method cannot work with these frames. Refused: outside the band.
    """
    found = setup.found
    base = make_card(found.recipe, found.good, method, signature, found.identity, setup.camera, found.bad)
    choice = Choice(base, base, image_band(base, base, setup.headroom))
    return choice if image is None else moved(setup, choice, image)


def moved(setup: Setup, choice: Choice, image: float) -> Choice:
    """The same with the line elsewhere. Refused: outside the band."""
    base = choice.base
    if image == base.image_threshold:
        return Choice(base, base, choice.band)
    wanted = Wanted(image, None, base.who, base.when, base.why)
    card = with_thresholds(base, base, wanted, setup.headroom)
    # A pixel threshold outlines what the image threshold found: it never lies above it, where both have one unit.
    pixel = card.pixel_threshold
    if pixel is not None and setup.found.recipe.score_rule.kind != "graph":
        pixel = min(pixel, card.image_threshold)
    return Choice(base, _sealed(card, before=base.before, pixel_threshold=pixel), choice.band)


def signed(card: ThresholdCard, signature: Signature, when: datetime) -> ThresholdCard:
    """The same card with the name of who accepts it."""
    return _sealed(card, who=signature.who, why=signature.why, when=when)


def choice_hash(state: WizardState, of: str) -> str:
    """Of everything that the choice's card follows from; `of`: the fingerprint of what was measured."""
    method = state.method.model_dump(mode="json") if state.method is not None else None
    text = json.dumps([of, method, state.image_threshold], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def side_by_side(found: Measurements, like: Method) -> tuple[Compared, ...]:
    """Every method on these frames, also those that refuse."""
    return compare(found, all_methods(like))


def nearest_within(choice: Choice, image: float) -> float:
    """The place in the band next to where the line was dragged."""
    return min(max(image, choice.band.low), choice.band.high)


def need_method(state: WizardState) -> Method:
    """ConfigError before one was chosen."""
    if state.method is None:
        raise ConfigError("no thresholds are chosen yet", where=state.view, remedy="choose a method first")
    return state.method


def _sealed(card: ThresholdCard, **changes: object) -> ThresholdCard:
    fields = card.model_dump(by_alias=True, exclude={"sha256"})
    return ThresholdCard.sealed(**{**fields, **changes})
