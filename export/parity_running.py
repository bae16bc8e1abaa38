"""From what a person asked for to the comparisons: which recipe, which engines, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.cli.progress import Meter
from edge.config import StationConfig
from edge.engines.gpus import EngineUnavailable
from edge.errors import ConfigError
from edge.recipe import ParityComparison, Recipe, load_recipe
from edge.settings.engines import AutoSettings, GpuSettings, TensorRtRtxSettings, TensorRtSettings
from export.parity import Subject, compare
from export.parity_sides import Makers, Plan, Wanted, against, plan_of

__all__ = ["Asked", "compared", "plan_for", "recipe_of"]


@dataclass(frozen=True)
class Asked:
    """--engine, --cache and --against."""

    engine: Wanted | None = None
    cache: Path | None = None
    against: Path | None = None


def recipe_of(path: Path | None, bundle_hash: str) -> Recipe | None:
    """The recipe, None without a path. RecipeError; ConfigError: it has another bundle."""
    if path is None:
        return None
    recipe = load_recipe(path)
    if recipe.bundle.content_hash != bundle_hash:
        message = f"its bundle is {recipe.bundle.name}, not the one to be compared"
        raise ConfigError(message, where=str(path), remedy=f"compare {recipe.bundle.path}")
    return recipe


def plan_for(asked: Asked, subject: Subject, config: StationConfig | None) -> Plan:
    """The engines to compare. ConfigError: --against names nothing that can be."""
    gpu = _gpu_settings(asked, config)
    if asked.against is not None:
        return against(subject.bundle, asked.against, asked.engine, gpu, Makers())
    wanted = asked.engine
    if config is not None and wanted is None and gpu is None:
        wanted = "onnxruntime"
    return plan_of(subject.bundle, wanted, gpu, Makers())


def _gpu_settings(asked: Asked, config: StationConfig | None) -> GpuSettings | None:
    """The config's GPU engine, else what --engine and --cache say, else None: whatever there is."""
    cache = {} if asked.cache is None else {"cache_dir": str(asked.cache.absolute())}
    found = config.engine if config is not None else None
    if isinstance(found, AutoSettings):
        kind = next((kind for kind in found.order if kind != "onnxruntime"), None)
        found = getattr(found, kind) if kind is not None else None
    if isinstance(found, TensorRtSettings | TensorRtRtxSettings):
        return found.model_copy(update=cache)
    if asked.engine == "tensorrt_rtx":
        return TensorRtRtxSettings(**cache)
    return TensorRtSettings(**cache) if asked.engine == "tensorrt" or cache else None


def compared(subject: Subject, plan: Plan, *, quiet: bool) -> tuple[tuple[ParityComparison, ...], tuple[str, ...]]:
    """Every comparison of the plan, and what could not be run here, and why."""
    made, missing = [], [*([subject.lacks] if subject.lacks else []), *plan.missing]
    with Meter("comparing", quiet=quiet) as meter:
        made.append(compare(subject, plan.base, None, meter))
        for base, other in plan.others:
            try:
                made.append(compare(subject, base, other, meter))
            except EngineUnavailable as error:
                missing.append(f"{other.name}: {error.message}")
    return tuple(made), tuple(missing)
