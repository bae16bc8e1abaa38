"""A recipe as a file to carry away."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from calibration.web.http.uploads import FOLDER
from calibration.web.recipes.places import Place
from calibration.web.site import Site
from edge.audit import Action
from edge.errors import RecipeError
from edge.recipe import export_recipe
from edge.recipe.reading import versions


def pack(site: Site, place: Place, version: int | None, *, who: str) -> tuple[Path, str]:
    """A zip below the page's folder, which the caller removes, and the name to offer for it. RecipeError: no such version.

    Who carries a recipe away stands in the audit log: what is on a stick can come back anywhere.
    """
    if version is not None and version not in versions(place.path):
        raise RecipeError(
            f"has no version {version}", where=f"{place.view} {place.product}".strip(), remedy="choose one that there is"
        )
    folder = site.folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{secrets.token_hex(16)}.zip"
    listing = export_recipe(place.path, file, version)
    after = {"change": "exported", "version": listing.version, "bundle": listing.bundle}
    try:
        site.audit.append(Action.RECIPE, who=who, subject=str(place.path), why="exported as a file", before=None, after=after)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    parts = (site.name, place.view, place.product, f"v{listing.version:04d}")
    name = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", part) for part in parts if part)
    return file, f"{name}.zip"
