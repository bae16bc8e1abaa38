"""evaluate and sweep: a recipe, or several bundles, on labelled frames. Typed results, progress by callback, no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from calibration.evaluate.choosing import best_evaluation
from calibration.evaluate.plan import Options, Plan, plan_evaluation, plan_sweep
from calibration.evaluate.results import Evaluation, Sweep
from calibration.evaluate.samples import LabelledFrames
from calibration.evaluate.trial import carry_out, refused, steps_of
from calibration.progress import Progress, silent
from edge.bundle import Bundle
from edge.engines.base import Engine
from edge.errors import BundleError, EngineFault, RecipeError
from edge.recipe import Recipe

EngineOf = Callable[[Bundle], Engine]
"""Makes the engine of a bundle; it is opened and closed as a context manager."""


def evaluate(
    recipe: Recipe,
    tests: LabelledFrames,
    *,
    open_engine: EngineOf,
    good: Path | None = None,
    options: Options | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """The recipe as the station judges with it, on labelled frames: one configuration, PRE+M+R, its own registration.

    good: a folder of good frames to take thresholds from, beside those of the recipe's card. ConfigError: see
    `plan_evaluation`; a mask of another size than its image. BundleError, EngineFault: the engine cannot be opened.
    progress cancels by raising Cancelled.
    """
    plan = plan_evaluation(recipe, tests, good, options or Options())
    return _run((plan,), open_engine, progress)[0]


def sweep(
    recipe: Recipe,
    tests: LabelledFrames,
    *,
    good: Path,
    open_engine: EngineOf,
    bundles: Sequence[Bundle] = (),
    options: Options | None = None,
    progress: Progress = silent,
) -> Sweep:
    """The eight configurations of the line-clearance study, times the threshold methods, for each of the bundles.

    bundles: such as the checkpoints of one training, each with the recipe's reference, masks and registration; none: the
    recipe's own. Raises as `evaluate`, and RecipeError for a bundle that was built on another pose. Of several bundles, one
    that cannot be judged with (masks that its score would not heed, an engine that does not open or prove itself) ends
    nothing: its evaluation has no rows and says why.
    """
    plans = plan_sweep(recipe, tests, good, bundles, options or Options())
    evaluations = _run(plans, open_engine, progress)
    return Sweep(evaluations, best_evaluation(evaluations))


def _run(plans: Sequence[Plan], open_engine: EngineOf, progress: Progress) -> tuple[Evaluation, ...]:
    total = sum(map(steps_of, plans))
    done = 0

    def step(what: str) -> None:
        nonlocal done
        done += 1
        progress(done, total, what)

    evaluations = []
    for plan in plans:
        before = done
        try:
            with open_engine(plan.recipe.bundle) as engine:
                evaluations.append(carry_out(plan, engine, step))
        except (RecipeError, BundleError, EngineFault) as error:
            if len(plans) == 1:
                raise
            evaluations.append(refused(plan, str(error)))
            done = before + steps_of(plan)
            progress(done, total, f"bundle {plan.title} is refused")
    return tuple(evaluations)
