"""Stale cards, found before the station stands still over them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.progress import Progress, silent
from calibration.thresholds import EngineOf
from edge.config import StationConfig
from edge.engines.base import Engine, EngineIdentity
from edge.errors import ConfigError, LineclearError
from edge.recipe import load_recipe, stale
from edge.recipe.reading import BUNDLES, CURRENT, VERSIONS
from edge.settings.cameras import hash_of_camera

PRODUCT = "{product}"


@dataclass(frozen=True)
class Finding:
    """One recipe, and what stands between it and a verdict; `what` is empty where its card holds."""

    path: Path
    view: str
    version: int | None
    what: tuple[str, ...]


def recipes_under(path: Path) -> tuple[Path, ...]:
    """The recipes in a folder and the folders in it, sorted; the folder itself if it is one. ConfigError: no folder."""
    if not path.is_dir():
        raise ConfigError("is no folder", where=str(path), remedy="name a recipe, or a folder of recipes")
    found = []
    for folder, names, files in os.walk(path):
        names.sort()
        if CURRENT in files:
            found.append(Path(folder))
            names[:] = [name for name in names if name not in (VERSIONS, BUNDLES)]
    return tuple(found)


def recipes_of(config: StationConfig) -> dict[Path, str]:
    """The recipes that a station's config names, each with its view; every product's where it says {product}."""
    found: dict[Path, str] = {}
    for name, view in config.views.items():
        head, product, _ = view.recipe.partition(PRODUCT)
        if not product:
            found[Path(view.recipe).resolve()] = name
            continue
        root = Path(head) if head.endswith("/") else Path(head).parent
        pattern = str(Path(view.recipe).relative_to(root)).replace(PRODUCT, "*")
        found |= {path.resolve(): name for path in sorted(root.glob(pattern)) if (path / CURRENT).is_file()}
    return found


def find_stale(
    paths: Sequence[Path],
    config: StationConfig | None = None,
    open_engine: EngineOf | None = None,
    progress: Progress = silent,
) -> tuple[Finding, ...]:
    """Every recipe among and under `paths`, and those that the config names, with what its card no longer matches.

    config: compare with the camera settings of the recipe's view too. open_engine: and with the engine that this machine
    would run; it is opened once per bundle. A recipe that cannot be used, or has no card, is a finding. ConfigError: a
    path is no folder, or there is no recipe at all.
    """
    named = recipes_of(config) if config else {}
    recipes = tuple(dict.fromkeys([*(recipe.resolve() for path in paths for recipe in recipes_under(path)), *named]))
    if not recipes:
        where = ", ".join(map(str, paths))
        raise ConfigError("there is no recipe there", where=where, remedy="name a recipe, a folder of recipes, or --config")
    identities: dict[str, EngineIdentity] = {}
    found = []
    for done, path in enumerate(recipes, 1):
        found.append(_finding(path, named.get(path), config, open_engine, identities))
        progress(done, len(recipes), path.name)
    return tuple(found)


def _finding(
    path: Path,
    wanted: str | None,
    config: StationConfig | None,
    open_engine: EngineOf | None,
    identities: dict[str, EngineIdentity],
) -> Finding:
    try:
        recipe = load_recipe(path, view=wanted)
    except LineclearError as error:
        return Finding(path, "", None, (f"it cannot be used: {error}",))
    if recipe.card is None:
        return Finding(path, recipe.view, recipe.version, ("it has no threshold card",))
    view = config.views.get(recipe.view) if config else None
    camera = hash_of_camera(view.camera) if view else None
    what: tuple[str, ...] = ()
    key = recipe.bundle.content_hash
    try:
        if open_engine is not None and key not in identities:
            identities[key] = _identity(open_engine(recipe.bundle))
    except LineclearError as error:
        what = (f"its engine cannot be opened: {error}",)
    return Finding(path, recipe.view, recipe.version, what + stale(recipe.card, recipe, identities.get(key), camera))


def _identity(engine: Engine) -> EngineIdentity:
    with engine as opened:
        return opened.identity


def said(findings: Sequence[Finding]) -> Iterator[str]:
    """One line per recipe."""
    for finding in findings:
        version = "" if finding.version is None else f" version {finding.version:04d}"
        yield f"{finding.path}{version}: {'; '.join(finding.what) if finding.what else 'holds'}"
