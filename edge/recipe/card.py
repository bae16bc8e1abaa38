"""The threshold card: the thresholds of a view with everything needed to believe them, and what makes it stale."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    AwareDatetime,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from typing_extensions import Self

from edge.recipe.document import Person, Sentence, Sha256, hash_of
from edge.schema import Closed
from edge.settings.judging import Limits, ScoreRule

Share = Annotated[float, Field(ge=0, le=1)]
MethodName = Literal["max", "quantile", "sigma", "conformal", "extreme", "cost"]
_FIRST_METHODS = frozenset({"max", "quantile", "sigma"})


class _Grown(Closed):
    """A part of the card that got fields after cards were in use.

    A later field is None where it says nothing, and is then left out of the file: the hash of an older card holds.
    """

    @model_serializer(mode="wrap")
    def _without_unused_later_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not None or name not in _LATER_FIELDS}


_LATER_FIELDS = frozenset({"alpha", "rate", "miss_cost", "bad_share", "interval", "fit", "bad", "pixel_threshold", "pixel"})


class CardEngine(Closed):
    """What made the scores; field by field an `EngineIdentity`."""

    backend: str
    version: str
    device: str
    precision: str

    def __str__(self) -> str:
        return f"{self.backend}-{self.version} {self.device} {self.precision}"


class Hashes(Closed):
    """What the thresholds were taken with. None: unknown, and then not compared."""

    bundle: Sha256
    reference: Sha256
    masks: Sha256
    registration: Sha256
    score_rule: Sha256
    camera: Sha256 | None = None


class Histogram(Closed):
    """counts[i] scores lie in edges[i]..edges[i + 1]."""

    edges: tuple[FiniteFloat, ...] = Field(min_length=2, max_length=1001)
    counts: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.edges) != len(self.counts) + 1 or list(self.edges) != sorted(self.edges):
            raise ValueError("a histogram has one more edge than counts, in rising order")
        return self


class Figures(Closed):
    """A summary of values. p99, p999: the 99 and 99.9 % quantiles."""

    count: int = Field(ge=1)
    min: FiniteFloat
    median: FiniteFloat
    p99: FiniteFloat
    p999: FiniteFloat
    max: FiniteFloat
    mean: FiniteFloat
    std: FiniteFloat = Field(ge=0)
    histogram: Histogram


class Parameters(_Grown):
    """How the thresholds follow from the scores; docs/thresholds.md has the formulas. None: not used by the method.

    alpha: the rate that conformal promises. rate: the rate that extreme aims at. miss_cost: false alarms that one miss is
    worth, and bad_share: the share of bad frames on the line, of cost.
    """

    quantile: float | None = Field(None, gt=0, lt=1)
    sigma: FiniteFloat | None = Field(None, ge=0)
    margin: FiniteFloat = Field(0.0, ge=0)
    alpha: float | None = Field(None, gt=0, lt=1)
    rate: float | None = Field(None, gt=0, lt=1)
    miss_cost: FiniteFloat | None = Field(None, gt=0)
    bad_share: float | None = Field(None, gt=0, lt=1)


class FalseAlarms(_Grown):
    """What this many good frames say of the share of good frames that will be alarmed.

    expected: the mean. low, high: two-sided interval at `confidence`. bound: the least rate that this many frames could
    rule out, one-sided at `confidence`. Exact for exchangeable frames, before any margin, which only lowers the rate.
    above: calibration frames whose own score is above the threshold. interval "bootstrap": expected, low and high are
    those of a fitted tail; the bound never leans on a model.
    """

    expected: Share
    low: Share
    high: Share
    bound: Share
    confidence: float = Field(0.95, gt=0, lt=1)
    above: int = Field(0, ge=0)
    interval: Literal["bootstrap"] | None = None


class TailFit(Closed):
    """A generalised Pareto distribution fitted to what the image scores have beyond `start`.

    exceedances: how many scores that is. anderson_darling: the distance of fit and scores; p_value: the share of samples
    of the fitted tail itself that lie as far from their own fit (parametric bootstrap of `bootstraps` samples).
    """

    start: FiniteFloat
    exceedances: int = Field(ge=1)
    shape: FiniteFloat
    scale: FiniteFloat = Field(gt=0)
    anderson_darling: FiniteFloat
    p_value: Share
    bootstraps: int = Field(ge=1)


class Optimum(Closed):
    """The threshold of least expected cost between good and bad frames, with its bootstrap interval at 95 %.

    cost_per_1000: in false alarms, for 1000 frames of the line. alarmed: good frames above it; missed: bad ones not above.
    """

    threshold: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    cost_per_1000: FiniteFloat = Field(ge=0)
    miss_cost: FiniteFloat = Field(gt=0)
    bad_share: float = Field(gt=0, lt=1)
    alarmed: int = Field(ge=0)
    missed: int = Field(ge=0)


class BadFrames(Closed):
    """What the labelled bad frames say of the card's image threshold. scores: rising.

    missed: those not above it; low, high: Clopper-Pearson interval of the share of misses at 95 %. optimum: None where
    the scores do not tell the two kinds apart.
    """

    frames: int = Field(ge=1, le=100_000)
    scores: tuple[FiniteFloat, ...]
    frame_sha256: tuple[Sha256, ...]
    missed: int = Field(ge=0)
    low: Share
    high: Share
    optimum: Optimum | None = None
    refused: dict[str, str] = Field({}, max_length=100_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not len(self.scores) == len(self.frame_sha256) == self.frames:
            raise ValueError("scores, frame_sha256 and frames of the bad frames disagree")
        return self


class ThresholdCard(_Grown):
    """`card.json`. scores: the image scores of the frames, rising. sha256: of everything else on the card, so that a
    number changed by hand is noticed. before: sha256 of the card that this one replaced.

    Schema 2 has more methods, the fit of a tail, and bad frames; schema 3 is of a bundle that gives no map, and so has no
    pixel_threshold and no pixels. Cards of earlier schemas stay readable and in force.
    """

    schema_version: Literal[1, 2, 3] = Field(1, alias="schema")
    view: str
    method: MethodName
    parameters: Parameters
    image_threshold: FiniteFloat
    pixel_threshold: FiniteFloat | None = None
    frames: int = Field(ge=1, le=100_000)
    scores: tuple[FiniteFloat, ...]
    image: Figures
    pixel: Figures | None = None
    false_alarms: FalseAlarms
    fit: TailFit | None = None
    bad: BadFrames | None = None
    score_rule: ScoreRule
    hashes: Hashes
    engine: CardEngine
    frame_sha256: tuple[Sha256, ...]
    refused: dict[str, str] = Field({}, max_length=100_000)
    who: Person
    when: AwareDatetime
    why: Sentence
    before: Sha256 | None = None
    sha256: Sha256

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> Self:
        if not len(self.scores) == len(self.frame_sha256) == self.frames:
            raise ValueError("scores, frame_sha256 and frames disagree")
        later = self.method not in _FIRST_METHODS or self.fit is not None or self.bad is not None
        if self.schema_version == 1 and later:
            raise ValueError(f"schema 1 knows neither method {self.method!r} nor a fit nor bad frames")
        if (self.pixel_threshold is None) != (self.schema_version == 3) or (self.pixel is None) != (self.schema_version == 3):
            raise ValueError("a card has a pixel threshold and pixels, or is of schema 3 and has neither")
        sealing = bool(info.context and info.context.get("sealing"))
        if not sealing and self.sha256 != self.content_hash():
            raise ValueError("the card was changed after it was made: take new thresholds, or restore the file")
        return self

    @classmethod
    def sealed(cls, **fields: Any) -> ThresholdCard:
        """A card of these fields with its own hash. ValidationError if a field is wrong."""
        draft = cls.model_validate({**fields, "sha256": "0" * 64}, context={"sealing": True})
        return draft.model_copy(update={"sha256": draft.content_hash()})

    def content_hash(self) -> str:
        """SHA-256 over the canonical JSON of everything but `sha256`."""
        return hash_of(self.model_dump(mode="json", by_alias=True, exclude={"sha256"}))

    @property
    def headroom(self) -> float:
        """How far the image threshold lies above the highest score of a good frame; below 0 where it condemns some."""
        return self.image_threshold - self.scores[-1]

    def limits(self, min_area_px: float = 0.0) -> Limits:
        """What a frame is held to."""
        return Limits(image_threshold=self.image_threshold, pixel_threshold=self.pixel_threshold, min_area_px=min_area_px)


class _Identity(Protocol):
    """An `EngineIdentity`; the type itself lives above this layer."""

    @property
    def backend(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def precision(self) -> str: ...


class _Hashed(Protocol):
    """A `Recipe`, as far as a card needs it."""

    @property
    def hashes(self) -> Hashes: ...
    @property
    def view(self) -> str: ...


def stale(
    card: ThresholdCard, recipe: _Hashed, engine: _Identity | None = None, camera_settings_hash: str | None = None
) -> tuple[str, ...]:
    """What the card no longer matches, one phrase each; empty if it holds. None for engine or camera: not compared."""
    found = [] if card.view == recipe.view else [f"the card is of view {card.view!r}"]
    running = recipe.hashes.model_copy(update={"camera": camera_settings_hash})
    for name in Hashes.model_fields:
        then, now = getattr(card.hashes, name), getattr(running, name)
        if then != now and then is not None and now is not None:
            found.append(f"the {_WORDS[name]} changed since the thresholds were taken")
    if engine is not None:
        for part in ("backend", "device", "precision"):
            then, now = getattr(card.engine, part), getattr(engine, part)
            if then != now:
                found.append(f"the engine's {part} was {then}, now {now}")
    return tuple(found)


_WORDS = {
    "bundle": "bundle",
    "reference": "reference image",
    "masks": "masks",
    "registration": "registration settings",
    "score_rule": "score rule",
    "camera": "camera settings",
}
