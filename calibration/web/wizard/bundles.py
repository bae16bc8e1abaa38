"""The bundles that a view could be judged with: its own, earlier ones, and those that somebody brought to the station."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibration.web.site import Site
from edge.bundle import open_bundle
from edge.errors import BundleError
from edge.recipe import Recipe
from edge.recipe.reading import BUNDLES


@dataclass(frozen=True)
class Choice:
    """One bundle. problem: why it cannot be used for this view, "" if nothing speaks against it."""

    name: str
    family: str
    content_hash: str
    path: Path
    size_wh: tuple[int, int]
    in_force: bool = False
    problem: str = ""


def known_bundles(site: Site, recipe: Recipe) -> tuple[Choice, ...]:
    """Each once, the one in force first; what is damaged is left out."""
    found = {recipe.bundle.content_hash: _choice(recipe.bundle.path, recipe)}
    for path in (*_folders(recipe.path / BUNDLES), *_folders(site.folder / "bundles")):
        choice = _choice(path, recipe)
        if choice is not None:
            found.setdefault(choice.content_hash, choice)
    return tuple(choice for choice in found.values() if choice is not None)


def _choice(path: Path, recipe: Recipe) -> Choice | None:
    try:
        bundle = open_bundle(path)
    except BundleError:
        return None
    manifest = bundle.manifest
    in_force = bundle.content_hash == recipe.bundle.content_hash
    return Choice(bundle.name, manifest.family, bundle.content_hash, path, manifest.size_wh, in_force)


def _folders(root: Path) -> tuple[Path, ...]:
    try:
        return tuple(sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")))
    except OSError:
        return ()
