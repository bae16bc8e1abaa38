"""The bundles that a view could be judged with: its own, earlier ones, and those that somebody brought to the station."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibration.web.recipes.bundles import BundleInfo, bundles_of
from calibration.web.site import Site
from edge.bundle import Bundle, open_bundle
from edge.errors import BundleError, ConfigError
from edge.recipe import Recipe, Trust
from edge.recipe.reading import BUNDLES


@dataclass(frozen=True)
class Choice:
    """One bundle. problem: why it cannot be used on this station, "" if nothing speaks against it."""

    name: str
    family: str
    content_hash: str
    path: Path
    size_wh: tuple[int, int]
    in_force: bool = False
    problem: str = ""


def known_bundles(site: Site, recipe: Recipe) -> tuple[Choice, ...]:
    """Each once, the one in force first; what is damaged or not believed here is in the list and says so."""
    ours = recipe.bundle
    found = {ours.content_hash: _choice(ours, in_force=True)}
    trust = Trust.of(site.config.trust)
    for path in _folders(recipe.path / BUNDLES):
        try:
            bundle = open_bundle(path)
        except BundleError:
            continue  # an old one of this recipe that is damaged: nobody can do anything about it here
        found.setdefault(bundle.content_hash, _choice(bundle, problem=_doubt(trust, bundle)))
    for info in bundles_of(site):
        found.setdefault(info.content_hash or str(info.path), _brought(info))
    return tuple(found.values())


def _choice(bundle: Bundle, *, in_force: bool = False, problem: str = "") -> Choice:
    manifest = bundle.manifest
    return Choice(bundle.name, manifest.family, bundle.content_hash, bundle.path, manifest.size_wh, in_force, problem)


def _brought(info: BundleInfo) -> Choice:
    return Choice(info.name, info.family, info.content_hash, info.path, info.size_wh, problem=info.problem)


def _doubt(trust: Trust | None, bundle: Bundle) -> str:
    if trust is None:
        return ""
    try:
        problem = trust.problem("bundle", bundle.content_hash, bundle.path)
    except ConfigError as error:
        return str(error)
    return problem[0] if problem is not None else ""


def _folders(root: Path) -> tuple[Path, ...]:
    try:
        return tuple(sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")))
    except OSError:
        return ()
