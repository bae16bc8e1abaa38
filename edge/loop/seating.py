"""What a view is made of: its camera, which stays, and what judges it, which a changeover replaces as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.cameras.base import Camera
from edge.engines.base import Engine
from edge.pipeline import ViewPipeline
from edge.settings.triggers import TriggerSettings
from edge.types import Judgement, Origin, ReasonCode
from edge.verdict import undecided


@dataclass(frozen=True, eq=False)
class Seating:
    """What judges one view: the names of its parts, and its pipeline, or why it has none.

    make_pipeline gets the opened engine of `engine_key`; it is called in the judge's thread, which owns every engine.
    blocked: why no frame of this view can be judged (its recipe or its engine), None if it can. product: what it was
    selected for, "" where it is for any. engine_fallbacks: the better engines of `auto` that could not be had, and why.
    """

    origin: Origin
    engine_key: str = ""
    make_pipeline: Callable[[Engine], ViewPipeline] | None = None
    blocked: Judgement | None = None
    pipeline: ViewPipeline | None = None
    product: str = ""
    engine_fallbacks: tuple[str, ...] = ()

    @property
    def why_not(self) -> Judgement | None:
        """Why nothing of this view can be decided: its recipe or engine, a card that is missing or stale, or no judge."""
        if self.blocked is None and self.pipeline is None and self.make_pipeline is not None:
            return undecided(ReasonCode.INTERNAL, "its engine is not open: the judge is starting, or failed: see the log")
        return self.blocked or (self.pipeline.blocked if self.pipeline is not None else None)

    @property
    def parity_warning(self) -> str:
        """What speaks against this engine without forbidding it: nobody compared it with the float32 model. "" if nothing."""
        return self.pipeline.parity.warns if self.pipeline is not None else ""


@dataclass
class ViewSetup:
    """One view, ready to run. drains, checks_frozen: see Grabber. `seating` is replaced whole, so that any thread reads one
    state of it. adjusted: what is set of its camera otherwise than in the config. frames_from_ns: host monotonic ns; what
    was grabbed before was grabbed with other camera settings, and is not judged. pictures_trouble: what is wrong with the
    pictures that its camera gives, "" if nothing is.
    """

    name: str
    camera: Camera
    trigger: TriggerSettings
    seating: Seating
    drains: bool = True
    checks_frozen: bool = False
    pictures_trouble: Callable[[], str] = str
    adjusted: Mapping[str, float] = field(default_factory=dict)
    frames_from_ns: int = 0

    @property
    def origin(self) -> Origin:
        """Names of the parts in use, for the verdict."""
        return self.seating.origin

    @property
    def blocked(self) -> Judgement | None:
        """Why no frame of this view can be judged at present; None if it can."""
        return self.seating.blocked

    @property
    def pipeline(self) -> ViewPipeline | None:
        """What measures and judges its frames; None while the view is blocked."""
        return self.seating.pipeline

    @property
    def product(self) -> str:
        """The product that its recipe is for: as the recipe says, else as it was selected by its path; "" for any."""
        seating = self.seating
        return (seating.pipeline.recipe.product if seating.pipeline is not None else seating.origin.product) or seating.product
