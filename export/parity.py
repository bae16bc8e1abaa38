"""Whether an engine judges as the float32 model does: run on the same frames, compared, held to the family's limits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge.bundle import Bundle
from edge.engines.agreement import Scale, Tally
from edge.engines.base import Engine, EngineIdentity
from edge.engines.golden import ParityFailed, measure
from edge.engines.gpus import EngineUnavailable
from edge.engines.parity_limits import limits_of
from edge.errors import BundleError, ConfigError, EngineFault
from edge.recipe import CardEngine, ParityComparison, ParityLine, ParityReport, Recipe
from edge.settings.engines import Precision
from export.parity_half import half_lines
from export.parity_looking import Looked, frames_of, look

__all__ = ["Side", "Subject", "compare", "report_of"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Subject:
    """What is compared: a bundle, on the frames of a recipe (its challenge) and of a folder."""

    bundle: Bundle
    recipe: Recipe | None = None
    images: Path | None = None

    @property
    def where(self) -> str:
        """For messages: where its frames are from."""
        return str(self.images or (self.recipe.path if self.recipe is not None else self.bundle.path))

    @property
    def lacks(self) -> str:
        """Why no verdict of the recipe can be compared, "" if it can or there is no recipe."""
        if self.recipe is None:
            return ""
        if self.recipe.card is None:
            return "verdicts: the recipe has no thresholds (lineclear-calibrate thresholds)"
        if frames_of(self.recipe, self.images):
            return ""
        return "verdicts: the recipe has no challenge frames (lineclear-calibrate challenge), and no --images were given"


@dataclass(frozen=True, eq=False)
class Side:
    """One of two engines. make: not entered yet. bundle: its own, which is another one where two bundles are compared."""

    name: str
    precision: Precision
    bundle: Bundle
    make: Callable[[], Engine]


def compare(subject: Subject, base: Side, other: Side | None, progress: Progress) -> ParityComparison:
    """Run both and compare; other None: the base alone, against its golden vectors.

    An engine that fails is a comparison with a `problem`, one that fails its golden vectors has a line that says by how much.
    EngineUnavailable: nothing was tried. EngineFault, BundleError: of the base itself, so that nothing can be compared.
    """
    card = subject.recipe.card if subject.recipe is not None else None
    with ExitStack() as stack:
        first = stack.enter_context(base.make())
        same = _Fields(subject.bundle.content_hash, card.sha256 if card else None, _card_engine(first.identity))
        if other is None:
            return same.comparison(first.identity, {"golden": _vectors(base.bundle)}, lines=(_golden(first, base),))
        second = other.make()
        golden = {"golden": _vectors(other.bundle)}
        try:
            stack.enter_context(second)
            lines, looked = _measured(subject, first, second, other, progress)
        except EngineUnavailable:
            raise
        except ParityFailed as error:
            return same.comparison(second.identity, golden, problem=str(error), lines=_golden_lines(error))
        except (EngineFault, BundleError) as error:
            return same.comparison(second.identity, {}, problem=str(error))
        builds = tuple(plan.key.name for plan in getattr(second, "plans", ()))
        frames: dict[str, int] = {**golden, **{str(source): count for source, count in looked.frames.items()}}
        return same.comparison(second.identity, frames, lines=lines, refused=len(looked.refused), builds=builds)


def report_of(
    subject: Subject, comparisons: tuple[ParityComparison, ...], missing: tuple[str, ...], who: str, why: str
) -> ParityReport:
    """The document of these comparisons, sealed."""
    return ParityReport.sealed(
        schema=1,
        bundle=subject.bundle.name,
        bundle_hash=subject.bundle.content_hash,
        comparisons=comparisons,
        missing=missing,
        limits=limits_of(subject.bundle.manifest.family).why,
        who=who,
        when=datetime.now(timezone.utc),
        why=why,
    )


def _measured(
    subject: Subject, first: Engine, second: Engine, other: Side, progress: Progress
) -> tuple[tuple[ParityLine, ...], Looked]:
    manifest, card = subject.bundle.manifest, subject.recipe.card if subject.recipe is not None else None
    limits = limits_of(manifest.family)
    allowed = manifest.limits.float32 if other.precision == "float32" else manifest.limits.float16
    tally = Tally(Scale.of(card) if card is not None else None, limits, (allowed.atol, allowed.rtol))
    shown = frames_of(subject.recipe, subject.images)
    looked = look(
        shown,
        (first, second),
        subject.bundle,
        subject.recipe,
        lambda source, name, here, there: tally.add(f"{source}/{name}", here, there),
        progress,
    )
    if shown and not len(tally):
        name, why = next(iter(looked.refused.items()))
        message = f"none of {len(shown)} frames can be compared, first {name}: {why}"
        raise ConfigError(message, where=subject.where, remedy="give frames of the recipe's view, as its camera gives them")
    return (_golden(second, other), *tally.lines(), *half_lines(second, other.bundle, other.precision, limits)), looked


def _golden(engine: Engine, side: Side) -> ParityLine:
    found = measure(engine.infer, side.bundle, side.precision)
    detail = f"vector {found.vector}, {found.output}: off by {found.error:.4g}, limit {found.limit:.4g}"
    return _line_of(found.ratio, detail)


def _golden_lines(error: ParityFailed) -> tuple[ParityLine, ...]:
    return () if error.report is None else (_line_of(error.report.ratio, error.message),)


def _line_of(ratio: float, detail: str) -> ParityLine:
    value = ratio if ratio < float("inf") else None
    return ParityLine(measure="golden", value=value, limit=1.0, unit="times the bundle's limit", detail=detail)


def _vectors(bundle: Bundle) -> int:
    return len(bundle.golden()[0])


def _card_engine(identity: EngineIdentity) -> CardEngine:
    return CardEngine(backend=identity.backend, version=identity.version, device=identity.device, precision=identity.precision)


@dataclass(frozen=True)
class _Fields:
    """What every outcome of one comparison shares."""

    bundle_hash: str
    card: str | None
    baseline: CardEngine

    def comparison(self, candidate: EngineIdentity, frames: dict[str, int], **fields: Any) -> ParityComparison:
        """Made now."""
        shown = str(fields.pop("problem", ""))[:2000]
        return ParityComparison.model_validate(
            {
                "baseline": self.baseline,
                "candidate": _card_engine(candidate),
                "bundle_hash": self.bundle_hash,
                "card": self.card,
                "frames": frames,
                "problem": shown,
                "at": datetime.now(timezone.utc),
                **fields,
            }
        )
